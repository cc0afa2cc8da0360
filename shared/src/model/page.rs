//! Pages of a list: which one is asked for, and which one is answered.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    Error, Result,
    model::{
        group::Group,
        id::Id,
        input::{Field, Members, Value, plain_integer},
    },
};

/// A place in a list. It names a place and not a group, so that it works when that group has been
/// deleted, archived or never existed.
#[derive(Clone, Debug, PartialEq)]
pub enum Cursor {
    /// The page that follows this id.
    StartingAfter(Id),
    /// The page just before this id.
    EndingBefore(Id),
}

/// Which page of an account's groups is asked for.
#[derive(Clone, Debug)]
pub struct ListQuery {
    pub(crate) limit: usize,
    pub(crate) archived: Option<bool>,
    pub(crate) cursor: Option<Cursor>,
}

impl ListQuery {
    /// The most groups of a page.
    pub const MAX_LIMIT: usize = 100;

    /// How many groups a page has at most when the caller does not say.
    pub const DEFAULT_LIMIT: usize = 10;

    const PARAMETERS: &'static [&'static str] =
        &["limit", "archived", "starting_after", "ending_before"];

    /// The page that a query's parameters ask for.
    ///
    /// # Errors
    /// `unknown`, `repeated` or `invalid`, with the parameter to blame.
    pub fn parse(parameters: Vec<(String, Value)>) -> Result<Self> {
        let mut parameters = Members::new(parameters, "", Self::PARAMETERS)?;
        let limit = parameters.take("limit").map(limit).transpose()?;
        let archived = parameters.take("archived").map(archived).transpose()?;
        let after = parameters
            .take("starting_after")
            .map(Id::parse)
            .transpose()?;
        let before = parameters
            .take("ending_before")
            .map(Id::parse)
            .transpose()?;
        let cursor = match (after, before) {
            (Some(_), Some(_)) => {
                let reason = "cannot be combined with `starting_after`; give one of them";
                return Err(Error::invalid("ending_before", reason));
            }
            (Some(id), None) => Some(Cursor::StartingAfter(id)),
            (None, Some(id)) => Some(Cursor::EndingBefore(id)),
            (None, None) => None,
        };
        Ok(Self {
            limit: limit.unwrap_or(Self::DEFAULT_LIMIT),
            archived,
            cursor,
        })
    }
}

fn limit(field: Field) -> Result<usize> {
    let (param, text) = field.string()?;
    let limit = plain_integer(&text).and_then(|limit| usize::try_from(limit).ok());
    limit
        .filter(|limit| (1..=ListQuery::MAX_LIMIT).contains(limit))
        .ok_or_else(|| {
            Error::invalid(
                param,
                format!("must be an integer from 1 to {}", ListQuery::MAX_LIMIT),
            )
        })
}

fn archived(field: Field) -> Result<bool> {
    let (param, text) = field.string()?;
    match text.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::invalid(param, "must be `true` or `false`")),
    }
}

/// A page of groups, newest first.
#[derive(Debug, Serialize)]
pub struct Page {
    has_more: bool,
    data: Vec<Box<RawValue>>,
}

impl Page {
    /// The most bytes that the groups of a page may have as Lambda counts them: a function may
    /// answer 6 MB (6,291,456 bytes), in which the body is escaped once more as a JSON string.
    /// 16 KiB of it are left to the rest of the answer, the headers among it.
    pub const MAX_ESCAPED_BYTES: usize = 6 * 1_024 * 1_024 - 16 * 1_024;

    /// The page of `groups`, which come in the direction of travel: newest first, or oldest first
    /// where the cursor is [`Cursor::EndingBefore`]. `has_more` says whether more follow in that
    /// direction. The page ends early where one more group would make it too large.
    ///
    /// # Errors
    /// `internal`, should a group not become JSON.
    pub fn new(groups: &[Group], has_more: bool, cursor: Option<&Cursor>) -> Result<Self> {
        let mut data = Vec::with_capacity(groups.len());
        let mut bytes = 0;
        for group in groups {
            let json = to_raw_value(group).map_err(Error::internal)?;
            bytes += escaped_len(json.get()) + 1;
            if bytes > Self::MAX_ESCAPED_BYTES {
                break;
            }
            data.push(json);
        }
        let has_more = has_more || data.len() < groups.len();
        if matches!(cursor, Some(Cursor::EndingBefore(_))) {
            data.reverse();
        }
        Ok(Self { has_more, data })
    }
}

/// How many bytes `json` has once it is escaped as a JSON string. Compact JSON holds no control
/// characters, so quotes and backslashes are all that there is to escape.
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
    use crate::model::NewGroup;

    fn group(description: String) -> Group {
        let members = vec![
            ("name".to_owned(), Value::String("a".to_owned())),
            ("description".to_owned(), Value::Null),
        ];
        let mut group = Group::create(NewGroup::parse(members).expect("valid"));
        // Longer than a caller may make it, to fill an answer with few groups.
        group.description = Some(description);
        group
    }

    #[test]
    fn escaped_length_is_what_a_json_string_takes() {
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
    fn a_page_ends_where_one_more_group_would_pass_what_lambda_carries() {
        // Three groups that fill the limit to the byte; each `"` of the description counts four.
        let frame = escaped_len(to_raw_value(&group(String::new())).expect("JSON").get()) + 1;
        let full = |bytes: usize| {
            let body = bytes - frame;
            group("\"".repeat(body / 4) + &"x".repeat(body % 4))
        };
        let third = Page::MAX_ESCAPED_BYTES / 3;
        let rest = Page::MAX_ESCAPED_BYTES - 2 * third;
        let fits = [full(third), full(third), full(rest)];
        let page = Page::new(&fits, false, None).expect("JSON");
        assert_eq!((page.data.len(), page.has_more), (3, false));
        let answer =
            serde_json::to_string(&serde_json::to_string(&page).expect("JSON")).expect("JSON");
        assert!(
            answer.len() <= 6 * 1_024 * 1_024 - 15 * 1_024,
            "{}",
            answer.len()
        );

        let over = [full(third), full(third), full(rest + 1)];
        let page = Page::new(&over, false, None).expect("JSON");
        assert_eq!((page.data.len(), page.has_more), (2, true));
    }

    #[test]
    fn a_page_before_a_cursor_is_newest_first_and_keeps_the_groups_next_to_the_cursor() {
        let large = |letter: &str| group(letter.repeat(4_000_000));
        let oldest_first = [large("a"), large("b")];
        let cursor = Cursor::EndingBefore(Id::created_at(crate::model::timestamp::since_epoch()));
        let page = Page::new(&oldest_first, false, Some(&cursor)).expect("JSON");
        assert!(page.has_more && page.data.len() == 1 && page.data[0].get().contains("aaa"));

        let (first, second) = (group("a".into()), group("b".into()));
        let page = Page::new(&[first, second], true, Some(&cursor)).expect("JSON");
        assert!(page.has_more && page.data[0].get().contains("\"b\""));
    }
}
