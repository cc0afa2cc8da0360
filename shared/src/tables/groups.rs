//! The table of groups.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `account_id` | S | partition key: the account that owns the group |
//! | `id` | S | sort key; ids sort by time of creation |
//! | `account_state` | S | `<account_id>#active` or `<account_id>#archived` |
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

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    types::{AttributeValue, ReturnValue},
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{MissingVariable, failure, variable};
use crate::{
    Error, Result,
    auth::Caller,
    model::{
        AccountId, Change, Contact, Cursor, Group, GroupChanges, Id, ListQuery, Page, Timestamp,
    },
};

const INDEX_BY_STATE: &str = "by-state";

/// The table of groups. Every key that it reads or writes names the caller's account.
#[derive(Clone, Debug)]
pub struct Groups {
    client: Client,
    table: String,
}

impl Groups {
    /// The table that `GROUPS_TABLE` names.
    ///
    /// # Errors
    /// Where the variable is not set.
    pub fn from_env(client: &Client) -> Result<Self, MissingVariable> {
        let table = variable("GROUPS_TABLE", "the name of the DynamoDB table of groups")?;
        Ok(Self {
            client: client.clone(),
            table,
        })
    }

    /// Stores a new group of the caller's.
    ///
    /// # Errors
    /// `unavailable` or `internal` where the table cannot be written.
    pub async fn create(&self, caller: &Caller, group: &Group) -> Result<()> {
        let item = Item::new(caller.account_id(), group)?;
        // The id is new, so there is nothing to overwrite, and a retry of a write that got through
        // unanswered writes the same again.
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(serde_dynamo::to_item(item).map_err(Error::internal)?))
            .send()
            .await
            .map_err(failure)?;
        Ok(())
    }

    /// One of the caller's groups, as it is now.
    ///
    /// # Errors
    /// `group_not_found`; `unavailable` or `internal` where the table cannot be read.
    pub async fn get(&self, caller: &Caller, id: &Id) -> Result<Group> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(caller, id)))
            .consistent_read(true);
        group(
            read.send()
                .await
                .map_err(failure)?
                .item
                .ok_or(Error::GroupNotFound)?,
        )
    }

    /// A page of the caller's groups: one query, which reads the page and one group more.
    ///
    /// # Errors
    /// `unavailable` or `internal` where the table cannot be read.
    pub async fn list(&self, caller: &Caller, query: &ListQuery) -> Result<Page> {
        let account = caller.account_id();
        let (partition, owner) = match query.archived {
            None => ("account_id", account.to_string()),
            Some(archived) => ("account_state", account_state(account, archived)),
        };
        let mut condition = format!("{partition} = :owner");
        let mut read = self
            .client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":owner", AttributeValue::S(owner))
            // An index has no strongly consistent reads to offer.
            .consistent_read(query.archived.is_none())
            .set_index_name(query.archived.map(|_| INDEX_BY_STATE.to_owned()))
            .scan_index_forward(matches!(query.cursor, Some(Cursor::EndingBefore(_))))
            .limit(query.limit as i32 + 1);
        if let Some(cursor) = &query.cursor {
            let (comparison, id) = match cursor {
                Cursor::StartingAfter(id) => ("<", id),
                Cursor::EndingBefore(id) => (">", id),
            };
            condition += &format!(" AND id {comparison} :cursor");
            read = read.expression_attribute_values(":cursor", AttributeValue::S(id.to_string()));
        }
        let read = read
            .key_condition_expression(condition)
            .send()
            .await
            .map_err(failure)?;
        let cut_short = read.last_evaluated_key.is_some();
        let mut items = read.items.unwrap_or_default();
        // One group more than asked for says that more follow. Where the query ended early because
        // it had read 1 MB, whether more follow is not known, but for the last one it read: left to
        // the next page, it makes the answer certain, and groups are small enough (400 KB) for at
        // least one to stay.
        let has_more = items.len() > query.limit || cut_short;
        if has_more {
            items.pop();
        }
        let groups = items.into_iter().map(group).collect::<Result<Vec<_>>>()?;
        Page::new(&groups, has_more, query.cursor.as_ref())
    }

    /// Makes changes to one of the caller's groups, in one write that touches nothing else, and
    /// gives the group as it then is.
    ///
    /// # Errors
    /// `group_not_found`; `unavailable` or `internal` where the table cannot be written.
    pub async fn update(&self, caller: &Caller, id: &Id, changes: GroupChanges) -> Result<Group> {
        if changes.is_empty() {
            return self.get(caller, id).await;
        }
        let Expression {
            text,
            names,
            values,
        } = Expression::new(caller.account_id(), changes)?;
        let write = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(caller, id)))
            .condition_expression("attribute_exists(id)")
            .update_expression(text)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .return_values(ReturnValue::AllNew);
        let written = write.send().await.map_err(|error| match &error {
            SdkError::ServiceError(service)
                if service.err().is_conditional_check_failed_exception() =>
            {
                Error::GroupNotFound
            }
            _ => failure(error),
        })?;
        group(written.attributes.unwrap_or_default())
    }

    /// Deletes one of the caller's groups for ever.
    ///
    /// # Errors
    /// `group_not_found`; `unavailable` or `internal` where the table cannot be written.
    pub async fn delete(&self, caller: &Caller, id: &Id) -> Result<()> {
        let write = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key(caller, id)))
            .condition_expression("attribute_exists(id)");
        write
            .send()
            .await
            .map(|_| ())
            .map_err(|error| match &error {
                SdkError::ServiceError(service)
                    if service.err().is_conditional_check_failed_exception() =>
                {
                    Error::GroupNotFound
                }
                _ => failure(error),
            })
    }
}

/// A group as the table holds it.
#[derive(Deserialize, Serialize)]
struct Item {
    account_id: AccountId,
    id: Id,
    account_state: String,
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
    fn new(account: &AccountId, group: &Group) -> Result<Self> {
        let group = group.clone();
        Ok(Self {
            account_id: account.clone(),
            account_state: account_state(account, group.archived_at.is_some()),
            contacts: stored_contacts(&group.contacts)?,
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

/// The group that an item of the table holds.
fn group(item: HashMap<String, AttributeValue>) -> Result<Group> {
    let item: Item = serde_dynamo::from_item(item).map_err(Error::internal)?;
    Ok(Group {
        id: item.id,
        name: item.name,
        description: item.description,
        avatar_url: item.avatar_url,
        conversation_id: item.conversation_id,
        contacts: serde_json::from_str(&item.contacts).map_err(Error::internal)?,
        created_at: item.created_at,
        archived_at: item.archived_at,
    })
}

fn key(caller: &Caller, id: &Id) -> HashMap<String, AttributeValue> {
    HashMap::from([
        (
            "account_id".to_owned(),
            AttributeValue::S(caller.account_id().to_string()),
        ),
        ("id".to_owned(), AttributeValue::S(id.to_string())),
    ])
}

/// The partition of the index: an account id holds no `#`, so the two never run together.
fn account_state(account: &AccountId, archived: bool) -> String {
    format!("{account}#{}", if archived { "archived" } else { "active" })
}

fn stored_contacts(contacts: &[Contact]) -> Result<String> {
    let mut json = serde_json::to_value(contacts).map_err(Error::internal)?;
    for contact in json.as_array_mut().into_iter().flatten() {
        contact
            .as_object_mut()
            .into_iter()
            .for_each(|members| members.retain(|_, value| *value != Json::Null));
    }
    Ok(json.to_string())
}

/// An update expression with its names and values.
#[derive(Default)]
struct Expression {
    text: String,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expression {
    /// The expression that makes `changes` to a group of `account`.
    fn new(account: &AccountId, changes: GroupChanges) -> Result<Self> {
        let string = AttributeValue::S;
        let contacts = match changes.contacts {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Set(stored_contacts(&[])?),
            Change::Set(contacts) => Change::Set(stored_contacts(&contacts)?),
        };
        let state = match changes.archived_at {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Set(account_state(account, false)),
            Change::Set(_) => Change::Set(account_state(account, true)),
        };
        let (mut set, mut remove) = (Vec::new(), Vec::new());
        let mut expression = Self::default();
        for (name, change) in [
            ("name", changes.name.map(string)),
            ("description", changes.description.map(string)),
            ("avatar_url", changes.avatar_url.map(string)),
            ("contacts", contacts.map(string)),
            (
                "archived_at",
                changes
                    .archived_at
                    .map(|at| AttributeValue::N(at.seconds().to_string())),
            ),
            ("account_state", state.map(string)),
        ] {
            match change {
                Change::Keep => continue,
                Change::Clear => remove.push(format!("#{name}")),
                Change::Set(value) => {
                    set.push(format!("#{name} = :{name}"));
                    expression.values.insert(format!(":{name}"), value);
                }
            }
            expression.names.insert(format!("#{name}"), name.to_owned());
        }
        let clauses = [("SET", set), ("REMOVE", remove)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        let clauses = clauses.map(|(keyword, parts)| format!("{keyword} {}", parts.join(", ")));
        expression.text = clauses.collect::<Vec<_>>().join(" ");
        Ok(expression)
    }
}
