//! CORS: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>.

use hyper::{
    HeaderMap, Method,
    header::{HeaderName, HeaderValue, ORIGIN, VARY},
    http::request::Parts,
};

use crate::template::Cors;

/// Replaces the function's CORS headers by those that API Gateway adds to the response to a cross-origin
/// request. If a route, for example `$default`, matches a preflight request, its function is invoked; these
/// headers make the preflight succeed.
pub(crate) fn set_headers(cors: &Cors, head: &Parts, headers: &mut HeaderMap) {
    let names: Vec<_> = headers.keys().cloned().collect();
    for name in names
        .iter()
        .filter(|name| name.as_str().starts_with("access-control-"))
    {
        headers.remove(name);
    }
    let Some(origin) = head
        .headers
        .get(ORIGIN)
        .and_then(|origin| origin.to_str().ok())
    else {
        return;
    };
    let allows = |wanted: &str| {
        cors.allow_origins
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(wanted))
    };
    if !allows("*") && !allows(origin) {
        return;
    }
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set(
        "access-control-allow-origin",
        if allows("*") { "*" } else { origin },
    );
    set("access-control-expose-headers", &cors.expose_headers);
    if head.method == Method::OPTIONS && head.headers.contains_key("access-control-request-method")
    {
        set("access-control-allow-methods", &cors.allow_methods);
        set("access-control-allow-headers", &cors.allow_headers);
        set("access-control-max-age", &cors.max_age);
    }
    if !allows("*") {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}
