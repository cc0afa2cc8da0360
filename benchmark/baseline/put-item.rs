//! The baseline of `create-group`: puts an item from a JSON body, with a new id, all attributes and an entry in
//! the index.

use std::time::SystemTime;

use aws_sdk_dynamodb::types::AttributeValue;
use lambda_http::Error;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    baseline::serve(async |call| {
        let input: Value = serde_json::from_slice(call.request.body())?;
        let name = input["name"].as_str().ok_or("no name")?.to_owned();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let string = |value: &str| AttributeValue::S(value.to_owned());
        let item = baseline::Item::from([
            (
                "id".to_owned(),
                AttributeValue::S(format!("{:016}", now.as_micros())),
            ),
            ("account_state".to_owned(), string("baseline#active")),
            ("version".to_owned(), string("0123456789ABCDEF")),
            ("name".to_owned(), AttributeValue::S(name)),
            ("conversation_id".to_owned(), string("ZYjVAbCE9g5XRlra")),
            (
                "contacts".to_owned(),
                AttributeValue::S(input["contacts"].to_string()),
            ),
            (
                "created_at".to_owned(),
                AttributeValue::N(now.as_secs().to_string()),
            ),
            ("account_id".to_owned(), call.account_id),
        ]);
        let body = baseline::json(&item);
        let put = call.client.put_item().table_name(call.table);
        put.set_item(Some(item)).send().await?;
        Ok(body)
    })
    .await
}
