//! The baseline of `delete-group`: deletes an item.

use lambda_http::Error;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    baseline::serve(async |call| {
        call.client
            .delete_item()
            .table_name(call.table)
            .key("account_id", call.account_id)
            .key("id", baseline::id(&call.request))
            .condition_expression("attribute_exists(id)")
            .send()
            .await?;
        Ok(Value::Null)
    })
    .await
}
