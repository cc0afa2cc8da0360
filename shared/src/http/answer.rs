//! Answers, in the form in which a function returns them to API Gateway.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Serialize;

use crate::{
    Error, Result,
    model::{Group, Page, Version},
    tables::FirstAnswer,
};

/// The environment variable that holds the base of every error's `documentation_url`.
const DOCUMENTATION_URL: &str = "DOCUMENTATION_URL";

/// The base where the variable is not set.
const DEFAULT_DOCUMENTATION_URL: &str = "https://protocol.chat/docs/errors";

/// The challenge of RFC 6750 that comes with every answer about a token.
const CHALLENGE: &str = r#"Bearer realm="groups""#;

/// How many seconds a client should wait before it tries again what was unavailable.
const RETRY_AFTER_SECONDS: &str = "1";

/// The longest `param` of an error, in characters. Only names that the caller made up are longer;
/// cut, they cannot make the answer larger than Lambda carries.
const MAX_PARAM_CHARS: usize = 256;

/// An answer: the response object of
/// [payload format 2.0](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl Answer {
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
        let location = format!("/v1/groups/{}", group.id());
        Ok(Self::json(201, group)?
            .tagged(group.version())
            .with("location", location))
    }

    /// 201 as the first request of an idempotency key was answered, and a header that says that
    /// this is so.
    pub fn replayed(first: FirstAnswer) -> Self {
        Self::json_text(201, first.body)
            .tagged(&first.version)
            .with("location", format!("/v1/groups/{}", first.group_id))
            .with("idempotent-replayed", "true".to_owned())
    }

    /// The body of this answer; empty where it has none.
    pub fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    /// 304 for a group that the client has in this version already.
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
        Self::json(200, page)
    }

    /// 204, with nothing more to say.
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

    /// The answer to what could not be done.
    pub(crate) fn error(error: &Error) -> Self {
        let status = status(error);
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
        // An object of strings always becomes JSON; should it not, the status still tells.
        let answer = Self::json_text(status, serde_json::to_string(&object).unwrap_or_default());
        match error {
            Error::TokenMissing => answer.with("www-authenticate", CHALLENGE.to_owned()),
            Error::TokenMalformed => answer.with(
                "www-authenticate",
                format!(r#"{CHALLENGE}, error="invalid_request""#),
            ),
            Error::TokenInvalid => answer.with(
                "www-authenticate",
                format!(r#"{CHALLENGE}, error="invalid_token""#),
            ),
            Error::MethodNotAllowed { allow } => answer.with("allow", (*allow).to_owned()),
            Error::Unavailable(_) | Error::OutcomeUnknown(_) => {
                answer.with("retry-after", RETRY_AFTER_SECONDS.to_owned())
            }
            _ => answer,
        }
    }

    /// Its status.
    pub(crate) fn status(&self) -> u16 {
        self.status_code
    }

    /// The same answer with the id of the request that it answers.
    pub(crate) fn with_request_id(self, request_id: String) -> Self {
        self.with("x-request-id", request_id)
    }

    /// With an ETag, a client may keep the answer and ask whether it still holds.
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
        let answer = Self {
            status_code,
            body: Some(body),
            ..Self::no_content()
        };
        answer.with("content-type", "application/json".to_owned())
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// The body of every answer that is an error.
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

fn status(error: &Error) -> u16 {
    match error {
        Error::MalformedBody(_)
        | Error::Missing { .. }
        | Error::Unknown { .. }
        | Error::Repeated { .. }
        | Error::Invalid { .. }
        | Error::TokenMalformed => 400,
        Error::TokenMissing | Error::TokenInvalid => 401,
        Error::PathNotFound | Error::GroupNotFound => 404,
        Error::MethodNotAllowed { .. } => 405,
        Error::PreconditionFailed => 412,
        Error::BodyTooLarge => 413,
        Error::MediaTypeNotSupported => 415,
        Error::IdempotencyKeyReused => 422,
        Error::Internal(_) => 500,
        Error::Unavailable(_) | Error::OutcomeUnknown(_) => 503,
    }
}

fn documentation_url(kind: &str) -> String {
    static BASE: LazyLock<String> = LazyLock::new(|| {
        let base = std::env::var(DOCUMENTATION_URL).unwrap_or_default();
        let base = if base.is_empty() {
            DEFAULT_DOCUMENTATION_URL
        } else {
            &base
        };
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
