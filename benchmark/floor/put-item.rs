//! The floor of what puts an item from a JSON body.

use aws_sdk_dynamodb::types::AttributeValue;
use lambda_http::Error;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    floor::serve(async |call| {
        let body: Value = serde_json::from_slice(call.request.body())?;
        let name = body["name"].as_str().ok_or("no name")?;
        let item = floor::Item::from([
            ("account_id".to_owned(), call.account_id),
            (
                "id".to_owned(),
                AttributeValue::S("0123456789ABCDEF".to_owned()),
            ),
            ("name".to_owned(), AttributeValue::S(name.to_owned())),
            (
                "contacts".to_owned(),
                AttributeValue::S(body["contacts"].to_string()),
            ),
        ]);
        let answer = floor::json(&item);
        let put = call
            .client
            .put_item()
            .table_name(call.table)
            .set_item(Some(item));
        put.send().await?;
        Ok(answer)
    })
    .await
}
