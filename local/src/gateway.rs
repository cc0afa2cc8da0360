//! API Gateway's HTTP API and Lambda's Invoke API on one port.

mod event;
mod routes;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN},
    http::request::Parts,
    server::conn::http1,
};
use hyper_util::rt::TokioTimer;
use serde_json::json;
use tokio::{net::TcpListener, time::timeout};

use crate::{
    instance::MAX_PAYLOAD_BYTES,
    lambda::{Functions, Invoked},
    lock, server,
    stack::Options,
    template::{Cors, EventSource, Template},
    terminal::{self, Line},
};
use routes::Routes;

/// The [largest](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html)
/// request line and header values, in bytes.
const MAX_HEAD_BYTES: usize = 10_240;

/// The [largest](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html)
/// body, in bytes.
const MAX_BODY_BYTES: usize = 10_000_000;

/// How long an invocation by name may wait until an instance gets free.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(60);

/// The path of the [Invoke API](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html),
/// before the name of the function.
const INVOKE_PATH: &str = "/2015-03-31/functions/";

type HttpResponse = Response<Full<Bytes>>;

/// The gateway. What it serves can change while it runs.
pub(crate) struct Gateway {
    api: Mutex<Arc<Api>>,
    port: u16,
    /// How long a client may take to send the headers of a request, and then its body.
    client_timeout: Duration,
    /// Whether each request is printed as a line.
    prints: bool,
}

/// An HTTP API and its functions.
pub(crate) struct Api {
    pub functions: Functions,
    pub event_sources: Vec<EventSource>,
    routes: Routes,
    cors: Option<Cors>,
}

impl Api {
    pub(crate) fn new(template: &Template, functions: Functions) -> crate::Result<Self> {
        let (routes, cors) = (Routes::new(&functions), template.cors());
        Ok(Self {
            functions,
            event_sources: template.event_sources()?,
            routes,
            cors,
        })
    }
}

/// What the line about a request says besides its status.
#[derive(Default)]
struct Note {
    cold_start: bool,
    /// The error that Lambda reported.
    error: Option<String>,
}

impl Gateway {
    pub(crate) fn new(api: Api, port: u16, options: &Options) -> Self {
        Self {
            api: Mutex::new(Arc::new(api)),
            port,
            client_timeout: options.client_timeout,
            prints: options.prints,
        }
    }

    pub(crate) fn api(&self) -> Arc<Api> {
        lock(&self.api).clone()
    }

    /// Serves another API from now on. Requests under way end with the former one.
    pub(crate) fn replace(&self, api: Api) {
        *lock(&self.api) = Arc::new(api);
    }

    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut server = http1::Builder::new();
        server
            .timer(TokioTimer::new())
            .header_read_timeout(self.client_timeout)
            // Larger than allowed, so that the limit can be reported.
            .max_buf_size(8 * MAX_HEAD_BYTES)
            .max_headers(1_000);
        let respond = move |request, client| self.clone().handle(request, client);
        server::serve(listener, server, respond).await;
    }

    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> io::Result<HttpResponse> {
        let start = Instant::now();
        let (head, body) = request.into_parts();
        let body = timeout(self.client_timeout, read(body)).await;
        let name = head
            .uri
            .path()
            .strip_prefix(INVOKE_PATH)
            .and_then(|rest| rest.strip_suffix("/invocations"));
        let (response, note) = match (body, name) {
            (Err(_), _) => closing(StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
            (Ok(Err(_)), _) => closing(StatusCode::BAD_REQUEST, "Bad Request"),
            // `*`, or an authority.
            _ if !head.uri.path().starts_with('/') => {
                closing(StatusCode::BAD_REQUEST, "Bad Request")
            }
            (Ok(Ok(body)), Some(name)) => self.invoke(name, &head, body).await,
            (Ok(Ok(body)), None) => self.respond(&head, body, client).await,
        };
        if self.prints {
            terminal::print_line(&Line {
                method: head.method.as_str(),
                path: head.uri.path_and_query().map_or("", |path| path.as_str()),
                status: response.status().as_u16(),
                duration: start.elapsed(),
                cold_start: note.cold_start,
                error: note.error.as_deref(),
            });
        }
        Ok(response)
    }

    /// Responds as API Gateway does.
    async fn respond(
        &self,
        head: &Parts,
        body: Option<Bytes>,
        client: SocketAddr,
    ) -> (HttpResponse, Note) {
        let api = self.api();
        let request_id = event::request_id();
        let (mut response, note) = api.route(self.port, head, body, client, &request_id).await;
        if let Some(cors) = &api.cors {
            set_cors_headers(cors, head, response.headers_mut());
        }
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert("apigw-requestid", id);
        }
        (response, note)
    }

    /// Responds as Lambda's Invoke API does. A function may be named by its binary, its logical id
    /// in the template, or an ARN that ends in one of them.
    async fn invoke(&self, name: &str, head: &Parts, body: Option<Bytes>) -> (HttpResponse, Note) {
        let error = |status, kind: &'static str, message: &str| {
            let body = json!({ "Type": "User", "Message": message }).to_string();
            let response = respond_json(status, body, &[("x-amzn-errortype", kind)]);
            (
                response,
                Note {
                    error: Some(message.to_owned()),
                    ..Note::default()
                },
            )
        };
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        let name = name
            .rsplit_once(":function:")
            .map_or(&*name, |(_, name)| name);
        let name = name.split(':').next().unwrap_or_default();
        let api = self.api();
        let mut functions = api.functions.values();
        let function = functions.find(|function| {
            [&function.definition.binary, &function.definition.id].contains(&&name.to_owned())
        });
        let (Some(function), &Method::POST) = (function, &head.method) else {
            let names: Vec<_> = api.functions.keys().map(String::as_str).collect();
            let message = format!(
                "Function not found: {name}. There are: {}",
                names.join(", ")
            );
            return error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
        };
        let Some(body) = body.filter(|body| body.len() <= MAX_PAYLOAD_BYTES) else {
            let message = format!("the payload is too large (limit {MAX_PAYLOAD_BYTES} bytes)");
            return error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestTooLargeException",
                &message,
            );
        };
        let body = if body.is_empty() {
            Bytes::from_static(b"{}")
        } else {
            body
        };
        if let Err(fault) = serde_json::from_slice::<serde_json::Value>(&body) {
            let message = format!("Could not parse request body into json: {fault}");
            return error(
                StatusCode::BAD_REQUEST,
                "InvalidRequestContentException",
                &message,
            );
        }
        let kind = head
            .headers
            .get("x-amz-invocation-type")
            .map_or(&b""[..], HeaderValue::as_bytes);
        match kind {
            b"DryRun" => {
                return (
                    respond_json(StatusCode::NO_CONTENT, String::new(), &[]),
                    Note::default(),
                );
            }
            b"Event" => {
                let function = function.clone();
                tokio::spawn(async move { function.invoke(body, QUEUE_TIMEOUT).await });
                return (
                    respond_json(StatusCode::ACCEPTED, String::new(), &[]),
                    Note::default(),
                );
            }
            _ => {}
        }
        let Invoked {
            outcome,
            cold_start,
        } = function.invoke(body, QUEUE_TIMEOUT).await;
        let mut headers = vec![("x-amz-executed-version", "$LATEST")];
        if outcome.is_err() {
            headers.push(("x-amz-function-error", "Unhandled"));
        }
        let error = outcome
            .as_ref()
            .err()
            .map(|error| terminal::error_message(error));
        let body = outcome.unwrap_or_else(|error| error);
        (
            respond_json(StatusCode::OK, body, &headers),
            Note { cold_start, error },
        )
    }
}

impl Api {
    async fn route(
        &self,
        port: u16,
        head: &Parts,
        body: Option<Bytes>,
        client: SocketAddr,
        request_id: &str,
    ) -> (HttpResponse, Note) {
        let values: usize = head.headers.values().map(HeaderValue::len).sum();
        let target = head
            .uri
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        if head.method.as_str().len() + target + " HTTP/1.1".len() + 1 + values > MAX_HEAD_BYTES {
            return message(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "Request Header Fields Too Large",
            );
        }
        let Some((route, path_parameters)) = self.routes.find(&head.method, head.uri.path()) else {
            // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
            if self.cors.is_some() && head.method == Method::OPTIONS {
                return (
                    respond_json(StatusCode::NO_CONTENT, String::new(), &[]),
                    Note::default(),
                );
            }
            return message(StatusCode::NOT_FOUND, "Not Found");
        };
        if !route.take_token() {
            return message(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
        }
        let too_large = || message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        let Some(body) = body else {
            return too_large();
        };
        let matched = event::Match {
            route_key: route.key.clone(),
            path_parameters: &path_parameters,
        };
        let event =
            event::from_request(head, &body, &matched, request_id, client, port).to_string();
        if event.len() > MAX_PAYLOAD_BYTES {
            return too_large();
        }
        let invocation = route.function.invoke(event.into(), route.timeout);
        let Ok(Invoked {
            outcome,
            cold_start,
        }) = timeout(route.timeout, invocation).await
        else {
            let (response, _) = message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
            let error = format!(
                "{} did not respond within {:?}",
                route.function.definition.binary, route.timeout
            );
            return (
                response,
                Note {
                    error: Some(error),
                    cold_start: false,
                },
            );
        };
        let result = match &outcome {
            Ok(output) => event::to_response(output)
                .ok_or("a response that API Gateway does not understand".into()),
            Err(error) => Err(terminal::error_message(error)),
        };
        match result {
            Ok(response) => {
                let error = terminal::error_summary(
                    response.status(),
                    outcome.as_deref().unwrap_or_default(),
                );
                (response, Note { cold_start, error })
            }
            Err(error) => {
                let (response, _) =
                    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
                let error = format!("{}: {error}", route.function.definition.binary);
                (
                    response,
                    Note {
                        cold_start,
                        error: Some(error),
                    },
                )
            }
        }
    }
}

/// Reads a body to its end; `None` if it is too large. It is read even then, because a client that
/// still sends would not see the response.
async fn read(mut body: Incoming) -> hyper::Result<Option<Bytes>> {
    let (mut bytes, mut size) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        size += data.len();
        if size <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
        }
    }
    Ok((size <= MAX_BODY_BYTES).then(|| bytes.into()))
}

/// A response of API Gateway's own.
fn message(status: StatusCode, text: &str) -> (HttpResponse, Note) {
    let body = json!({ "message": text }).to_string();
    (respond_json(status, body, &[]), Note::default())
}

/// A response of API Gateway's own, after which the connection is closed.
fn closing(status: StatusCode, text: &str) -> (HttpResponse, Note) {
    let (mut response, note) = message(status, text);
    response
        .headers_mut()
        .insert("connection", HeaderValue::from_static("close"));
    (response, note)
}

fn respond_json(
    status: StatusCode,
    body: impl Into<Bytes>,
    headers: &[(&'static str, &'static str)],
) -> HttpResponse {
    let body = body.into();
    let mut response = Response::new(Full::new(body.clone()));
    *response.status_mut() = status;
    if !body.is_empty() {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(*name, HeaderValue::from_static(value));
    }
    response
}

/// Sets the headers that API Gateway adds to the response to a cross-origin request, in place of the
/// function's own:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>.
fn set_cors_headers(cors: &Cors, head: &Parts, headers: &mut HeaderMap) {
    let own: Vec<_> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("access-control-"))
        .cloned()
        .collect();
    for name in own {
        headers.remove(name);
    }
    let Some(origin) = head
        .headers
        .get(ORIGIN)
        .and_then(|origin| origin.to_str().ok())
    else {
        return;
    };
    let all = cors.allow_origins.iter().any(|allowed| allowed == "*");
    if !all
        && !cors
            .allow_origins
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(origin))
    {
        return;
    }
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set(
        "access-control-allow-origin",
        if all { "*" } else { origin },
    );
    set("access-control-expose-headers", &cors.expose_headers);
    if head.method == Method::OPTIONS && head.headers.contains_key("access-control-request-method")
    {
        set("access-control-allow-methods", &cors.allow_methods);
        set("access-control-allow-headers", &cors.allow_headers);
        set("access-control-max-age", &cors.max_age);
    }
    if !all {
        set("vary", "Origin");
    }
}
