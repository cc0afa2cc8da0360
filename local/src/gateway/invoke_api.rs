//! Lambda's [Invoke API](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).

use std::{sync::Arc, time::Duration};

use hyper::{
    Method, StatusCode,
    body::Bytes,
    header::{HeaderValue, ORIGIN},
    http::request::Parts,
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{HttpResponse, noted, respond_json};
use crate::{
    instance::MAX_PAYLOAD_BYTES,
    lambda::{Busy, Function, Functions, Invoked, QUEUE_TIMEOUT},
    terminal::{error_message, say},
};

/// An error of the Invoke API: its status code, its type and its message.
type Refusal = (StatusCode, &'static str, String);

/// Returns the name in the path, if this is a request of the Invoke API. The name may be an ARN, and may
/// end with a qualifier.
pub(crate) fn function_name(head: &Parts) -> Option<String> {
    let encoded = head
        .uri
        .path()
        .strip_prefix("/2015-03-31/functions/")?
        .strip_suffix("/invocations")?;
    let decoded = percent_decode_str(encoded).decode_utf8_lossy();
    let qualified = decoded
        .rsplit_once(":function:")
        .map_or(&*decoded, |(_, name)| name);
    qualified.split(':').next().map(str::to_owned)
}

/// Invokes a function by the name of its binary or by its logical id in the template.
pub(crate) async fn respond(
    functions: &Functions,
    name: &str,
    head: &Parts,
    body: Option<Bytes>,
) -> HttpResponse {
    let found = find(functions, name, head);
    let invoked = match found.and_then(|function| Ok((function, payload(body)?))) {
        Ok((function, payload)) => invoke(function, payload, head).await,
        Err(refusal) => Err(refusal),
    };
    invoked.unwrap_or_else(|(status, error_type, message)| {
        let body = json!({ "Type": "User", "Message": message }).to_string();
        let mut response = respond_json(status, body);
        response
            .headers_mut()
            .insert("x-amzn-errortype", HeaderValue::from_static(error_type));
        noted(response, false, Some(message))
    })
}

/// Finds a function by its name. Rejects requests that are not POST or are sent by a browser.
fn find<'a>(
    functions: &'a Functions,
    name: &str,
    head: &Parts,
) -> Result<&'a Arc<Function>, Refusal> {
    if head.method != Method::POST {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err((status, "AccessDeniedException", "use POST".to_owned()));
    }
    // A browser sends such a POST for any web page, without a preflight.
    if head.headers.contains_key(ORIGIN) {
        let message = "a web page may not invoke functions by name".to_owned();
        return Err((StatusCode::FORBIDDEN, "AccessDeniedException", message));
    }
    let is_named = |function: &&Arc<Function>| {
        let definition = &function.definition;
        definition.binary == name || definition.id == name
    };
    functions.values().find(is_named).ok_or_else(|| {
        let names: Vec<_> = functions.keys().map(String::as_str).collect();
        let message = format!(
            "Function not found: {name}. There are: {}",
            names.join(", ")
        );
        (StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
    })
}

/// Returns the payload in a body, which must be JSON. An empty body means an empty object.
fn payload(body: Option<Bytes>) -> Result<Bytes, Refusal> {
    let Some(payload) = body.filter(|body| body.len() <= MAX_PAYLOAD_BYTES) else {
        let message = format!("the payload is too large (limit {MAX_PAYLOAD_BYTES} bytes)");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return Err((status, "RequestTooLargeException", message));
    };
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<Value>(&payload) {
        Ok(_) => Ok(payload),
        Err(error) => {
            let message = format!("Could not parse request body into json: {error}");
            let status = StatusCode::BAD_REQUEST;
            Err((status, "InvalidRequestContentException", message))
        }
    }
}

/// Invokes a function in the way that the header `X-Amz-Invocation-Type` selects.
async fn invoke(
    function: &Arc<Function>,
    payload: Bytes,
    head: &Parts,
) -> Result<HttpResponse, Refusal> {
    let invocation_type = head.headers.get("x-amz-invocation-type");
    match invocation_type.map(HeaderValue::as_bytes) {
        Some(b"DryRun") => Ok(respond_json(StatusCode::NO_CONTENT, "")),
        Some(b"Event") => {
            tokio::spawn(invoke_asynchronously(function.clone(), payload));
            Ok(respond_json(StatusCode::ACCEPTED, ""))
        }
        _ => invoke_synchronously(function, payload).await,
    }
}

async fn invoke_asynchronously(function: Arc<Function>, payload: Bytes) {
    if let Ok(Invoked {
        outcome: Err(error),
        ..
    }) = function.invoke(payload, Duration::MAX).await
    {
        let (name, message) = (&function.definition.binary, error_message(&error));
        say(&format!(
            "{name}: an asynchronous invocation failed: {message}"
        ));
    }
}

async fn invoke_synchronously(
    function: &Arc<Function>,
    payload: Bytes,
) -> Result<HttpResponse, Refusal> {
    let invoked = function.invoke(payload, QUEUE_TIMEOUT).await;
    let Invoked {
        outcome,
        cold_start,
    } = invoked.map_err(|Busy| {
        let message = "Rate Exceeded: all instances are busy".to_owned();
        let status = StatusCode::TOO_MANY_REQUESTS;
        (status, "TooManyRequestsException", message)
    })?;
    let error = outcome.as_ref().err().map(|error| error_message(error));
    let mut response = respond_json(StatusCode::OK, outcome.unwrap_or_else(|error| error));
    let mut set = |name: &'static str, value| {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    };
    set("x-amz-executed-version", "$LATEST");
    if error.is_some() {
        set("x-amz-function-error", "Unhandled");
    }
    Ok(noted(response, cold_start, error))
}
