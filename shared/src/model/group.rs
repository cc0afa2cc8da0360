//! Groups, and what creates and changes them.

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    model::{
        contact::{self, Contact},
        id::Id,
        input::{Field, Members, Value},
        text::{self, DESCRIPTION, NAME},
        timestamp::{self, Timestamp},
        version::Version,
    },
};

/// A group. Serialized it has exactly these members, in this order, always all of them.
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
    /// Creates the group that `new` asks for, with a conversation of its own. The clock is read once, so that
    /// groups sort by id as they do by `created_at`.
    pub fn create(new: NewGroup) -> Self {
        let now = timestamp::since_epoch();
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

    /// The group's id.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// The version that this is of the group.
    pub fn version(&self) -> &Version {
        &self.version
    }
}

/// What a caller gives to create a group.
#[derive(Debug)]
pub struct NewGroup {
    name: String,
    description: Option<String>,
    avatar_url: Option<String>,
    contacts: Vec<Contact>,
}

impl NewGroup {
    const MEMBERS: &'static [&'static str] = &["name", "description", "avatar_url", "contacts"];

    /// The new group that a body's members describe; all but `name` may be left out or null.
    ///
    /// # Errors
    /// `unknown`, `repeated`, `missing` or `invalid`, with the path of the member to blame.
    pub fn parse(entries: Vec<(String, Value)>) -> Result<Self> {
        let mut members = Members::new(entries, "", Self::MEMBERS)?;
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

/// What an update does to one member.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<T> {
    /// It was not given and stays.
    Keep,
    /// It was given as null.
    Clear,
    /// It was given a value.
    Set(T),
}

impl<T> Change<T> {
    /// The same change, with another form of its value.
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
                value: Value::Null, ..
            }) => Ok(Change::Clear),
            Some(field) => parse(field).map(Change::Set),
        }
    }
}

/// What a caller gives to update a group. What is not given stays.
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

    /// The changes that a body's members describe. Null clears what can be null, and the contacts
    /// to none; a name cannot be null.
    ///
    /// # Errors
    /// `unknown`, `repeated` or `invalid`, with the path of the member to blame.
    pub fn parse(entries: Vec<(String, Value)>) -> Result<Self> {
        let mut members = Members::new(entries, "", Self::MEMBERS)?;
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

    /// Whether nothing was given, so that the group stays as it is.
    pub fn is_empty(&self) -> bool {
        self.name == Change::Keep
            && self.description == Change::Keep
            && self.avatar_url == Change::Keep
            && self.contacts == Change::Keep
            && self.archived_at == Change::Keep
    }
}
