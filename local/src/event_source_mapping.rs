//! Event source mappings: the records of a table's stream become invocations of a function. See
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>.

use std::{collections::BTreeMap, io::Write, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    filter,
    gateway::Gateway,
    instance::Outcome,
    lambda::{Invoked, QUEUE_TIMEOUT},
    logs::Logs,
    template::{EventSource, items},
    terminal::{error_message, say},
};

/// How often the streams are read, and the first pause before a failed batch is tried again. Each
/// further pause is twice as long.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The longest pause before a failed batch is tried again.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Reads the streams of all event source mappings from their beginning on, for ever. It is harmless
/// that a function gets records again that it had before a restart: Lambda delivers at least once.
pub(crate) async fn run(gateway: Arc<Gateway>, logs: Logs) {
    let mut seen: BTreeMap<(String, String), BTreeMap<String, Value>> = BTreeMap::new();
    loop {
        sleep(POLL_INTERVAL).await;
        let api = gateway.api();
        for source in &api.event_sources {
            let Some(function) = api.functions.get(&source.function) else {
                continue;
            };
            let mapping = (source.table.clone(), source.function.clone());
            let seen = seen.entry(mapping).or_default();
            // If DynamoDB does not respond now, it may the next time.
            let read = function.dynamodb.stream_records(&source.table, seen).await;
            let (stream, shards) = read.unwrap_or_default();
            for (shard, records) in shards {
                let last = records.last().map(sequence_number);
                let matching = |record: &&Value| {
                    source.filters.is_empty()
                        || source
                            .filters
                            .iter()
                            .any(|filter| filter::matches(filter, record))
                };
                let records: Vec<_> = records.iter().filter(matching).cloned().collect();
                let place = json!({ "streamArn": stream, "shardId": shard });
                for batch in records.chunks(source.batch_size) {
                    deliver(&gateway, source, batch.to_vec(), &place, &logs).await;
                }
                seen.extend(last.map(|last| (shard, last)));
            }
        }
    }
}

fn sequence_number(record: &Value) -> Value {
    record["dynamodb"]["SequenceNumber"].clone()
}

/// Invokes the function with a batch until all of it is done or given up.
/// `place` has the stream and the shard of the batch.
async fn deliver(
    gateway: &Gateway,
    source: &EventSource,
    batch: Vec<Value>,
    place: &Value,
    logs: &Logs,
) {
    let mut pending = vec![(batch, 0)];
    while let Some((mut batch, retries)) = pending.pop() {
        // Looked up each time, because the function may have been rebuilt.
        let Some(function) = gateway.api().functions.get(&source.function).cloned() else {
            return;
        };
        let event = json!({ "Records": batch }).to_string();
        let Ok(Invoked { outcome, .. }) = function.invoke(event.into(), QUEUE_TIMEOUT).await else {
            pending.push((batch, retries));
            continue;
        };
        let failed = match first_failure(&outcome, &batch) {
            Ok(None) => continue,
            // The records before the failed one are done.
            Ok(Some(index)) if index > 0 => {
                pending.push((batch.split_off(index), 0));
                continue;
            }
            Ok(Some(_)) => "it reports the batch as failed".to_owned(),
            Err(error) if source.bisects && batch.len() > 1 => {
                say(&format!(
                    "{}: {error}; its batch is split in two",
                    source.function
                ));
                let second = batch.split_off(batch.len() / 2);
                pending.extend([(second, 0), (batch, 0)]);
                continue;
            }
            Err(error) => error,
        };
        if source
            .max_retries
            .is_some_and(|limit| u64::from(retries) >= limit)
        {
            give_up(source, &batch, place, &failed, retries, logs);
        } else {
            let pause = POLL_INTERVAL.saturating_mul(2_u32.saturating_pow(retries));
            pending.push((batch, retries + 1));
            sleep(pause.min(MAX_PAUSE)).await;
        }
    }
}

/// The index of the first record that the function reports as failed, if there is one.
fn first_failure(outcome: &Outcome, batch: &[Value]) -> Result<Option<usize>, String> {
    let output = outcome.as_ref().map_err(|error| error_message(error))?;
    let report: Value = serde_json::from_slice(output).unwrap_or_default();
    let failed = items(&report["batchItemFailures"]).map(|failure| {
        let position = batch
            .iter()
            .position(|record| sequence_number(record) == failure["itemIdentifier"]);
        // An unknown identifier fails the whole batch.
        position.unwrap_or_default()
    });
    Ok(failed.min())
}

/// Sends a [record](https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html) about
/// a batch that keeps failing to the mapping's destination, which is a file here.
fn give_up(
    source: &EventSource,
    batch: &[Value],
    place: &Value,
    error: &str,
    retries: u32,
    logs: &Logs,
) {
    let ends = [batch.first(), batch.last()].map(|record| record.map(sequence_number));
    let message = json!({
        "requestContext": { "condition": "RetryAttemptsExhausted", "approximateInvokeCount": retries + 1 },
        "responseContext": { "functionError": error },
        "version": "1.0",
        "DDBStreamBatchInfo": {
            "streamArn": place["streamArn"], "shardId": place["shardId"],
            "startSequenceNumber": ends[0], "endSequenceNumber": ends[1], "batchSize": batch.len(),
        },
    });
    let log = logs.of(source.on_failure.as_deref().unwrap_or("discarded"));
    if let Ok(mut file) = log.append() {
        // If this fails, the line below still reports the batch.
        let _ = writeln!(file, "{message}");
    }
    let file = log.path().display();
    say(&format!(
        "{}: a batch is given up after {retries} retries ({error}), see {file}",
        source.function
    ));
}
