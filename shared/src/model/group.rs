//! Groups, and the requests that create and change them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    input::{Field, Input, Members, RawMembers},
    model::{
        contact::{self, Contact},
        id::Id,
        text::{self, DESCRIPTION, NAME},
        timestamp::{self, Timestamp},
        version::Version,
    },
};

/// A group. It is serialized with exactly these members, in this order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    #[serde(skip)]
    pub(crate) version: Version,
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) avatar_url: Option<String>,
    pub(crate) conversation_id: Id,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) created_at: Timestamp,
    pub(crate) archived_at: Option<Timestamp>,
}

impl Group {
    /// Creates the group that `new` asks for, with a conversation of its own.
    pub fn create(new: NewGroup) -> Self {
        Self::create_at(timestamp::since_epoch(), new)
    }

    /// Creates a group at one time, so that groups sort by id as they do by `created_at`.
    fn create_at(now: Duration, new: NewGroup) -> Self {
        Self {
            version: Version::new(),
            id: Id::created_at(now),
            name: new.name,
            description: new.description,
            avatar_url: new.avatar_url,
            conversation_id: Id::created_at(now),
            contacts: new.contacts,
            created_at: Timestamp::from(now),
            archived_at: None,
        }
    }

    /// The id.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.version
    }
}

/// The members of a group to create.
#[derive(Debug)]
pub struct NewGroup {
    name: String,
    description: Option<String>,
    avatar_url: Option<String>,
    contacts: Vec<Contact>,
}

impl NewGroup {
    const MEMBERS: &'static [&'static str] = &["name", "description", "avatar_url", "contacts"];

    /// Parses the members of a body. Only `name` is required; the others may be omitted or null.
    ///
    /// # Errors
    /// Returns `unknown`, `repeated`, `missing` or `invalid` with the path of the member at fault.
    pub fn parse(members: RawMembers) -> Result<Self> {
        let mut members = Members::new(members, "", Self::MEMBERS)?;
        Ok(Self {
            name: members.required("name", |field| NAME.parse(field))?,
            description: members.optional("description", |field| DESCRIPTION.parse(field))?,
            avatar_url: members.optional("avatar_url", text::avatar_url)?,
            contacts: members
                .optional("contacts", contact::contacts)?
                .unwrap_or_default(),
        })
    }
}

/// What is left of a deleted group: the conversation whose messages must be deleted. The pipe in template.yaml
/// writes it as a message of a queue.
#[derive(Debug, Deserialize)]
pub struct DeletedGroup {
    conversation_id: String,
}

impl DeletedGroup {
    /// Returns the conversation of the group.
    ///
    /// # Errors
    /// Returns `internal` if the message does not contain an id.
    pub fn conversation_id(&self) -> Result<Id> {
        let text = &self.conversation_id;
        Id::from_text(text).ok_or_else(|| {
            Error::internal(format!("`conversation_id` is `{text}`, which is not an id"))
        })
    }
}

/// The change of one member.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<T> {
    /// The member was omitted, and keeps its value.
    Keep,
    /// The member was null, and is cleared.
    Clear,
    /// The member gets this value.
    Set(T),
}

impl<T> Change<T> {
    /// Converts the value.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Change<U> {
        match self {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Clear,
            Change::Set(value) => Change::Set(map(value)),
        }
    }

    fn parse(
        members: &mut Members,
        name: &str,
        parse: impl FnOnce(Field) -> Result<T>,
    ) -> Result<Self> {
        match members.take(name) {
            None => Ok(Change::Keep),
            Some(Field {
                value: Input::Null, ..
            }) => Ok(Change::Clear),
            Some(field) => parse(field).map(Change::Set),
        }
    }
}

/// The changes of an update.
#[derive(Debug)]
pub struct GroupChanges {
    pub(crate) name: Change<String>,
    pub(crate) description: Change<String>,
    pub(crate) avatar_url: Change<String>,
    pub(crate) contacts: Change<Vec<Contact>>,
    pub(crate) archived_at: Change<Timestamp>,
}

impl GroupChanges {
    const MEMBERS: &'static [&'static str] = &[
        "name",
        "description",
        "avatar_url",
        "contacts",
        "archived_at",
    ];

    /// Parses the members of a body. Null clears a member, and removes all contacts; a name cannot be null.
    ///
    /// # Errors
    /// Returns `unknown`, `repeated` or `invalid` with the path of the member at fault.
    pub fn parse(members: RawMembers) -> Result<Self> {
        let mut members = Members::new(members, "", Self::MEMBERS)?;
        Ok(Self {
            name: match members.take("name") {
                Some(field) => Change::Set(NAME.parse(field)?),
                None => Change::Keep,
            },
            description: Change::parse(&mut members, "description", |field| {
                DESCRIPTION.parse(field)
            })?,
            avatar_url: Change::parse(&mut members, "avatar_url", text::avatar_url)?,
            contacts: Change::parse(&mut members, "contacts", contact::contacts)?,
            archived_at: Change::parse(&mut members, "archived_at", Timestamp::parse)?,
        })
    }

    /// Whether there are no changes.
    pub fn is_empty(&self) -> bool {
        self.name == Change::Keep
            && self.description == Change::Keep
            && self.avatar_url == Change::Keep
            && self.contacts == Change::Keep
            && self.archived_at == Change::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_and_the_time_of_a_group_agree() {
        let new = NewGroup {
            name: "a".to_owned(),
            description: None,
            avatar_url: None,
            contacts: Vec::new(),
        };
        let now = Duration::from_millis(1_700_000_000_999);
        let group = Group::create_at(now, new);
        let time = &Id::created_at(now).as_str()[..7].to_owned();
        assert!(group.id.as_str().starts_with(time));
        assert!(group.conversation_id.as_str().starts_with(time));
        assert_eq!(group.created_at.seconds(), 1_700_000_000);
    }
}
