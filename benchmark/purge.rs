//! How fast a deleted group's messages go, and what that takes.

use std::time::{Duration, Instant};

use local::{Result, Stack};
use serde_json::json;

use crate::{
    process::{cpu_ms, peak_rss_mib},
    report::Table,
};

/// How many messages the conversations have.
const CONVERSATIONS: [usize; 2] = [1_000, 100_000];

/// How long a purge may take: as long as a Lambda function may.
const PATIENCE: Duration = Duration::from_secs(900);

/// Purges conversations, each by an instance of its own.
pub(crate) fn measure(stack: &Stack) -> Result<Table> {
    let head = [
        "messages",
        "seconds",
        "messages per second",
        "CPU, s",
        "peak RSS, MiB",
    ];
    let mut table = Table::new("Purge", &head);
    for count in CONVERSATIONS {
        let conversation_id = format!("{count:016}");
        write_messages(stack, &conversation_id, count)?;
        let mut instance = stack.instance("purge-messages", &[])?;
        instance.wait_for_init()?;
        let body = json!({ "conversation_id": conversation_id }).to_string();
        let event = json!({ "Records": [{ "messageId": "1", "body": body }] });
        let start = Instant::now();
        let report = instance
            .invoke_within(&event, PATIENCE)
            .map_err(|error| error.to_string())?;
        let seconds = start.elapsed().as_secs_f64();
        if report != json!({ "batchItemFailures": [] }) {
            return Err(format!("the purge of {count} messages reports {report}"));
        }
        table.rows.push(vec![
            json!(count),
            json!(seconds),
            json!(count as f64 / seconds),
            json!(cpu_ms(instance.process_id())? / 1e3),
            json!(peak_rss_mib(instance.process_id())?),
        ]);
    }
    Ok(table)
}

fn write_messages(stack: &Stack, conversation_id: &str, count: usize) -> Result<()> {
    let ids: Vec<_> = (0..count).collect();
    for ids in ids.chunks(25) {
        let put = |id: &usize| {
            json!({ "PutRequest": { "Item": {
                "conversation_id": { "S": conversation_id },
                "id": { "S": format!("{id:016}") },
                "text": { "S": "Meet you at the bar. ".repeat(10) },
            } } })
        };
        let puts: Vec<_> = ids.iter().map(put).collect();
        stack.dynamodb().call(
            "BatchWriteItem",
            &json!({ "RequestItems": { "MessagesTable": puts } }),
        )?;
    }
    Ok(())
}
