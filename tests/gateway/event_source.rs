//! The event source mapping: its batch size, filter, retries and destination are the template's.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use local::{Options, Stack};
use serde_json::{Value, json};

use crate::options;

/// Starts a stack whose function writes its batches into a file of this name.
fn start(name: &'static str) -> (Stack, PathBuf) {
    let batches = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-batches"));
    let _ = fs::remove_file(&batches);
    let parameters = vec![("Batches".to_owned(), batches.display().to_string())];
    let stack = Stack::start(Options {
        parameters,
        ..options(name)
    });
    (stack.expect("the stack starts"), batches)
}

/// Writes items, each with an id and maybe one more attribute, in one transaction, so that the stream
/// has them at once.
fn write(stack: &Stack, items: &[(&str, &str)]) {
    let put = |(id, attribute): &(&str, &str)| {
        let mut item = json!({ "id": { "S": id } });
        if !attribute.is_empty() {
            item[*attribute] = json!({ "S": "yes" });
        }
        json!({ "Put": { "TableName": "ItemsTable", "Item": item } })
    };
    let items: Vec<_> = items.iter().map(put).collect();
    stack
        .dynamodb()
        .call("TransactWriteItems", &json!({ "TransactItems": items }))
        .expect("they are written");
}

fn read_lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Waits until the file has a line that `is_wanted`, and returns all lines.
fn wait_for_line(file: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !read_lines(file).iter().any(|line| is_wanted(line)) {
        assert!(Instant::now() < deadline, "{:?}", read_lines(file));
        thread::sleep(Duration::from_millis(20));
    }
    read_lines(file)
}

/// Writes one more item and waits until the function has it. The stream keeps its order, so the
/// function then has had everything before it.
fn finish(stack: &Stack, batches: &Path) -> Vec<String> {
    write(stack, &[("last", "")]);
    wait_for_line(batches, |line| line.split(' ').any(|id| id == "last"))
}

/// Returns how often the batches contain an id.
fn count_of(lines: &[String], id: &str) -> usize {
    lines
        .iter()
        .flat_map(|line| line.split(' '))
        .filter(|found| *found == id)
        .count()
}

#[test]
fn records_that_match_the_filter_come_in_batches_of_at_most_the_batch_size() {
    let (stack, batches) = start("batches");
    write(
        &stack,
        &[
            ("a", ""),
            ("b", "skip"),
            ("c", ""),
            ("d", ""),
            ("e", ""),
            ("f", "skip"),
            ("g", ""),
        ],
    );
    // A change and a deletion are not INSERTs.
    write(&stack, &[("a", "changed")]);
    let key = json!({ "TableName": "ItemsTable", "Key": { "id": { "S": "a" } } });
    stack
        .dynamodb()
        .call("DeleteItem", &key)
        .expect("it is deleted");
    let found = finish(&stack, &batches);
    assert!(
        found.iter().all(|line| line.split(' ').count() <= 3),
        "{found:?}"
    );
    for (id, count) in [
        ("a", 1),
        ("b", 0),
        ("c", 1),
        ("d", 1),
        ("e", 1),
        ("f", 0),
        ("g", 1),
    ] {
        assert_eq!(count_of(&found, id), count, "{id}: {found:?}");
    }
}

#[test]
fn a_batch_that_fails_is_split_and_what_keeps_failing_goes_to_the_destination() {
    let (stack, batches) = start("failures");
    write(&stack, &[("a", ""), ("bad", "fail"), ("c", "")]);
    let queue = stack.logs().join("FailuresQueue.log");
    wait_for_line(&queue, |_| true);
    let found = finish(&stack, &batches);
    let messages = read_lines(&queue);
    // Once with the others, and then alone: the first attempt and two retries.
    let alone = found.iter().filter(|line| *line == "bad").count();
    assert_eq!(alone, 3, "{found:?}");
    for id in ["a", "c", "last"] {
        assert!(count_of(&found, id) >= 1, "{id}: {found:?}");
    }
    assert_eq!(messages.len(), 1);
    let message: Value = serde_json::from_str(&messages[0]).expect("JSON");
    assert_eq!(
        message["requestContext"]["condition"],
        "RetryAttemptsExhausted"
    );
    assert_eq!(message["requestContext"]["approximateInvokeCount"], 3);
    let info = &message["DDBStreamBatchInfo"];
    assert_eq!(info["batchSize"], 1);
    let (stream, shard) = (info["streamArn"].as_str(), info["shardId"].as_str());
    assert!(
        stream.is_some_and(|arn| arn.contains("ItemsTable")) && shard.is_some(),
        "{info}"
    );
    assert_eq!(info["startSequenceNumber"], info["endSequenceNumber"]);
}

#[test]
fn records_before_a_reported_one_are_not_sent_again() {
    let (stack, batches) = start("reports");
    write(&stack, &[("a", ""), ("bad", "report")]);
    let queue = stack.logs().join("FailuresQueue.log");
    wait_for_line(&queue, |_| true);
    let found = finish(&stack, &batches);
    assert_eq!(count_of(&found, "a"), 1, "{found:?}");
    assert!(count_of(&found, "bad") >= 3, "{found:?}");
    assert_eq!(read_lines(&queue).len(), 1);
}

#[test]
fn a_function_that_dies_gets_its_batch_again() {
    let (stack, batches) = start("kills");
    let ids: Vec<_> = (0..50).map(|id| id.to_string()).collect();
    for id in &ids {
        write(&stack, &[(id, "")]);
        for process in stack.process_ids("examples/probe") {
            let _ = std::process::Command::new("kill")
                .args(["-KILL", &process.to_string()])
                .status();
        }
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    let found = || read_lines(&batches);
    while ids.iter().any(|id| count_of(&found(), id) == 0) {
        assert!(Instant::now() < deadline, "{:?}", found());
        thread::sleep(Duration::from_millis(50));
    }
}
