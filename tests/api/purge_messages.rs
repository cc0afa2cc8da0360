use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use local::{DynamoDb, DynamoDbProxy, Instance, Options, Reply, Stack};
use serde_json::{Value, json};

use crate::support::{Client, options, stack, start_proxy, text, wait_for};

/// How long a purge may take on a busy machine.
const PURGE_TIMEOUT: Duration = Duration::from_secs(40);

/// Stores this many messages in a conversation.
fn write_messages(dynamodb: &DynamoDb, conversation_id: &str, count: usize) {
    let put = |id: usize| {
        json!({ "PutRequest": { "Item": {
            "conversation_id": { "S": conversation_id },
            "id": { "S": format!("{id:016}") },
            // Ten thousand of these are more than one query reads.
            "text": { "S": "Meet you at the bar. ".repeat(10) },
        } } })
    };
    let ids: Vec<_> = (0..count).collect();
    for ids in ids.chunks(25) {
        let puts: Vec<_> = ids.iter().map(|id| put(*id)).collect();
        let input = json!({ "RequestItems": { "MessagesTable": puts } });
        dynamodb
            .call("BatchWriteItem", &input)
            .expect("the messages are stored");
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
        let page = dynamodb.call("Query", &input).expect("the table is read");
        count += page["Count"].as_u64().expect("`Count` is a number");
        start = page["LastEvaluatedKey"].clone();
        if start.is_null() {
            return count;
        }
    }
}

/// Creates a group and returns its path and the id of its conversation.
fn create_group(client: &Client) -> (String, String) {
    let path = client.create("a");
    let conversation_id = text(&client.get(&path).group(200)["conversation_id"]);
    (path, conversation_id)
}

/// Builds a message of the queue, as Lambda passes it to the function.
fn build_message(id: &str, conversation_id: &str) -> Value {
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

/// Invokes the function with messages and a time-out, and returns the sorted ids of the messages that it reports.
fn purge(instance: &mut Instance, messages: &[Value], timeout: Duration) -> Vec<String> {
    let begun = Instant::now();
    let output = instance.invoke_within(&json!({ "Records": messages }), timeout);
    let report = output.expect("the function succeeds");
    let duration = begun.elapsed();
    assert!(duration < timeout, "{duration:?} of {timeout:?}");
    let failures = report["batchItemFailures"].as_array();
    let ids: BTreeSet<_> = failures
        .expect("`batchItemFailures` is an array")
        .iter()
        .map(|failure| text(&failure["itemIdentifier"]))
        .collect();
    ids.into_iter().collect()
}

/// Starts an instance of the function that uses this proxy.
fn start_instance(proxy: &DynamoDbProxy) -> Instance {
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())];
    let instance = stack().instance("purge-messages", &variables);
    instance.expect("the instance starts")
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_messages_of_a_deleted_group_are_deleted_and_those_of_another_group_are_not() {
    let (client, dynamodb) = (Client::new(), stack().dynamodb());
    let (path, conversation_id) = create_group(&client);
    let (other_path, other) = create_group(&client);
    write_messages(dynamodb, &conversation_id, 60);
    write_messages(dynamodb, &other, 30);
    // If the pipe sent updates too, the messages of the other group would be purged first.
    for path in [&other_path, &path] {
        client.put(path, &json!({ "archived_at": 1 })).group(200);
    }
    assert_eq!(client.delete(&path).status, 204);
    // The messages service may still be writing while the queue delays its message.
    wait_for("the message in the queue", PURGE_TIMEOUT, || {
        let delayed = queue_attribute(stack(), "PurgeQueue", "ApproximateNumberOfMessagesDelayed");
        (delayed > 0).then_some(())
    });
    assert_eq!(
        count_messages(dynamodb, &conversation_id),
        60,
        "nothing is deleted before the delay"
    );
    write_messages(dynamodb, &conversation_id, 61);
    wait_for("the purge", PURGE_TIMEOUT, || {
        (count_messages(dynamodb, &conversation_id) == 0).then_some(())
    });
    assert_eq!(count_messages(dynamodb, &other), 30);
}

#[test]
fn messages_may_be_delivered_twice_and_in_any_order() {
    let dynamodb = stack().dynamodb();
    let conversations = [0, 1].map(|_| create_group(&Client::new()).1);
    let [first, second] = &conversations;
    for id in &conversations {
        write_messages(dynamodb, id, 30);
    }
    let proxy = start_proxy("purge-messages", |_| Reply::Pass);
    let mut instance = start_instance(&proxy);
    let messages = [
        build_message("1", second),
        build_message("2", first),
        build_message("3", second),
        build_message("2", first),
    ];
    for _ in 0..2 {
        assert_eq!(purge(&mut instance, &messages, MINUTE), [""; 0]);
        for id in &conversations {
            assert_eq!(count_messages(dynamodb, id), 0);
        }
    }
}

#[test]
fn a_malformed_message_is_reported_and_does_not_delay_others() {
    let dynamodb = stack().dynamodb();
    let (_, conversation_id) = create_group(&Client::new());
    write_messages(dynamodb, &conversation_id, 30);
    let proxy = start_proxy("purge-messages", |_| Reply::Pass);
    let mut instance = start_instance(&proxy);
    let mut malformed = build_message("malformed", "");
    malformed["body"] = json!("junk");
    let messages = [
        malformed,
        build_message("not an id", "x"),
        build_message("good", &conversation_id),
    ];
    assert_eq!(
        purge(&mut instance, &messages, MINUTE),
        ["malformed", "not an id"]
    );
    assert_eq!(count_messages(dynamodb, &conversation_id), 0);
    let log = instance.log();
    assert!(
        log.contains("`conversation_id` is `x`, which is not an id"),
        "{log}"
    );
}

#[test]
fn throttling_is_not_an_error_and_does_not_delay_other_conversations() {
    let dynamodb = stack().dynamodb();
    let conversations = [0, 1, 2].map(|_| create_group(&Client::new()).1);
    for id in &conversations {
        write_messages(dynamodb, id, 60);
    }
    let [throttled, slow, healthy] = conversations.clone();
    let (queries, writes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let is_recovered = Arc::new(AtomicBool::new(false));
    let proxy = {
        let (queries, writes, is_recovered) =
            (queries.clone(), writes.clone(), is_recovered.clone());
        start_proxy("purge-messages", move |request| {
            let input = request.input.to_string();
            let throttle = Reply::error(400, "ProvisionedThroughputExceededException", "a secret");
            if is_recovered.load(Ordering::SeqCst) {
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
    let mut instance = start_instance(&proxy);
    let messages: Vec<_> = ["1", "2", "3"]
        .iter()
        .zip([&conversations[0], &conversations[1], &healthy])
        .map(|(id, conversation)| build_message(id, conversation))
        .collect();
    let begun = Instant::now();
    let timeout = Duration::from_secs(8);
    assert_eq!(purge(&mut instance, &messages, timeout), ["1", "2"]);
    // It retries until the deadline, two seconds before the time-out.
    assert!(
        begun.elapsed() > Duration::from_secs(5),
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
    is_recovered.store(true, Ordering::SeqCst);
    assert_eq!(purge(&mut instance, &messages, MINUTE), [""; 0]);
    for id in &conversations {
        assert_eq!(count_messages(dynamodb, id), 0);
    }
}

#[test]
fn it_returns_before_its_time_out_whatever_dynamodb_replies() {
    let dynamodb = stack().dynamodb();
    let (_, conversation_id) = create_group(&Client::new());
    write_messages(dynamodb, &conversation_id, 30);
    for reply in [
        Reply::NoResponse,
        Reply::Close,
        Reply::error(400, "ThrottlingException", "a secret"),
        Reply::error(500, "InternalServerError", "a secret"),
    ] {
        for operation in ["Query", "BatchWriteItem"] {
            let reply = reply.clone();
            let proxy = start_proxy("purge-messages", move |request| {
                if request.operation == operation {
                    reply.clone()
                } else {
                    Reply::Pass
                }
            });
            let mut instance = start_instance(&proxy);
            let messages = [build_message("1", &conversation_id)];
            let failures = purge(&mut instance, &messages, Duration::from_millis(3_500));
            assert_eq!(failures, ["1"], "{operation}");
        }
    }
    assert_eq!(count_messages(dynamodb, &conversation_id), 30);
}

#[test]
fn items_that_dynamodb_throttles_or_does_not_process_are_sent_again() {
    let dynamodb = stack().dynamodb();
    let (_, conversation_id) = create_group(&Client::new());
    // One batch, which fails more often than a request of an endpoint may.
    write_messages(dynamodb, &conversation_id, 25);
    let attempts = AtomicUsize::new(0);
    let proxy = start_proxy("purge-messages", move |request| {
        if request.operation != "BatchWriteItem" {
            return Reply::Pass;
        }
        match attempts.fetch_add(1, Ordering::SeqCst) {
            0 | 2 => {
                let unprocessed = json!({ "UnprocessedItems": request.input["RequestItems"] });
                Reply::Respond(200, unprocessed.to_string())
            }
            1 | 3 => Reply::error(400, "ThrottlingException", "a secret"),
            _ => Reply::Pass,
        }
    });
    let messages = [build_message("1", &conversation_id)];
    assert_eq!(
        purge(&mut start_instance(&proxy), &messages, MINUTE),
        [""; 0]
    );
    assert_eq!(proxy.intercepted(), 4);
    assert_eq!(count_messages(dynamodb, &conversation_id), 0);
}

#[test]
fn a_conversation_may_need_any_number_of_invocations() {
    let dynamodb = stack().dynamodb();
    let (_, conversation_id) = create_group(&Client::new());
    write_messages(dynamodb, &conversation_id, 2_000);
    // DynamoDB throttles the rest of an invocation after 20 batches.
    let batches = Arc::new(AtomicUsize::new(0));
    let count = batches.clone();
    let proxy = start_proxy("purge-messages", move |request| {
        if request.operation == "BatchWriteItem" && count.fetch_add(1, Ordering::SeqCst) >= 20 {
            return Reply::error(400, "ThrottlingException", "a secret");
        }
        Reply::Pass
    });
    let mut instance = start_instance(&proxy);
    let messages = [build_message("1", &conversation_id)];
    let mut invocations = 1;
    let mut left = count_messages(dynamodb, &conversation_id);
    while purge(&mut instance, &messages, Duration::from_secs(4)) == ["1"] {
        let now = count_messages(dynamodb, &conversation_id);
        assert!(
            now < left,
            "each invocation deletes messages: {now} of {left} are left"
        );
        left = now;
        invocations += 1;
        batches.store(0, Ordering::SeqCst);
    }
    assert!(invocations > 2, "{invocations}");
    assert_eq!(count_messages(dynamodb, &conversation_id), 0);
}

/// Starts a stack whose queue delivers a message again after two seconds, and at most three times.
fn start_impatient_stack() -> Stack {
    let template = Options::default().template;
    let mut text = fs::read_to_string(template).expect("the template is read");
    for (from, to) in [
        ("VisibilityTimeout: 1800", "VisibilityTimeout: 2"),
        ("maxReceiveCount: 200", "maxReceiveCount: 3"),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join("impatient.yaml");
    fs::write(&template, text).expect("the template is written");
    let stack = Stack::start(Options {
        template,
        ..options("impatient")
    });
    stack.expect("the stack starts")
}

/// Returns how many messages a queue has, invisible and delayed ones included.
fn count_queued(stack: &Stack, queue: &str) -> u64 {
    [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    .map(|name| queue_attribute(stack, queue, name))
    .iter()
    .sum()
}

/// Returns the value of an attribute that is a number.
fn queue_attribute(stack: &Stack, queue: &str, name: &str) -> u64 {
    let input = json!({ "QueueUrl": queue_url(stack, queue), "AttributeNames": [name] });
    let output = stack
        .sqs("GetQueueAttributes", &input)
        .expect("the attributes are read");
    let value = text(&output["Attributes"][name]);
    value.parse().expect("the attribute is a number")
}

fn queue_url(stack: &Stack, queue: &str) -> String {
    let output = stack.sqs("GetQueueUrl", &json!({ "QueueName": queue }));
    text(&output.expect("the queue exists")["QueueUrl"])
}

#[test]
fn a_purge_survives_kills_and_one_command_replays_purges_that_failed() {
    let stack = start_impatient_stack();
    let dynamodb = stack.dynamodb();
    let token = stack.issue_token("acme").expect("a token is issued");
    let client = Client::with_token("acme", &token, stack.url());
    let (path, killed) = create_group(&client);
    write_messages(dynamodb, &killed, 10_000);
    assert_eq!(client.delete(&path).status, 204);
    wait_for("the start of the purge", PURGE_TIMEOUT, || {
        (count_messages(dynamodb, &killed) < 9_000).then_some(())
    });
    for process in stack.process_ids("purge-messages") {
        let killed = Command::new("kill")
            .args(["-KILL", &process.to_string()])
            .status();
        assert!(killed.expect("kill runs").success());
    }
    assert!(
        count_messages(dynamodb, &killed) > 0,
        "it is killed before it has finished"
    );
    wait_for("the rest of the purge", PURGE_TIMEOUT, || {
        (count_messages(dynamodb, &killed) == 0).then_some(())
    });

    // The table of messages is deleted, so that each attempt fails, and then created again.
    let (path, failed) = create_group(&client);
    let table = json!({ "TableName": "MessagesTable" });
    dynamodb
        .call("DeleteTable", &table)
        .expect("the table is deleted");
    assert_eq!(client.delete(&path).status, 204);
    wait_for("the failures queue", PURGE_TIMEOUT, || {
        (count_queued(&stack, "PurgeFailuresQueue") == 1).then_some(())
    });
    assert_eq!(count_queued(&stack, "PurgeQueue"), 0);
    let template = local::Template::read(&Options::default().template, &[]);
    let template = template.expect("the template is read");
    dynamodb
        .create_tables(&template)
        .expect("the table is created");
    write_messages(dynamodb, &failed, 30);
    let source = "arn:aws:sqs:us-east-1:000000000000:PurgeFailuresQueue";
    let moved = stack.sqs("StartMessageMoveTask", &json!({ "SourceArn": source }));
    moved.expect("the task starts");
    wait_for("the replay", PURGE_TIMEOUT, || {
        (count_messages(dynamodb, &failed) == 0).then_some(())
    });
    wait_for("the queues to be empty", PURGE_TIMEOUT, || {
        let left = ["PurgeQueue", "PurgeFailuresQueue"].map(|queue| count_queued(&stack, queue));
        (left == [0, 0]).then_some(())
    });
}
