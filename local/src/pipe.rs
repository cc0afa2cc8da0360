//! EventBridge Pipes from a table's stream to a queue. See
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes.html>.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{DynamoDb, filter, gateway::Gateway, template::Pipe};

/// How often the streams are read.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Reads the streams of all pipes from the start, forever, and sends the matching records to the pipes'
/// queues. After a restart, a queue may receive records again. This is harmless, because Pipes delivers at
/// least once.
pub(crate) async fn run(gateway: Arc<Gateway>, dynamodb: DynamoDb) {
    // The last sequence number of each shard.
    let mut positions: BTreeMap<(String, String), BTreeMap<String, Value>> = BTreeMap::new();
    loop {
        sleep(POLL_INTERVAL).await;
        for pipe in &gateway.api().pipes {
            let position = positions
                .entry((pipe.id.clone(), pipe.table.clone()))
                .or_default();
            let read = dynamodb.stream_records(&pipe.table, position).await;
            // Ignore the error: the records are read the next time.
            for (shard, records) in read.unwrap_or_default() {
                let matching = records.iter().filter(|record| is_wanted(pipe, record));
                let messages = matching.map(|record| message(pipe, record)).collect();
                // Ignore a missing queue: a reload that deletes it also deletes the pipe.
                gateway.queues().send(&pipe.queue, messages, None);
                if let Some(last) = records.last() {
                    position.insert(shard, last["dynamodb"]["SequenceNumber"].clone());
                }
            }
        }
    }
}

fn is_wanted(pipe: &Pipe, record: &Value) -> bool {
    let filters = &pipe.filters;
    filters.is_empty() || filters.iter().any(|filter| filter::matches(filter, record))
}

fn message(pipe: &Pipe, record: &Value) -> String {
    pipe.input_template
        .as_deref()
        .and_then(|template| fill(template, record))
        .unwrap_or_else(|| record.to_string())
}

/// Replaces the paths (`<$.dynamodb.Keys.id.S>`) in an
/// [input template](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html)
/// by the record's values. In quotes, a value becomes a part of the string; otherwise, it stays JSON. A
/// missing value becomes the empty string; AWS does not document this. Returns `None` if a placeholder is
/// not a path of names, because others are not supported.
pub(crate) fn fill(template: &str, record: &Value) -> Option<String> {
    let mut parts = template.split('<');
    let mut filled = parts.next()?.to_owned();
    let quotes = |text: &str| text.matches('"').count() - text.matches("\\\"").count();
    let mut quote_count = quotes(&filled);
    for part in parts {
        let (placeholder, text) = part.split_once('>')?;
        let path = placeholder.strip_prefix("$.")?;
        if path.contains(|char: char| !char.is_ascii_alphanumeric() && !"._-".contains(char)) {
            return None;
        }
        let pointer = format!("/{}", path.replace('.', "/"));
        let value = record.pointer(&pointer).cloned().unwrap_or(json!(""));
        if quote_count % 2 == 0 {
            filled += &value.to_string();
        } else {
            let string = match value {
                Value::String(_) => value.to_string(),
                other => json!(other.to_string()).to_string(),
            };
            filled += &string[1..string.len() - 1];
        }
        filled += text;
        quote_count += quotes(text);
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_the_values_of_the_record() {
        let record = json!({ "a": { "b-c": "x", "n": 7, "o": { "k": "v" } }, "q": "\"\\" });
        for (template, wanted) in [
            (r#"{"id": "<$.a.b-c>"}"#, r#"{"id": "x"}"#),
            (r#"{"id": <$.a.b-c>}"#, r#"{"id": "x"}"#),
            (r#""<$.a.b-c> and <$.a.n>""#, r#""x and 7""#),
            (
                r#"{"n": <$.a.n>, "o": <$.a.o>}"#,
                r#"{"n": 7, "o": {"k":"v"}}"#,
            ),
            (r#"{"o": "<$.a.o>"}"#, r#"{"o": "{\"k\":\"v\"}"}"#),
            (
                r#"{"q": "<$.q>", "r": <$.q>}"#,
                r#"{"q": "\"\\", "r": "\"\\"}"#,
            ),
            (r#"{"\"": "<$.q><$.a.n>"}"#, r#"{"\"": "\"\\7"}"#),
            (
                r#"{"no": "<$.a.no>", "nor": <$.z.z>}"#,
                r#"{"no": "", "nor": ""}"#,
            ),
            ("nothing", "nothing"),
        ] {
            assert_eq!(fill(template, &record).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn other_placeholders_are_not_supported() {
        for template in ["<aws.pipes.event>", "<$.a[0]>", "<$.a", "<$.*>", "<>"] {
            assert_eq!(fill(template, &json!({ "a": ["b"] })), None, "{template}");
        }
    }
}
