//! The same request to DynamoDB as a function makes, and a response with JSON: no token, no validation, no log, no
//! timeouts of its own, and no connection during init. The baseline has the SDK's HTTP client. With the feature
//! `own-transport`, which makes it the minimum, it has that of the functions.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use lambda_http::{Error, Request, RequestExt, Response, run, service_fn};
use serde_json::{Value, json};

/// An item of the table of groups.
pub type Item = HashMap<String, AttributeValue>;

/// The input of a handler.
pub struct Call {
    /// The client, which is created once.
    pub client: Client,
    /// The name of the table, from `GROUPS_TABLE`.
    pub table: String,
    /// The account that the items belong to, from `ACCOUNT_ID`.
    pub account_id: AttributeValue,
    /// The request.
    pub request: Request,
}

/// Serves requests with a handler that returns the body of the response as JSON.
///
/// # Errors
/// Returns an error if an environment variable is not set, or if the Runtime API cannot be reached.
pub async fn serve<H, F>(handler: H) -> Result<(), Error>
where
    H: Fn(Call) -> F + Sync,
    F: Future<Output = Result<Value, Error>> + Send,
{
    let client = connect().await?;
    let table = std::env::var("GROUPS_TABLE")?;
    let account_id = AttributeValue::S(std::env::var("ACCOUNT_ID")?);
    let respond = async |request: Request| {
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
    run(service_fn(respond)).await
}

#[cfg(not(feature = "own-transport"))]
async fn connect() -> Result<Client, Error> {
    Ok(Client::new(&aws_config::load_from_env().await))
}

#[cfg(feature = "own-transport")]
async fn connect() -> Result<Client, Error> {
    Ok(shared::dynamodb::connect().await?)
}

/// Returns the id in the path.
pub fn id(request: &Request) -> AttributeValue {
    let parameters = request.path_parameters();
    AttributeValue::S(parameters.first("id").unwrap_or_default().to_owned())
}

/// Returns the strings of an item as JSON.
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
