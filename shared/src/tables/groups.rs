//! The table of groups.

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{delete_item::DeleteItemError, update_item::UpdateItemError},
    types::{AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{MissingVariable, failure, service_failure, variable};
use crate::{
    Error, Result,
    auth::Caller,
    model::{Cursor, Group, GroupChanges, Id, IfMatch, ListQuery, Page, Version},
};

mod expression;
mod item;

use expression::Expression;
use item::{Item, account_state, group, key};

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
        // The id is new, so there is nothing to overwrite, and a retry of a write that got through
        // unanswered writes the same again.
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(
                Item::new(caller.account_id(), group)?.into_attributes()?,
            ))
            .send()
            .await
            .map_err(failure)?;
        Ok(())
    }

    /// The write that stores a new group of the caller's, for a transaction.
    ///
    /// # Errors
    /// Returns `internal` if the group cannot be converted to an item.
    pub(super) fn put(&self, caller: &Caller, group: &Group) -> Result<Put> {
        let item = Item::new(caller.account_id(), group)?.into_attributes()?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        put.build().map_err(Error::internal)
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
    /// `group_not_found`; `precondition_failed` where the group has moved on; `unavailable` or
    /// `internal` where the table cannot be written.
    pub async fn update(
        &self,
        caller: &Caller,
        id: &Id,
        changes: GroupChanges,
        if_match: &IfMatch,
    ) -> Result<Group> {
        if changes.is_empty() {
            let group = self.get(caller, id).await?;
            let holds = if_match.holds_for(&group.version);
            return if holds {
                Ok(group)
            } else {
                Err(Error::PreconditionFailed)
            };
        }
        let version = Version::new();
        let mut write = Expression::new(caller.account_id(), changes, &version)?;
        let condition = write.condition(if_match);
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(caller, id)))
            .condition_expression(condition)
            .update_expression(write.text)
            .set_expression_attribute_names(Some(write.names))
            .set_expression_attribute_values(Some(write.values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match written {
            Ok(written) => group(written.attributes.unwrap_or_default()),
            Err(SdkError::ServiceError(error)) => match error.into_err() {
                UpdateItemError::ConditionalCheckFailedException(failed) => {
                    let found = group(failed.item.ok_or(Error::GroupNotFound)?)?;
                    // This version is in no other write than ours: an earlier attempt of it got
                    // through, and its answer got lost.
                    let ours = found.version == version;
                    if ours {
                        Ok(found)
                    } else {
                        Err(Error::PreconditionFailed)
                    }
                }
                error => Err(service_failure(error)),
            },
            Err(error) => Err(failure(error)),
        }
    }

    /// Deletes one of the caller's groups for ever.
    ///
    /// # Errors
    /// `group_not_found`; `precondition_failed` where the group has moved on; `unavailable` or
    /// `internal` where the table cannot be written.
    pub async fn delete(&self, caller: &Caller, id: &Id, if_match: &IfMatch) -> Result<()> {
        let mut write = Expression::default();
        let condition = write.condition(if_match);
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key(caller, id)))
            .condition_expression(condition)
            .set_expression_attribute_names((!write.names.is_empty()).then_some(write.names))
            .set_expression_attribute_values((!write.values.is_empty()).then_some(write.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) => match error.into_err() {
                DeleteItemError::ConditionalCheckFailedException(failed) => match failed.item {
                    Some(_) => Err(Error::PreconditionFailed),
                    None => Err(Error::GroupNotFound),
                },
                error => Err(service_failure(error)),
            },
            Err(error) => Err(failure(error)),
        }
    }
}
