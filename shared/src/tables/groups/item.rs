//! A group as an item of the table.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `account_id` | S | partition key: the account that owns the group |
//! | `id` | S | sort key; ids sort by time of creation |
//! | `account_state` | S | `<account_id>#active` or `<account_id>#archived` |
//! | `version` | S | a new one with every change |
//! | `replaced_version` | S | the version before; absent if there was none |
//! | `name`, `conversation_id` | S | |
//! | `description`, `avatar_url` | S | absent where null |
//! | `contacts` | S | JSON: the array that we answer, without the members that are null |
//! | `created_at` | N | Unix seconds |
//! | `archived_at` | N | Unix seconds; absent where not archived |
//!
//! The contacts are one string because they are read and written whole, and a contact that is only
//! a username then takes 16 bytes of paid storage and not 145. The index `by-state`
//! (`account_state`, `id`; all attributes) lists the groups of one state.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    Error, Result,
    auth::Caller,
    model::{AccountId, Contact, Group, Id, Timestamp, Version},
};

/// A group as the table holds it.
#[derive(Deserialize, Serialize)]
pub(super) struct Item {
    account_id: AccountId,
    id: Id,
    account_state: String,
    version: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_version: Option<Version>,
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
    pub(super) fn new(account: &AccountId, group: &Group) -> Result<Self> {
        let group = group.clone();
        Ok(Self {
            account_id: account.clone(),
            account_state: account_state(account, group.archived_at.is_some()),
            contacts: stored_contacts(&group.contacts)?,
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
}

impl Item {
    /// The item as DynamoDB takes it.
    pub(super) fn into_attributes(self) -> Result<HashMap<String, AttributeValue>> {
        serde_dynamo::to_item(self).map_err(Error::internal)
    }
}

/// Returns the group that an item of the table holds.
pub(super) fn group(item: HashMap<String, AttributeValue>) -> Result<Group> {
    Ok(group_and_replaced_version(item)?.0)
}

/// Returns the group that an item of the table holds, and the version before its last change.
pub(super) fn group_and_replaced_version(
    item: HashMap<String, AttributeValue>,
) -> Result<(Group, Option<Version>)> {
    let item: Item = serde_dynamo::from_item(item).map_err(Error::internal)?;
    let group = Group {
        version: item.version,
        id: item.id,
        name: item.name,
        description: item.description,
        avatar_url: item.avatar_url,
        conversation_id: item.conversation_id,
        contacts: serde_json::from_str(&item.contacts).map_err(Error::internal)?,
        created_at: item.created_at,
        archived_at: item.archived_at,
    };
    Ok((group, item.replaced_version))
}

pub(super) fn key(caller: &Caller, id: &Id) -> HashMap<String, AttributeValue> {
    HashMap::from([
        (
            "account_id".to_owned(),
            AttributeValue::S(caller.account_id().to_string()),
        ),
        ("id".to_owned(), AttributeValue::S(id.to_string())),
    ])
}

/// The partition of the index: an account id holds no `#`, so the two never run together.
pub(super) fn account_state(account: &AccountId, archived: bool) -> String {
    format!("{account}#{}", if archived { "archived" } else { "active" })
}

pub(super) fn stored_contacts(contacts: &[Contact]) -> Result<String> {
    let mut json = serde_json::to_value(contacts).map_err(Error::internal)?;
    for contact in json.as_array_mut().into_iter().flatten() {
        contact
            .as_object_mut()
            .into_iter()
            .for_each(|members| members.retain(|_, value| *value != Json::Null));
    }
    Ok(json.to_string())
}
