//! The event source mapping and its queues. Batch size, concurrency, delay, partial batch responses and dead-letter
//! queue are defined in the template.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::json;

use crate::{
    kill_instances,
    messages::{MessageStack, id_of},
};

/// Locks the stack of these tests, so that a batch contains messages of one test only.
fn lock_stack() -> MutexGuard<'static, MessageStack> {
    static SHARED: OnceLock<Mutex<MessageStack>> = OnceLock::new();
    let stack = SHARED.get_or_init(|| Mutex::new(MessageStack::start("event-source")));
    stack.lock().unwrap_or_else(PoisonError::into_inner)
}

const EMPTY: [usize; 3] = [0, 0, 0];

/// The visibility timeout of the queue.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(1);

#[test]
fn a_record_has_every_documented_member() {
    let stack = lock_stack();
    stack.send("ItemsQueue", "event", "");
    let record = stack.wait_for("event", 1).remove(0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970");
    for name in ["SentTimestamp", "ApproximateFirstReceiveTimestamp"] {
        let sent = record["attributes"][name].as_str();
        let sent: u128 = sent.and_then(|sent| sent.parse().ok()).expect("a number");
        let age = now.as_millis() - sent;
        assert!(age < 60_000, "{record}");
    }
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(record["body"], r#"{"do":"","id":"event"}"#);
    for (name, wanted) in [
        ("messageAttributes", json!({})),
        ("md5OfBody", json!("13c7cc5629cdfd9800fae6f513224e04")),
        ("eventSource", json!("aws:sqs")),
        (
            "eventSourceARN",
            json!("arn:aws:sqs:us-east-1:000000000000:ItemsQueue"),
        ),
        ("awsRegion", json!("us-east-1")),
    ] {
        assert_eq!(record[name], wanted, "{name}");
    }
    for name in ["messageId", "receiptHandle"] {
        assert!(record[name].as_str().is_some_and(|id| !id.is_empty()));
    }
    stack.wait_for_counts("ItemsQueue", EMPTY);
}

#[test]
fn the_batch_size_and_the_maximum_concurrency_are_respected() {
    let stack = lock_stack();
    for id in ["first", "second"] {
        stack.send("ItemsQueue", id, "wait 1");
        stack.wait_for(id, 1);
    }
    let ids: Vec<_> = (0..7).map(|id| format!("quick-{id}")).collect();
    for id in &ids {
        stack.send("ItemsQueue", id, "");
    }
    // The function has an idle instance, but the maximum concurrency is reached.
    thread::sleep(Duration::from_millis(300));
    assert!(ids.iter().all(|id| stack.records_of(id).is_empty()));
    stack.release("first");
    stack.release("second");
    for id in &ids {
        assert_eq!(stack.wait_for(id, 1).len(), 1, "{id}");
    }
    let sizes: BTreeSet<_> = stack.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes.last(), Some(&3), "{sizes:?}");
    stack.wait_for_counts("ItemsQueue", EMPTY);
}

#[test]
fn slow_and_failing_messages_do_not_delay_others() {
    let stack = lock_stack();
    let start = Instant::now();
    stack.send("ItemsQueue", "slow", "wait 1");
    stack.wait_for("slow", 1);
    stack.send("ItemsQueue", "failing", "fail 2");
    stack.wait_for("failing", 1);
    stack.send("ItemsQueue", "quick", "");
    stack.wait_for("quick", 1);
    // The time-out of the function ends the slow invocation after three seconds.
    assert!(start.elapsed() < Duration::from_secs(3));
    assert!(stack.records_of("failing").len() < 3);
    stack.release("slow");
    stack.wait_for_counts("ItemsQueue", EMPTY);
}

#[test]
fn only_reported_messages_are_delivered_again_after_the_visibility_timeout() {
    let stack = lock_stack();
    let start = Instant::now();
    stack.write(&[("a", ""), ("reported", "report 1"), ("c", "")]);
    let records = stack.wait_for("reported", 2);
    assert!(start.elapsed() >= VISIBILITY_TIMEOUT);
    stack.wait_for_counts("ItemsQueue", EMPTY);
    for (id, count) in [("a", 1), ("reported", 2), ("c", 1)] {
        assert_eq!(stack.records_of(id).len(), count, "{id}");
    }
    let [first, second] = [&records[0], &records[1]];
    assert_eq!(first["messageId"], second["messageId"]);
    assert_ne!(first["receiptHandle"], second["receiptHandle"]);
    assert_eq!(second["attributes"]["ApproximateReceiveCount"], "2");
}

#[test]
fn all_messages_of_a_failed_batch_are_delivered_again() {
    let stack = lock_stack();
    for action in ["fail", "exit", "unknown", "empty", "misname", "malform"] {
        let (bad, good) = (format!("{action}-bad"), format!("{action}-good"));
        stack.write(&[(&bad, &format!("{action} 1")), (&good, "")]);
        stack.wait_for(&bad, 2);
        stack.wait_for_counts("ItemsQueue", EMPTY);
        for id in [bad, good] {
            assert_eq!(stack.records_of(&id).len(), 2, "{id}");
        }
    }
}

#[test]
fn a_response_without_failures_deletes_the_batch() {
    let stack = lock_stack();
    for action in ["null", "nothing"] {
        stack.send("ItemsQueue", action, action);
        stack.wait_for(action, 1);
        stack.wait_for_counts("ItemsQueue", EMPTY);
        assert_eq!(stack.records_of(action).len(), 1, "{action}");
    }
}

#[test]
fn the_batch_of_a_killed_instance_is_delivered_again() {
    let stack = lock_stack();
    stack.send("ItemsQueue", "killed", "wait 1");
    stack.wait_for("killed", 1);
    kill_instances(&stack.stack);
    assert_eq!(stack.wait_for("killed", 2).len(), 2);
    stack.wait_for_counts("ItemsQueue", EMPTY);
}

#[test]
fn a_delayed_message_is_not_delivered_before_its_delay() {
    let stack = lock_stack();
    let start = Instant::now();
    // The mapping does not enable partial batch responses, so the message is deleted although it is reported.
    stack.send("DelayedQueue", "late", "report");
    assert_eq!(stack.counts("DelayedQueue"), [0, 1, 0]);
    stack.wait_for("late", 1);
    assert!(start.elapsed() >= Duration::from_secs(2));
    stack.wait_for_counts("DelayedQueue", EMPTY);
    assert_eq!(stack.records_of("late").len(), 1);
}

#[test]
fn a_failing_message_is_moved_to_the_dead_letter_queue_and_a_task_moves_it_back() {
    let stack = lock_stack();
    stack.send("ItemsQueue", "dead", "report");
    stack.wait_for_counts("FailuresQueue", [1, 0, 0]);
    let records = stack.records_of("dead");
    assert_eq!(records.len(), 3);
    let input = json!({ "VisibilityTimeout": 0, "MessageSystemAttributeNames": ["All"] });
    let output = stack.sqs("ReceiveMessage", "FailuresQueue", input);
    let message = &output["Messages"][0];
    assert_eq!(message["Body"], records[0]["body"]);
    assert_eq!(message["MessageId"], records[0]["messageId"]);
    assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "4");

    let source = "arn:aws:sqs:us-east-1:000000000000:FailuresQueue";
    let task = json!({ "SourceArn": source });
    let output = stack.stack.sqs("StartMessageMoveTask", &task);
    assert!(output.expect("the task starts")["TaskHandle"].is_string());
    assert_eq!(stack.counts("FailuresQueue"), EMPTY);
    let again = stack.wait_for("dead", 4).remove(3);
    assert_eq!(again["attributes"]["ApproximateReceiveCount"], "1");
    assert_ne!(again["messageId"], records[0]["messageId"]);
    // Otherwise, it would fail again.
    let handle = json!({ "ReceiptHandle": again["receiptHandle"] });
    stack.sqs("DeleteMessage", "ItemsQueue", handle);
    stack.wait_for_counts("ItemsQueue", EMPTY);
}

#[test]
fn a_message_sent_directly_to_the_dead_letter_queue_is_moved_only_to_a_given_destination() {
    let stack = lock_stack();
    stack.send("FailuresQueue", "sent", "");
    let arn = |queue: &str| format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
    let start_task = |mut task: serde_json::Value| {
        task["SourceArn"] = json!(arn("FailuresQueue"));
        let output = stack.stack.sqs("StartMessageMoveTask", &task);
        output.expect("the task starts");
    };
    start_task(json!({}));
    assert_eq!(stack.counts("FailuresQueue"), [1, 0, 0]);
    start_task(json!({ "DestinationArn": arn("ItemsQueue") }));
    assert_eq!(stack.counts("FailuresQueue"), EMPTY);
    assert_eq!(id_of(&stack.wait_for("sent", 1)[0]), "sent");
    stack.wait_for_counts("ItemsQueue", EMPTY);
}
