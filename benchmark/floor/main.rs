//! The floor: a function that gets one item and answers with it as JSON, and does nothing else. No
//! token, no checks, no log, no time-outs of its own, no warm connection.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use lambda_http::{Error, Request, RequestExt, Response, run, service_fn};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = Client::new(&aws_config::load_from_env().await);
    let table = std::env::var("GROUPS_TABLE")?;
    let account_id = std::env::var("ACCOUNT_ID")?;
    run(service_fn(async |request: Request| {
        let id = request.path_parameters().first("id").unwrap_or_default().to_owned();
        let found = client
            .get_item()
            .table_name(&table)
            .key("account_id", AttributeValue::S(account_id.clone()))
            .key("id", AttributeValue::S(id))
            .consistent_read(true)
            .send()
            .await?;
        let item = found.item.ok_or("no such item")?;
        let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        let body = json!({ "id": string("id"), "name": string("name"), "description": string("description") });
        let response = Response::builder().header("content-type", "application/json");
        Ok::<_, Error>(response.body(body.to_string())?)
    }))
    .await
}
