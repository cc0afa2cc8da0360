//! Converts requests to [events of payload format 2.0](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html),
//! and the functions' responses to HTTP responses.

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

/// Headers about one connection, which are not forwarded in either direction.
const HOP_BY_HOP: [&str; 6] = [
    "connection",
    "expect",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Details of a request that its head does not contain.
pub(crate) struct Source {
    /// The id that the gateway gives to the request.
    pub request_id: String,
    pub client: SocketAddr,
    /// The port on which the gateway received the request.
    pub port: u16,
}

/// Returns a new request id in the format of API Gateway's.
pub(crate) fn request_id() -> String {
    STANDARD.encode(&Uuid::new_v4().as_bytes()[..11])
}

/// Builds the event for a request that matches a route.
pub(crate) fn from_request(
    head: &Parts,
    body: &[u8],
    route_key: &str,
    path_parameters: &BTreeMap<String, String>,
    source: &Source,
) -> Value {
    let client = source.client.ip().to_string();
    let now = SystemTime::now();
    let epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let path = percent_decode_str(head.uri.path()).decode_utf8_lossy();
    let query = head.uri.query().unwrap_or_default();
    let mut headers = joined_values(&head.headers);
    let cookies = headers.remove("cookie");
    headers.retain(|name, _| !HOP_BY_HOP.contains(&name.as_str()));
    let mut set = |name: &str, value: String| headers.insert(name.to_owned(), value);
    if !body.is_empty() {
        set("content-length", body.len().to_string());
    }
    let trace = Uuid::new_v4().simple().to_string();
    let trace_id = format!("Root=1-{:08x}-{}", epoch.as_secs(), &trace[..24]);
    set("x-amzn-trace-id", trace_id);
    set("x-forwarded-port", source.port.to_string());
    set("x-forwarded-proto", "http".to_owned());
    // The client is appended to the proxies that it reports.
    if let Some(proxies) = set("x-forwarded-for", client.clone()) {
        set("x-forwarded-for", format!("{proxies}, {client}"));
    }
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

/// Whether the event contains a body of this media type unchanged. All other bodies are in base64, also
/// forms and bodies without a media type. AWS does not document the list; it was observed.
fn is_text(content_type: Option<&String>) -> bool {
    let before_parameters = content_type.and_then(|value| value.split(';').next());
    let media_type = before_parameters
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let subtype = media_type.strip_prefix("application/");
    media_type.starts_with("text/")
        || subtype.is_some_and(|subtype| ["json", "javascript", "xml"].contains(&subtype))
}

/// Returns the headers by their names in lower case. Commas join the values of a repeated header.
fn joined_values(headers: &HeaderMap) -> BTreeMap<String, String> {
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

/// Formats a time in the Common Log Format, for example `12/Jan/2026:19:03:58 +0000`.
fn common_log_time(time: SystemTime) -> String {
    let date = httpdate::fmt_http_date(time);
    let fields: Vec<_> = date.split(' ').collect();
    match fields[..] {
        [_, day, month, year, clock, _] => format!("{day}/{month}/{year}:{clock} +0000"),
        _ => date,
    }
}

/// Converts a function's response to an HTTP response. Returns `None` if API Gateway would not understand
/// it. A response without a `statusCode` is the body of a 200.
pub(crate) fn to_response(output: &[u8]) -> Option<Response<Full<Bytes>>> {
    let returned: Value = serde_json::from_slice(output).ok()?;
    if returned.get("statusCode").is_none() {
        let body = returned
            .as_str()
            .map_or_else(|| returned.to_string(), str::to_owned);
        return Response::builder()
            .header(CONTENT_TYPE, "application/json")
            .body(body.into())
            .ok();
    }
    let status: u16 = text(&returned["statusCode"])
        .parse()
        .ok()
        .filter(|status| (200..600).contains(status))?;
    let mut response = Response::builder().status(status);
    // The server sets the length; a wrong one would break the connection.
    let is_passed_on = |name: &str| !HOP_BY_HOP.contains(&name) && name != "content-length";
    let headers = members(&returned["headers"]);
    for (name, value) in headers.filter(|(name, _)| is_passed_on(&name.to_ascii_lowercase())) {
        response = response.header(name, text(value));
    }
    for cookie in items(&returned["cookies"]) {
        response = response.header("set-cookie", text(cookie));
    }
    let mut body = text(&returned["body"]).into_bytes();
    if returned["isBase64Encoded"] == true {
        body = STANDARD.decode(body).ok()?;
    }
    // Responses with these status codes have no body: https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1
    if [204, 304].contains(&status) {
        body.clear();
    }
    let has_type = response.headers_ref()?.contains_key(CONTENT_TYPE);
    if !body.is_empty() && !has_type {
        response = response.header(CONTENT_TYPE, "text/plain;charset=UTF-8");
    }
    response.body(body.into()).ok()
}
