//! The baseline of `update-group`: updates an item from a JSON body.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use lambda_http::Error;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    baseline::serve(async |call| {
        let body: Value = serde_json::from_slice(call.request.body())?;
        let name = body["name"].as_str().ok_or("no name")?;
        let updated = call
            .client
            .update_item()
            .table_name(call.table)
            .key("account_id", call.account_id)
            .key("id", baseline::id(&call.request))
            .condition_expression("attribute_exists(id)")
            .update_expression("SET #name = :name, contacts = :contacts")
            .expression_attribute_names("#name", "name")
            .expression_attribute_values(":name", AttributeValue::S(name.to_owned()))
            .expression_attribute_values(
                ":contacts",
                AttributeValue::S(body["contacts"].to_string()),
            )
            .return_values(ReturnValue::AllNew)
            .send()
            .await?;
        Ok(baseline::json(&updated.attributes.ok_or("no such item")?))
    })
    .await
}
