//! The errors of the API, with messages for callers. Causes are for the log only.

use std::error::Error as StdError;

use crate::{GROUPS_PATH, MAX_BODY_BYTES};

/// A cause, which only the log may show.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// A result whose error is an [`enum@Error`] by default.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request failed. `Display` is the message for the caller, with the remedy. `source()` is the cause, for the log
/// only.
///
/// Other errors are not converted implicitly, so that each place in the code decides whose fault an error is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The body cannot be parsed.
    #[error("The body cannot be parsed: {0}.")]
    MalformedBody(String),

    /// A required member is absent.
    #[error("`{param}` is required.")]
    Missing {
        /// The path of the member.
        param: String,
    },

    /// An unknown member or parameter.
    #[error("{} {}", unknown(.param), allowed(.known))]
    Unknown {
        /// The path of the member, or the name of the parameter.
        param: String,
        /// The members or parameters that are known here.
        known: &'static [&'static str],
    },

    /// A member or parameter given twice, or a username that two contacts share.
    #[error("`{param}` {reason}.")]
    Repeated {
        /// The path of the member, or the name of the parameter.
        param: String,
        /// What is repeated, as the rest of a sentence that starts with the parameter.
        reason: &'static str,
    },

    /// A value that breaks its rule or has the wrong type.
    #[error("{}{reason}.", subject(.param))]
    Invalid {
        /// The path of the member, or the name of the parameter; `None` if the whole body is at fault.
        param: Option<String>,
        /// What is wrong and what would be right, as the rest of a sentence that starts with the parameter, or as
        /// the whole sentence without one.
        reason: String,
    },

    /// The request has no bearer token.
    #[error("A bearer token is required. Send it as `Authorization: Bearer <token>`.")]
    TokenMissing,

    /// The Authorization header is not one well-formed bearer token.
    #[error(
        "The Authorization header must hold one bearer token: `Authorization: Bearer <token>`."
    )]
    TokenMalformed,

    /// The token is not active.
    #[error("The token is unknown, revoked or expired. Use an active one.")]
    TokenInvalid,

    /// There is no endpoint with this path.
    #[error("There is no such path. Groups are at `{GROUPS_PATH}` and `{GROUPS_PATH}/{{id}}`.")]
    PathNotFound,

    /// The path exists, but not with this method.
    #[error("The method is not allowed here. Allowed: {allow}.")]
    MethodNotAllowed {
        /// The allowed methods, as in the `Allow` header.
        allow: &'static str,
    },

    /// The caller's account has no such group.
    #[error("There is no such group. Check the id, which is case-sensitive.")]
    GroupNotFound,

    /// The group does not have a version that `If-Match` names.
    #[error(
        "The group has changed, so If-Match does not match. Retrieve the group, and use its ETag."
    )]
    PreconditionFailed,

    /// The idempotency key was used with another body.
    #[error("The Idempotency-Key was used with another body. Use a new key for a new request.")]
    IdempotencyKeyReused,

    /// The body is too large.
    #[error("The body is larger than {MAX_BODY_BYTES} bytes. Send less.")]
    BodyTooLarge,

    /// The media type of the body is not supported.
    #[error(
        "Send the body as `application/json` or `application/x-www-form-urlencoded`, with that Content-Type."
    )]
    MediaTypeNotSupported,

    /// A fault of the service.
    #[error("The service failed. Try again later. If it still fails, report the request id.")]
    Internal(#[source] Cause),

    /// The database is throttling or unreachable, and no change was made.
    #[error("The service is overloaded or unreachable, and no change was made. Try again shortly.")]
    Unavailable(#[source] Cause),

    /// The database did not confirm a write, which may or may not have been carried out.
    #[error(
        "The database did not confirm the change, which may or may not have been made. Repeat a create with its Idempotency-Key; otherwise read the group or the list first."
    )]
    OutcomeUnknown(#[source] Cause),
}

impl Error {
    /// The stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::MalformedBody(_) => "malformed_body",
            Error::Missing { .. } => "missing",
            Error::Unknown { .. } => "unknown",
            Error::Repeated { .. } => "repeated",
            Error::Invalid { .. } => "invalid",
            Error::TokenMissing => "token_missing",
            Error::TokenMalformed => "token_malformed",
            Error::TokenInvalid => "token_invalid",
            Error::PathNotFound => "path_not_found",
            Error::MethodNotAllowed { .. } => "method_not_allowed",
            Error::GroupNotFound => "group_not_found",
            Error::PreconditionFailed => "precondition_failed",
            Error::IdempotencyKeyReused => "idempotency_key_reused",
            Error::BodyTooLarge => "body_too_large",
            Error::MediaTypeNotSupported => "media_type_not_supported",
            Error::Internal(_) => "internal",
            Error::Unavailable(_) => "unavailable",
            Error::OutcomeUnknown(_) => "outcome_unknown",
        }
    }

    /// The HTTP status code.
    pub fn status(&self) -> u16 {
        match self {
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

    /// Whether the service or the database is at fault, and not the caller.
    pub fn is_our_fault(&self) -> bool {
        matches!(
            self,
            Error::Internal(_) | Error::Unavailable(_) | Error::OutcomeUnknown(_)
        )
    }

    /// The member or parameter at fault, if there is one.
    pub fn param(&self) -> Option<&str> {
        match self {
            Error::Missing { param }
            | Error::Unknown { param, .. }
            | Error::Repeated { param, .. } => Some(param),
            Error::Invalid { param, .. } => param.as_deref(),
            _ => None,
        }
    }

    /// Returns [`Error::Invalid`] with this member or parameter at fault.
    pub(crate) fn invalid(param: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::Invalid {
            param: Some(param.into()),
            reason: reason.into(),
        }
    }

    /// Returns [`Error::Internal`] with this cause.
    pub(crate) fn internal(cause: impl Into<Cause>) -> Self {
        Error::Internal(cause.into())
    }
}

/// The longest unknown name that a message repeats, in characters. `param` contains all of it.
const MAX_REPEATED_NAME_CHARS: usize = 64;

fn unknown(param: &str) -> String {
    if param.chars().count() <= MAX_REPEATED_NAME_CHARS {
        format!("`{param}` is unknown.")
    } else {
        "A name is unknown.".to_owned()
    }
}

fn allowed(known: &[&str]) -> String {
    let names: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "None is allowed here.".to_owned()
    } else {
        format!("Allowed here: {}.", names.join(", "))
    }
}

fn subject(param: &Option<String>) -> String {
    match param {
        Some(param) => format!("`{param}` "),
        None => String::new(),
    }
}
