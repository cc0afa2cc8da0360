//! Parses forms, as curl sends them with `-d`, into the same tree as JSON.
//!
//! Contacts nest as `contacts[0][username]=Hector`, numbered from 0 in any order, or as
//! `contacts[][username]=Hector`, in which a repeated member starts the next contact.

use std::collections::BTreeMap;

use super::{Input, RawMembers, urlencoded};
use crate::{Error, Result};

/// The member that nests.
const CONTACTS: &str = "contacts";

/// How many members of one contact are compared. A contact has fewer, so one with more has an unknown
/// member, and is rejected later. Without this limit, a hostile form would take quadratic time.
const MAX_MEMBERS: usize = 16;

/// Parses a form into the members of one object.
///
/// # Errors
/// Returns `malformed_body` if the form is not UTF-8 or has a malformed escape, and `invalid` if the
/// numbers of contacts leave a gap, or if both styles are used.
pub(crate) fn parse(bytes: &[u8]) -> Result<RawMembers> {
    let malformed = |reason: &str| Error::MalformedBody(format!("as a form, it {reason}"));
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("is not UTF-8"))?;
    let mut members = RawMembers::new();
    let mut contacts = Contacts::None;
    for (name, value) in urlencoded::pairs(text) {
        let name = urlencoded::decode(name).map_err(malformed)?;
        let value = match urlencoded::decode(value).map_err(malformed)? {
            empty if empty.is_empty() => Input::Null,
            value => Input::FormText(value),
        };
        match parse_name(&name) {
            Some((index, member)) => contacts.push(index, member, value)?,
            None => members.push((name, value)),
        }
    }
    members.extend(contacts.into_member()?);
    Ok(members)
}

/// The place of a contact in a form.
#[derive(Clone, Copy)]
enum Index<'a> {
    /// `contacts[0][…]`
    Numbered(&'a str),
    /// `contacts[][…]`
    Appended,
}

/// Splits `contacts[0][username]` and `contacts[][username]`. Returns `None` for any other name.
fn parse_name(name: &str) -> Option<(Index<'_>, &str)> {
    let (index, member) = name
        .strip_prefix(CONTACTS)?
        .strip_prefix('[')?
        .split_once("][")?;
    let member = member.strip_suffix(']')?;
    let is_plain = index == "0" || !index.starts_with('0');
    if !is_plain || !index.bytes().all(|byte| byte.is_ascii_digit()) || member.contains(['[', ']'])
    {
        return None;
    }
    let index = if index.is_empty() {
        Index::Appended
    } else {
        Index::Numbered(index)
    };
    Some((index, member))
}

/// The contacts of a form, in one of the two styles.
enum Contacts {
    None,
    Numbered(BTreeMap<usize, RawMembers>),
    Appended(Vec<RawMembers>),
}

impl Contacts {
    fn push(&mut self, index: Index<'_>, member: &str, value: Input) -> Result<()> {
        if let Contacts::None = self {
            *self = match index {
                Index::Numbered(_) => Contacts::Numbered(BTreeMap::new()),
                Index::Appended => Contacts::Appended(Vec::new()),
            };
        }
        let member = (member.to_owned(), value);
        match (self, index) {
            (Contacts::Numbered(contacts), Index::Numbered(index)) => {
                // A number that does not fit leaves a gap, like any number that is too large.
                let index = index.parse().unwrap_or(usize::MAX);
                contacts.entry(index).or_default().push(member);
            }
            (Contacts::Appended(contacts), Index::Appended) => match contacts.last_mut() {
                Some(contact)
                    if contact.len() > MAX_MEMBERS
                        || !contact.iter().any(|(given, _)| *given == member.0) =>
                {
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

    fn into_member(self) -> Result<Option<(String, Input)>> {
        let contacts: Vec<RawMembers> = match self {
            Contacts::None => return Ok(None),
            Contacts::Appended(contacts) => contacts,
            Contacts::Numbered(contacts) => {
                let mut indices = contacts.keys().enumerate();
                if indices.any(|(expected, index)| expected != *index) {
                    let reason = "must be numbered from 0 without a gap";
                    return Err(Error::invalid(CONTACTS, reason));
                }
                contacts.into_values().collect()
            }
        };
        let contacts = contacts.into_iter().map(Input::Object).collect();
        Ok(Some((CONTACTS.to_owned(), Input::Array(contacts))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(members: &[(&str, &str)]) -> Input {
        let member = |(name, value): &(&str, &str)| {
            ((*name).to_owned(), Input::FormText((*value).to_owned()))
        };
        Input::Object(members.iter().map(member).collect())
    }

    fn contacts_of(form: &str) -> Input {
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
            ("name", Input::FormText("Plaza Hotel".into())),
            ("description", Input::Null),
            ("a[b", Input::FormText("&".into())),
            ("c", Input::Null),
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
        assert_eq!(contacts_of(form), Input::Array(expected));
    }

    #[test]
    fn a_listed_contact_ends_where_a_member_comes_again() {
        let form = "contacts[][username]=Hector&contacts[][id]=x&contacts[][username]=Cedric&contacts[][id]=y";
        let expected = vec![
            contact(&[("username", "Hector"), ("id", "x")]),
            contact(&[("username", "Cedric"), ("id", "y")]),
        ];
        assert_eq!(contacts_of(form), Input::Array(expected));
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
