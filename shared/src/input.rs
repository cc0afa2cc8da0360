//! What a caller sent, before it is checked. JSON, forms and queries are parsed into one tree of
//! values, from which the models are parsed.

use crate::{Error, Result};

pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod urlencoded;

/// A value as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// JSON's `null`, or an empty value of a form.
    Null,
    /// JSON's `true` or `false`.
    Bool(bool),
    /// A number that is exactly an integer of 64 bits.
    Integer(i64),
    /// Any other number.
    Number,
    /// A JSON string.
    JsonString(String),
    /// A value of a form or a query. Its member decides whether it is a string or an integer.
    FormText(String),
    /// A JSON array, or the contacts of a form.
    Array(Vec<Input>),
    /// An object.
    Object(RawMembers),
}

impl Input {
    /// Returns the type of the value, to follow "is" in a message.
    fn kind(&self) -> &'static str {
        match self {
            Input::Null => "null",
            Input::Bool(_) => "a boolean",
            Input::Integer(_) | Input::Number => "a number",
            Input::JsonString(_) | Input::FormText(_) => "a string",
            Input::Array(_) => "an array",
            Input::Object(_) => "an object",
        }
    }
}

/// The members of an object, or the parameters of a query, as they were sent: in their order, unknown
/// and repeated ones included.
pub type RawMembers = Vec<(String, Input)>;

/// A value with the path of its member, which errors name.
#[derive(Debug)]
pub struct Field {
    /// The path, for example `contacts[3].username`.
    pub param: String,
    /// The value.
    pub value: Input,
}

impl Field {
    /// Returns the path and the string that the field contains.
    ///
    /// # Errors
    /// Returns `invalid` if it contains anything else.
    pub fn string(self) -> Result<(String, String)> {
        match self.value {
            Input::JsonString(text) | Input::FormText(text) => Ok((self.param, text)),
            other => Err(wrong_type(self.param, &other, "a string")),
        }
    }

    /// Returns the path and the integer that the field contains: in JSON, a number without a fraction, as
    /// JSON Schema defines an integer; in a form, plain decimal digits.
    ///
    /// # Errors
    /// Returns `invalid` if it contains anything else.
    pub fn integer(self) -> Result<(String, i64)> {
        let integer = match &self.value {
            Input::Integer(integer) => Some(*integer),
            Input::FormText(text) => plain_integer(text),
            _ => None,
        };
        match integer {
            Some(integer) => Ok((self.param, integer)),
            None => Err(wrong_type(self.param, &self.value, "an integer")),
        }
    }

    /// Returns the path and the elements of the array that the field contains.
    ///
    /// # Errors
    /// Returns `invalid` if it contains anything else.
    pub fn array(self) -> Result<(String, Vec<Field>)> {
        let Input::Array(values) = self.value else {
            return Err(wrong_type(self.param, &self.value, "an array"));
        };
        let element = |(index, value)| Field {
            param: format!("{}[{index}]", self.param),
            value,
        };
        let elements = values.into_iter().enumerate().map(element).collect();
        Ok((self.param, elements))
    }

    /// Returns the members of the object that the field contains. Only members in `known` are allowed.
    ///
    /// # Errors
    /// Returns `invalid` if it contains anything else, and the errors of [`Members::new`].
    pub fn members(self, known: &'static [&'static str]) -> Result<Members> {
        match self.value {
            Input::Object(members) => Members::new(members, &format!("{}.", self.param), known),
            other => Err(wrong_type(self.param, &other, "an object")),
        }
    }
}

/// The members of one object, each of them known and given once.
#[derive(Debug)]
pub struct Members {
    prefix: String,
    members: RawMembers,
}

impl Members {
    /// Checks that all members are `known`, and that each is given once. `prefix` is the start of each
    /// member's path.
    ///
    /// # Errors
    /// Returns `unknown` or `repeated` for the first member, in the order sent, that breaks this.
    pub fn new(members: RawMembers, prefix: &str, known: &'static [&'static str]) -> Result<Self> {
        let mut seen = Vec::with_capacity(known.len());
        for (name, _) in &members {
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
            members,
        })
    }

    /// Removes and returns a member, if it was given.
    pub fn take(&mut self, name: &str) -> Option<Field> {
        let index = self.members.iter().position(|(given, _)| given == name)?;
        let (name, value) = self.members.swap_remove(index);
        Some(Field {
            param: format!("{}{name}", self.prefix),
            value,
        })
    }

    /// Parses a required member. `parse` decides whether `null` is allowed.
    ///
    /// # Errors
    /// Returns `missing` if it is not given, and the errors of `parse`.
    pub fn required<T>(&mut self, name: &str, parse: impl FnOnce(Field) -> Result<T>) -> Result<T> {
        match self.take(name) {
            Some(field) => parse(field),
            None => Err(Error::Missing {
                param: format!("{}{name}", self.prefix),
            }),
        }
    }

    /// Parses a member that may be omitted or `null`, which mean the same.
    ///
    /// # Errors
    /// Returns the errors of `parse`.
    pub fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(Field) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.take(name) {
            Some(field) if field.value != Input::Null => parse(field).map(Some),
            _ => Ok(None),
        }
    }
}

/// Parses plain decimal digits: no plus sign, no leading zero.
pub fn plain_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits == "0" || !digits.starts_with('0');
    // `parse` alone would accept a plus sign.
    if !is_plain || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn wrong_type(param: String, value: &Input, wanted: &str) -> Error {
    Error::invalid(param, format!("is {} and must be {wanted}", value.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(value: Input) -> Option<i64> {
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
        assert_eq!(integer(Input::Integer(7)), Some(7));
        assert_eq!(integer(Input::Number), None);
        assert_eq!(integer(Input::FormText("7".into())), Some(7));
        assert_eq!(integer(Input::FormText("-7".into())), Some(-7));
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
            assert_eq!(integer(Input::FormText(text.into())), None, "{text:?}");
        }
        assert_eq!(integer(Input::JsonString("7".into())), None);
        assert_eq!(integer(Input::Bool(true)), None);
    }

    #[test]
    fn members_are_known_and_given_once_and_the_first_fault_is_named() {
        let members = |names: &[&str]| {
            let members = names
                .iter()
                .map(|name| ((*name).to_owned(), Input::Null))
                .collect();
            Members::new(members, "contacts[3].", &["a", "b"])
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
