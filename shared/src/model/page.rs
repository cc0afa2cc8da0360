//! Pages of a list.

use crate::{
    Error, Result,
    input::{Field, Members, RawMembers, plain_integer},
    model::{group::Group, id::Id},
};

/// A position in a list. It is not a reference to a group, so it works even if that group was deleted, archived or
/// never existed.
#[derive(Clone, Debug, PartialEq)]
pub enum Cursor {
    /// The page that follows this id.
    StartingAfter(Id),
    /// The page just before this id.
    EndingBefore(Id),
}

/// The page that a caller asks for.
#[derive(Clone, Debug)]
pub struct ListQuery {
    pub(crate) limit: usize,
    pub(crate) archived: Option<bool>,
    pub(crate) cursor: Option<Cursor>,
}

impl ListQuery {
    /// The most groups of a page.
    pub const MAX_LIMIT: usize = 100;

    /// The most groups of a page if the caller gives no limit.
    pub const DEFAULT_LIMIT: usize = 10;

    const PARAMETERS: &'static [&'static str] =
        &["limit", "archived", "starting_after", "ending_before"];

    /// Parses the parameters of a query.
    ///
    /// # Errors
    /// Returns `unknown`, `repeated` or `invalid` with the parameter at fault.
    pub fn parse(parameters: RawMembers) -> Result<Self> {
        let mut parameters = Members::new(parameters, "", Self::PARAMETERS)?;
        let limit = parameters.take("limit").map(parse_limit).transpose()?;
        let archived = parameters
            .take("archived")
            .map(parse_archived)
            .transpose()?;
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

fn parse_limit(field: Field) -> Result<usize> {
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

fn parse_archived(field: Field) -> Result<bool> {
    let (param, text) = field.string()?;
    match text.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::invalid(param, "must be `true` or `false`")),
    }
}

/// A page of groups, as the database returned it.
#[derive(Debug)]
pub struct Page {
    /// The groups, in the direction of travel: newest first, or oldest first before a cursor.
    pub(crate) groups: Vec<Group>,
    /// Whether more groups follow in this direction.
    pub(crate) has_more: bool,
    /// Whether the groups are oldest first.
    pub(crate) is_oldest_first: bool,
}
