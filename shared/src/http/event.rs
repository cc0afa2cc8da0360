//! API Gateway's event for an HTTP request.

use std::collections::HashMap;

use serde::Deserialize;

/// The used members of an HTTP API's event,
/// [payload format 2.0](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
///
/// Every member may be absent or null, so that an event written by hand gets a response that says what is
/// missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Event {
    route_key: Option<String>,
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    /// Headers by name; API Gateway makes names lower case and joins repeated ones with commas.
    headers: Option<HashMap<String, String>>,
    path_parameters: Option<HashMap<String, String>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    request_context: Option<RequestContext>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RequestContext {
    request_id: Option<String>,
    stage: Option<String>,
    http: Option<Http>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Http {
    method: Option<String>,
}

impl Event {
    /// Returns the value of a header. Names are case-insensitive (RFC 9110), also in events written by hand.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().flatten();
        let (_, value) = headers.find(|(given, _)| given.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// Returns the path, decoded, and without the stage that API Gateway puts before it unless the stage is
    /// `$default`.
    pub(crate) fn path(&self) -> &str {
        let path = self.raw_path.as_deref().unwrap_or_default();
        let context = self.request_context.as_ref();
        let Some(stage) = context.and_then(|context| context.stage.as_deref()) else {
            return path;
        };
        match path.strip_prefix(&format!("/{stage}")) {
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }

    /// The method; empty if the event has none.
    pub(crate) fn method(&self) -> &str {
        let http = self
            .request_context
            .as_ref()
            .and_then(|context| context.http.as_ref());
        http.and_then(|http| http.method.as_deref())
            .unwrap_or_default()
    }

    /// The raw query, without its question mark.
    pub(crate) fn query(&self) -> &str {
        self.raw_query_string.as_deref().unwrap_or_default()
    }

    /// Returns a path parameter of the route; empty if the route has no such parameter.
    pub(crate) fn path_parameter(&self, name: &str) -> &str {
        self.path_parameters
            .as_ref()
            .and_then(|parts| parts.get(name))
            .map_or("", String::as_str)
    }

    /// The route that API Gateway selected, for example `GET /v1/groups/{id}`.
    pub(crate) fn route(&self) -> Option<&str> {
        self.route_key.as_deref()
    }

    /// The body, as text or in base64; empty if there is none.
    pub(crate) fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    /// Whether the body is in base64, as it is for forms and without a content type.
    pub(crate) fn is_base64_encoded(&self) -> bool {
        self.is_base64_encoded.unwrap_or_default()
    }

    /// API Gateway's id of this request.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_context.as_ref()?.request_id.as_deref()
    }
}
