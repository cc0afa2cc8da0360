//! Responses, in the format that API Gateway expects from a function.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Serialize;

use super::page::PageObject;
use crate::{
    Error, GROUPS_PATH, Result, env,
    model::{FirstResponse, Group, Page, Version},
};

/// The environment variable with the base of every error's `documentation_url`.
const DOCUMENTATION_URL: &str = "DOCUMENTATION_URL";

/// The default base.
const DEFAULT_DOCUMENTATION_URL: &str = "https://protocol.chat/docs/errors";

/// The challenge of RFC 6750 in responses about tokens.
const CHALLENGE: &str = r#"Bearer realm="groups""#;

/// How many seconds a client should wait before it repeats a request after a 503.
const RETRY_AFTER_SECONDS: &str = "1";

/// The longest `param` of an error, in characters. Only unknown names are longer. They are cut, so that they
/// cannot exceed Lambda's limit of a response.
const MAX_PARAM_CHARS: usize = 256;

/// A response: the object of
/// [payload format 2.0](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl Response {
    /// 200 with a group and its ETag.
    ///
    /// # Errors
    /// Returns `internal` if the group cannot be serialized.
    pub fn group(group: &Group) -> Result<Self> {
        Ok(Self::json(200, group)?.tagged(group.version()))
    }

    /// 201 with a group that was created, and its ETag.
    ///
    /// # Errors
    /// Returns `internal` if the group cannot be serialized.
    pub fn created(group: &Group) -> Result<Self> {
        let location = format!("{GROUPS_PATH}/{}", group.id());
        Ok(Self::json(201, group)?
            .tagged(group.version())
            .with("location", location))
    }

    /// 201 with the response to the first request of an idempotency key, and a header that says so.
    pub fn replayed(first: FirstResponse) -> Self {
        Self::json_text(201, first.body)
            .tagged(&first.version)
            .with("location", format!("{GROUPS_PATH}/{}", first.group_id))
            .with("idempotent-replayed", "true".to_owned())
    }

    /// The body; empty if there is none.
    pub fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    /// 304 for a group of which the client already has this version.
    pub fn not_modified(version: &Version) -> Self {
        Self {
            status_code: 304,
            ..Self::no_content()
        }
        .tagged(version)
    }

    /// 200 with a page of groups.
    ///
    /// # Errors
    /// Returns `internal` if the page cannot be serialized.
    pub fn page(page: &Page) -> Result<Self> {
        Self::json(200, &PageObject::new(page)?)
    }

    /// 204, without a body.
    pub fn no_content() -> Self {
        let headers = BTreeMap::from([("cache-control", "no-store".to_owned())]);
        Self {
            status_code: 204,
            headers,
            body: None,
        }
    }

    /// 204 with the methods that a path has, in response to OPTIONS.
    pub fn options(allow: &str) -> Self {
        Self::no_content().with("allow", allow.to_owned())
    }

    /// The response to a request that failed.
    pub(crate) fn error(error: &Error) -> Self {
        let status = error.status();
        let kind = if error.is_our_fault() {
            "api_error"
        } else {
            "invalid_request"
        };
        let object = ErrorObject {
            kind,
            code: error.code(),
            message: error.to_string(),
            documentation_url: documentation_url(kind),
            param: error.param().map(shorten),
        };
        // An object of strings can always be serialized.
        let response = Self::json_text(status, serde_json::to_string(&object).unwrap_or_default());
        match error {
            Error::TokenMissing => response.with("www-authenticate", CHALLENGE.to_owned()),
            Error::TokenMalformed => response.with(
                "www-authenticate",
                format!(r#"{CHALLENGE}, error="invalid_request""#),
            ),
            Error::TokenInvalid => response.with(
                "www-authenticate",
                format!(r#"{CHALLENGE}, error="invalid_token""#),
            ),
            Error::MethodNotAllowed { allow } => response.with("allow", (*allow).to_owned()),
            Error::Unavailable(_) | Error::OutcomeUnknown(_) => {
                response.with("retry-after", RETRY_AFTER_SECONDS.to_owned())
            }
            _ => response,
        }
    }

    /// The status code.
    pub(crate) fn status(&self) -> u16 {
        self.status_code
    }

    /// Adds the id of the request.
    pub(crate) fn with_request_id(self, request_id: String) -> Self {
        self.with("x-request-id", request_id)
    }

    /// Adds an ETag, with which a client may keep the response and revalidate it.
    fn tagged(self, version: &Version) -> Self {
        self.with("etag", version.etag())
            .with("cache-control", "private, no-cache".to_owned())
    }

    fn json(status_code: u16, body: &impl Serialize) -> Result<Self> {
        Ok(Self::json_text(
            status_code,
            serde_json::to_string(body).map_err(Error::internal)?,
        ))
    }

    fn json_text(status_code: u16, body: String) -> Self {
        let response = Self {
            status_code,
            body: Some(body),
            ..Self::no_content()
        };
        response.with("content-type", "application/json".to_owned())
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// The body of an error.
#[derive(Serialize)]
struct ErrorObject<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    message: String,
    documentation_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<std::borrow::Cow<'a, str>>,
}

fn documentation_url(kind: &str) -> String {
    static BASE: LazyLock<String> = LazyLock::new(|| {
        let base = env::non_empty(DOCUMENTATION_URL);
        let base = base.as_deref().unwrap_or(DEFAULT_DOCUMENTATION_URL);
        base.trim_end_matches('/').to_owned()
    });
    format!("{}/{kind}", *BASE)
}

fn shorten(param: &str) -> std::borrow::Cow<'_, str> {
    match param.char_indices().nth(MAX_PARAM_CHARS) {
        Some((end, _)) => format!("{}…", &param[..end]).into(),
        None => param.into(),
    }
}
