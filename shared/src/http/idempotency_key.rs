//! The `Idempotency-Key` header.

use crate::{
    Error, Result,
    model::{IdempotencyKey, idempotency::MAX_CHARS},
};

const HEADER: &str = "Idempotency-Key";

/// Parses the value of the header: a bare key, or a quoted string of
/// [RFC 8941, section 3.3.3](https://www.rfc-editor.org/rfc/rfc8941#section-3.3.3).
///
/// # Errors
/// Returns `repeated` for several keys, and `invalid` for a malformed one.
pub(crate) fn parse(value: &str) -> Result<IdempotencyKey> {
    let value = value.trim_matches([' ', '\t']);
    let key = match value.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None if value.contains(',') => return Err(several()),
        None if value.contains(['"', '\\']) => return Err(malformed()),
        None => value.to_owned(),
    };
    IdempotencyKey::from_text(&key).ok_or_else(malformed)
}

/// Returns the text in quotes. `quoted` starts after the first quote.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bare_or_quoted() {
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
                Some(parse(value).expect(value)),
                IdempotencyKey::from_text(key)
            );
        }
        let longest = "x".repeat(MAX_CHARS);
        assert!(parse(&longest).is_ok());
        assert!(parse(&format!("\"{longest}\"")).is_ok());
    }

    #[test]
    fn malformed_and_repeated_keys_are_rejected() {
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
            let error = parse(value).expect_err(value);
            assert_eq!(
                (error.code(), error.param()),
                ("invalid", Some(HEADER)),
                "{value}"
            );
        }
        for value in ["a,b", "a, b", "a,", "\"a\",\"b\"", "\"a\" , b"] {
            assert_eq!(parse(value).expect_err(value).code(), "repeated", "{value}");
        }
    }
}
