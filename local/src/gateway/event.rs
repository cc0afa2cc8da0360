//! Requests as [events of payload format 2.0](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html),
//! and the functions' responses as HTTP responses.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::Full;
use hyper::{
    HeaderMap, Response,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
    http::request::Parts,
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::template::{items, members, text};

/// Headers about one connection only, which are not passed on in either direction.
const HOP_BY_HOP: [&str; 6] = [
    "connection",
    "expect",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The client of a request, and the id that it gets.
pub(crate) struct Source {
    pub request_id: String,
    pub client: SocketAddr,
    /// The port on which the gateway received it.
    pub port: u16,
}

/// A request id in API Gateway's form.
pub(crate) fn request_id() -> String {
    STANDARD.encode(&Uuid::new_v4().as_bytes()[..11])
}

/// Builds the event for a request that a route matched.
pub(crate) fn from_request(
    head: &Parts,
    body: &[u8],
    route_key: &str,
    path_parameters: &BTreeMap<String, String>,
    source: &Source,
) -> Value {
    let client = source.client.ip().to_string();
    let path = percent_decode_str(head.uri.path()).decode_utf8_lossy();
    let query = head.uri.query().unwrap_or_default();
    let mut headers = headers(&head.headers);
    let cookies = headers.remove("cookie");
    headers.retain(|name, _| !HOP_BY_HOP.contains(&name.as_str()));
    if !body.is_empty() {
        headers.insert("content-length".to_owned(), body.len().to_string());
    }
    let forwarded_for = headers
        .get("x-forwarded-for")
        .map(|before| format!("{before}, "));
    let now = SystemTime::now();
    let epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let trace = Uuid::new_v4().simple().to_string();
    headers.extend([
        (
            "x-amzn-trace-id".to_owned(),
            format!("Root=1-{:08x}-{}", epoch.as_secs(), &trace[..24]),
        ),
        (
            "x-forwarded-for".to_owned(),
            forwarded_for.unwrap_or_default() + &client,
        ),
        ("x-forwarded-port".to_owned(), source.port.to_string()),
        ("x-forwarded-proto".to_owned(), "http".to_owned()),
    ]);
    let host = headers.get("host").map_or("localhost", |host| {
        host.split(':').next().unwrap_or_default()
    });
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.split('.').next(),
            "http": {
                "method": head.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", head.version),
                "sourceIp": client,
                "userAgent": headers.get("user-agent").map_or("", String::as_str),
            },
            "requestId": source.request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": common_log_time(now),
            "timeEpoch": epoch.as_millis() as u64,
        },
        "isBase64Encoded": false,
    });
    if let Some(cookies) = cookies {
        event["cookies"] = cookies.split(';').map(str::trim).collect();
    }
    if !query.is_empty() {
        let mut parameters: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parameters.entry(name).or_default().push(value);
        }
        let joined = parameters
            .into_iter()
            .map(|(name, values)| (name.into_owned(), json!(values.join(","))));
        event["queryStringParameters"] = joined.collect::<serde_json::Map<_, _>>().into();
    }
    if !path_parameters.is_empty() {
        event["pathParameters"] = json!(path_parameters);
    }
    if !body.is_empty() {
        let plain = std::str::from_utf8(body)
            .ok()
            .filter(|_| is_text(headers.get("content-type")));
        event["isBase64Encoded"] = json!(plain.is_none());
        event["body"] = json!(plain.map_or_else(|| STANDARD.encode(body), str::to_owned));
    }
    event
}

/// Whether a body of this media type reaches the function as it is. All others are in base64, forms
/// and bodies without a media type among them. AWS does not document the list; it is what API Gateway
/// does.
fn is_text(content_type: Option<&String>) -> bool {
    let media_type = content_type.map_or("", |value| value.split(';').next().unwrap_or_default());
    let media_type = media_type.trim().to_ascii_lowercase();
    media_type.starts_with("text/")
        || [
            "application/json",
            "application/javascript",
            "application/xml",
        ]
        .contains(&media_type.as_str())
}

/// Header names are in lower case; values of a repeated header are joined by commas.
fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let decode = |value: &HeaderValue| {
        let latin_1 = || value.as_bytes().iter().copied().map(char::from).collect();
        std::str::from_utf8(value.as_bytes()).map_or_else(|_| latin_1(), str::to_owned)
    };
    let joined = |name: &HeaderName| {
        let values: Vec<String> = headers.get_all(name).iter().map(decode).collect();
        (name.to_string(), values.join(","))
    };
    headers.keys().map(joined).collect()
}

/// A time in the Common Log Format, for example `12/Jan/2026:19:03:58 +0000`.
fn common_log_time(time: SystemTime) -> String {
    let date = httpdate::fmt_http_date(time);
    let fields: Vec<_> = date.split(' ').collect();
    match fields[..] {
        [_, day, month, year, clock, _] => format!("{day}/{month}/{year}:{clock} +0000"),
        _ => date,
    }
}

/// The HTTP response that a function's response means; `None` if API Gateway would not understand
/// it. A response without a `statusCode` is the body of a 200.
pub(crate) fn to_response(output: &[u8]) -> Option<Response<Full<Bytes>>> {
    let output: Value = serde_json::from_slice(output).ok()?;
    if output.get("statusCode").is_none() {
        let body = output
            .as_str()
            .map_or_else(|| output.to_string(), str::to_owned);
        return Response::builder()
            .header(CONTENT_TYPE, "application/json")
            .body(body.into())
            .ok();
    }
    let status: u16 = text(&output["statusCode"])
        .parse()
        .ok()
        .filter(|status| (200..600).contains(status))?;
    let mut response = Response::builder().status(status);
    // The server sets the length; a wrong one would break the connection.
    let is_passed_on = |name: &str| !HOP_BY_HOP.contains(&name) && name != "content-length";
    let headers = members(&output["headers"]);
    for (name, value) in headers.filter(|(name, _)| is_passed_on(&name.to_ascii_lowercase())) {
        response = response.header(name, text(value));
    }
    for cookie in items(&output["cookies"]) {
        response = response.header("set-cookie", text(cookie));
    }
    let body = text(&output["body"]);
    let body = if output["isBase64Encoded"] == true {
        STANDARD.decode(body).ok()?.into()
    } else {
        Bytes::from(body)
    };
    // These have no body: https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1
    let body = if [204, 304].contains(&status) {
        Bytes::new()
    } else {
        body
    };
    let has_type = response.headers_ref()?.contains_key(CONTENT_TYPE);
    if !body.is_empty() && !has_type {
        response = response.header(CONTENT_TYPE, "text/plain;charset=UTF-8");
    }
    response.body(Full::new(body)).ok()
}
