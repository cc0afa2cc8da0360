//! Bearer tokens, and the requests of operators to issue and revoke them.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    Error, Result, base62,
    input::{Field, Members, RawMembers},
    model::{account::AccountId, text::TOKEN_NAME, timestamp::Timestamp},
};

/// A bearer token: `groups_`, 43 characters of base 62 (256 random bits), and 6 characters with the CRC-32 (zlib) of
/// the preceding 50 characters in base 62, padded with `0`. With the checksum, random junk is rejected without a
/// look-up, and secret scanners recognize a token.
///
/// It is secret: `Debug` does not show it, and only its hash is stored.
#[derive(Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    const PREFIX: &'static str = "groups_";
    const RANDOM_CHARS: usize = 43;
    const CHECKSUM_CHARS: usize = 6;

    /// Generates a token.
    pub fn new() -> Self {
        let body = Self::PREFIX.to_owned() + &base62::random(Self::RANDOM_CHARS);
        let checksum = Self::checksum(&body);
        Self(body + &checksum)
    }

    /// Returns the token that `text` is, if its form and checksum are right.
    pub fn from_text(text: &str) -> Option<Self> {
        let random = text.strip_prefix(Self::PREFIX)?;
        if random.len() != Self::RANDOM_CHARS + Self::CHECKSUM_CHARS || !base62::is_valid(random) {
            return None;
        }
        let (body, checksum) = text.split_at(text.len() - Self::CHECKSUM_CHARS);
        (checksum == Self::checksum(body)).then(|| Self(text.to_owned()))
    }

    /// Parses a token.
    ///
    /// # Errors
    /// Returns `invalid` if its form or checksum is wrong: a truncated token must not appear revoked.
    pub fn parse(field: Field) -> Result<Self> {
        let (param, text) = field.string()?;
        Self::from_text(&text).ok_or_else(|| {
            Error::invalid(
                param,
                "is not a complete token: its form or its checksum is wrong",
            )
        })
    }

    /// Returns the SHA-256 of the token. Only this is stored.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(&self.0).into())
    }

    fn checksum(body: &str) -> String {
        base62::encode(
            u64::from(crc32fast::hash(body.as_bytes())),
            Self::CHECKSUM_CHARS,
        )
    }
}

impl Default for Token {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// The SHA-256 of a token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TokenHash([u8; 32]);

impl fmt::Display for TokenHash {
    /// Writes 64 lower-case hexadecimal digits.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A token to issue.
#[derive(Debug)]
pub struct NewToken {
    pub(crate) account_id: AccountId,
    pub(crate) name: String,
    pub(crate) expires_at: Option<Timestamp>,
}

impl NewToken {
    const MEMBERS: &'static [&'static str] = &["account_id", "name", "expires_at"];

    /// Parses the members of a payload.
    ///
    /// # Errors
    /// Returns `unknown`, `repeated`, `missing` or `invalid` with the member at fault. `expires_at` must be later than
    /// `now`.
    pub fn parse(members: RawMembers, now: Timestamp) -> Result<Self> {
        let mut members = Members::new(members, "", Self::MEMBERS)?;
        let new = Self {
            account_id: members.required("account_id", AccountId::parse)?,
            name: members.required("name", |field| TOKEN_NAME.parse(field))?,
            expires_at: members.optional("expires_at", Timestamp::parse)?,
        };
        match new.expires_at {
            Some(expires_at) if expires_at <= now => {
                let (then, now) = (expires_at.seconds(), now.seconds());
                Err(Error::invalid(
                    "expires_at",
                    format!("is {then} and must be later than now, {now}"),
                ))
            }
            _ => Ok(new),
        }
    }
}

/// The tokens to revoke.
#[derive(Debug)]
pub enum Revocation {
    /// One token.
    One(Token),
    /// The tokens of an account: all, or those with a name.
    OfAccount {
        /// The account.
        account_id: AccountId,
        /// The name; `None` for all tokens.
        name: Option<String>,
    },
}

impl Revocation {
    const MEMBERS: &'static [&'static str] = &["token", "account_id", "name"];

    /// Parses the members of a payload: `token`, or `account_id` with or without `name`.
    ///
    /// # Errors
    /// Returns `unknown`, `repeated`, `missing` or `invalid` with the member at fault. `null` is rejected: treating it as
    /// absent would revoke more tokens than intended.
    pub fn parse(members: RawMembers) -> Result<Self> {
        let mut members = Members::new(members, "", Self::MEMBERS)?;
        let token = members.take("token");
        let account_id = members.take("account_id");
        let name = members.take("name");
        match (token, account_id, name) {
            (Some(token), None, None) => Ok(Revocation::One(Token::parse(token)?)),
            (Some(_), _, _) => {
                let reason =
                    "cannot be combined with `account_id` or `name`; give one or the other";
                Err(Error::invalid("token", reason))
            }
            (None, Some(account_id), name) => Ok(Revocation::OfAccount {
                account_id: AccountId::parse(account_id)?,
                name: name.map(|field| TOKEN_NAME.parse(field)).transpose()?,
            }),
            (None, None, Some(_)) => Err(Error::Missing {
                param: "account_id".to_owned(),
            }),
            (None, None, None) => {
                let reason =
                    "The payload must contain `token`, or `account_id` with or without `name`";
                Err(Error::Invalid {
                    param: None,
                    reason: reason.to_owned(),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_form_and_the_checksum_of_the_contract() {
        let Token(text) = Token::new();
        assert_eq!(text.len(), 56);
        assert!(text.starts_with("groups_"));
        assert!(Token::from_text(&text).is_some());
        // Python's zlib.crc32 of "groups_" and 43 zeros is 0xe3c791ed, which is 4AceYX in base 62.
        let zeros = format!("groups_{}4AceYX", "0".repeat(43));
        assert!(Token::from_text(&zeros).is_some());
    }

    #[test]
    fn a_token_with_any_character_changed_missing_or_added_is_rejected() {
        let Token(text) = Token::new();
        for index in 0..text.len() {
            let other = if &text[index..=index] == "A" {
                "B"
            } else {
                "A"
            };
            let changed = format!("{}{other}{}", &text[..index], &text[index + 1..]);
            assert!(Token::from_text(&changed).is_none(), "{index}");
        }
        assert!(Token::from_text(&text[..55]).is_none());
        assert!(Token::from_text(&format!("{text}0")).is_none());
        assert!(Token::from_text("").is_none());
    }

    #[test]
    fn a_token_does_not_show_in_debug_output() {
        let token = Token::new();
        assert!(!format!("{token:?}").contains(&token.0[7..]));
    }

    #[test]
    fn a_hash_is_sha_256_in_hexadecimal() {
        assert_eq!(
            TokenHash(Sha256::digest("abc").into()).to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
