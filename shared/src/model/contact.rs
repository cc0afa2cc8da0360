//! Contacts, which are the members of a group.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    model::{
        id::Id,
        input::Field,
        text::{self, DISPLAY_NAME, PHONE_NUMBER, USERNAME},
        timestamp::Timestamp,
    },
};

/// The most contacts of a group.
pub const MAX_CONTACTS: usize = 1_000;

/// The most bytes that a group's contacts may have as the JSON array that we answer. With it every
/// group fits one DynamoDB item (400 KB), and its idempotency record another, whichever members
/// are updated.
pub const MAX_CONTACTS_BYTES: usize = 350_000;

/// A contact object, embedded in a group. Serialized it has all eight members, null where never
/// given; deserialized is only what we stored ourselves.
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
    /// The members that a contact has.
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

    /// The contact in `field`: an object of which only `username` is required.
    ///
    /// # Errors
    /// `unknown`, `repeated`, `missing` or `invalid`, with the path of the member to blame.
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

/// The contacts in `field`: an array of contact objects with no username twice. Usernames compare
/// code point by code point.
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
                reason: "is an earlier contact's too; list each contact once",
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
