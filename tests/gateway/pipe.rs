//! The pipes, with the filter and the input template of the template.

use std::{collections::BTreeMap, fs, path::Path};

use local::Options;
use serde_json::{Value, json};

use crate::{messages::MessageStack, options};

/// Receives the records of a queue and returns how many there are of each kind.
fn count_records(stack: &MessageStack, queue: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    loop {
        let output = stack.sqs(
            "ReceiveMessage",
            queue,
            json!({ "MaxNumberOfMessages": 10 }),
        );
        let Some(messages) = output["Messages"].as_array() else {
            return counts;
        };
        for message in messages {
            let body = message["Body"].as_str().expect("`Body` is a string");
            let record: Value = serde_json::from_str(body).expect("the body is JSON");
            let is_record = record["dynamodb"]["Keys"]["id"]["S"].is_string()
                && record["eventSource"] == "aws:dynamodb";
            assert!(is_record, "{record}");
            let kind = record["eventName"]
                .as_str()
                .expect("`eventName` is a string")
                .to_owned();
            *counts.entry(kind).or_default() += 1;
        }
    }
}

#[test]
fn records_that_match_the_filter_become_messages_in_the_form_of_the_input_template() {
    let stack = MessageStack::start("pipe");
    stack.write(&[("a", ""), ("b", "say\"\\")]);
    let put = |id: &str, attribute: &str| {
        let item = json!({ "id": { "S": id }, attribute: { "S": "yes" } });
        stack.dynamodb(
            "PutItem",
            json!({ "TableName": "ItemsTable", "Item": item }),
        );
    };
    put("skipped", "skip");
    put("without-do", "other");
    // The filter excludes changes and deletions.
    put("a", "changed");
    let key = json!({ "TableName": "ItemsTable", "Key": { "id": { "S": "a" } } });
    stack.dynamodb("DeleteItem", key);
    // The stream is ordered, so the function has received everything before this item.
    stack.write(&[("last", "")]);
    stack.wait_for("last", 1);
    stack.wait_for_counts("ItemsQueue", [0, 0, 0]);
    for (id, bodies) in [
        ("a", vec![r#"{"id": "a", "do": ""}"#]),
        ("b", vec![r#"{"id": "b", "do": "say\"\\"}"#]),
        ("skipped", vec![]),
        ("without-do", vec![r#"{"id": "without-do", "do": ""}"#]),
    ] {
        let records = stack.records_of(id);
        let found: Vec<_> = records.iter().map(|record| &record["body"]).collect();
        assert_eq!(found, bodies, "{id}");
    }
    // The other pipe has neither a filter nor an input template.
    stack.wait_for_counts("RecordsQueue", [7, 0, 0]);
    let expected =
        [("INSERT", 5), ("MODIFY", 1), ("REMOVE", 1)].map(|(kind, count)| (kind.to_owned(), count));
    assert_eq!(count_records(&stack, "RecordsQueue"), expected.into());
}

#[test]
fn a_reload_keeps_positions_and_messages_and_changes_the_attributes_of_queues() {
    let original = fs::read_to_string(options("").template).expect("the template is read");
    let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join("queues.yaml");
    fs::write(&template, &original).expect("the template is written");
    let stack = MessageStack::start_with(Options {
        template: template.clone(),
        ..options("pipe-reload")
    });
    stack.write(&[("before", "")]);
    stack.wait_for("before", 1);
    stack.wait_for_counts("RecordsQueue", [1, 0, 0]);
    let changed = original.replace("{DelaySeconds: 2}", "{DelaySeconds: 900}");
    fs::write(&template, changed).expect("the template is written");
    assert_eq!(stack.stack.reload(), Ok(None));
    assert_eq!(stack.counts("RecordsQueue"), [1, 0, 0]);
    let all = json!({ "AttributeNames": ["All"] });
    let output = stack.sqs("GetQueueAttributes", "DelayedQueue", all);
    assert_eq!(output["Attributes"]["DelaySeconds"], "900");
    stack.write(&[("after", "")]);
    stack.wait_for("after", 1);
    stack.wait_for_counts("RecordsQueue", [2, 0, 0]);
    assert_eq!(stack.records_of("before").len(), 1);
}
