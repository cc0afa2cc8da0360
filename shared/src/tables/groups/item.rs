//! A group as an item of the table.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `account_id` | S | partition key: the account that owns the group |
//! | `id` | S | sort key; ids sort by creation time |
//! | `account_state` | S | `<account_id>#active` or `<account_id>#archived` |
//! | `version` | S | a new one with every change |
//! | `replaced_version` | S | the version before; absent if there was none |
//! | `name`, `conversation_id` | S | |
//! | `description`, `avatar_url` | S | absent if null |
//! | `contacts` | S | JSON: the array of the response, without null members |
//! | `created_at` | N | Unix seconds |
//! | `archived_at` | N | Unix seconds; absent if not archived |
//!
//! The contacts are one string, because they are read and written together, and a contact with only a username
//! then takes 16 bytes of storage and not 145. The index `by-state` (`account_state`, `id`; all attributes) lists
//! the groups of one state.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Error, Result,
    model::{AccountId, Caller, Contact, Group, Id, Timestamp, Version},
};

/// The attributes of an item, as the SDK expects and returns them.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// A group as an item of the table.
#[derive(Deserialize, Serialize)]
pub(super) struct Item {
    account_id: AccountId,
    id: Id,
    account_state: String,
    version: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaced_version: Option<Version>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
    conversation_id: Id,
    contacts: String,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<Timestamp>,
}

impl Item {
    /// Creates the item of a new group.
    pub(super) fn new(account: &AccountId, group: &Group) -> Result<Self> {
        let group = group.clone();
        Ok(Self {
            account_id: account.clone(),
            account_state: account_state(account, group.archived_at.is_some()),
            contacts: contacts_to_json(&group.contacts)?,
            version: group.version,
            replaced_version: None,
            id: group.id,
            name: group.name,
            description: group.description,
            avatar_url: group.avatar_url,
            conversation_id: group.conversation_id,
            created_at: group.created_at,
            archived_at: group.archived_at,
        })
    }

    pub(super) fn from_attributes(attributes: Attributes) -> Result<Self> {
        serde_dynamo::from_item(attributes).map_err(Error::internal)
    }

    pub(super) fn into_attributes(self) -> Result<Attributes> {
        serde_dynamo::to_item(self).map_err(Error::internal)
    }

    pub(super) fn into_group(self) -> Result<Group> {
        Ok(Group {
            version: self.version,
            id: self.id,
            name: self.name,
            description: self.description,
            avatar_url: self.avatar_url,
            conversation_id: self.conversation_id,
            contacts: serde_json::from_str(&self.contacts).map_err(Error::internal)?,
            created_at: self.created_at,
            archived_at: self.archived_at,
        })
    }
}

/// Returns the key of one of the caller's groups.
pub(super) fn key(caller: &Caller, id: &Id) -> Attributes {
    HashMap::from([
        (
            "account_id".to_owned(),
            AttributeValue::S(caller.account_id().to_string()),
        ),
        ("id".to_owned(), AttributeValue::S(id.to_string())),
    ])
}

/// Returns the partition key of the index. An account id contains no `#`, so it is unambiguous.
pub(super) fn account_state(account: &AccountId, archived: bool) -> String {
    format!("{account}#{}", if archived { "archived" } else { "active" })
}

/// Serializes contacts without their null members.
pub(super) fn contacts_to_json(contacts: &[Contact]) -> Result<String> {
    let mut json = serde_json::to_value(contacts).map_err(Error::internal)?;
    for contact in json.as_array_mut().into_iter().flatten() {
        if let Value::Object(members) = contact {
            members.retain(|_, value| !value.is_null());
        }
    }
    Ok(json.to_string())
}
