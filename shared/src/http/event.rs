//! API Gateway's event for an HTTP request.

use std::collections::HashMap;

use serde::Deserialize;

/// What we use of the event of an HTTP API,
/// [payload format 2.0](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
///
/// Every member may be absent or null, so that an event written by hand still gets an answer that
/// says what it lacks.
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
    /// The value of a header, by its name in lower case. Case in the event does not matter: names
    /// are case-insensitive by RFC 9110, and events written by hand have them in any.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().flatten();
        let (_, value) = headers.find(|(given, _)| given.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// The path, decoded, and without the stage that API Gateway puts before it where the stage is
    /// not `$default`.
    pub(crate) fn path(&self) -> &str {
        let path = self.raw_path.as_deref().unwrap_or_default();
        let stage = self
            .request_context
            .as_ref()
            .and_then(|context| context.stage.as_deref());
        let in_stage = path
            .strip_prefix('/')
            .and_then(|path| path.strip_prefix(stage?));
        in_stage
            .filter(|path| path.starts_with('/'))
            .unwrap_or(path)
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

    /// A part of the path that the route names, empty where it names no such part.
    pub(crate) fn path_parameter(&self, name: &str) -> &str {
        self.path_parameters
            .as_ref()
            .and_then(|parts| parts.get(name))
            .map_or("", String::as_str)
    }

    /// The route that API Gateway took, for example `GET /v1/groups/{id}`.
    pub(crate) fn route(&self) -> Option<&str> {
        self.route_key.as_deref()
    }

    /// The body, as text or in base64; empty where there is none.
    pub(crate) fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    /// Whether the body is in base64, as it is for forms and where there is no content type.
    pub(crate) fn is_base64_encoded(&self) -> bool {
        self.is_base64_encoded.unwrap_or_default()
    }

    /// API Gateway's id of this request.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_context.as_ref()?.request_id.as_deref()
    }
}
