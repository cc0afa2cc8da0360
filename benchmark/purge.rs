//! Measures how fast the messages of a deleted group are purged, and the CPU and memory of that.

use std::time::{Duration, Instant};

use local::{Result, Stack};
use serde_json::json;

use crate::{
    cases::put_items,
    process::{cpu_ms, peak_rss_mib},
    report::Table,
};

/// How many messages the conversations contain.
const CONVERSATIONS: [usize; 2] = [1_000, 100_000];

/// How long a purge may take: the longest timeout of a Lambda function.
const PURGE_TIMEOUT: Duration = Duration::from_secs(900);

/// Purges conversations, each with a new instance.
pub(crate) fn measure(stack: &Stack) -> Result<Table> {
    let head = "messages | seconds | messages per second | CPU, s | peak RSS, MiB";
    let mut table = Table::new("Purge", head);
    for count in CONVERSATIONS {
        let conversation_id = format!("{count:016}");
        put_items(stack, "MessagesTable", count, |number| {
            Ok(json!({
                "conversation_id": { "S": conversation_id },
                "id": { "S": format!("{number:016}") },
                "text": { "S": "Meet you at the bar. ".repeat(10) },
            }))
        })?;
        let mut instance = stack.instance("purge-messages", &[])?;
        instance.wait_for_init()?;
        let body = json!({ "conversation_id": conversation_id }).to_string();
        let event = json!({ "Records": [{ "messageId": "1", "body": body }] });
        let start = Instant::now();
        let response = instance
            .invoke_within(&event, PURGE_TIMEOUT)
            .map_err(|error| error.to_string())?;
        let seconds = start.elapsed().as_secs_f64();
        if response != json!({ "batchItemFailures": [] }) {
            return Err(format!("the purge of {count} messages returned {response}"));
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
