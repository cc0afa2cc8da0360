//! A function for the tests of the gateway. It does what the event says: `{"do": "exit"}` in the
//! payload, or in the header `x-do` of a request.

use std::{fs::File, io::Write, time::Duration};

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
        _ if event["Records"].is_array() => return handle_batch(&event["Records"]),
        _ => {}
    }
    Ok(
        json!({ "statusCode": 200, "headers": { "content-type": "application/json" }, "body": event.to_string() }),
    )
}

/// Writes the ids of a batch's items as one line of the file `BATCHES`, and then does what the items
/// say: an item with `fail` fails the batch, one with `report` is reported as failed.
fn handle_batch(records: &Value) -> Result<Value, lambda_http::Error> {
    let records = records.as_array().ok_or("no records")?;
    let image = |record: &Value, name: &str| {
        record["dynamodb"]["NewImage"][name]["S"]
            .as_str()
            .map(str::to_owned)
    };
    let ids: Vec<_> = records
        .iter()
        .filter_map(|record| image(record, "id"))
        .collect();
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(std::env::var("BATCHES")?)?;
    writeln!(file, "{}", ids.join(" "))?;
    if records.iter().any(|record| image(record, "fail").is_some()) {
        return Err("an item has `fail`".into());
    }
    let reported = records
        .iter()
        .filter(|record| image(record, "report").is_some());
    let failures: Vec<_> = reported
        .map(|record| json!({ "itemIdentifier": record["dynamodb"]["SequenceNumber"] }))
        .collect();
    Ok(json!({ "batchItemFailures": failures }))
}
