//! The floor of what gets one item and answers with it.

use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    floor::serve(async |call| {
        let found = call
            .client
            .get_item()
            .table_name(call.table)
            .key("account_id", call.account_id)
            .key("id", floor::id(&call.request))
            .consistent_read(true)
            .send()
            .await?;
        Ok(floor::json(&found.item.ok_or("no such item")?))
    })
    .await
}
