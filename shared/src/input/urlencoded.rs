//! Parses `application/x-www-form-urlencoded`, the format of queries and forms. Malformed escapes are
//! errors.

use percent_encoding::percent_decode_str;

/// Returns the names and values of `text`, still encoded. A name without `=` has an empty value.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let segments = text.split('&').filter(|segment| !segment.is_empty());
    segments.map(|segment| segment.split_once('=').unwrap_or((segment, "")))
}

/// Decodes a name or a value: `+` is a space, and `%` starts an escape of two hexadecimal digits.
///
/// # Errors
/// Returns the rest of a sentence that says what is wrong.
pub(crate) fn decode(text: &str) -> Result<String, &'static str> {
    let broken = |(index, _): (usize, &str)| {
        let digits = text.as_bytes().get(index + 1..index + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if text.match_indices('%').any(broken) {
        return Err("has a `%` that two hexadecimal digits must follow");
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(String::from)
        .map_err(|_| "is not UTF-8 once decoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_split_at_ampersands_and_the_first_equals_sign() {
        let found: Vec<_> = pairs("a=1&&b=2=3&c&=d").collect();
        assert_eq!(found, [("a", "1"), ("b", "2=3"), ("c", ""), ("", "d")]);
        assert_eq!(pairs("").count(), 0);
    }

    #[test]
    fn decoding_is_strict() {
        assert_eq!(decode("a+b%20c%2Bd%c3%A9"), Ok("a b c+dé".to_owned()));
        for broken in ["%", "%4", "%zz", "%4g", "a%", "%%41", "%+1", "%é1"] {
            assert!(decode(broken).is_err(), "{broken}");
        }
        assert_eq!(decode("%ff"), Err("is not UTF-8 once decoded"));
    }
}
