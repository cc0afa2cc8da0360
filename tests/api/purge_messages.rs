use std::{process::Command, time::Duration};

use local::Reply;
use serde_json::{Value, json};

use crate::support::{Client, endpoint, stack, text, wait_for};

/// How long a purge may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// Writes this many messages into a conversation.
fn write_messages(conversation_id: &str, count: usize) {
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
        stack()
            .dynamodb()
            .call("BatchWriteItem", &input)
            .expect("messages are written");
    }
}

fn count_messages(conversation_id: &str) -> u64 {
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
        let page = stack()
            .dynamodb()
            .call("Query", &input)
            .expect("the table answers");
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

/// A record of the stream, as Lambda hands it over.
fn record(sequence_number: usize, conversation_id: &str) -> Value {
    json!({
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1768244638,
            "Keys": { "account_id": { "S": "acme" }, "id": { "S": "L7cGNIBKZiNJ6wqF" } },
            "OldImage": {
                "account_id": { "S": "acme" },
                "id": { "S": "L7cGNIBKZiNJ6wqF" },
                "conversation_id": { "S": conversation_id },
                "created_at": { "N": "692233200" },
            },
            "SequenceNumber": sequence_number.to_string(),
            "SizeBytes": 123,
            "StreamViewType": "OLD_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/groups/stream/2026-01-12T19:03:58.000",
    })
}

fn failures(failed: &[&str]) -> Value {
    let failed: Vec<_> = failed
        .iter()
        .map(|id| json!({ "itemIdentifier": id }))
        .collect();
    json!({ "batchItemFailures": failed })
}

#[test]
fn a_deleted_groups_messages_go_and_another_groups_stay() {
    let client = Client::new();
    let (path, conversation_id) = created(&client);
    let (_, other) = created(&client);
    write_messages(&conversation_id, 60);
    write_messages(&other, 30);
    client.put(&path, &json!({ "archived_at": 1 })).group(200);
    assert_eq!(
        count_messages(&conversation_id),
        60,
        "archiving deletes nothing"
    );
    assert_eq!(client.delete(&path).status, 204);
    wait_for("the purge", SOON, || {
        (count_messages(&conversation_id) == 0).then_some(())
    });
    assert_eq!(count_messages(&other), 30);
}

#[test]
fn ten_thousand_messages_go_although_the_purge_is_killed_half_way() {
    let client = Client::new();
    let (path, conversation_id) = created(&client);
    write_messages(&conversation_id, 10_000);
    assert_eq!(client.delete(&path).status, 204);
    wait_for("the purge's beginning", SOON, || {
        (count_messages(&conversation_id) < 9_000).then_some(())
    });
    let [process] = stack().process_ids("purge-messages")[..] else {
        panic!("there is one instance");
    };
    let killed = Command::new("kill")
        .args(["-KILL", &process.to_string()])
        .status();
    assert!(killed.expect("kill runs").success());
    let left = count_messages(&conversation_id);
    assert!(left > 0, "killed half way");
    wait_for("the rest of the purge", SOON, || {
        (count_messages(&conversation_id) == 0).then_some(())
    });
    let processes = stack().process_ids("purge-messages");
    assert!(!processes.contains(&process), "by another instance");
}

#[test]
fn running_it_twice_harms_nothing() {
    let (_, conversation_id) = created(&Client::new());
    write_messages(&conversation_id, 30);
    let mut instance = stack()
        .instance("purge-messages", &[])
        .expect("an instance");
    for _ in 0..2 {
        let event =
            json!({ "Records": [record(1, &conversation_id), record(2, &conversation_id)] });
        assert_eq!(instance.invoke(&event), Ok(failures(&[])));
        assert_eq!(count_messages(&conversation_id), 0);
    }
}

#[test]
fn only_deletions_by_callers_are_followed() {
    let (_, conversation_id) = created(&Client::new());
    write_messages(&conversation_id, 3);
    let of_kind = |kind: &str| {
        let mut record = record(1, &conversation_id);
        record["eventName"] = json!(kind);
        record
    };
    let mut by_ttl = record(1, &conversation_id);
    by_ttl["userIdentity"] = json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" });
    let mut instance = stack()
        .instance("purge-messages", &[])
        .expect("an instance");
    let event = json!({ "Records": [of_kind("INSERT"), of_kind("MODIFY"), by_ttl] });
    assert_eq!(instance.invoke(&event), Ok(failures(&[])));
    assert_eq!(count_messages(&conversation_id), 3);
}

#[test]
fn a_record_that_fails_is_reported_and_what_follows_it_is_left_to_the_stream() {
    let conversations = [0, 1, 2].map(|_| created(&Client::new()).1);
    conversations.iter().for_each(|id| write_messages(id, 2));
    let broken = conversations[1].clone();
    let endpoint = endpoint("purge-messages", move |request| {
        let of_broken = request.input.to_string().contains(&broken);
        if of_broken {
            Reply::error(400, "ThrottlingException", "a secret")
        } else {
            Reply::Pass
        }
    });
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url())];
    let mut instance = stack()
        .instance("purge-messages", &variables)
        .expect("an instance");
    let records: Vec<_> = conversations
        .iter()
        .enumerate()
        .map(|(i, id)| record(i + 100, id))
        .collect();
    assert_eq!(
        instance.invoke(&json!({ "Records": records })),
        Ok(failures(&["101"]))
    );
    assert_eq!(
        conversations.each_ref().map(|id| count_messages(id)),
        [0, 2, 2]
    );

    let mut senseless = record(7, "x");
    senseless["dynamodb"]["OldImage"] = json!({});
    for senseless in [senseless, record(7, "not an id")] {
        assert_eq!(
            instance.invoke(&json!({ "Records": [senseless] })),
            Ok(failures(&["7"]))
        );
    }
}

#[test]
fn it_stops_before_its_deadline_and_reports_the_record() {
    let (_, conversation_id) = created(&Client::new());
    write_messages(&conversation_id, 100);
    let mut instance = stack()
        .instance("purge-messages", &[])
        .expect("an instance");
    // Five seconds before the end it begins nothing new.
    let event = json!({ "Records": [record(5, &conversation_id)] });
    let report = instance.invoke_within(&event, Duration::from_secs(5));
    assert_eq!(report, Ok(failures(&["5"])));
    assert_eq!(count_messages(&conversation_id), 100);
    assert_eq!(instance.invoke(&event), Ok(failures(&[])));
    assert_eq!(count_messages(&conversation_id), 0);
}

#[test]
fn what_dynamodb_leaves_unprocessed_is_sent_again() {
    let (_, conversation_id) = created(&Client::new());
    write_messages(&conversation_id, 60);
    let refused = std::sync::Mutex::new(4);
    let endpoint = endpoint("purge-messages", move |request| {
        let mut refused = refused.lock().expect("not poisoned");
        if request.operation != "BatchWriteItem" || *refused == 0 {
            return Reply::Pass;
        }
        *refused -= 1;
        Reply::Respond(
            200,
            json!({ "UnprocessedItems": request.input["RequestItems"] }).to_string(),
        )
    });
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url())];
    let mut instance = stack()
        .instance("purge-messages", &variables)
        .expect("an instance");
    let event = json!({ "Records": [record(1, &conversation_id)] });
    assert_eq!(instance.invoke(&event), Ok(failures(&[])));
    assert_eq!(
        (endpoint.intercepted(), count_messages(&conversation_id)),
        (4, 0)
    );
}
