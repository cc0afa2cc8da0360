//! Accounts, which own groups and tokens.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, input::Field};

/// The identifier of an account: 1 to 64 characters of `0-9A-Za-z_-`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AccountId(String);

impl AccountId {
    /// The most characters of an account id.
    pub const MAX_CHARS: usize = 64;

    /// Parses an account id.
    ///
    /// # Errors
    /// Returns `invalid` if the field does not contain one.
    pub fn parse(field: Field) -> Result<Self> {
        let (param, text) = field.string()?;
        let well_formed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !(1..=Self::MAX_CHARS).contains(&text.len()) || !text.bytes().all(well_formed) {
            let reason = format!("must be 1 to {} characters of 0-9A-Za-z_-", Self::MAX_CHARS);
            return Err(Error::invalid(param, reason));
        }
        Ok(Self(text))
    }

    /// The account id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
