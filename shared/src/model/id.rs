//! Identifiers of groups and conversations.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, base62, input::Field};

/// 16 characters of `0-9A-Za-z`, case-sensitive.
///
/// Generated ids sort by creation time in byte order: 7 characters of milliseconds since the Unix epoch in base
/// 62, which last until 2081, then 9 random characters (53.6 bits). Ids are not secret: only the token grants
/// access.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// The number of characters.
    pub const CHARS: usize = 16;

    const TIME_CHARS: usize = 7;

    /// Returns a new id for something that is created at this time since the Unix epoch.
    pub fn created_at(since_epoch: Duration) -> Self {
        let milliseconds = since_epoch.as_millis() as u64;
        let time = base62::encode(milliseconds, Self::TIME_CHARS);
        Self(time + &base62::random(Self::CHARS - Self::TIME_CHARS))
    }

    /// Returns the id that `text` is, if it is well-formed.
    pub fn from_text(text: &str) -> Option<Self> {
        (text.len() == Self::CHARS && base62::is_valid(text)).then(|| Self(text.to_owned()))
    }

    /// Parses an id.
    ///
    /// # Errors
    /// Returns `invalid` if the field does not contain one.
    pub fn parse(field: Field) -> Result<Self> {
        let (param, text) = field.string()?;
        Self::from_text(&text).ok_or_else(|| {
            Error::invalid(
                param,
                format!("must be an id: {} characters of 0-9A-Za-z", Self::CHARS),
            )
        })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_are_well_formed_and_start_with_the_time() {
        let id = Id::created_at(Duration::from_millis(1_700_000_000_000));
        assert_eq!(Id::from_text(id.as_str()).as_ref(), Some(&id));
        assert_eq!(id.as_str()[..7], base62::encode(1_700_000_000_000, 7));
    }

    #[test]
    fn an_id_has_16_characters_of_base_62() {
        assert!(Id::from_text("l7cGNIBKZiNJ6wqF").is_some());
        for text in [
            "",
            "l7cGNIBKZiNJ6wq",
            "l7cGNIBKZiNJ6wqFF",
            "l7cGNIBKZiNJ6wq-",
            "l7cGNIBKZiNJ6wé",
        ] {
            assert!(Id::from_text(text).is_none(), "{text}");
        }
    }
}
