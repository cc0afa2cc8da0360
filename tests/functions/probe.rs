//! A function for the tests of the gateway. It performs the action that the event contains: `{"do": "exit"}` in the
//! payload, or the header `x-do` of a request.

use std::{fs::File, io::Write, path::Path, time::Duration};

use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    if std::env::var("INIT").is_ok_and(|action| action == "fail") {
        eprintln!("init fails on purpose");
        std::process::exit(4);
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, lambda_http::Error> {
    let event = event.payload;
    let text = event["do"].as_str().or(event["headers"]["x-do"].as_str());
    let text = text.unwrap_or_default();
    let (action, argument) = text.split_once(' ').unwrap_or((text, ""));
    match action {
        "exit" => std::process::exit(3),
        "fail" => return Err("the event demands a failure".into()),
        // The argument is a number of milliseconds.
        "sleep" => tokio::time::sleep(Duration::from_millis(argument.parse()?)).await,
        // The argument is the output.
        "respond" => return Ok(serde_json::from_str(argument)?),
        // The argument is the number of bytes.
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
        _ if event["Records"].is_array() => return handle_batch(&event["Records"]).await,
        _ => {}
    }
    Ok(
        json!({ "statusCode": 200, "headers": { "content-type": "application/json" }, "body": event.to_string() }),
    )
}

/// Appends the records of a batch as one line to the file `BATCHES`, and then performs the actions of the messages. An
/// action with a number is performed only that many times: `{"id": "a", "do": "fail 1"}` fails once.
async fn handle_batch(records: &Value) -> Result<Value, lambda_http::Error> {
    let batches = std::env::var("BATCHES")?;
    let mut file = File::options().create(true).append(true).open(&batches)?;
    // One write, because other instances write to the file, too.
    file.write_all(format!("{records}\n").as_bytes())?;
    let records = records.as_array().ok_or("no records")?;
    let mut failures = Vec::new();
    for record in records {
        let body: Value = serde_json::from_str(record["body"].as_str().ok_or("no body")?)?;
        let action = body["do"].as_str().unwrap_or_default();
        let (action, times) = action.split_once(' ').unwrap_or((action, "1000"));
        let count = record["attributes"]["ApproximateReceiveCount"].as_str();
        if count.ok_or("no count")?.parse::<u32>()? > times.parse()? {
            continue;
        }
        match action {
            "fail" => return Err("a message demands a failure".into()),
            "exit" => std::process::exit(3),
            // Waits until a file with the name of the message exists.
            "wait" => {
                let name = body["id"].as_str().ok_or("no id")?;
                while !Path::new(&format!("{batches}-{name}")).exists() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            "report" => failures.push(json!({ "itemIdentifier": record["messageId"] })),
            "unknown" => failures.push(json!({ "itemIdentifier": "unknown" })),
            "empty" => failures.push(json!({ "itemIdentifier": "" })),
            "misname" => failures.push(json!({ "messageId": record["messageId"] })),
            "malform" => return Ok(json!({ "batchItemFailures": "all" })),
            "null" => return Ok(json!({ "batchItemFailures": null })),
            "nothing" => return Ok(Value::Null),
            _ => {}
        }
    }
    Ok(json!({ "batchItemFailures": failures }))
}
