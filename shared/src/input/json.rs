//! Parses JSON into a tree that keeps repeated members, so that the models can reject them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Input, RawMembers};
use crate::{Error, Result};

/// How deep arrays and objects may be nested.
const MAX_DEPTH: usize = 100;

/// How deep a group is nested: the group, its contacts, a contact. What a deeper array or object contains does
/// not matter, because its type is wrong in any case.
const GROUP_DEPTH: usize = 3;

/// Parses one JSON value.
///
/// # Errors
/// Returns `malformed_body` if the bytes are not UTF-8 or not JSON (RFC 8259), are nested deeper than 100 levels,
/// or contain, down to the depth of a group, a lone surrogate or a number that no double can hold.
pub fn parse(bytes: &[u8]) -> Result<Input> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Error::MalformedBody(format!("it is not UTF-8 at byte {}", error.valid_up_to()))
    })?;
    let raw: &RawValue = serde_json::from_str(text)
        .map_err(|error| Error::MalformedBody(format!("as JSON, {error}")))?;
    if depth(text) > MAX_DEPTH {
        let reason = format!("it is nested deeper than {MAX_DEPTH} levels");
        return Err(Error::MalformedBody(reason));
    }
    value(raw, 0)
}

/// Parses a JSON object. `subject` names it in a message, for example `The body`.
///
/// # Errors
/// Returns `malformed_body` as [`parse`] does, and `invalid` if the value is not an object.
pub fn parse_object(bytes: &[u8], subject: &str) -> Result<RawMembers> {
    match parse(bytes)? {
        Input::Object(members) => Ok(members),
        _ => Err(Error::Invalid {
            param: None,
            reason: format!("{subject} must be a JSON object"),
        }),
    }
}

/// Parses a value that is inside `level` arrays and objects.
fn value(raw: &RawValue, level: usize) -> Result<Input> {
    let text = raw.get();
    match text.as_bytes()[0] {
        b'{' if level == GROUP_DEPTH => Ok(Input::Object(Vec::new())),
        b'[' if level == GROUP_DEPTH => Ok(Input::Array(Vec::new())),
        b'{' => {
            let Entries(entries) = read(text)?;
            let entry = |(name, raw)| Ok((name, value(raw, level + 1)?));
            entries
                .into_iter()
                .map(entry)
                .collect::<Result<_>>()
                .map(Input::Object)
        }
        b'[' => {
            let elements: Vec<&RawValue> = read(text)?;
            let element = |raw| value(raw, level + 1);
            elements
                .into_iter()
                .map(element)
                .collect::<Result<_>>()
                .map(Input::Array)
        }
        b'"' => read(text).map(Input::JsonString),
        b't' | b'f' => read(text).map(Input::Bool),
        b'n' => Ok(Input::Null),
        _ => match integer(text) {
            Some(integer) => Ok(Input::Integer(integer)),
            // This also checks that a double can hold it.
            None => read::<f64>(text).map(|_| Input::Number),
        },
    }
}

/// Reads a part of the text, which is well-formed.
fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        // The position would be the one in the part.
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        Error::MalformedBody(format!("as JSON, {message}"))
    })
}

/// Parses a JSON number as an integer, if it is exactly one: `7`, `7.0` and `70e-1`, but not `1e-400`, which
/// a double would round to 0.
fn integer(text: &str) -> Option<i64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() || significant == "-" {
        return Some(0);
    }
    let dropped = digits.len() - significant.len();
    let exponent = exponent.parse::<i64>().ok()?;
    let zeros = exponent
        .checked_add(dropped as i64)?
        .checked_sub(fraction.len() as i64)?;
    // An i64 has 19 digits at most.
    let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros < 19)?;
    format!("{significant}{}", "0".repeat(zeros)).parse().ok()
}

/// Returns how deep arrays and objects are nested in a well-formed text.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// The members of an object, repeated ones included.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = object.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_kept_in_order_with_repeated_ones() {
        let value = parse(br#"{"b": 1, "a": [true, null, 1.5, "x"], "b": -2}"#).expect("JSON");
        let array = vec![
            Input::Bool(true),
            Input::Null,
            Input::Number,
            Input::JsonString("x".into()),
        ];
        let members = vec![
            ("b".to_owned(), Input::Integer(1)),
            ("a".to_owned(), Input::Array(array)),
            ("b".to_owned(), Input::Integer(-2)),
        ];
        assert_eq!(value, Input::Object(members));
    }

    #[test]
    fn a_hundred_levels_can_be_read() {
        let nested = |open: &str, close: &str, levels| {
            parse(format!("{}{}", open.repeat(levels), close.repeat(levels)).as_bytes())
        };
        let two = Input::Array(vec![Input::Array(Vec::new())]);
        assert_eq!(nested("[", "]", 2).ok(), Some(two));
        assert!(nested("[", "]", 100).is_ok());
        for text in [
            "[".repeat(101) + &"]".repeat(101),
            "{\"a\":".repeat(101) + "1" + &"}".repeat(101),
        ] {
            let message = parse(text.as_bytes()).expect_err("too deep").to_string();
            assert!(message.contains("deeper than 100 levels"), "{message}");
        }
        let brackets = format!(r#"{{"a": "\"{}"}}"#, "[".repeat(101));
        assert!(parse(brackets.as_bytes()).is_ok(), "brackets in a string");
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn what_is_deeper_than_a_group_keeps_its_type_only() {
        let value =
            parse(br#"{"contacts": [{"username": [["x"]], "id": {"a": 1}}]}"#).expect("JSON");
        let contact = vec![
            ("username".to_owned(), Input::Array(Vec::new())),
            ("id".to_owned(), Input::Object(Vec::new())),
        ];
        let contacts = Input::Array(vec![Input::Object(contact)]);
        assert_eq!(
            value,
            Input::Object(vec![("contacts".to_owned(), contacts)])
        );
    }

    #[test]
    fn a_number_is_an_integer_if_it_is_exactly_one() {
        for (text, integer) in [
            ("7", 7),
            ("-7", -7),
            ("-0", 0),
            ("7.0", 7),
            ("70e-1", 7),
            ("0.07E+2", 7),
            ("-1.50e1", -15),
            ("0e99999999999999999999", 0),
            ("0.0e-400", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("1e18", 1_000_000_000_000_000_000),
        ] {
            assert_eq!(
                parse(text.as_bytes()).ok(),
                Some(Input::Integer(integer)),
                "{text}"
            );
        }
        for text in [
            "7.5",
            "1e-400",
            "1e-99999999999999999999",
            "253402300799.00000000001",
            "9223372036854775808",
            "1e19",
            "1e300",
            "0.1",
        ] {
            assert_eq!(parse(text.as_bytes()).ok(), Some(Input::Number), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_malformed() {
        for bytes in [
            &b"{"[..],
            b"{}{}",
            b"{'a': 1}",
            b"{\"a\": 01}",
            b"{\"a\": NaN}",
            b"{\"a\": 1e400}",
            br#"{"a": "\ud800"}"#,
            br#"{"a": "\udc00\ud800"}"#,
            b"{\"a\": \"\x01\"}",
            b"{\"a\": \"\xff\"}",
            b"\xef\xbb\xbf{}",
            b" ",
        ] {
            let error = parse(bytes).expect_err("malformed");
            assert_eq!(
                error.code(),
                "malformed_body",
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
        assert!(
            parse(br#"{"a": "\ud83e\udd80"}"#).is_ok(),
            "a whole pair of surrogates"
        );
    }
}
