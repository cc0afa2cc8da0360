//! What an update writes, as DynamoDB wants to be told.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{account_state, stored_contacts};
use crate::{
    Result,
    model::{AccountId, Change, GroupChanges, IfMatch, Version},
};

/// An update expression with its names and values.
#[derive(Default)]
pub(super) struct Expression {
    pub(super) text: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Expression {
    /// The expression that makes `changes` to a group of `account`, which then is of `version`.
    pub(super) fn new(
        account: &AccountId,
        changes: GroupChanges,
        version: &Version,
    ) -> Result<Self> {
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
            ("version", Change::Set(string(version.to_string()))),
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

    /// The condition that the group is there and in a version that `if_match` allows, with the
    /// names and values it needs added to this expression's.
    pub(super) fn condition(&mut self, if_match: &IfMatch) -> String {
        let exists = "attribute_exists(id)".to_owned();
        let IfMatch::OneOf(versions) = if_match else {
            return exists;
        };
        self.names
            .insert("#version".to_owned(), "version".to_owned());
        // Where none can match, DynamoDB still has to say whether the group is there.
        let versions = versions.iter().map(ToString::to_string);
        let versions: Vec<_> = if versions.len() == 0 {
            vec![String::new()]
        } else {
            versions.collect()
        };
        let mut names = Vec::with_capacity(versions.len());
        for (index, version) in versions.into_iter().enumerate() {
            names.push(format!(":m{index}"));
            self.values
                .insert(format!(":m{index}"), AttributeValue::S(version));
        }
        format!("{exists} AND #version IN ({})", names.join(", "))
    }
}
