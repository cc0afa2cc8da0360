//! The table of groups.

use aws_sdk_dynamodb::{
    Client,
    operation::{
        delete_item::DeleteItemError, get_item::builders::GetItemFluentBuilder,
        update_item::UpdateItemError,
    },
    types::{AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use crate::{
    Error, Result,
    dynamodb::{self, Attempts},
    env::{self, InvalidVariable},
    model::{Caller, Cursor, Group, GroupChanges, Id, IfMatch, ListQuery, Page, Version},
};

mod expression;
mod item;

use expression::Expression;
use item::{Attributes, Item, account_state, key};

const INDEX_BY_STATE: &str = "by-state";

/// The condition of a write that stores a new group. Whatever happens, it overwrites no other group.
const IS_NEW: &str = "attribute_not_exists(id)";

/// The table of groups. Every key that it reads or writes contains the caller's account.
#[derive(Clone, Debug)]
pub struct Groups {
    client: Client,
    table: String,
}

impl Groups {
    /// Creates a client of the table that `GROUPS_TABLE` names.
    ///
    /// # Errors
    /// Returns an error if the variable is not set.
    pub fn from_env(client: &Client) -> Result<Self, InvalidVariable> {
        let table = env::required("GROUPS_TABLE", "the name of the DynamoDB table of groups")?;
        Ok(Self {
            client: client.clone(),
            table,
        })
    }

    /// Stores a new group of the caller.
    ///
    /// # Errors
    /// Returns `unavailable`, `outcome_unknown` or `internal` if DynamoDB does not confirm the write.
    pub async fn create(&self, caller: &Caller, group: &Group) -> Result<()> {
        let item = Item::new(caller.account_id(), group)?.into_attributes()?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(IS_NEW);
        let mut attempts = Attempts::for_write();
        loop {
            let error = match attempts.send(put.clone().send()).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let next = attempts.retry(error).await;
            if attempts.may_have_written() {
                return self.confirm(caller, group, attempts).await;
            }
            next?;
        }
    }

    /// Finds out whether a failed attempt has stored a group. It only reads: another client may have deleted
    /// the group since, and a second write would bring it back. The read uses what is left of the write's attempts,
    /// but one at least.
    async fn confirm(&self, caller: &Caller, group: &Group, mut attempts: Attempts) -> Result<()> {
        let read = self.read(caller, group.id());
        let found = attempts.run(async || read.clone().send().await).await?;
        match found.item {
            Some(_) => Ok(()),
            None => Err(Error::OutcomeUnknown("the group does not exist".into())),
        }
    }

    /// Returns the write that stores a new group of the caller, for a transaction.
    ///
    /// # Errors
    /// Returns `internal` if the group cannot be converted to an item.
    pub(super) fn put_for_transaction(&self, caller: &Caller, group: &Group) -> Result<Put> {
        let item = Item::new(caller.account_id(), group)?.into_attributes()?;
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(IS_NEW)
            .build()
            .map_err(Error::internal)
    }

    /// Returns one of the caller's groups, as it is now.
    ///
    /// # Errors
    /// Returns `group_not_found`; `unavailable` or `internal` if the table cannot be read.
    pub async fn get(&self, caller: &Caller, id: &Id) -> Result<Group> {
        let read = self.read(caller, id);
        let found = dynamodb::read(async || read.clone().send().await).await?;
        to_group(found.item.ok_or(Error::GroupNotFound)?)
    }

    /// The request that reads one of the caller's groups.
    fn read(&self, caller: &Caller, id: &Id) -> GetItemFluentBuilder {
        self.client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(caller, id)))
            .consistent_read(true)
    }

    /// Returns a page of the caller's groups. One query reads the page and one more group.
    ///
    /// # Errors
    /// Returns `unavailable` or `internal` if the table cannot be read.
    pub async fn list(&self, caller: &Caller, query: &ListQuery) -> Result<Page> {
        let account = caller.account_id();
        let (partition, owner) = match query.archived {
            None => ("account_id", account.to_string()),
            Some(archived) => ("account_state", account_state(account, archived)),
        };
        let is_oldest_first = matches!(query.cursor, Some(Cursor::EndingBefore(_)));
        let mut condition = format!("{partition} = :owner");
        let mut read = self
            .client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":owner", AttributeValue::S(owner))
            // Indexes do not support strongly consistent reads.
            .consistent_read(query.archived.is_none())
            .set_index_name(query.archived.map(|_| INDEX_BY_STATE.to_owned()))
            .scan_index_forward(is_oldest_first)
            .limit(query.limit as i32 + 1);
        if let Some(cursor) = &query.cursor {
            let (comparison, id) = match cursor {
                Cursor::StartingAfter(id) => ("<", id),
                Cursor::EndingBefore(id) => (">", id),
            };
            condition += &format!(" AND id {comparison} :cursor");
            read = read.expression_attribute_values(":cursor", AttributeValue::S(id.to_string()));
        }
        let read = read.key_condition_expression(condition);
        let read = dynamodb::read(async || read.clone().send().await).await?;
        let cut_short = read.last_evaluated_key.is_some();
        let mut items = read.items.unwrap_or_default();
        // If there is one group more than asked for, more follow. If the query ended early because it had read
        // 1 MB, the last group is left to the next page, so that "more follow" is certain. At least one other
        // group remains, because a group has 400 KB at most.
        let has_more = items.len() > query.limit || cut_short;
        if has_more {
            items.pop();
        }
        let groups = items
            .into_iter()
            .map(to_group)
            .collect::<Result<Vec<_>>>()?;
        Ok(Page {
            groups,
            has_more,
            is_oldest_first,
        })
    }

    /// Changes one of the caller's groups, in one write of the changed members only, and returns the
    /// group as it then is.
    ///
    /// If the response of an attempt is lost, the next one first checks whether the group has, or has just
    /// had, the version of that attempt: then the change was made, and is not made again.
    ///
    /// # Errors
    /// Returns `group_not_found`; `precondition_failed` if the group has changed; `unavailable`,
    /// `outcome_unknown` or `internal` if DynamoDB does not confirm the write.
    pub async fn update(
        &self,
        caller: &Caller,
        id: &Id,
        changes: GroupChanges,
        if_match: &IfMatch,
    ) -> Result<Group> {
        if changes.is_empty() {
            let group = self.get(caller, id).await?;
            return if if_match.holds_for(&group.version) {
                Ok(group)
            } else {
                Err(Error::PreconditionFailed)
            };
        }
        let update = Expression::of_update(caller.account_id(), changes)?;
        let mut attempts = Attempts::for_write();
        // The versions of earlier attempts. Each attempt has its own, because the group may have changed in between,
        // and one version must not identify two contents.
        let mut earlier = Vec::new();
        loop {
            let version = Version::new();
            let mut write = update.clone();
            write.set_version(&version);
            let condition = write.condition(if_match, &earlier);
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
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                );
            let error = match attempts.send(written.send()).await {
                Ok(written) => return to_group(written.attributes.unwrap_or_default()),
                Err(error) => error,
            };
            if let Some(UpdateItemError::ConditionalCheckFailedException(refused)) =
                error.as_service_error()
            {
                let Some(found) = refused.item.clone() else {
                    return Err(if attempts.may_have_written() {
                        Error::OutcomeUnknown("the group was deleted meanwhile".into())
                    } else {
                        Error::GroupNotFound
                    });
                };
                let mut found = Item::from_attributes(found)?;
                let replaced = found.replaced_version.take();
                let found = found.into_group()?;
                let is_ours = |version| earlier.contains(version);
                if is_ours(&found.version) || replaced.as_ref().is_some_and(is_ours) {
                    return Ok(found);
                }
                // The last write replaced a version that If-Match allows, so none of our attempts came before it.
                let last_write_is_known =
                    replaced.is_none_or(|version| if_match.holds_for(&version));
                return Err(if last_write_is_known || !attempts.may_have_written() {
                    Error::PreconditionFailed
                } else {
                    Error::OutcomeUnknown("the group has changed since".into())
                });
            }
            attempts.retry(error).await?;
            earlier.push(version);
        }
    }

    /// Deletes one of the caller's groups permanently.
    ///
    /// # Errors
    /// Returns `group_not_found`; `precondition_failed` if the group has changed; `unavailable`,
    /// `outcome_unknown` or `internal` if DynamoDB does not confirm the deletion.
    pub async fn delete(&self, caller: &Caller, id: &Id, if_match: &IfMatch) -> Result<()> {
        let mut write = Expression::default();
        let condition = write.condition(if_match, &[]);
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key(caller, id)))
            .condition_expression(condition)
            .set_expression_attribute_names((!write.names.is_empty()).then_some(write.names))
            .set_expression_attribute_values((!write.values.is_empty()).then_some(write.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut attempts = Attempts::for_write();
        loop {
            let error = match attempts.send(delete.clone().send()).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if let Some(DeleteItemError::ConditionalCheckFailedException(refused)) =
                error.as_service_error()
            {
                return match refused.item {
                    Some(_) => Err(Error::PreconditionFailed),
                    // An earlier attempt has deleted it.
                    None if attempts.may_have_written() => Ok(()),
                    None => Err(Error::GroupNotFound),
                };
            }
            attempts.retry(error).await?;
        }
    }
}

fn to_group(attributes: Attributes) -> Result<Group> {
    Item::from_attributes(attributes)?.into_group()
}
