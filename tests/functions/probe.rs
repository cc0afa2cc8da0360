//! A function for the tests of the gateway. It does what the event says: `{"do": "exit"}` in the
//! payload, or in the header `x-do` of a request.

use std::time::Duration;

use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    if std::env::var("MOOD").is_ok_and(|mood| mood == "bad") {
        eprintln!("not in the mood to start");
        std::process::exit(4);
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, lambda_http::Error> {
    let event = event.payload;
    let action = event["do"].as_str().or(event["headers"]["x-do"].as_str());
    let (action, argument) = action
        .unwrap_or_default()
        .split_once(' ')
        .unwrap_or((action.unwrap_or_default(), ""));
    match action {
        "exit" => std::process::exit(3),
        "fail" => return Err("it was told to fail".into()),
        // A number of milliseconds.
        "sleep" => tokio::time::sleep(Duration::from_millis(argument.parse()?)).await,
        // A whole response.
        "respond" => return Ok(serde_json::from_str(argument)?),
        // A number of bytes.
        "large" => return Ok(json!({ "statusCode": 200, "body": "x".repeat(argument.parse()?) })),
        "process" => {
            return Ok(json!({ "statusCode": 200, "body": std::process::id().to_string() }));
        }
        "variables" => {
            let variables: serde_json::Map<_, _> = std::env::vars()
                .map(|(name, value)| (name, json!(value)))
                .collect();
            return Ok(json!({ "statusCode": 200, "body": Value::Object(variables).to_string() }));
        }
        // The batch of a stream, whose report is in its first record.
        _ if event["Records"][0]["report"].is_object() => {
            return Ok(event["Records"][0]["report"].clone());
        }
        _ => {}
    }
    Ok(
        json!({ "statusCode": 200, "headers": { "content-type": "application/json" }, "body": event.to_string() }),
    )
}
