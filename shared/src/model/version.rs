//! Versions of a group, which its ETag shows and conditions compare.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base62;

/// A version of a group: random, so that every change makes one that never was, and a write that is
/// tried again knows its own.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Version(String);

impl Version {
    const CHARS: usize = 16;

    /// A version that no group has had.
    pub fn new() -> Self {
        Self(base62::random(Self::CHARS))
    }

    /// The version that `text` is, if it can be one of ours.
    pub fn from_text(text: &str) -> Option<Self> {
        (text.len() == Self::CHARS && base62::is_valid(text)).then(|| Self(text.to_owned()))
    }

    /// The strong entity tag of this version (RFC 9110, section 8.8.3).
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

/// On which version of a group a write depends.
#[derive(Clone, Debug, PartialEq)]
pub enum IfMatch {
    /// On none: that the group is there is enough.
    Any,
    /// On one of these; on none that can be, where there are none.
    OneOf(Vec<Version>),
}

impl IfMatch {
    /// Whether a group of `version` may be written.
    pub fn holds_for(&self, version: &Version) -> bool {
        match self {
            IfMatch::Any => true,
            IfMatch::OneOf(versions) => versions.contains(version),
        }
    }
}
