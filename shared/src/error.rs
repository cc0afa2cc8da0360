//! Everything that can go wrong, in words for the caller; causes that are not the caller's business stay inside.

use std::error::Error as StdError;

/// A cause that only the log may show.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// The result of whatever can fail, with an [`enum@Error`] unless it says otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request was not done. `Display` is the message that the caller reads and says what to do about it;
/// `source()` is the cause, for the log alone. It knows nothing of HTTP: `http` gives each error its status.
///
/// There is no conversion from other errors on purpose: where one happens, the code says whose fault it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The body cannot be read at all.
    #[error("The body cannot be read: {0}.")]
    MalformedBody(String),

    /// A required member is absent.
    #[error("`{param}` is required.")]
    Missing {
        /// The path of the member.
        param: String,
    },

    /// A member or parameter that is not known here.
    #[error("{} Known here: {}.", unknown(.param), list(.known))]
    Unknown {
        /// The path of the member, or the name of the parameter.
        param: String,
        /// What is known in its place.
        known: &'static [&'static str],
    },

    /// A member or parameter given twice, or a username that two contacts share.
    #[error("`{param}` {reason}.")]
    Repeated {
        /// The path of the member, or the name of the parameter.
        param: String,
        /// What came twice, as the rest of a sentence that the parameter begins.
        reason: &'static str,
    },

    /// A value that breaks its rule or has the wrong type.
    #[error("{}{reason}.", subject(.param))]
    Invalid {
        /// The path of the member, or the name of the parameter; none where the whole body is to blame.
        param: Option<String>,
        /// What is wrong and what would be right, as the rest of a sentence that the parameter begins;
        /// the whole sentence where there is none.
        reason: String,
    },

    /// No bearer token came with the request.
    #[error("A bearer token is required. Send it as `Authorization: Bearer <token>`.")]
    TokenMissing,

    /// The Authorization header holds something other than one well-formed bearer token.
    #[error(
        "The Authorization header must hold one bearer token: `Authorization: Bearer <token>`."
    )]
    TokenMalformed,

    /// The token is not one in force.
    #[error("The token is unknown, revoked or expired. Use one that is in force.")]
    TokenInvalid,

    /// No endpoint has such a path.
    #[error("There is no such path. Groups are at `/v1/groups` and `/v1/groups/{{id}}`.")]
    PathNotFound,

    /// The path is an endpoint's, but the method is none of its.
    #[error("The method is not allowed here. Allowed: {allow}.")]
    MethodNotAllowed {
        /// The methods that are, as the `Allow` header lists them.
        allow: &'static str,
    },

    /// The caller's account has no such group.
    #[error("There is no such group. Check the id, which is case-sensitive.")]
    GroupNotFound,

    /// The group has moved on from the version that the request depends on.
    #[error("The group is not in a version that If-Match names. Retrieve it, and use its ETag.")]
    PreconditionFailed,

    /// The idempotency key came with another body before.
    #[error(
        "The Idempotency-Key was used with another body before. Use a new key for a new request."
    )]
    IdempotencyKeyReused,

    /// The body is larger than a body may be.
    #[error(
        "The body is larger than {} bytes. Send less.",
        crate::http::MAX_BODY_BYTES
    )]
    BodyTooLarge,

    /// The body is of a media type that no endpoint takes.
    #[error(
        "Send the body as `application/json` or `application/x-www-form-urlencoded`, and say so in Content-Type."
    )]
    MediaTypeNotSupported,

    /// Our fault.
    #[error(
        "Something went wrong on our side. Try again later; if it stays, report the request id."
    )]
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
    /// The stable code that programs tell errors apart by.
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

    /// Whether it is our fault, or the database's, and not the caller's.
    pub fn is_our_fault(&self) -> bool {
        matches!(
            self,
            Error::Internal(_) | Error::Unavailable(_) | Error::OutcomeUnknown(_)
        )
    }

    /// The member or parameter to blame, where there is one.
    pub fn param(&self) -> Option<&str> {
        match self {
            Error::Missing { param }
            | Error::Unknown { param, .. }
            | Error::Repeated { param, .. } => Some(param),
            Error::Invalid { param, .. } => param.as_deref(),
            _ => None,
        }
    }

    /// An [`Error::Invalid`] that blames `param`.
    pub(crate) fn invalid(param: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::Invalid {
            param: Some(param.into()),
            reason: reason.into(),
        }
    }

    /// An [`Error::Internal`] with its cause in words.
    pub(crate) fn internal(cause: impl Into<Cause>) -> Self {
        Error::Internal(cause.into())
    }
}

/// The longest name from the caller that a message repeats, in characters; `param` has all of it.
const MAX_REPEATED_NAME_CHARS: usize = 64;

fn unknown(param: &str) -> String {
    if param.chars().count() <= MAX_REPEATED_NAME_CHARS {
        format!("`{param}` is not known here.")
    } else {
        "A name is not known here.".to_owned()
    }
}

fn list(known: &[&str]) -> String {
    if known.is_empty() {
        return "nothing".to_owned();
    }
    known
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn subject(param: &Option<String>) -> String {
    match param {
        Some(param) => format!("`{param}` "),
        None => String::new(),
    }
}
