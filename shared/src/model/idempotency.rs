//! Idempotency keys, with which a client may send a request again without doing it twice.

use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The header that carries a key.
const HEADER: &str = "Idempotency-Key";

/// The most characters of a key.
const MAX_CHARS: usize = 255;

/// A client's key: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key in the value of the header: bare, or a quoted string as
    /// [RFC 8941, section 3.3.3](https://www.rfc-editor.org/rfc/rfc8941#section-3.3.3) has it.
    ///
    /// # Errors
    /// `repeated` for several keys, `invalid` for what is none.
    pub fn parse(value: &str) -> Result<Self> {
        let value = value.trim_matches([' ', '\t']);
        let key = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None if value.contains(',') => return Err(several()),
            None if value.contains(['"', '\\']) => return Err(malformed()),
            None => value.to_owned(),
        };
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=MAX_CHARS).contains(&key.len()) {
            Ok(Self(key))
        } else {
            Err(malformed())
        }
    }

    /// The SHA-256 of the key in hexadecimal, which is what is stored: DynamoDB's sort keys sort and
    /// show, and a client's keys may be anything.
    pub fn hash(&self) -> String {
        hexadecimal(Sha256::digest(&self.0).as_slice())
    }
}

/// What stands between the quotes, of which `quoted` lacks the first.
fn unquote(quoted: &str) -> Result<String> {
    let mut key = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next() {
            Some('"') => break,
            Some('\\') => match chars.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(malformed()),
            },
            Some(c) => key.push(c),
            None => return Err(malformed()),
        }
    }
    match chars.as_str().trim_start_matches([' ', '\t']) {
        "" => Ok(key),
        rest if rest.starts_with(',') => Err(several()),
        _ => Err(malformed()),
    }
}

fn several() -> Error {
    let reason = "holds several keys; send one, and quote it if it holds a comma";
    Error::Repeated {
        param: HEADER.to_owned(),
        reason,
    }
}

fn malformed() -> Error {
    let reason =
        format!("must be 1 to {MAX_CHARS} visible ASCII characters, bare or as a quoted string");
    Error::invalid(HEADER, reason)
}

/// What tells one body from another: the SHA-256 of its media type and its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a body.
    pub fn of(media_type: &str, body: &[u8]) -> Self {
        let digest = Sha256::new()
            .chain_update(media_type)
            .chain_update([0])
            .chain_update(body);
        Self(hexadecimal(digest.finalize().as_slice()))
    }

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_bare_or_quoted() {
        for (value, key) in [
            (
                "8e03978e-40d5-43dd-bc93-6894a57f9324",
                "8e03978e-40d5-43dd-bc93-6894a57f9324",
            ),
            (r#""8e03978e""#, "8e03978e"),
            (" a ", "a"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (r#""a,b""#, "a,b"),
            ("a;b=c", "a;b=c"),
        ] {
            assert_eq!(
                IdempotencyKey::parse(value).expect(value),
                IdempotencyKey(key.to_owned())
            );
        }
        let longest = "x".repeat(MAX_CHARS);
        assert!(IdempotencyKey::parse(&longest).is_ok());
        assert!(IdempotencyKey::parse(&format!("\"{longest}\"")).is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let too_long = "x".repeat(MAX_CHARS + 1);
        for value in [
            "",
            " ",
            "\"\"",
            "a b",
            "\"a b\"",
            "é",
            "\"é\"",
            "a\"b",
            "a\\b",
            "\"a",
            "\"a\\b\"",
            "\"a\\",
            "\"a\"b",
            "\"a\";p=1",
            "a\u{7f}",
            &too_long,
            &format!("\"{too_long}\""),
        ] {
            let error = IdempotencyKey::parse(value).expect_err(value);
            assert_eq!(
                (error.code(), error.param()),
                ("invalid", Some(HEADER)),
                "{value}"
            );
        }
        for value in ["a,b", "a, b", "a,", "\"a\",\"b\"", "\"a\" , b"] {
            assert_eq!(
                IdempotencyKey::parse(value).expect_err(value).code(),
                "repeated",
                "{value}"
            );
        }
    }

    #[test]
    fn a_fingerprint_tells_bodies_and_media_types_apart() {
        let fingerprint = |media_type, body: &str| Fingerprint::of(media_type, body.as_bytes());
        assert_eq!(fingerprint("a", "b"), fingerprint("a", "b"));
        assert_ne!(fingerprint("a", "b"), fingerprint("a", "c"));
        assert_ne!(fingerprint("a", "b"), fingerprint("ab", ""));
    }
}
