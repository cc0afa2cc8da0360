//! The sample groups of an account: the one in the documentation's examples, so that they work as pasted,
//! and enough others to fill several pages.

use serde_json::{Value, json};

use crate::{DynamoDb, Result};

/// The id of the group in the documentation's examples.
pub const GROUP_ID: &str = "L7cGNIBKZiNJ6wqF";

/// That group as an item; a test checks it against the documentation.
const ITEM: &str = include_str!("../sample-group.json");

/// The names of the other groups.
const HOTELS: &str = "\
    Hotel Adlon, Algonquin Hotel, Hotel Astoria, The Balmoral, Beverly Hills Hotel, \
    Brown's Hotel, Hotel Cipriani, Chateau Marmont, Chelsea Hotel, Claridge's, \
    Hôtel de Crillon, The Dorchester, Fairmont Olympic, Hotel Gritti, Grand Hyatt, \
    Hotel Imperial, Hotel Lutetia, Mena House, The Peninsula, Raffles Hotel, Hotel Sacher, \
    The Savoy, Taj Mahal Palace, 帝国ホテル";

/// Returns the documentation's group as an item of an account.
///
/// # Errors
/// Returns an error if the account id would have to be escaped in JSON.
pub fn item(account_id: &str) -> Result<Value> {
    serde_json::from_str(&ITEM.replace("{account_id}", account_id))
        .map_err(|error| error.to_string())
}

/// Writes the documentation's group into an account. An existing one is not changed.
///
/// # Errors
/// Returns an error if DynamoDB refuses it.
pub fn put(dynamodb: &DynamoDb, account_id: &str) -> Result<()> {
    put_item(dynamodb, &item(account_id)?)
}

/// Writes 25 groups into an account. The documentation's is the newest, and some are archived.
///
/// # Errors
/// Returns an error if DynamoDB refuses one.
pub fn put_all(dynamodb: &DynamoDb, account_id: &str) -> Result<()> {
    const DAY: usize = 86_400;
    put(dynamodb, account_id)?;
    let hotels: Vec<_> = HOTELS.split(", ").collect();
    for (index, name) in hotels.iter().enumerate() {
        let mut group = item(account_id)?;
        let created_at = 692_233_200 - DAY * (hotels.len() - index);
        group["id"] = json!({ "S": format!("L7cG{index:02}BKZiNJ6wqF") });
        group["conversation_id"] = json!({ "S": format!("ZYjV{index:02}CE9g5XRlra") });
        group["name"] = json!({ "S": name });
        group["created_at"] = json!({ "N": created_at.to_string() });
        for member in ["description", "avatar_url"] {
            group.as_object_mut().and_then(|item| item.remove(member));
        }
        if index % 6 == 0 {
            group["account_state"] = json!({ "S": format!("{account_id}#archived") });
            group["archived_at"] = json!({ "N": (created_at + DAY).to_string() });
        }
        put_item(dynamodb, &group)?;
    }
    Ok(())
}

fn put_item(dynamodb: &DynamoDb, item: &Value) -> Result<()> {
    let input = json!({
        "TableName": "GroupsTable",
        "Item": item,
        "ConditionExpression": "attribute_not_exists(id)",
    });
    match dynamodb.call("PutItem", &input) {
        Err(error) if !error.contains("ConditionalCheckFailedException") => Err(error),
        _ => Ok(()),
    }
}
