//! Builds update and condition expressions.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{account_state, contacts_to_json};
use crate::{
    Result,
    model::{AccountId, Change, GroupChanges, IfMatch, Version},
};

/// An update expression with its names and values.
#[derive(Clone, Default)]
pub(super) struct Expression {
    pub(super) text: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Expression {
    /// Builds the expression that makes `changes` to a group of `account`, still without its version.
    pub(super) fn of_update(account: &AccountId, changes: GroupChanges) -> Result<Self> {
        let string = AttributeValue::S;
        let contacts = match changes.contacts {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Set(contacts_to_json(&[])?),
            Change::Set(contacts) => Change::Set(contacts_to_json(&contacts)?),
        };
        let state = match changes.archived_at {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Set(account_state(account, false)),
            Change::Set(_) => Change::Set(account_state(account, true)),
        };
        let mut expression = Self::default();
        // Operands have their values before the update: this stores the version that is replaced.
        let mut set = vec![
            "replaced_version = #version".to_owned(),
            "#version = :version".to_owned(),
        ];
        expression
            .names
            .insert("#version".to_owned(), "version".to_owned());
        let mut remove = Vec::new();
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
        expression.text = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression.text += &format!(" REMOVE {}", remove.join(", "));
        }
        Ok(expression)
    }

    /// Sets the version that the update writes.
    pub(super) fn set_version(&mut self, version: &Version) {
        self.values.insert(
            ":version".to_owned(),
            AttributeValue::S(version.to_string()),
        );
    }

    /// Builds the condition that the group exists, in a version that `if_match` allows, and that its last
    /// two versions are none of `earlier`. Adds the names and values that it needs to this expression's.
    pub(super) fn condition(&mut self, if_match: &IfMatch, earlier: &[Version]) -> String {
        let mut condition = "attribute_exists(id)".to_owned();
        if let IfMatch::OneOf(versions) = if_match {
            let matches = self.one_of("m", versions);
            condition += &format!(" AND #version IN ({matches})");
        }
        if !earlier.is_empty() {
            let ours = self.one_of("e", earlier);
            condition +=
                &format!(" AND NOT #version IN ({ours}) AND NOT replaced_version IN ({ours})");
        }
        condition
    }

    /// Adds the versions as values, and returns their names for `IN`.
    fn one_of(&mut self, prefix: &str, versions: &[Version]) -> String {
        /// The value of no version. `IN` needs a value even if none can match.
        const MATCHES_NOTHING: &str = "";
        self.names
            .insert("#version".to_owned(), "version".to_owned());
        let mut texts: Vec<_> = versions.iter().map(ToString::to_string).collect();
        if texts.is_empty() {
            texts.push(MATCHES_NOTHING.to_owned());
        }
        let mut names = Vec::with_capacity(texts.len());
        for (index, text) in texts.into_iter().enumerate() {
            let name = format!(":{prefix}{index}");
            self.values.insert(name.clone(), AttributeValue::S(text));
            names.push(name);
        }
        names.join(", ")
    }
}
