//! The body of a list.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{Error, Result, model::Page};

/// The most bytes that the groups of a page may have as Lambda counts them. A response of a function may have
/// 6 MB (6,291,456 bytes), in which the body is escaped once more as a JSON string. 16 KiB are left for the rest
/// of the response, its headers included.
const MAX_ESCAPED_BYTES: usize = 6 * 1_024 * 1_024 - 16 * 1_024;

/// A page of groups, newest first.
#[derive(Debug, Serialize)]
pub(super) struct PageObject {
    has_more: bool,
    data: Vec<Box<RawValue>>,
}

impl PageObject {
    /// Serializes the groups of a page, up to the one that would exceed Lambda's limit.
    ///
    /// # Errors
    /// Returns `internal` if a group cannot be serialized.
    pub(super) fn new(page: &Page) -> Result<Self> {
        let mut data = Vec::with_capacity(page.groups.len());
        let mut bytes = 0;
        for group in &page.groups {
            let json = to_raw_value(group).map_err(Error::internal)?;
            bytes += escaped_len(json.get()) + 1;
            if bytes > MAX_ESCAPED_BYTES {
                break;
            }
            data.push(json);
        }
        let has_more = page.has_more || data.len() < page.groups.len();
        if page.is_oldest_first {
            data.reverse();
        }
        Ok(Self { has_more, data })
    }
}

/// Returns how many bytes `json` has when it is escaped as a JSON string. Compact JSON contains no control
/// characters, so only quotes and backslashes are escaped.
fn escaped_len(json: &str) -> usize {
    json.len()
        + json
            .bytes()
            .filter(|byte| matches!(byte, b'"' | b'\\'))
            .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        input::Input,
        model::{Group, NewGroup},
    };

    fn group(description: String) -> Group {
        let members = vec![
            ("name".to_owned(), Input::JsonString("a".to_owned())),
            ("description".to_owned(), Input::Null),
        ];
        let mut group = Group::create(NewGroup::parse(members).expect("valid"));
        // Longer than a caller can make it, to fill a response with few groups.
        group.description = Some(description);
        group
    }

    fn page_of(groups: impl Into<Vec<Group>>, has_more: bool, is_oldest_first: bool) -> Page {
        Page {
            groups: groups.into(),
            has_more,
            is_oldest_first,
        }
    }

    #[test]
    fn escaped_length_is_that_of_a_json_string() {
        for text in [
            "plain",
            "quote \" backslash \\ newline \n tab \t",
            "müller 🦀",
        ] {
            let json = serde_json::to_string(text).expect("a string is JSON");
            let twice = serde_json::to_string(&json).expect("a string is JSON");
            assert_eq!(escaped_len(&json) + 2, twice.len(), "{text:?}");
        }
    }

    #[test]
    fn a_page_ends_before_the_group_that_would_exceed_lambdas_limit() {
        // Three groups that fill the limit to the byte; each `"` of the description counts four.
        let frame = escaped_len(to_raw_value(&group(String::new())).expect("JSON").get()) + 1;
        let full = |bytes: usize| {
            let body = bytes - frame;
            group("\"".repeat(body / 4) + &"x".repeat(body % 4))
        };
        let third = MAX_ESCAPED_BYTES / 3;
        let rest = MAX_ESCAPED_BYTES - 2 * third;
        let fits = [full(third), full(third), full(rest)];
        let page = PageObject::new(&page_of(fits, false, false)).expect("JSON");
        assert_eq!((page.data.len(), page.has_more), (3, false));
        let response =
            serde_json::to_string(&serde_json::to_string(&page).expect("JSON")).expect("JSON");
        assert!(
            response.len() <= 6 * 1_024 * 1_024 - 15 * 1_024,
            "{}",
            response.len()
        );

        let over = [full(third), full(third), full(rest + 1)];
        let page = PageObject::new(&page_of(over, false, false)).expect("JSON");
        assert_eq!((page.data.len(), page.has_more), (2, true));
    }

    #[test]
    fn a_page_before_a_cursor_is_newest_first_and_keeps_the_groups_next_to_the_cursor() {
        let large = |letter: &str| group(letter.repeat(4_000_000));
        let oldest_first = [large("a"), large("b")];
        let page = PageObject::new(&page_of(oldest_first, false, true)).expect("JSON");
        assert!(page.has_more && page.data.len() == 1 && page.data[0].get().contains("aaa"));

        let (first, second) = (group("a".into()), group("b".into()));
        let page = PageObject::new(&page_of([first, second], true, true)).expect("JSON");
        assert!(page.has_more && page.data[0].get().contains("\"b\""));
    }
}
