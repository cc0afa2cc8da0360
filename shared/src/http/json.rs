//! JSON, read into a tree that keeps repeated members for the models to refuse.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::{Error, Result, model::input::Value};

/// How deep a group is nested: the group, its contacts, a contact.
const MAX_DEPTH: usize = 3;

/// Reads one JSON value.
///
/// # Errors
/// `malformed_body` for what is not UTF-8, not well-formed JSON (RFC 8259), nested deeper than a
/// group is, a lone surrogate, or a number that no double can hold.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Error::MalformedBody(format!("it is not UTF-8 at byte {}", error.valid_up_to()))
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Node { depth: 0 }.deserialize(&mut deserializer);
    value
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| Error::MalformedBody(format!("as JSON, {error}")))
}

/// A value in `depth` arrays and objects.
#[derive(Clone, Copy)]
struct Node {
    depth: usize,
}

impl Node {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom("it is nested deeper than a group is"));
        }
        Ok(Node {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Number(value as f64), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Value, A::Error> {
        let element = self.inside()?;
        let mut values = Vec::new();
        while let Some(value) = array.next_element_seed(element)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let member = self.inside()?;
        let mut members = Vec::new();
        while let Some(name) = object.next_key()? {
            members.push((name, object.next_value_seed(member)?));
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_kept_in_order_with_repeated_ones() {
        let value = parse(br#"{"b": 1, "a": [true, null, 1.5, "x"], "b": -2}"#).expect("JSON");
        let array = vec![
            Value::Bool(true),
            Value::Null,
            Value::Number(1.5),
            Value::String("x".into()),
        ];
        let members = vec![
            ("b".to_owned(), Value::Integer(1)),
            ("a".to_owned(), Value::Array(array)),
            ("b".to_owned(), Value::Integer(-2)),
        ];
        assert_eq!(value, Value::Object(members));
    }

    #[test]
    fn nesting_ends_where_a_group_does() {
        assert!(parse(br#"{"contacts": [{"username": "a"}]}"#).is_ok());
        for deeper in [
            &br#"{"contacts": [{"username": []}]}"#[..],
            b"[[[[]]]]",
            br#"{"a":{"a":{"a":{}}}}"#,
        ] {
            let message = parse(deeper).expect_err("too deep").to_string();
            assert!(message.contains("nested deeper"), "{message}");
        }
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
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
