//! Writes whose response is lost, while other clients read and write: a repetition undoes nothing.
//!
//! A proxy between the function and DynamoDB loses the response of the first write, and another client acts
//! before the function makes its next attempt.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use local::{DynamoDbProxy, Reply, dynamodb_proxy::Request};
use serde_json::{Value, json};

use crate::{
    faults::{events, instance, invoke},
    support::{Answer, Client, endpoint, stack, text},
};

/// What another client does after the first write.
type Meanwhile = Box<dyn Fn() + Send + Sync>;

/// A proxy that loses the response of the first write, and logs what the function sends.
struct LostResponse {
    proxy: DynamoDbProxy,
    log: Arc<Mutex<Vec<String>>>,
}

impl LostResponse {
    /// `is_made` says whether DynamoDB carries out the first write. `reply` is what the function gets for it.
    fn start(function: &str, is_made: bool, reply: Reply, meanwhile: Meanwhile) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (entries, is_lost) = (log.clone(), AtomicBool::new(false));
        let proxy = endpoint(function, move |request| {
            if request.is_for_token() && request.operation == "GetItem" {
                return Reply::Pass;
            }
            let is_first = !is_lost.swap(true, Ordering::SeqCst);
            let entry = entry(request, is_first, is_made);
            entries.lock().expect("not poisoned").push(entry);
            if !is_first {
                return Reply::Pass;
            }
            if is_made {
                let made = stack().dynamodb().call(&request.operation, &request.input);
                made.expect("the write is carried out");
            }
            meanwhile();
            reply.clone()
        });
        Self { proxy, log }
    }

    /// The operations that the function has sent.
    fn operations(&self) -> Vec<String> {
        let log = self.log.lock().expect("not poisoned");
        println!("{}", log.join("\n"));
        let operation = |entry: &String| entry.split(' ').next().unwrap_or_default().to_owned();
        log.iter().map(operation).collect()
    }
}

/// One line about a request.
fn entry(request: &Request, is_first: bool, is_made: bool) -> String {
    let fate = match (is_first, is_made) {
        (false, _) => "passed on",
        (true, true) => "carried out, the response is lost",
        (true, false) => "lost",
    };
    let condition = request.input["ConditionExpression"]
        .as_str()
        .unwrap_or("no condition");
    let values = &request.input["ExpressionAttributeValues"];
    format!("{} ({fate}): {condition} {values}", request.operation)
}

/// How a response can be lost.
fn losses() -> [Reply; 5] {
    [
        Reply::Close,
        Reply::TruncatedResponse,
        Reply::NoResponse,
        Reply::error(500, "InternalServerError", "a secret"),
        Reply::Respond(200, "<html>".to_owned()),
    ]
}

/// The event for a function, with a body and headers.
fn event(function: &str, client: &Client, headers: &[(&str, &str)], path: &str) -> Value {
    let all = events(&client.token);
    let (_, event, _) = all.iter().find(|(name, ..)| *name == function).expect("it");
    let mut event = event.clone();
    event["pathParameters"]["id"] = json!(path.rsplit('/').next());
    for (name, value) in headers {
        event["headers"][*name] = json!(value);
    }
    event
}

fn nothing() -> Meanwhile {
    Box::new(|| {})
}

/// Sends an update of `{"name": "a"}` whose first write gets this fate.
fn update(
    client: &Client,
    path: &str,
    headers: &[(&str, &str)],
    is_made: bool,
    meanwhile: Meanwhile,
) -> (Answer, Vec<String>) {
    let lost = LostResponse::start("update-group", is_made, Reply::Close, meanwhile);
    let event = event("update-group", client, headers, path);
    let (answer, _) = invoke(&mut instance("update-group", lost.proxy.url()), &event);
    (answer, lost.operations())
}

/// A client, shared with the proxy, and a group of it.
fn client_and_group() -> (Arc<Client>, String) {
    let client = Arc::new(Client::new());
    let path = client.create("before");
    (client, path)
}

/// What another client does: updates the group with these bodies, one after the other.
fn updates(client: &Arc<Client>, path: &str, bodies: &'static [&'static str]) -> Meanwhile {
    let (client, path) = (client.clone(), path.to_owned());
    Box::new(move || {
        for body in bodies {
            let body: Value = serde_json::from_str(body).expect("JSON");
            client.put(&path, &body).group(200);
        }
    })
}

fn assert_unknown(answer: &Answer) {
    answer.assert_error(503, "outcome_unknown", None);
}

#[test]
fn a_create_whose_response_is_lost_does_not_undo_a_rename() {
    for reply in losses() {
        let client = Arc::new(Client::new());
        let other = client.clone();
        let rename: Meanwhile = Box::new(move || {
            let (ids, _) = other.get("/v1/groups").ids();
            other
                .put(
                    &format!("/v1/groups/{}", ids[0]),
                    &json!({ "name": "renamed" }),
                )
                .group(200);
        });
        let lost = LostResponse::start("create-group", true, reply.clone(), rename);
        let event = event("create-group", &client, &[], "");
        let (answer, _) = invoke(&mut instance("create-group", lost.proxy.url()), &event);
        let created = answer.group(201);
        assert_eq!(lost.operations(), ["PutItem", "GetItem"], "{reply:?}");
        let (groups, _) = client.get("/v1/groups").page();
        assert_eq!(groups.len(), 1, "{reply:?}");
        assert_eq!(
            (&groups[0]["id"], &groups[0]["name"]),
            (&created["id"], &json!("renamed"))
        );
    }
}

#[test]
fn a_create_whose_response_is_lost_does_not_bring_a_deleted_group_back() {
    for (key, status) in [("", 503), ("a-key", 201)] {
        let client = Arc::new(Client::new());
        let other = client.clone();
        let delete: Meanwhile = Box::new(move || {
            let (ids, _) = other.get("/v1/groups").ids();
            assert_eq!(other.delete(&format!("/v1/groups/{}", ids[0])).status, 204);
        });
        let lost = LostResponse::start("create-group", true, Reply::Close, delete);
        let mut event = event("create-group", &client, &[], "");
        if !key.is_empty() {
            event["headers"]["idempotency-key"] = json!(key);
        }
        let (answer, _) = invoke(&mut instance("create-group", lost.proxy.url()), &event);
        lost.operations();
        assert_eq!(answer.status, status, "{key}: {answer:?}");
        assert_eq!(client.get("/v1/groups").ids().0, [""; 0], "{key}");
    }
}

#[test]
fn a_create_whose_request_is_lost_is_not_repeated_without_a_key() {
    let client = Client::new();
    let lost = LostResponse::start("create-group", false, Reply::Close, nothing());
    let event = event("create-group", &client, &[], "");
    let (answer, _) = invoke(&mut instance("create-group", lost.proxy.url()), &event);
    assert_unknown(&answer);
    assert_eq!(lost.operations(), ["PutItem", "GetItem"]);
    assert_eq!(client.get("/v1/groups").ids().0, [""; 0]);
}

#[test]
fn a_create_with_a_key_is_made_once_whatever_is_lost() {
    for (is_made, reply) in losses()
        .into_iter()
        .flat_map(|r| [(true, r.clone()), (false, r)])
    {
        let client = Client::new();
        let lost = LostResponse::start("create-group", is_made, reply, nothing());
        let event = event("create-group", &client, &[("idempotency-key", "a-key")], "");
        let (answer, _) = invoke(&mut instance("create-group", lost.proxy.url()), &event);
        let group = answer.group(201);
        assert_eq!(answer.headers.get("idempotent-replayed"), None);
        assert_eq!(lost.operations(), ["TransactWriteItems"; 2]);
        assert_eq!(client.get("/v1/groups").page().0, [group]);
    }
}

#[test]
fn a_write_that_was_throttled_is_repeated() {
    for (function, status) in [
        ("create-group", 201),
        ("update-group", 200),
        ("delete-group", 204),
    ] {
        let (client, path) = client_and_group();
        let throttled = Reply::error(400, "ThrottlingException", "a secret");
        let lost = LostResponse::start(function, false, throttled, nothing());
        let event = event(function, &client, &[], &path);
        let (answer, _) = invoke(&mut instance(function, lost.proxy.url()), &event);
        assert_eq!(answer.status, status, "{answer:?}");
        let operations = lost.operations();
        assert_eq!(operations.len(), 2, "{operations:?}");
        assert_eq!(operations[0], operations[1]);
    }
}

#[test]
fn an_update_that_was_made_is_not_made_again() {
    for reply in losses() {
        let (client, path) = client_and_group();
        let seen = Arc::new(Mutex::new(String::new()));
        let (other, its_path, etag) = (client.clone(), path.clone(), seen.clone());
        let look: Meanwhile = Box::new(move || {
            *etag.lock().expect("not poisoned") = other.get(&its_path).headers["etag"].clone();
        });
        let lost = LostResponse::start("update-group", true, reply, look);
        let event = event("update-group", &client, &[], &path);
        let (answer, _) = invoke(&mut instance("update-group", lost.proxy.url()), &event);
        assert_eq!(answer.group(200)["name"], "a");
        assert_eq!(lost.operations(), ["UpdateItem"; 2]);
        assert_eq!(answer.headers["etag"], *seen.lock().expect("not poisoned"));
        assert_eq!(client.get(&path).headers["etag"], answer.headers["etag"]);
    }
}

#[test]
fn an_update_that_was_made_does_not_undo_the_next_one() {
    let (client, path) = client_and_group();
    let seen = Arc::new(Mutex::new(String::new()));
    let (other, its_path, etag) = (client.clone(), path.clone(), seen.clone());
    let next = updates(&client, &path, &[r#"{"name": "b"}"#]);
    let meanwhile: Meanwhile = Box::new(move || {
        let found = other.get(&its_path);
        assert_eq!(found.group(200)["name"], "a");
        *etag.lock().expect("not poisoned") = found.headers["etag"].clone();
        next();
    });
    let (answer, _) = update(&client, &path, &[], true, meanwhile);
    assert_eq!(answer.group(200)["name"], "b");
    let now = client.get(&path);
    assert_eq!(
        now.group(200)["name"],
        "b",
        "the acknowledged update of the other client"
    );
    assert_eq!(now.headers["etag"], answer.headers["etag"]);
    let first = seen.lock().expect("not poisoned").clone();
    let headers = [("if-none-match", first.as_str())];
    client.send("GET", &path, &headers, "").group(200);
}

/// ARCHITECTURE.md states this limit: an update without If-Match recognises itself behind one later update.
#[test]
fn no_etag_has_two_contents_even_behind_two_later_updates() {
    let (client, path) = client_and_group();
    let contents = Arc::new(Mutex::new(Vec::new()));
    let (other, its_path, found) = (client.clone(), path.clone(), contents.clone());
    let meanwhile: Meanwhile = Box::new(move || {
        let mut found = found.lock().expect("not poisoned");
        found.push(other.get(&its_path));
        for member in ["description", "name"] {
            found.push(other.put(&its_path, &json!({ member: "b" })));
        }
    });
    let (answer, _) = update(&client, &path, &[], true, meanwhile);
    answer.group(200);
    let mut contents = std::mem::take(&mut *contents.lock().expect("not poisoned"));
    contents.extend([answer, client.get(&path)]);
    for one in &contents {
        for other in &contents {
            if one.headers["etag"] == other.headers["etag"] {
                assert_eq!(one.body, other.body);
            }
        }
    }
}

#[test]
fn an_update_whose_request_is_lost_is_made_after_the_other_clients_one() {
    let (client, path) = client_and_group();
    let meanwhile = updates(&client, &path, &[r#"{"name": "b", "description": "b"}"#]);
    let (answer, operations) = update(&client, &path, &[], false, meanwhile);
    let group = answer.group(200);
    assert_eq!(
        (&group["name"], &group["description"]),
        (&json!("a"), &json!("b"))
    );
    assert_eq!(operations, ["UpdateItem"; 2]);
    assert_eq!(client.get(&path).group(200), group);
}

#[test]
fn an_update_with_if_match_says_what_became_of_it() {
    /// Whether the first write is made, the updates of another client, and the status and code.
    type Case = (bool, &'static [&'static str], u16, &'static str);
    let cases: [Case; 6] = [
        (true, &[], 200, ""),
        (true, &[r#"{"name": "b"}"#], 200, ""),
        (
            true,
            &[r#"{"name": "b"}"#, r#"{"name": "c"}"#],
            503,
            "outcome_unknown",
        ),
        (false, &[], 200, ""),
        (false, &[r#"{"name": "b"}"#], 412, "precondition_failed"),
        // Behind two updates, the function cannot know whether its own is before them.
        (
            false,
            &[r#"{"name": "b"}"#, r#"{"name": "c"}"#],
            503,
            "outcome_unknown",
        ),
    ];
    for (is_made, bodies, status, code) in cases {
        let (client, path) = client_and_group();
        let etag = client.get(&path).headers["etag"].clone();
        let meanwhile = updates(&client, &path, bodies);
        let (answer, _) = update(&client, &path, &[("if-match", &etag)], is_made, meanwhile);
        let name = &client.get(&path).group(200)["name"];
        match status {
            200 => assert_eq!(&answer.group(200)["name"], name),
            _ => answer.assert_error(status, code, None),
        }
        let last = bodies.last().map_or(json!("a"), |body| {
            serde_json::from_str::<Value>(body).expect("JSON")["name"].clone()
        });
        assert_eq!(*name, last, "made: {is_made}, then {bodies:?}");
    }
}

#[test]
fn an_update_does_not_bring_a_deleted_group_back() {
    for is_made in [true, false] {
        let (client, path) = client_and_group();
        let (other, its_path) = (client.clone(), path.clone());
        let delete: Meanwhile = Box::new(move || {
            assert_eq!(other.delete(&its_path).status, 204);
        });
        let (answer, _) = update(&client, &path, &[], is_made, delete);
        assert_unknown(&answer);
        client.get(&path).assert_error(404, "group_not_found", None);
    }
}

#[test]
fn a_deletion_that_was_made_is_204() {
    for reply in losses() {
        for with_if_match in [false, true] {
            let (client, path) = client_and_group();
            let etag = client.get(&path).headers["etag"].clone();
            let headers = [("if-match", etag.as_str())];
            let headers = if with_if_match { &headers[..] } else { &[] };
            let lost = LostResponse::start("delete-group", true, reply.clone(), nothing());
            let event = event("delete-group", &client, headers, &path);
            let (answer, _) = invoke(&mut instance("delete-group", lost.proxy.url()), &event);
            assert_eq!(answer.status, 204, "{reply:?}: {answer:?}");
            assert_eq!(lost.operations(), ["DeleteItem"; 2]);
            client.get(&path).assert_error(404, "group_not_found", None);
        }
    }
}

#[test]
fn a_deletion_with_if_match_does_not_delete_a_later_version() {
    let (client, path) = client_and_group();
    let etag = client.get(&path).headers["etag"].clone();
    let meanwhile = updates(&client, &path, &[r#"{"name": "b"}"#]);
    let lost = LostResponse::start("delete-group", false, Reply::Close, meanwhile);
    let event = event("delete-group", &client, &[("if-match", &etag)], &path);
    let (answer, _) = invoke(&mut instance("delete-group", lost.proxy.url()), &event);
    answer.assert_error(412, "precondition_failed", None);
    assert_eq!(client.get(&path).group(200)["name"], "b");
}

#[test]
fn a_token_that_is_issued_again_is_not_in_force_if_it_was_revoked() {
    let account_id = crate::support::new_account();
    let payload = json!({ "account_id": account_id, "name": "a" });
    let revoke = payload.clone();
    let meanwhile: Meanwhile = Box::new(move || {
        let revoked = stack().invoke("revoke-token", &revoke);
        assert_eq!(revoked, Ok(json!({ "revoked": 1 })));
    });
    let lost = LostResponse::start("issue-token", true, Reply::Close, meanwhile);
    let issued = instance("issue-token", lost.proxy.url()).invoke(&payload);
    let token = text(&issued.expect("a token")["token"]);
    assert_eq!(lost.operations(), ["PutItem"; 2]);
    let client = Client::with_token(&account_id, &token, stack().url());
    client
        .get("/v1/groups")
        .assert_error(401, "token_invalid", None);
}

#[test]
fn a_revocation_whose_response_is_lost_counts() {
    for reply in losses() {
        for of_account in [false, true] {
            let client = Client::new();
            let payload = if of_account {
                json!({ "account_id": client.account_id })
            } else {
                json!({ "token": client.token })
            };
            // The first request of the revocation of an account is a query, which changes nothing.
            let is_lost = AtomicBool::new(false);
            let reply = reply.clone();
            let proxy = endpoint("revoke-token", move |request| {
                if request.operation == "UpdateItem" && !is_lost.swap(true, Ordering::SeqCst) {
                    let made = stack().dynamodb().call(&request.operation, &request.input);
                    made.expect("it is carried out");
                    return reply.clone();
                }
                Reply::Pass
            });
            let mut instance = instance("revoke-token", proxy.url());
            assert_eq!(
                instance.invoke(&payload),
                Ok(json!({ "revoked": 1 })),
                "{payload}"
            );
            assert_eq!(proxy.intercepted(), 1);
            client
                .get("/v1/groups")
                .assert_error(401, "token_invalid", None);
            assert_eq!(instance.invoke(&payload), Ok(json!({ "revoked": 0 })));
        }
    }
}

#[test]
fn a_revocation_that_is_not_confirmed_is_an_error_that_says_so() {
    let client = Client::new();
    let proxy = endpoint("revoke-token", |_| Reply::Close);
    let mut instance = instance("revoke-token", proxy.url());
    let payload = json!({ "token": client.token });
    let error = instance.invoke_within(&payload, Duration::from_secs(5));
    let error = error.expect_err("a function error");
    assert_eq!(error["errorType"], "outcome_unknown", "{error}");
    assert!(
        text(&error["errorMessage"]).contains("Invoke the function again"),
        "{error}"
    );
}

#[test]
fn a_create_is_confirmed_even_if_its_last_attempt_is_the_lost_one() {
    let client = Client::new();
    let attempts = AtomicUsize::new(0);
    let proxy = endpoint("create-group", move |request| {
        if request.operation != "PutItem" {
            return Reply::Pass;
        }
        if attempts.fetch_add(1, Ordering::SeqCst) < 2 {
            return Reply::error(400, "ThrottlingException", "a secret");
        }
        let made = stack().dynamodb().call("PutItem", &request.input);
        made.expect("it is carried out");
        Reply::Close
    });
    let event = event("create-group", &client, &[], "");
    let (answer, _) = invoke(&mut instance("create-group", proxy.url()), &event);
    let group = answer.group(201);
    assert_eq!(proxy.intercepted(), 3);
    assert_eq!(client.get("/v1/groups").page().0, [group]);
}

#[test]
fn an_update_of_an_item_without_the_version_before_is_recognised_too() {
    let client = Client::new();
    local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample");
    let path = format!("/v1/groups/{}", local::sample::GROUP_ID);
    let client = Arc::new(client);
    let meanwhile = updates(&client, &path, &[r#"{"name": "b"}"#]);
    let (answer, _) = update(&client, &path, &[], true, meanwhile);
    assert_eq!(answer.group(200)["name"], "b");
    // And an item that was never updated is not taken for one of them.
    let (client, path) = client_and_group();
    let headers = [("if-match", "\"0123456789ABCDEF\"")];
    let (answer, _) = update(&client, &path, &headers, false, nothing());
    answer.assert_error(412, "precondition_failed", None);
}

#[test]
fn an_attempt_that_is_carried_out_late_gives_no_etag_two_contents() {
    let (client, path) = client_and_group();
    let (is_lost, late) = (AtomicBool::new(false), Arc::new(Mutex::new(None)));
    let slot = late.clone();
    let proxy = endpoint("update-group", move |request| {
        if request.operation != "UpdateItem" || is_lost.swap(true, Ordering::SeqCst) {
            return Reply::Pass;
        }
        let input = request.input.clone();
        let write = thread::spawn(move || {
            thread::sleep(Duration::from_secs(3));
            stack().dynamodb().call("UpdateItem", &input)
        });
        *slot.lock().expect("not poisoned") = Some(write);
        Reply::NoResponse
    });
    let event = event("update-group", &client, &[], &path);
    let (first, _) = invoke(&mut instance("update-group", proxy.url()), &event);
    let second = client.put(&path, &json!({ "description": "b" }));
    let write = late.lock().expect("not poisoned").take().expect("a write");
    // ARCHITECTURE.md states that this is possible without If-Match.
    write
        .join()
        .expect("the thread")
        .expect("it is carried out");
    let third = client.get(&path);
    let mut etags: Vec<_> = [&first, &second, &third]
        .map(|answer| (answer.headers["etag"].clone(), answer.body.clone()))
        .into();
    etags.sort();
    etags.dedup();
    let mut distinct: Vec<_> = etags.iter().map(|(etag, _)| etag).collect();
    distinct.dedup();
    assert_eq!(distinct.len(), etags.len(), "{etags:?}");
    assert_eq!(etags.len(), 3, "{etags:?}");
}

#[test]
fn conflicts_do_not_count_as_failures() {
    let client = Client::new();
    let attempts = AtomicUsize::new(0);
    let proxy = endpoint("create-group", move |request| {
        if request.is_for_token() {
            return Reply::Pass;
        }
        match attempts.fetch_add(1, Ordering::SeqCst) {
            0 | 4 => Reply::error(400, "ThrottlingException", "a secret"),
            1..4 => Reply::error(400, "TransactionInProgressException", "a secret"),
            _ => Reply::Pass,
        }
    });
    let event = event("create-group", &client, &[("idempotency-key", "a-key")], "");
    let (answer, _) = invoke(&mut instance("create-group", proxy.url()), &event);
    answer.group(201);
    assert_eq!(proxy.intercepted(), 5);
}
