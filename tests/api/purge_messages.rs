use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use local::{DynamoDb, DynamoDbProxy, Instance, Options, Reply, Stack};
use serde_json::{Value, json};

use crate::support::{Client, endpoint, options, stack, text, wait_for};

/// How long a purge may take on a busy machine.
const SOON: Duration = Duration::from_secs(40);

/// Writes this many messages into a conversation.
fn write_messages(dynamodb: &DynamoDb, conversation_id: &str, count: usize) {
    let put = |id: usize| {
        json!({ "PutRequest": { "Item": {
            "conversation_id": { "S": conversation_id },
            "id": { "S": format!("{id:016}") },
            // Ten thousand of them are more than one query reads.
            "text": { "S": "Meet you at the bar. ".repeat(10) },
        } } })
    };
    let ids: Vec<_> = (0..count).collect();
    for ids in ids.chunks(25) {
        let puts: Vec<_> = ids.iter().map(|id| put(*id)).collect();
        let input = json!({ "RequestItems": { "MessagesTable": puts } });
        dynamodb
            .call("BatchWriteItem", &input)
            .expect("messages are written");
    }
}

fn count_messages(dynamodb: &DynamoDb, conversation_id: &str) -> u64 {
    let (mut count, mut start) = (0, Value::Null);
    loop {
        let mut input = json!({
            "TableName": "MessagesTable",
            "Select": "COUNT",
            "ConsistentRead": true,
            "KeyConditionExpression": "conversation_id = :id",
            "ExpressionAttributeValues": { ":id": { "S": conversation_id } },
        });
        if !start.is_null() {
            input["ExclusiveStartKey"] = start;
        }
        let page = dynamodb.call("Query", &input).expect("the table answers");
        count += page["Count"].as_u64().expect("a count");
        start = page["LastEvaluatedKey"].clone();
        if start.is_null() {
            return count;
        }
    }
}

/// A group, by its path and its conversation.
fn created(client: &Client) -> (String, String) {
    let path = client.create("a");
    let conversation_id = text(&client.get(&path).group(200)["conversation_id"]);
    (path, conversation_id)
}

/// A message of the queue, as Lambda passes it to the function.
fn message(id: &str, conversation_id: &str) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": json!({ "conversation_id": conversation_id }).to_string(),
        "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1768244638000" },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:PurgeQueue",
        "awsRegion": "us-east-1",
    })
}

/// Invokes the function with messages, and returns the ids of those that are not done, sorted.
fn purge(instance: &mut Instance, messages: &[Value], time: Duration) -> Vec<String> {
    let begun = Instant::now();
    let report = instance.invoke_within(&json!({ "Records": messages }), time);
    let report = report.expect("a report");
    assert!(begun.elapsed() < time, "{:?} of {time:?}", begun.elapsed());
    let failures = report["batchItemFailures"].as_array().expect("a list");
    let ids: BTreeSet<_> = failures
        .iter()
        .map(|failure| text(&failure["itemIdentifier"]))
        .collect();
    ids.into_iter().collect()
}

/// An instance of the function behind this proxy.
fn instance(proxy: &DynamoDbProxy) -> Instance {
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())];
    let instance = stack().instance("purge-messages", &variables);
    instance.expect("an instance")
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_deleted_groups_messages_go_and_another_groups_stay() {
    let (client, dynamodb) = (Client::new(), stack().dynamodb());
    let (path, conversation_id) = created(&client);
    let (_, other) = created(&client);
    write_messages(dynamodb, &conversation_id, 60);
    write_messages(dynamodb, &other, 30);
    client.put(&path, &json!({ "archived_at": 1 })).group(200);
    assert_eq!(client.delete(&path).status, 204);
    // The messages service may still be writing.
    thread::sleep(Duration::from_secs(1));
    assert_eq!(
        count_messages(dynamodb, &conversation_id),
        60,
        "not before the delay"
    );
    write_messages(dynamodb, &conversation_id, 61);
    wait_for("the purge", SOON, || {
        (count_messages(dynamodb, &conversation_id) == 0).then_some(())
    });
    assert_eq!(count_messages(dynamodb, &other), 30);
}

#[test]
fn duplicates_and_any_order_harm_nothing() {
    let dynamodb = stack().dynamodb();
    let conversations = [0, 1].map(|_| created(&Client::new()).1);
    let [first, second] = &conversations;
    for id in &conversations {
        write_messages(dynamodb, id, 30);
    }
    let proxy = endpoint("purge-messages", |_| Reply::Pass);
    let mut instance = instance(&proxy);
    let messages = [
        message("1", second),
        message("2", first),
        message("3", second),
        message("2", first),
    ];
    for _ in 0..2 {
        assert_eq!(purge(&mut instance, &messages, MINUTE), [""; 0]);
        for id in &conversations {
            assert_eq!(count_messages(dynamodb, id), 0);
        }
    }
}

#[test]
fn a_message_that_is_not_understood_is_reported_and_holds_up_no_other() {
    let dynamodb = stack().dynamodb();
    let (_, conversation_id) = created(&Client::new());
    write_messages(dynamodb, &conversation_id, 30);
    let proxy = endpoint("purge-messages", |_| Reply::Pass);
    let mut instance = instance(&proxy);
    let mut junk = message("junk", "");
    junk["body"] = json!("junk");
    let messages = [
        junk,
        message("not an id", "x"),
        message("good", &conversation_id),
    ];
    assert_eq!(
        purge(&mut instance, &messages, MINUTE),
        ["junk", "not an id"]
    );
    assert_eq!(count_messages(dynamodb, &conversation_id), 0);
    let log = instance.log();
    assert!(
        log.contains("`conversation_id` is `x`, which is not an id"),
        "{log}"
    );
}

#[test]
fn throttling_is_no_error_and_holds_up_no_other_conversation() {
    let dynamodb = stack().dynamodb();
    let conversations = [0, 1, 2].map(|_| created(&Client::new()).1);
    for id in &conversations {
        write_messages(dynamodb, id, 60);
    }
    let [throttled, slow, healthy] = conversations.clone();
    let (queries, writes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let is_over = Arc::new(AtomicBool::new(false));
    let proxy = {
        let (queries, writes, is_over) = (queries.clone(), writes.clone(), is_over.clone());
        endpoint("purge-messages", move |request| {
            let input = request.input.to_string();
            let throttle = Reply::error(400, "ProvisionedThroughputExceededException", "a secret");
            if is_over.load(Ordering::SeqCst) {
                Reply::Pass
            } else if input.contains(&throttled) {
                queries.fetch_add(1, Ordering::SeqCst);
                throttle
            } else if input.contains(&slow) && request.operation == "BatchWriteItem" {
                writes.fetch_add(1, Ordering::SeqCst);
                throttle
            } else {
                Reply::Pass
            }
        })
    };
    let mut instance = instance(&proxy);
    let ids: Vec<_> = ["1", "2", "3"]
        .iter()
        .zip([&conversations[0], &conversations[1], &healthy])
        .map(|(id, conversation)| message(id, conversation))
        .collect();
    let begun = Instant::now();
    let time = Duration::from_secs(8);
    assert_eq!(purge(&mut instance, &ids, time), ["1", "2"]);
    // Not given up before the deadline, but for the last wait.
    assert!(
        begun.elapsed() > Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        conversations
            .each_ref()
            .map(|id| count_messages(dynamodb, id)),
        [60, 60, 0]
    );
    for attempts in [queries, writes] {
        let attempts = attempts.load(Ordering::SeqCst);
        assert!(
            (4..=40).contains(&attempts),
            "{attempts} attempts with backoff"
        );
    }
    is_over.store(true, Ordering::SeqCst);
    assert_eq!(purge(&mut instance, &ids, MINUTE), [""; 0]);
    for id in &conversations {
        assert_eq!(count_messages(dynamodb, id), 0);
    }
}

#[test]
fn it_returns_before_its_time_out_whatever_dynamodb_does() {
    let dynamodb = stack().dynamodb();
    let (_, conversation_id) = created(&Client::new());
    write_messages(dynamodb, &conversation_id, 30);
    for reply in [
        Reply::NoResponse,
        Reply::Close,
        Reply::error(400, "ThrottlingException", "a secret"),
        Reply::error(500, "InternalServerError", "a secret"),
    ] {
        for operation in ["Query", "BatchWriteItem"] {
            let reply = reply.clone();
            let proxy = endpoint("purge-messages", move |request| {
                if request.operation == operation {
                    reply.clone()
                } else {
                    Reply::Pass
                }
            });
            let mut instance = instance(&proxy);
            let messages = [message("1", &conversation_id)];
            let time = Duration::from_millis(3_500);
            assert_eq!(purge(&mut instance, &messages, time), ["1"], "{operation}");
        }
    }
    assert_eq!(count_messages(dynamodb, &conversation_id), 30);
}

#[test]
fn what_dynamodb_leaves_unprocessed_is_sent_again() {
    let dynamodb = stack().dynamodb();
    let (_, conversation_id) = created(&Client::new());
    write_messages(dynamodb, &conversation_id, 60);
    let refused = AtomicUsize::new(0);
    let proxy = endpoint("purge-messages", move |request| {
        if request.operation == "BatchWriteItem" && refused.fetch_add(1, Ordering::SeqCst) < 4 {
            let unprocessed = json!({ "UnprocessedItems": request.input["RequestItems"] });
            return Reply::Respond(200, unprocessed.to_string());
        }
        Reply::Pass
    });
    let messages = [message("1", &conversation_id)];
    assert_eq!(purge(&mut instance(&proxy), &messages, MINUTE), [""; 0]);
    assert_eq!(proxy.intercepted(), 4);
    assert_eq!(count_messages(dynamodb, &conversation_id), 0);
}

#[test]
fn a_conversation_may_need_any_number_of_invocations() {
    let dynamodb = stack().dynamodb();
    let (_, conversation_id) = created(&Client::new());
    write_messages(dynamodb, &conversation_id, 2_000);
    let proxy = endpoint("purge-messages", |request| {
        if request.operation == "BatchWriteItem" {
            thread::sleep(Duration::from_millis(300));
        }
        Reply::Pass
    });
    let mut instance = instance(&proxy);
    let messages = [message("1", &conversation_id)];
    let mut invocations = 1;
    let mut left = count_messages(dynamodb, &conversation_id);
    while purge(&mut instance, &messages, Duration::from_secs(4)) == ["1"] {
        let now = count_messages(dynamodb, &conversation_id);
        assert!(now < left, "each invocation deletes some: {now} of {left}");
        left = now;
        invocations += 1;
    }
    assert!(invocations > 2, "{invocations}");
    assert_eq!(count_messages(dynamodb, &conversation_id), 0);
}

/// A stack of its own, whose queue delivers again after two seconds, and gives up after three times.
fn impatient_stack() -> Stack {
    let template = Options::default().template;
    let mut text = fs::read_to_string(template).expect("the template can be read");
    for (from, to) in [
        ("VisibilityTimeout: 1800", "VisibilityTimeout: 2"),
        ("maxReceiveCount: 200", "maxReceiveCount: 3"),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join("impatient.yaml");
    fs::write(&template, text).expect("it can be written");
    let stack = Stack::start(Options {
        template,
        ..options("impatient")
    });
    stack.expect("the stack starts")
}

/// How many messages a queue has, hidden ones included.
fn queue_length(stack: &Stack, queue: &str) -> u64 {
    let input = json!({ "QueueUrl": queue_url(stack, queue), "AttributeNames": ["All"] });
    let output = stack.sqs("GetQueueAttributes", &input).expect("attributes");
    let attribute = |name: &str| -> u64 {
        let value = text(&output["Attributes"][name]);
        value.parse().expect("a number")
    };
    attribute("ApproximateNumberOfMessages")
        + attribute("ApproximateNumberOfMessagesNotVisible")
        + attribute("ApproximateNumberOfMessagesDelayed")
}

fn queue_url(stack: &Stack, queue: &str) -> String {
    let output = stack.sqs("GetQueueUrl", &json!({ "QueueName": queue }));
    text(&output.expect("a URL")["QueueUrl"])
}

#[test]
fn a_purge_survives_kills_and_what_keeps_failing_is_replayed_with_one_command() {
    let stack = impatient_stack();
    let dynamodb = stack.dynamodb();
    let token = stack.issue_token("acme").expect("a token");
    let client = Client::with_token("acme", &token, stack.url());
    let (path, killed) = created(&client);
    write_messages(dynamodb, &killed, 10_000);
    assert_eq!(client.delete(&path).status, 204);
    wait_for("the purge's beginning", SOON, || {
        (count_messages(dynamodb, &killed) < 9_000).then_some(())
    });
    for process in stack.process_ids("purge-messages") {
        let killed = Command::new("kill")
            .args(["-KILL", &process.to_string()])
            .status();
        assert!(killed.expect("kill runs").success());
    }
    assert!(count_messages(dynamodb, &killed) > 0, "killed half way");
    wait_for("the rest of the purge", SOON, || {
        (count_messages(dynamodb, &killed) == 0).then_some(())
    });

    // The table of messages disappears, so that each attempt fails, and comes back.
    let (path, failed) = created(&client);
    let table = json!({ "TableName": "MessagesTable" });
    dynamodb.call("DeleteTable", &table).expect("it is deleted");
    assert_eq!(client.delete(&path).status, 204);
    wait_for("the failures queue", SOON, || {
        (queue_length(&stack, "PurgeFailuresQueue") == 1).then_some(())
    });
    assert_eq!(queue_length(&stack, "PurgeQueue"), 0);
    let template = local::Template::read(&Options::default().template, &[]);
    let template = template.expect("the template can be read");
    dynamodb.create_tables(&template).expect("it is created");
    write_messages(dynamodb, &failed, 30);
    let source = "arn:aws:sqs:us-east-1:000000000000:PurgeFailuresQueue";
    let moved = stack.sqs("StartMessageMoveTask", &json!({ "SourceArn": source }));
    moved.expect("a task");
    wait_for("the replay", SOON, || {
        (count_messages(dynamodb, &failed) == 0).then_some(())
    });
    wait_for("the queues to be empty", SOON, || {
        let left = ["PurgeQueue", "PurgeFailuresQueue"].map(|queue| queue_length(&stack, queue));
        (left == [0, 0]).then_some(())
    });
}
