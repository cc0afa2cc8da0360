//! API Gateway's HTTP API, Lambda's Invoke API and SQS's API on one port.

mod cors;
mod docs;
mod event;
mod invoke_api;
mod routes;
mod sqs_api;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::{Bytes, Incoming},
    header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue},
    http::request::Parts,
    server::conn::http1,
};
use hyper_util::rt::TokioTimer;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};

use crate::{
    instance::MAX_PAYLOAD_BYTES,
    lambda::{Busy, Functions, Invoked},
    lock,
    queue::Queues,
    server,
    stack::Options,
    template::{self, Cors, EventSource, Pipe, Template},
    terminal::{self, Line, error_message},
};
use routes::{Route, Routes};

/// The [largest](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html)
/// request line and header values, in bytes.
const MAX_HEAD_BYTES: usize = 10_240;

/// The [largest](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html)
/// body, in bytes.
const MAX_BODY_BYTES: usize = 10_000_000;

type HttpResponse = Response<Full<Bytes>>;

/// The gateway. The API that it serves can be replaced while it runs.
pub(crate) struct Gateway {
    api: Mutex<Arc<Api>>,
    queues: Queues,
    port: u16,
    /// How long a client may take to send the headers of a request, and then its body.
    client_timeout: Duration,
    /// Whether each request is printed as a line.
    prints: bool,
    /// Whether the reference is served at `/docs`.
    serves_docs: bool,
}

/// An HTTP API and its functions.
pub(crate) struct Api {
    pub functions: Functions,
    pub event_sources: Vec<EventSource>,
    pub pipes: Vec<Pipe>,
    pub template: Template,
    queues: Vec<template::Queue>,
    routes: Routes,
    cors: Option<Cors>,
}

impl Api {
    pub(crate) fn new(template: Template, functions: Functions) -> crate::Result<Self> {
        let (routes, cors) = (Routes::new(&functions), template.cors());
        Ok(Self {
            functions,
            event_sources: template.event_sources()?,
            pipes: template.pipes()?,
            queues: template.queues()?,
            template,
            routes,
            cors,
        })
    }
}

/// An extension of a response, for the line that is printed about the request.
#[derive(Clone, Default)]
struct Note {
    cold_start: bool,
    error: Option<String>,
}

impl Gateway {
    pub(crate) fn new(api: Api, port: u16, options: &Options) -> Self {
        let (client_timeout, prints) = (options.client_timeout, options.prints);
        let queues = Queues::default();
        queues.define(&api.queues);
        Self {
            api: Mutex::new(Arc::new(api)),
            queues,
            port,
            client_timeout,
            prints,
            serves_docs: options.serves_docs,
        }
    }

    pub(crate) fn api(&self) -> Arc<Api> {
        lock(&self.api).clone()
    }

    pub(crate) fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Runs an operation of SQS's API.
    ///
    /// # Errors
    /// Returns SQS's error: its type and its message.
    pub(crate) fn sqs(&self, operation: &str, input: &Value) -> crate::Result<Value> {
        sqs_api::call(self, operation, input)
            .map_err(|(kind, message)| format!("{kind}: {message}"))
    }

    /// Serves another API from now on, and returns the old one, which completes its requests. The queues
    /// keep their messages.
    pub(crate) fn replace(&self, api: Api) -> Arc<Api> {
        self.queues.define(&api.queues);
        std::mem::replace(&mut *lock(&self.api), Arc::new(api))
    }

    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut server = http1::Builder::new();
        server
            .timer(TokioTimer::new())
            .header_read_timeout(self.client_timeout);
        // Larger than the limits, so that a request that exceeds them gets a response.
        server.max_buf_size(8 * MAX_HEAD_BYTES).max_headers(1_000);
        // A client may close its side once it has sent its request.
        server.half_close(true);
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
        let response = match timeout(self.client_timeout, read(body)).await {
            Err(_) => closing(StatusCode::REQUEST_TIMEOUT),
            Ok(Err(_)) => closing(StatusCode::BAD_REQUEST),
            // The target is `*` or an authority.
            _ if !head.uri.path().starts_with('/') => closing(StatusCode::BAD_REQUEST),
            // https://www.rfc-editor.org/rfc/rfc9112#section-3.2
            _ if head.version == Version::HTTP_11
                && head.headers.get_all(HOST).iter().count() != 1 =>
            {
                closing(StatusCode::BAD_REQUEST)
            }
            Ok(Ok(body)) => {
                if let Some(name) = invoke_api::function_name(&head) {
                    invoke_api::respond(&self.api().functions, &name, &head, body).await
                } else if let Some(operation) = sqs_api::operation(&head) {
                    sqs_api::respond(&self, operation, &head, body)
                } else if self.serves_docs && docs::is_for_docs(&head) {
                    docs::respond(head.uri.path(), self.port).await
                } else {
                    self.respond(&head, body, client).await
                }
            }
        };
        if self.prints {
            let note = response
                .extensions()
                .get::<Note>()
                .cloned()
                .unwrap_or_default();
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
    async fn respond(&self, head: &Parts, body: Option<Bytes>, client: SocketAddr) -> HttpResponse {
        let api = self.api();
        let source = event::Source {
            request_id: event::request_id(),
            client,
            port: self.port,
        };
        let mut response = api.route(head, body, &source).await;
        if let Some(cors) = &api.cors {
            cors::set_headers(cors, head, response.headers_mut());
        }
        if let Ok(id) = HeaderValue::from_str(&source.request_id) {
            response.headers_mut().insert("apigw-requestid", id);
        }
        response
    }
}

impl Api {
    async fn route(
        &self,
        head: &Parts,
        body: Option<Bytes>,
        source: &event::Source,
    ) -> HttpResponse {
        if head_bytes(head) > MAX_HEAD_BYTES {
            return error(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        let Some((route, path_parameters)) = self.routes.find(&head.method, head.uri.path()) else {
            // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
            if self.cors.is_some() && head.method == Method::OPTIONS {
                return respond_json(StatusCode::NO_CONTENT, "");
            }
            return error(StatusCode::NOT_FOUND);
        };
        if !route.take_token() {
            return error(StatusCode::TOO_MANY_REQUESTS);
        }
        let Some(body) = body else {
            return error(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let event =
            event::from_request(head, &body, &route.key, &path_parameters, source).to_string();
        if event.len() > MAX_PAYLOAD_BYTES {
            return error(StatusCode::PAYLOAD_TOO_LARGE);
        }
        match invoke(route, event).await {
            Ok(invoked) => respond_with(invoked, &route.function.definition.binary),
            Err(cause) => noted(error(StatusCode::SERVICE_UNAVAILABLE), false, Some(cause)),
        }
    }
}

/// Returns the size of the request line and the header values.
fn head_bytes(head: &Parts) -> usize {
    let target = head.uri.path_and_query();
    let target_bytes = target.map_or(0, |target| target.as_str().len());
    let line = head.method.as_str().len() + target_bytes + "  HTTP/1.1".len();
    line + head.headers.values().map(HeaderValue::len).sum::<usize>()
}

/// Invokes the function of a route, and waits as long as API Gateway does.
///
/// # Errors
/// Returns the cause if there is no outcome in time.
async fn invoke(route: &Route, event: String) -> Result<Invoked, String> {
    let (function, limit) = (&route.function, route.definition.timeout);
    let name = &function.definition.binary;
    // Less than the whole timeout, so that the cause is known.
    let invocation = function.invoke(event.into(), limit.mul_f64(0.99));
    match timeout(limit, invocation).await {
        Ok(Ok(invoked)) => Ok(invoked),
        Ok(Err(Busy)) => Err(format!("all instances of {name} were busy")),
        Err(_) => Err(format!("{name} did not respond within {limit:?}")),
    }
}

/// Converts the outcome of an invocation to a response.
fn respond_with(invoked: Invoked, name: &str) -> HttpResponse {
    let converted = match &invoked.outcome {
        Ok(output) => event::to_response(output)
            .map(|response| (terminal::error_summary(response.status(), output), response))
            .ok_or("API Gateway does not understand its response".to_owned()),
        Err(reported) => Err(error_message(reported)),
    };
    let (summary, response) = converted.unwrap_or_else(|cause| {
        let summary = Some(format!("{name}: {cause}"));
        (summary, error(StatusCode::INTERNAL_SERVER_ERROR))
    });
    noted(response, invoked.cold_start, summary)
}

/// Reads a body to its end. Returns `None` if it is too large, but reads it even then, because a client
/// that is still sending would not see the response.
async fn read(mut body: Incoming) -> hyper::Result<Option<Bytes>> {
    let (mut bytes, mut size) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        size += data.len();
        if size <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
        }
    }
    Ok((size <= MAX_BODY_BYTES).then(|| bytes.into()))
}

/// Returns a response of API Gateway's own.
fn error(status: StatusCode) -> HttpResponse {
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        _ => status.canonical_reason().unwrap_or_default(),
    };
    respond_json(status, json!({ "message": message }).to_string())
}

/// Returns a response of API Gateway's own, after which the connection is closed.
fn closing(status: StatusCode) -> HttpResponse {
    let mut response = error(status);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn respond_json(status: StatusCode, body: impl Into<Bytes>) -> HttpResponse {
    let bytes = body.into();
    let content_type = HeaderValue::from_static("application/json");
    let headers = (!bytes.is_empty()).then_some((CONTENT_TYPE, content_type));
    let mut response = Response::new(Full::new(bytes));
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}

/// Attaches the note for the line about the request.
fn noted(mut response: HttpResponse, cold_start: bool, error: Option<String>) -> HttpResponse {
    response.extensions_mut().insert(Note { cold_start, error });
    response
}
