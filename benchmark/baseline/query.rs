//! The baseline of `list-groups`: returns a page of items.

use lambda_http::Error;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    baseline::serve(async |call| {
        let found = call
            .client
            .query()
            .table_name(call.table)
            .key_condition_expression("account_id = :account_id")
            .expression_attribute_values(":account_id", call.account_id)
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(11)
            .send()
            .await?;
        let page = found.items().iter().take(10).map(baseline::json);
        Ok(Value::Array(page.collect()))
    })
    .await
}
