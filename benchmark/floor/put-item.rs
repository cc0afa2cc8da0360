//! The floor of what puts an item from a JSON body: one with a new id, all attributes, and an entry
//! in the index.

use std::time::SystemTime;

use aws_sdk_dynamodb::types::AttributeValue;
use lambda_http::Error;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    floor::serve(async |call| {
        let body: Value = serde_json::from_slice(call.request.body())?;
        let name = body["name"].as_str().ok_or("no name")?.to_owned();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let string = |value: &str| AttributeValue::S(value.to_owned());
        let item = floor::Item::from([
            (
                "id".to_owned(),
                AttributeValue::S(format!("{:016}", now.as_micros())),
            ),
            ("account_state".to_owned(), string("floor#active")),
            ("version".to_owned(), string("0123456789ABCDEF")),
            ("name".to_owned(), AttributeValue::S(name)),
            ("conversation_id".to_owned(), string("ZYjVAbCE9g5XRlra")),
            (
                "contacts".to_owned(),
                AttributeValue::S(body["contacts"].to_string()),
            ),
            (
                "created_at".to_owned(),
                AttributeValue::N(now.as_secs().to_string()),
            ),
            ("account_id".to_owned(), call.account_id),
        ]);
        let answer = floor::json(&item);
        let put = call.client.put_item().table_name(call.table);
        put.set_item(Some(item)).send().await?;
        Ok(answer)
    })
    .await
}
