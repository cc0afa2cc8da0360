use std::{
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use local::Reply;
use serde_json::{Value, json};

use crate::support::{
    Client, Response, build_event, invoke, now, stack, start_instance, start_proxy, text,
};

const DAY: i64 = 24 * 60 * 60;

fn create(client: &Client, key: &str, name: &str) -> Response {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    client.send(
        "POST",
        "/v1/groups",
        &headers,
        json!({ "name": name }).to_string(),
    )
}

/// Checks that the response `again` is a replay of `first`.
fn assert_replayed(first: &Response, again: &Response) {
    assert_eq!((again.status, &again.body), (201, &first.body));
    for header in ["location", "etag"] {
        assert_eq!(again.headers[header], first.headers[header]);
    }
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert!(!first.headers.contains_key("idempotent-replayed"));
}

fn count_groups(client: &Client) -> usize {
    client.get("/v1/groups?limit=100").ids().0.len()
}

/// Returns the stored idempotency keys of an account.
fn read_keys(account_id: &str) -> Vec<Value> {
    let input = json!({
        "TableName": "IdempotencyTable",
        "KeyConditionExpression": "account_id = :account_id",
        "ExpressionAttributeValues": { ":account_id": { "S": account_id } },
    });
    let found = stack()
        .dynamodb()
        .call("Query", &input)
        .expect("the table is read");
    found["Items"]
        .as_array()
        .expect("`Items` is an array")
        .clone()
}

#[test]
fn the_same_key_and_body_create_one_group_and_get_the_same_response() {
    let client = Client::new();
    let first = create(&client, "8e03978e", "a");
    let group = first.group(201);
    assert_replayed(&first, &create(&client, "8e03978e", "a"));
    assert_replayed(&first, &create(&client, "\"8e03978e\"", "a"));
    assert_eq!(count_groups(&client), 1);

    let path = &first.headers["location"];
    client.put(path, &json!({ "name": "changed" })).group(200);
    assert_replayed(&first, &create(&client, "8e03978e", "a"));
    assert_eq!(client.delete(path).status, 204);
    assert_replayed(&first, &create(&client, "8e03978e", "a"));
    assert_eq!(
        (count_groups(&client), text(&group["name"])),
        (0, "a".to_owned())
    );
}

#[test]
fn the_same_key_with_another_body_is_422() {
    let client = Client::new();
    let first = create(&client, "k", "a");
    create(&client, "k", "b").assert_error(422, "idempotency_key_reused", None);
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let spaced = client.send("POST", "/v1/groups", &headers, r#"{"name":  "a"}"#);
    spaced.assert_error(422, "idempotency_key_reused", None);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("idempotency-key", "k"),
    ];
    let form = client.send("POST", "/v1/groups", &headers, "name=a");
    form.assert_error(422, "idempotency_key_reused", None);
    assert_eq!(count_groups(&client), 1);
    assert_replayed(&first, &create(&client, "k", "a"));
}

#[test]
fn a_rejected_request_does_not_use_its_key() {
    let client = Client::new();
    create(&client, "k", "").assert_error(400, "invalid", Some("name"));
    create(&client, "k", "a").group(201);
    create(&client, "k", "").assert_error(400, "invalid", Some("name"));
}

#[test]
fn two_accounts_may_use_the_same_key() {
    let (client, stranger) = (Client::new(), Client::new());
    let (first, other) = (create(&client, "k", "a"), create(&stranger, "k", "b"));
    assert_ne!(first.group(201)["id"], other.group(201)["id"]);
}

#[test]
fn a_key_is_remembered_for_one_day_even_if_dynamodb_deletes_it_later() {
    let client = Client::new();
    let first = create(&client, "k", "a");
    let [item] = read_keys(&client.account_id)
        .try_into()
        .expect("one key is stored");
    let expires_at: i64 = text(&item["expires_at"]["N"]).parse().expect("a number");
    assert!(
        (now() + DAY - 60..=now() + DAY).contains(&expires_at),
        "{item}"
    );
    let sha_256_of_k = "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a";
    assert_eq!(
        item["key_hash"],
        json!({ "S": sha_256_of_k }),
        "only the hash of the key is stored"
    );
    let set_expiry = |at: i64| {
        let update = json!({
            "TableName": "IdempotencyTable",
            "Key": { "account_id": item["account_id"], "key_hash": item["key_hash"] },
            "UpdateExpression": "SET expires_at = :at",
            "ExpressionAttributeValues": { ":at": { "N": at.to_string() } },
        });
        stack()
            .dynamodb()
            .call("UpdateItem", &update)
            .expect("the item is updated");
    };
    set_expiry(now() + 60);
    assert_replayed(&first, &create(&client, "k", "a"));
    set_expiry(now());
    let second = create(&client, "k", "b");
    assert_ne!(second.group(201)["id"], first.group(201)["id"]);
    assert_replayed(&second, &create(&client, "k", "b"));
}

#[test]
fn an_invalid_key_is_400_and_other_endpoints_ignore_it() {
    let client = Client::new();
    let longest = "x".repeat(255);
    create(&client, &longest, "a").group(201);
    for key in ["a b", "\"a", "a\\b", "\"\"", &format!("{longest}x")] {
        create(&client, key, "a").assert_error(400, "invalid", Some("Idempotency-Key"));
    }
    create(&client, "a,b", "a").assert_error(400, "repeated", Some("Idempotency-Key"));
    create(&client, "\"a,b\"", "a").group(201);
    assert_eq!(count_groups(&client), 2);
    let path = client.create("b");
    let invalid = ("idempotency-key", "a,b");
    client.send("GET", "/v1/groups", &[invalid], "").page();
    client.send("GET", &path, &[invalid], "").group(200);
    client.send("PUT", &path, &[invalid], "").group(200);
    assert_eq!(client.send("DELETE", &path, &[invalid], "").status, 204);
}

#[test]
fn the_largest_group_fits_into_the_table_of_idempotency_keys_too() {
    let client = Client::new();
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let body = json!({
        "name": "🦀".repeat(256),
        "description": "\"".repeat(4_096),
        "avatar_url": format!("https://a.example/{}", "x".repeat(2_030)),
        "contacts": crate::create_group::contacts_of_bytes(350_000),
    });
    let first = client.send("POST", "/v1/groups", &headers, body.to_string());
    first.group(201);
    assert_replayed(
        &first,
        &client.send("POST", "/v1/groups", &headers, body.to_string()),
    );
}

#[test]
fn fifty_concurrent_requests_with_one_key_create_one_group_and_get_equal_responses() {
    let client = Client::new();
    let responses: Vec<_> = thread::scope(|scope| {
        let requests: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| create(&client, "k", "a")))
            .collect();
        requests
            .into_iter()
            .map(|request| request.join().expect("the request ends"))
            .collect()
    });
    let firsts: Vec<_> = responses
        .iter()
        .filter(|a| !a.headers.contains_key("idempotent-replayed"))
        .collect();
    assert_eq!(firsts.len(), 1);
    for response in &responses {
        assert_eq!(
            (response.status, &response.body),
            (201, &firsts[0].body),
            "{response:?}"
        );
        assert_eq!(response.headers["etag"], firsts[0].headers["etag"]);
    }
    assert_eq!(count_groups(&client), 1);
}

fn build_create(client: &Client, key: &str) -> Value {
    let mut event = build_event("create-group", &client.token);
    event["headers"]["idempotency-key"] = json!(key);
    event["body"] = json!(r#"{"name":"a"}"#);
    event
}

#[test]
fn a_conflict_of_transactions_is_retried_by_the_function() {
    // DynamoDB Local never cancels a transaction because of a conflict, so the proxy does it twice.
    let client = Client::new();
    let conflicts_left = Mutex::new(2);
    let proxy = start_proxy("create-group", move |request| {
        let mut left = conflicts_left.lock().expect("not poisoned");
        if request.operation != "TransactWriteItems" || *left == 0 {
            return Reply::Pass;
        }
        *left -= 1;
        let cancelled = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "message": "Transaction cancelled [TransactionConflict, None]",
            "CancellationReasons": [{ "Code": "TransactionConflict", "Message": "" }, { "Code": "None" }],
        });
        Reply::Respond(400, cancelled.to_string())
    });
    let mut instance = start_instance("create-group", proxy.url());
    let (first, _) = invoke(&mut instance, &build_create(&client, "k"));
    first.group(201);
    assert_eq!(proxy.intercepted(), 2);
    assert_replayed(&first, &create(&client, "k", "a"));
}

#[test]
fn killing_the_function_leaves_both_the_group_and_the_key_or_neither() {
    for is_stored in [false, true] {
        let client = Client::new();
        let process_id: Arc<Mutex<Option<u32>>> = Arc::default();
        let victim = process_id.clone();
        let proxy = start_proxy("create-group", move |request| {
            if request.operation != "TransactWriteItems" {
                return Reply::Pass;
            }
            if is_stored {
                stack()
                    .dynamodb()
                    .call("TransactWriteItems", &request.input)
                    .expect("the items are written");
            }
            let process = victim
                .lock()
                .expect("not poisoned")
                .expect("the process is known")
                .to_string();
            let killed = Command::new("kill").args(["-KILL", &process]).status();
            assert!(killed.expect("kill runs").success());
            Reply::NoResponse
        });
        let mut instance = start_instance("create-group", proxy.url());
        *process_id.lock().expect("not poisoned") = Some(instance.process_id());
        instance
            .invoke(&build_create(&client, "k"))
            .expect_err("the function is killed");
        let expected = usize::from(is_stored);
        assert_eq!(
            (count_groups(&client), read_keys(&client.account_id).len()),
            (expected, expected)
        );
        // A retry by the client succeeds.
        let again = create(&client, "k", "a");
        again.group(201);
        assert_eq!(again.headers.contains_key("idempotent-replayed"), is_stored);
        assert_eq!(
            (count_groups(&client), read_keys(&client.account_id).len()),
            (1, 1)
        );
    }
}
