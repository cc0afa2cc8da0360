//! Versions of a group, which are the content of its ETag.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base62;

/// A version of a group. It is random, so every change has a new one, and a repeated write recognizes its own.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Version(String);

impl Version {
    const CHARS: usize = 16;

    /// Generates a version.
    pub fn new() -> Self {
        Self(base62::random(Self::CHARS))
    }

    /// Returns the version that `text` is, if it is well-formed.
    pub fn from_text(text: &str) -> Option<Self> {
        (text.len() == Self::CHARS && base62::is_valid(text)).then(|| Self(text.to_owned()))
    }

    /// Returns the strong entity tag of this version (RFC 9110, section 8.8.3).
    pub fn etag(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Default for Version {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The versions of a group that a write requires.
#[derive(Clone, Debug, PartialEq)]
pub enum IfMatch {
    /// Any version; the group only has to exist.
    Any,
    /// One of these versions; an empty list matches nothing.
    OneOf(Vec<Version>),
}

impl IfMatch {
    /// Whether a group with this version may be written.
    pub fn holds_for(&self, version: &Version) -> bool {
        match self {
            IfMatch::Any => true,
            IfMatch::OneOf(versions) => versions.contains(version),
        }
    }
}
