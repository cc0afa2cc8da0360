//! The baseline of `get-group`: returns one item.

use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    baseline::serve(async |call| {
        let found = call
            .client
            .get_item()
            .table_name(call.table)
            .key("account_id", call.account_id)
            .key("id", baseline::id(&call.request))
            .consistent_read(true)
            .send()
            .await?;
        Ok(baseline::json(&found.item.ok_or("no such item")?))
    })
    .await
}
