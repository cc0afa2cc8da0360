//! The contacts of a group.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    input::Field,
    model::{
        id::Id,
        text::{self, DISPLAY_NAME, PHONE_NUMBER, USERNAME},
        timestamp::Timestamp,
    },
};

/// The most contacts of a group.
pub const MAX_CONTACTS: usize = 1_000;

/// The most bytes of a group's contacts as the JSON array in a response. With this limit, every group fits one
/// DynamoDB item (400 KB), and its idempotency record another.
pub const MAX_CONTACTS_BYTES: usize = 350_000;

/// A contact, embedded in a group. It is serialized with all eight members, null if they were never given. Only
/// stored contacts are deserialized.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Contact {
    id: Option<Id>,
    username: String,
    phone_number: Option<String>,
    avatar_url: Option<String>,
    display_name: Option<String>,
    conversation_id: Option<Id>,
    last_active_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
}

impl Contact {
    /// The members of a contact.
    pub const MEMBERS: &'static [&'static str] = &[
        "id",
        "username",
        "phone_number",
        "avatar_url",
        "display_name",
        "conversation_id",
        "last_active_at",
        "created_at",
    ];

    /// Parses an object of which only `username` is required.
    ///
    /// # Errors
    /// Returns `unknown`, `repeated`, `missing` or `invalid` with the path of the member at fault.
    fn parse(field: Field) -> Result<Self> {
        let mut members = field.members(Self::MEMBERS)?;
        Ok(Self {
            id: members.optional("id", Id::parse)?,
            username: members.required("username", |field| USERNAME.parse(field))?,
            phone_number: members.optional("phone_number", |field| PHONE_NUMBER.parse(field))?,
            avatar_url: members.optional("avatar_url", text::avatar_url)?,
            display_name: members.optional("display_name", |field| DISPLAY_NAME.parse(field))?,
            conversation_id: members.optional("conversation_id", Id::parse)?,
            last_active_at: members.optional("last_active_at", Timestamp::parse)?,
            created_at: members.optional("created_at", Timestamp::parse)?,
        })
    }
}

/// Parses an array of contacts with different usernames, which are compared code point by code point.
///
/// # Errors
/// Returns `invalid` if it is not an array or exceeds a limit, `repeated` for the second contact of a username,
/// or the error of the first contact that is not valid. Contacts are checked in order.
pub fn contacts(field: Field) -> Result<Vec<Contact>> {
    let (param, fields) = field.array()?;
    if fields.len() > MAX_CONTACTS {
        let reason = format!(
            "has {} contacts and must have at most {MAX_CONTACTS}",
            fields.len()
        );
        return Err(Error::invalid(param, reason));
    }
    // The opening bracket. Each contact adds itself and a comma, or the closing bracket.
    let mut bytes = 1;
    let mut contacts = Vec::with_capacity(fields.len());
    let mut usernames = HashSet::with_capacity(fields.len());
    for (index, field) in fields.into_iter().enumerate() {
        let contact = Contact::parse(field)?;
        if !usernames.insert(contact.username.clone()) {
            return Err(Error::Repeated {
                param: format!("{param}[{index}].username"),
                reason: "is also the username of an earlier contact; list each contact once",
            });
        }
        bytes += 1 + serde_json::to_vec(&contact).map_err(Error::internal)?.len();
        // Checked for each contact, because parsing URLs takes time.
        if bytes > MAX_CONTACTS_BYTES {
            let reason = format!("has more than {MAX_CONTACTS_BYTES} bytes as JSON; send less");
            return Err(Error::invalid(param, reason));
        }
        contacts.push(contact);
    }
    Ok(contacts)
}
