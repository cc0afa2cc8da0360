//! Forms, as curl sends them with `-d`, read into the same tree as JSON.
//!
//! The contacts nest as `contacts[0][username]=Hector`, numbered from 0 in any order, or as
//! `contacts[][username]=Hector`, where a contact ends as soon as one of its members comes again.

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    http::urlencoded,
    model::{Contact, input::Value},
};

/// The member that nests.
const CONTACTS: &str = "contacts";

type Members = Vec<(String, Value)>;

/// Reads a form into the members of one object.
///
/// # Errors
/// `malformed_body` for what is not UTF-8 or has a bad escape; `invalid` for contacts whose numbers
/// leave a gap or that are written in both styles.
pub(crate) fn parse(bytes: &[u8]) -> Result<Members> {
    let malformed = |reason: &str| Error::MalformedBody(format!("as a form, it {reason}"));
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("is not UTF-8"))?;
    let mut members = Members::new();
    let mut contacts = Contacts::None;
    for (name, value) in urlencoded::pairs(text) {
        let name = urlencoded::decode(name).map_err(malformed)?;
        let value = match urlencoded::decode(value).map_err(malformed)? {
            empty if empty.is_empty() => Value::Null,
            value => Value::Text(value),
        };
        match nested(&name) {
            Some((index, member)) => contacts.push(index, member, value)?,
            None => members.push((name, value)),
        }
    }
    members.extend(contacts.into_member()?);
    Ok(members)
}

/// The number (none for the style without) and the member that `name` nests in the contacts, if it
/// is of the form `contacts[0][username]` or `contacts[][username]`.
fn nested(name: &str) -> Option<(Option<&str>, &str)> {
    let (index, member) = name
        .strip_prefix(CONTACTS)?
        .strip_prefix('[')?
        .split_once("][")?;
    let member = member.strip_suffix(']')?;
    let plain = index == "0" || !index.starts_with('0');
    let number = plain && index.bytes().all(|byte| byte.is_ascii_digit());
    let bracket = |c| matches!(c, '[' | ']');
    (number && !member.contains(bracket)).then_some(((!index.is_empty()).then_some(index), member))
}

/// The contacts of a form, in the one style or the other.
enum Contacts {
    None,
    Numbered(BTreeMap<usize, Members>),
    Listed(Vec<Members>),
}

impl Contacts {
    fn push(&mut self, index: Option<&str>, member: &str, value: Value) -> Result<()> {
        if let Contacts::None = self {
            *self = match index {
                Some(_) => Contacts::Numbered(BTreeMap::new()),
                None => Contacts::Listed(Vec::new()),
            };
        }
        let member = (member.to_owned(), value);
        match (self, index) {
            (Contacts::Numbered(contacts), Some(index)) => {
                // A number too large for the machine leaves a gap before it, like any too large one.
                let index = index.parse().unwrap_or(usize::MAX);
                contacts.entry(index).or_default().push(member);
            }
            (Contacts::Listed(contacts), None) => match contacts.last_mut() {
                // With more members than a contact has, one is unknown and will be refused, so
                // that a hostile form need not be searched in quadratic time.
                Some(contact) if contact.len() > Contact::MEMBERS.len() => contact.push(member),
                Some(contact) if !contact.iter().any(|(given, _)| *given == member.0) => {
                    contact.push(member);
                }
                _ => contacts.push(vec![member]),
            },
            _ => {
                let reason = "must be all numbered, `contacts[0][…]`, or all not, `contacts[][…]`";
                return Err(Error::invalid(CONTACTS, reason));
            }
        }
        Ok(())
    }

    fn into_member(self) -> Result<Option<(String, Value)>> {
        let contacts: Vec<Members> = match self {
            Contacts::None => return Ok(None),
            Contacts::Listed(contacts) => contacts,
            Contacts::Numbered(contacts) => {
                if contacts
                    .keys()
                    .enumerate()
                    .any(|(wanted, index)| wanted != *index)
                {
                    let reason = "must be numbered from 0 without a gap";
                    return Err(Error::invalid(CONTACTS, reason));
                }
                contacts.into_values().collect()
            }
        };
        let contacts = contacts.into_iter().map(Value::Object).collect();
        Ok(Some((CONTACTS.to_owned(), Value::Array(contacts))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(members: &[(&str, &str)]) -> Value {
        let member =
            |(name, value): &(&str, &str)| ((*name).to_owned(), Value::Text((*value).to_owned()));
        Value::Object(members.iter().map(member).collect())
    }

    fn contacts_of(form: &str) -> Value {
        let members = parse(form.as_bytes()).expect(form);
        members
            .into_iter()
            .find(|(name, _)| name == CONTACTS)
            .expect(form)
            .1
    }

    #[test]
    fn names_and_values_are_decoded_and_empty_ones_are_null() {
        let members = parse(b"name=Plaza+Hotel&description=&a%5Bb=%26&c").expect("a form");
        let expected = [
            ("name", Value::Text("Plaza Hotel".into())),
            ("description", Value::Null),
            ("a[b", Value::Text("&".into())),
            ("c", Value::Null),
        ];
        assert_eq!(
            members,
            expected.map(|(name, value)| (name.to_owned(), value))
        );
        assert_eq!(parse(b"").expect("a form"), []);
    }

    #[test]
    fn numbered_contacts_come_in_any_order() {
        let form =
            "contacts[1][username]=Cedric&contacts[0][username]=Hector&contacts%5B1%5D[id]=x";
        let expected = vec![
            contact(&[("username", "Hector")]),
            contact(&[("username", "Cedric"), ("id", "x")]),
        ];
        assert_eq!(contacts_of(form), Value::Array(expected));
    }

    #[test]
    fn a_listed_contact_ends_where_a_member_comes_again() {
        let form = "contacts[][username]=Hector&contacts[][id]=x&contacts[][username]=Cedric&contacts[][id]=y";
        let expected = vec![
            contact(&[("username", "Hector"), ("id", "x")]),
            contact(&[("username", "Cedric"), ("id", "y")]),
        ];
        assert_eq!(contacts_of(form), Value::Array(expected));
    }

    #[test]
    fn gaps_and_mixed_styles_are_invalid_contacts() {
        for form in [
            "contacts[1][username]=a",
            "contacts[0][username]=a&contacts[2][username]=b",
            "contacts[99999999999999999999999][username]=a",
            "contacts[0][username]=a&contacts[][username]=b",
            "contacts[][username]=a&contacts[0][username]=b",
        ] {
            let error = parse(form.as_bytes()).expect_err(form);
            assert_eq!(
                (error.code(), error.param()),
                ("invalid", Some(CONTACTS)),
                "{form}"
            );
        }
    }

    #[test]
    fn any_other_use_of_brackets_is_a_member_of_that_name() {
        for name in [
            "contacts[]",
            "contacts[0]",
            "contacts[0]username",
            "contacts[x][username]",
            "contacts[00][username]",
            "contacts[-1][username]",
            "contacts[0][a][b]",
            "contacts[[0]][username]",
            "Contacts[0][username]",
            "name[]",
            "[0][username]",
        ] {
            let members = parse(format!("{name}=a").as_bytes()).expect(name);
            assert_eq!(members[0].0, name);
        }
    }

    #[test]
    fn bad_escapes_and_bytes_that_are_not_utf_8_are_malformed() {
        for form in [
            &b"name=%"[..],
            b"name=%4",
            b"%zz=a",
            b"name=%ff",
            b"name=\xff",
        ] {
            assert_eq!(parse(form).expect_err("malformed").code(), "malformed_body");
        }
    }
}
