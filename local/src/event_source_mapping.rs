//! Event source mappings, which invoke a function with the messages of a queue. See
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    dynamodb::REGION,
    gateway::Gateway,
    instance::Outcome,
    lambda::{Function, QUEUE_TIMEOUT},
    queue::{self, Message, md5_of},
    template::EventSource,
    terminal::{error_message, say},
};

/// How often the queues are read.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Receives the messages of all event source mappings, forever. Processes several batches of a mapping at
/// the same time, so that a slow batch does not delay the others.
pub(crate) async fn run(gateway: Arc<Gateway>) {
    let mut running: BTreeMap<String, JoinSet<()>> = BTreeMap::new();
    loop {
        sleep(POLL_INTERVAL).await;
        let api = gateway.api();
        for source in &api.event_sources {
            let Some(function) = api.functions.get(&source.function) else {
                continue;
            };
            let batches = running.entry(source.id.clone()).or_default();
            while batches.try_join_next().is_some() {}
            let limit = source.max_concurrency.unwrap_or(usize::MAX);
            while batches.len() < limit.min(function.concurrency()) {
                let received = gateway
                    .queues()
                    .receive(&source.queue, source.batch_size, None);
                let Some(batch) = received.filter(|batch| !batch.is_empty()) else {
                    break;
                };
                let (gateway, source, function) =
                    (gateway.clone(), source.clone(), function.clone());
                batches.spawn(async move { deliver(&gateway, &source, &function, &batch).await });
            }
        }
    }
}

/// Invokes the function with a batch and deletes the messages that it has processed. The other messages
/// become visible again after the queue's visibility timeout.
async fn deliver(
    gateway: &Gateway,
    source: &EventSource,
    function: &Arc<Function>,
    batch: &[Message],
) {
    let records: Vec<_> = batch
        .iter()
        .map(|message| record(&source.queue, message))
        .collect();
    let event = json!({ "Records": records }).to_string();
    let Ok(invoked) = function.invoke(event.into(), QUEUE_TIMEOUT).await else {
        return;
    };
    match failed_messages(source, &invoked.outcome, batch) {
        Ok(failed) => {
            let is_processed = |message: &&Message| !failed.contains(&&message.id);
            for message in batch.iter().filter(is_processed) {
                let queues = gateway.queues();
                queues.delete(&source.queue, &message.receipt_handle);
            }
        }
        Err(error) => say(&format!(
            "{}: a batch failed, so its messages ({}) will be received again: {error}",
            source.function,
            batch.len()
        )),
    }
}

/// Returns a message as a record of the [event](https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html).
fn record(queue: &str, message: &Message) -> Value {
    json!({
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.attributes(),
        "messageAttributes": {},
        "md5OfBody": md5_of(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue::arn(queue),
        "awsRegion": REGION,
    })
}

/// Returns the ids of the messages that the function reports as failed. See
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>.
///
/// # Errors
/// Returns an error if the whole batch failed.
fn failed_messages<'a>(
    source: &EventSource,
    outcome: &Outcome,
    batch: &'a [Message],
) -> Result<Vec<&'a String>, String> {
    let output = outcome.as_ref().map_err(|error| error_message(error))?;
    if !source.reports_failures {
        return Ok(Vec::new());
    }
    let response: Value = serde_json::from_slice(output)
        .map_err(|error| format!("its response is not JSON: {error}"))?;
    let identified = |failure: &Value| {
        let mut ids = batch.iter().map(|message| &message.id);
        ids.find(|id| failure["itemIdentifier"] == **id)
            .ok_or_else(|| format!("no message of the batch has the itemIdentifier of {failure}"))
    };
    match (&response, &response["batchItemFailures"]) {
        (Value::Null, _) | (Value::Object(_), Value::Null) => Ok(Vec::new()),
        (_, Value::Array(failures)) => failures.iter().map(identified).collect(),
        _ => Err(format!(
            "its response has no list batchItemFailures: {response}"
        )),
    }
}
