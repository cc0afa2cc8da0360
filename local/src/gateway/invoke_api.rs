//! Lambda's [Invoke API](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).

use std::time::Duration;

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
    lambda::{Busy, Functions, Invoked, QUEUE_TIMEOUT},
    terminal::{error_message, say},
};

/// The name in the path, if this is a request of the Invoke API. A name may be an ARN, and may have a
/// qualifier.
pub(crate) fn function_name(head: &Parts) -> Option<String> {
    let name = head
        .uri
        .path()
        .strip_prefix("/2015-03-31/functions/")?
        .strip_suffix("/invocations")?;
    let name = percent_decode_str(name).decode_utf8_lossy();
    let name = name
        .rsplit_once(":function:")
        .map_or(&*name, |(_, name)| name);
    name.split(':').next().map(str::to_owned)
}

/// Invokes a function by the name of its binary or by its logical id in the template.
pub(crate) async fn invoke(
    functions: &Functions,
    name: &str,
    head: &Parts,
    body: Option<Bytes>,
) -> HttpResponse {
    if head.method != Method::POST {
        return refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "AccessDeniedException",
            "use POST".to_owned(),
        );
    }
    // A browser may send such a POST for any web page, without a preflight.
    if head.headers.contains_key(ORIGIN) {
        let message = "a web page may not invoke functions by name".to_owned();
        return refusal(StatusCode::FORBIDDEN, "AccessDeniedException", message);
    }
    let mut all = functions.values();
    let Some(function) =
        all.find(|function| function.definition.binary == name || function.definition.id == name)
    else {
        let names: Vec<_> = functions.keys().map(String::as_str).collect();
        let message = format!(
            "Function not found: {name}. There are: {}",
            names.join(", ")
        );
        return refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException", message);
    };
    let Some(body) = body.filter(|body| body.len() <= MAX_PAYLOAD_BYTES) else {
        let message = format!("the payload is too large (limit {MAX_PAYLOAD_BYTES} bytes)");
        return refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestTooLargeException",
            message,
        );
    };
    let body = if body.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        body
    };
    if let Err(error) = serde_json::from_slice::<Value>(&body) {
        let message = format!("Could not parse request body into json: {error}");
        return refusal(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            message,
        );
    }
    let invocation_type = head
        .headers
        .get("x-amz-invocation-type")
        .map(HeaderValue::as_bytes);
    match invocation_type {
        Some(b"DryRun") => return respond_json(StatusCode::NO_CONTENT, ""),
        Some(b"Event") => {
            let function = function.clone();
            tokio::spawn(async move {
                let name = &function.definition.binary;
                if let Ok(Invoked {
                    outcome: Err(error),
                    ..
                }) = function.invoke(body, Duration::MAX).await
                {
                    say(&format!(
                        "{name}: an asynchronous invocation failed: {}",
                        error_message(&error)
                    ));
                }
            });
            return respond_json(StatusCode::ACCEPTED, "");
        }
        _ => {}
    }
    let invoked = match function.invoke(body, QUEUE_TIMEOUT).await {
        Ok(invoked) => invoked,
        Err(Busy) => {
            let message = "Rate Exceeded: all instances are busy".to_owned();
            return refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyRequestsException",
                message,
            );
        }
    };
    let outcome = invoked.outcome;
    let error = outcome.as_ref().err().map(|error| error_message(error));
    let mut response = respond_json(StatusCode::OK, outcome.unwrap_or_else(|error| error));
    let headers = response.headers_mut();
    headers.insert(
        "x-amz-executed-version",
        HeaderValue::from_static("$LATEST"),
    );
    if error.is_some() {
        headers.insert(
            "x-amz-function-error",
            HeaderValue::from_static("Unhandled"),
        );
    }
    noted(response, invoked.cold_start, error)
}

fn refusal(status: StatusCode, error_type: &'static str, message: String) -> HttpResponse {
    let mut response = respond_json(
        status,
        json!({ "Type": "User", "Message": message }).to_string(),
    );
    response
        .headers_mut()
        .insert("x-amzn-errortype", HeaderValue::from_static(error_type));
    noted(response, false, Some(message))
}
