//! What the functions are measured against: the least that does one request to DynamoDB and answers
//! as JSON. No token, no checks, no log, no time-outs of its own, no warm connection.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use lambda_http::{Error, Request, RequestExt, Response, run, service_fn};
use serde_json::{Value, json};

/// An item of the table of groups.
pub type Item = HashMap<String, AttributeValue>;

/// What a handler gets.
pub struct Call {
    /// The client, which is made once.
    pub client: Client,
    /// The name of the table, which `GROUPS_TABLE` holds.
    pub table: String,
    /// The account whose items these are, which `ACCOUNT_ID` holds.
    pub account_id: AttributeValue,
    /// The request.
    pub request: Request,
}

/// Serves with a handler whose answer is JSON.
///
/// # Errors
/// Where a variable is not set, or the Runtime API cannot be reached.
pub async fn serve<H, F>(handler: H) -> Result<(), Error>
where
    H: Fn(Call) -> F + Sync,
    F: Future<Output = Result<Value, Error>> + Send,
{
    let client = Client::new(&aws_config::load_from_env().await);
    let table = std::env::var("GROUPS_TABLE")?;
    let account_id = AttributeValue::S(std::env::var("ACCOUNT_ID")?);
    let answer = async |request: Request| {
        let call = Call {
            client: client.clone(),
            table: table.clone(),
            account_id: account_id.clone(),
            request,
        };
        let body = handler(call).await?;
        let response = Response::builder().header("content-type", "application/json");
        Ok::<_, Error>(response.body(body.to_string())?)
    };
    run(service_fn(answer)).await
}

/// The id in the path.
pub fn id(request: &Request) -> AttributeValue {
    let parameters = request.path_parameters();
    AttributeValue::S(parameters.first("id").unwrap_or_default().to_owned())
}

/// An item's strings as JSON.
pub fn json(item: &Item) -> Value {
    let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    json!({
        "id": string("id"),
        "name": string("name"),
        "description": string("description"),
        "avatar_url": string("avatar_url"),
        "contacts": string("contacts"),
    })
}
