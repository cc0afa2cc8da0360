//! What a caller sent, before it means anything: a tree of values that JSON, forms and query
//! strings are all read into, and that the models are parsed from.

use crate::{Error, Result};

/// A value as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// JSON's `null`, or an empty value of a form.
    Null,
    /// JSON's `true` and `false`.
    Bool(bool),
    /// A number that is exactly an integer of 64 bits.
    Integer(i64),
    /// Any other number.
    Number,
    /// A JSON string.
    String(String),
    /// A value of a form or a query, which is a string or an integer as its member wants it.
    Text(String),
    /// A JSON array, or the contacts of a form.
    Array(Vec<Value>),
    /// An object with its members in the order in which they came, repeated ones included.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// What the value is, in words that follow "is".
    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) | Value::Number => "a number",
            Value::String(_) | Value::Text(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

/// A value and the path of the member that it was sent as, for errors to name.
#[derive(Debug)]
pub struct Field {
    /// The path, for example `contacts[3].username`.
    pub param: String,
    /// The value.
    pub value: Value,
}

impl Field {
    /// The string that this field holds.
    ///
    /// # Errors
    /// `invalid` where it holds anything else.
    pub fn string(self) -> Result<(String, String)> {
        match self.value {
            Value::String(text) | Value::Text(text) => Ok((self.param, text)),
            other => Err(wrong_type(self.param, &other, "a string")),
        }
    }

    /// The integer that this field holds: any number without a fraction, as JSON Schema has it, or
    /// the plain decimal digits of a form.
    ///
    /// # Errors
    /// `invalid` where it holds anything else.
    pub fn integer(self) -> Result<(String, i64)> {
        let integer = match &self.value {
            Value::Integer(integer) => Some(*integer),
            Value::Text(text) => plain_integer(text),
            _ => None,
        };
        match integer {
            Some(integer) => Ok((self.param, integer)),
            None => Err(wrong_type(self.param, &self.value, "an integer")),
        }
    }

    /// The array that this field holds, each element with its own path.
    ///
    /// # Errors
    /// `invalid` where it holds anything else.
    pub fn array(self) -> Result<(String, Vec<Field>)> {
        match self.value {
            Value::Array(values) => {
                let element = |(index, value)| Field {
                    param: format!("{}[{index}]", self.param),
                    value,
                };
                Ok((
                    self.param.clone(),
                    values.into_iter().enumerate().map(element).collect(),
                ))
            }
            other => Err(wrong_type(self.param, &other, "an array")),
        }
    }

    /// The members of the object that this field holds, which may be `known` ones only.
    ///
    /// # Errors
    /// `invalid` where it holds anything else; `unknown` and `repeated` as [`Members::new`].
    pub fn members(self, known: &'static [&'static str]) -> Result<Members> {
        match self.value {
            Value::Object(entries) => Members::new(entries, &format!("{}.", self.param), known),
            other => Err(wrong_type(self.param, &other, "an object")),
        }
    }
}

/// The members of one object, each of them known and given once.
#[derive(Debug)]
pub struct Members {
    prefix: String,
    entries: Vec<(String, Value)>,
}

impl Members {
    /// Checks `entries` against the names that are `known` at this place; `prefix` is what the path
    /// of each member begins with.
    ///
    /// # Errors
    /// `unknown` or `repeated` for the first member, in the order sent, that is one of these.
    pub fn new(
        entries: Vec<(String, Value)>,
        prefix: &str,
        known: &'static [&'static str],
    ) -> Result<Self> {
        let mut seen = Vec::with_capacity(known.len());
        for (name, _) in &entries {
            let param = || format!("{prefix}{name}");
            if !known.contains(&name.as_str()) {
                return Err(Error::Unknown {
                    param: param(),
                    known,
                });
            }
            if seen.contains(&name) {
                return Err(Error::Repeated {
                    param: param(),
                    reason: "is given twice; give it once",
                });
            }
            seen.push(name);
        }
        Ok(Self {
            prefix: prefix.to_owned(),
            entries,
        })
    }

    /// Takes a member out, if it was given.
    pub fn take(&mut self, name: &str) -> Option<Field> {
        let index = self.entries.iter().position(|(given, _)| given == name)?;
        let (name, value) = self.entries.swap_remove(index);
        Some(Field {
            param: format!("{}{name}", self.prefix),
            value,
        })
    }

    /// Parses a member that must be given; what `null` means is for `parse` to say.
    ///
    /// # Errors
    /// `missing` where it is not given, and whatever `parse` finds wrong.
    pub fn required<T>(&mut self, name: &str, parse: impl FnOnce(Field) -> Result<T>) -> Result<T> {
        match self.take(name) {
            Some(field) => parse(field),
            None => Err(Error::Missing {
                param: format!("{}{name}", self.prefix),
            }),
        }
    }

    /// Parses a member that may be left out or `null`, which are the same here.
    ///
    /// # Errors
    /// Whatever `parse` finds wrong.
    pub fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(Field) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.take(name) {
            Some(field) if field.value != Value::Null => parse(field).map(Some),
            _ => Ok(None),
        }
    }
}

/// The integer that `text` writes in plain decimal digits: no sign but a minus, no leading zero.
pub fn plain_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits == "0" || !digits.starts_with('0');
    // `parse` alone would take a plus sign too.
    (plain && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn wrong_type(param: String, value: &Value, wanted: &str) -> Error {
    Error::invalid(param, format!("is {} and must be {wanted}", value.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(value: Value) -> Option<i64> {
        Field {
            param: "n".into(),
            value,
        }
        .integer()
        .ok()
        .map(|(_, integer)| integer)
    }

    #[test]
    fn integers_are_numbers_without_a_fraction_and_plain_digits_of_a_form() {
        assert_eq!(integer(Value::Integer(7)), Some(7));
        assert_eq!(integer(Value::Number), None);
        assert_eq!(integer(Value::Text("7".into())), Some(7));
        assert_eq!(integer(Value::Text("-7".into())), Some(-7));
        for text in [
            "",
            "-",
            "+7",
            "07",
            " 7",
            "7 ",
            "7.0",
            "1e3",
            "٧",
            "9223372036854775808",
        ] {
            assert_eq!(integer(Value::Text(text.into())), None, "{text:?}");
        }
        assert_eq!(integer(Value::String("7".into())), None);
        assert_eq!(integer(Value::Bool(true)), None);
    }

    #[test]
    fn members_are_known_and_given_once_and_the_first_fault_is_named() {
        let members = |names: &[&str]| {
            let entries = names
                .iter()
                .map(|name| ((*name).to_owned(), Value::Null))
                .collect();
            Members::new(entries, "contacts[3].", &["a", "b"])
                .map(|_| ())
                .map_err(|error| {
                    (
                        error.code(),
                        error.param().map(str::to_owned).unwrap_or_default(),
                    )
                })
        };
        assert_eq!(members(&["b", "a"]), Ok(()));
        assert_eq!(
            members(&["a", "c", "a"]),
            Err(("unknown", "contacts[3].c".to_owned()))
        );
        assert_eq!(
            members(&["a", "a", "c"]),
            Err(("repeated", "contacts[3].a".to_owned()))
        );
    }
}
