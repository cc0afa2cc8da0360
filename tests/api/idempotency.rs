use std::{
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use local::Reply;
use serde_json::{Value, json};

use crate::support::{Answer, Client, endpoint, now, stack, text};

const DAY: i64 = 24 * 60 * 60;

fn create(client: &Client, key: &str, name: &str) -> Answer {
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

fn assert_replayed(first: &Answer, again: &Answer) {
    assert_eq!((again.status, &again.body), (201, &first.body));
    for header in ["location", "etag"] {
        assert_eq!(again.headers[header], first.headers[header]);
    }
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert!(!first.headers.contains_key("idempotent-replayed"));
}

fn count(client: &Client) -> usize {
    client.get("/v1/groups?limit=100").ids().0.len()
}

/// The items of an account's keys.
fn keys(account_id: &str) -> Vec<Value> {
    let input = json!({
        "TableName": "IdempotencyTable",
        "KeyConditionExpression": "account_id = :account_id",
        "ExpressionAttributeValues": { ":account_id": { "S": account_id } },
    });
    let found = stack()
        .dynamodb()
        .call("Query", &input)
        .expect("the table answers");
    found["Items"].as_array().expect("items").clone()
}

#[test]
fn the_same_key_and_body_create_one_group_and_get_one_answer() {
    let client = Client::new();
    let first = create(&client, "8e03978e", "a");
    let group = first.group(201);
    assert_replayed(&first, &create(&client, "8e03978e", "a"));
    assert_replayed(&first, &create(&client, "\"8e03978e\"", "a"));
    assert_eq!(count(&client), 1);

    let path = &first.headers["location"];
    client.put(path, &json!({ "name": "changed" })).group(200);
    assert_replayed(&first, &create(&client, "8e03978e", "a"));
    assert_eq!(client.delete(path).status, 204);
    assert_replayed(&first, &create(&client, "8e03978e", "a"));
    assert_eq!((count(&client), text(&group["name"])), (0, "a".to_owned()));
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
    assert_eq!(count(&client), 1);
    assert_replayed(&first, &create(&client, "k", "a"));
}

#[test]
fn a_refused_request_uses_no_key_up() {
    let client = Client::new();
    create(&client, "k", "").assert_error(400, "invalid", Some("name"));
    create(&client, "k", "a").group(201);
    create(&client, "k", "").assert_error(400, "invalid", Some("name"));
}

#[test]
fn keys_are_the_accounts_own() {
    let (client, stranger) = (Client::new(), Client::new());
    let (first, other) = (create(&client, "k", "a"), create(&stranger, "k", "b"));
    assert_ne!(first.group(201)["id"], other.group(201)["id"]);
}

#[test]
fn a_key_is_remembered_for_a_day_and_not_after_whatever_the_sweeper_does() {
    let client = Client::new();
    let first = create(&client, "k", "a");
    let [item] = keys(&client.account_id).try_into().expect("one key");
    let expires_at: i64 = text(&item["expires_at"]["N"]).parse().expect("a number");
    assert!(
        (now() + DAY - 60..=now() + DAY).contains(&expires_at),
        "{item}"
    );
    let sha_256_of_k = "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a";
    assert_eq!(
        item["key_hash"],
        json!({ "S": sha_256_of_k }),
        "no key itself"
    );
    let expire = |at: i64| {
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
    expire(now() + 60);
    assert_replayed(&first, &create(&client, "k", "a"));
    expire(now());
    let second = create(&client, "k", "b");
    assert_ne!(second.group(201)["id"], first.group(201)["id"]);
    assert_replayed(&second, &create(&client, "k", "b"));
}

#[test]
fn what_is_no_key_is_400_and_other_endpoints_ignore_it() {
    let client = Client::new();
    let longest = "x".repeat(255);
    create(&client, &longest, "a").group(201);
    for key in ["a b", "\"a", "a\\b", "\"\"", &format!("{longest}x")] {
        create(&client, key, "a").assert_error(400, "invalid", Some("Idempotency-Key"));
    }
    create(&client, "a,b", "a").assert_error(400, "repeated", Some("Idempotency-Key"));
    create(&client, "\"a,b\"", "a").group(201);
    assert_eq!(count(&client), 2);
    let path = client.create("b");
    let bad = ("idempotency-key", "a,b");
    client.send("GET", "/v1/groups", &[bad], "").page();
    client.send("GET", &path, &[bad], "").group(200);
    client.send("PUT", &path, &[bad], "").group(200);
    assert_eq!(client.send("DELETE", &path, &[bad], "").status, 204);
}

#[test]
fn the_largest_group_fits_into_the_table_of_keys_too() {
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
fn fifty_requests_of_one_key_at_once_create_one_group_and_get_fifty_equal_answers() {
    let client = Client::new();
    let answers: Vec<_> = thread::scope(|scope| {
        let requests: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| create(&client, "k", "a")))
            .collect();
        requests
            .into_iter()
            .map(|request| request.join().expect("an answer"))
            .collect()
    });
    let firsts: Vec<_> = answers
        .iter()
        .filter(|a| !a.headers.contains_key("idempotent-replayed"))
        .collect();
    assert_eq!(firsts.len(), 1);
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.body),
            (201, &firsts[0].body),
            "{answer:?}"
        );
        assert_eq!(answer.headers["etag"], firsts[0].headers["etag"]);
    }
    assert_eq!(count(&client), 1);
}

fn event(client: &Client, key: &str) -> Value {
    json!({
        "headers": {
            "authorization": format!("Bearer {}", client.token),
            "content-type": "application/json",
            "idempotency-key": key,
        },
        "body": r#"{"name":"a"}"#,
        "requestContext": { "requestId": "id" },
    })
}

#[test]
fn a_conflict_of_transactions_is_resolved_inside() {
    // DynamoDB Local never cancels a transaction for a conflict; the endpoint does so twice.
    let client = Client::new();
    let left = Mutex::new(2);
    let endpoint = endpoint("create-group", move |request| {
        let mut left = left.lock().expect("not poisoned");
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
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url())];
    let mut instance = stack()
        .instance("create-group", &variables)
        .expect("an instance");
    let response = instance.invoke(&event(&client, "k")).expect("an answer");
    let first = Answer::of_function(&response);
    first.group(201);
    assert_eq!(endpoint.intercepted(), 2);
    assert_replayed(&first, &create(&client, "k", "a"));
}

#[test]
fn a_kill_at_any_step_leaves_both_the_group_and_the_key_or_neither() {
    for stored in [false, true] {
        let client = Client::new();
        let victim: Arc<Mutex<Option<u32>>> = Arc::default();
        let target = victim.clone();
        let endpoint = endpoint("create-group", move |request| {
            if request.operation != "TransactWriteItems" {
                return Reply::Pass;
            }
            if stored {
                stack()
                    .dynamodb()
                    .call("TransactWriteItems", &request.input)
                    .expect("it is written");
            }
            let process = target
                .lock()
                .expect("not poisoned")
                .expect("the victim")
                .to_string();
            let killed = Command::new("kill").args(["-KILL", &process]).status();
            assert!(killed.expect("kill runs").success());
            Reply::NoResponse
        });
        let variables = [("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url())];
        let mut instance = stack()
            .instance("create-group", &variables)
            .expect("an instance");
        *victim.lock().expect("not poisoned") = Some(instance.process_id());
        instance
            .invoke(&event(&client, "k"))
            .expect_err("it is killed");
        let expected = usize::from(stored);
        assert_eq!(
            (count(&client), keys(&client.account_id).len()),
            (expected, expected)
        );
        // The client tries again, and all is as if nothing had happened.
        let again = create(&client, "k", "a");
        again.group(201);
        assert_eq!(again.headers.contains_key("idempotent-replayed"), stored);
        assert_eq!((count(&client), keys(&client.account_id).len()), (1, 1));
    }
}
