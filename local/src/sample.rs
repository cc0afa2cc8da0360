//! The group of the page's examples, so that they work as pasted.

use serde_json::{Value, json};

use crate::{DynamoDb, Result};

/// The id of the sample, which is the one that the page's examples name.
pub const GROUP_ID: &str = "L7cGNIBKZiNJ6wqF";

/// The sample as an item of the table of groups; a test holds it against what the API answers.
const ITEM: &str = include_str!("../sample-group.json");

/// The sample as an item of an account's.
///
/// # Errors
/// Where the account's id makes it no JSON.
pub fn item(account_id: &str) -> Result<Value> {
    let item = ITEM.replace("{account_id}", account_id);
    serde_json::from_str(&item).map_err(|error| error.to_string())
}

/// Puts the sample into an account where it is missing; one that is there stays as it is.
///
/// # Errors
/// Where DynamoDB does not take it.
pub fn put(dynamodb: &DynamoDb, account_id: &str) -> Result<()> {
    let input = json!({
        "TableName": "GroupsTable",
        "Item": item(account_id)?,
        "ConditionExpression": "attribute_not_exists(id)",
    });
    match dynamodb.call("PutItem", &input) {
        Err(error) if !error.contains("ConditionalCheckFailedException") => Err(error),
        _ => Ok(()),
    }
}
