use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use local::Reply;
use serde_json::{Value, json};

use crate::{
    issue_token::assert_rejected,
    support::{Client, new_account, now, stack, start_instance, start_proxy, text, wait_for},
};

fn revoke(payload: Value) -> Result<Value, Value> {
    stack().invoke("revoke-token", &payload)
}

fn issue(account_id: &str, name: &str) -> Client {
    let issued = stack().invoke(
        "issue-token",
        &json!({ "account_id": account_id, "name": name }),
    );
    Client::with_token(
        account_id,
        &text(&issued.expect("a token is issued")["token"]),
        stack().url(),
    )
}

fn revoked(count: usize) -> Result<Value, Value> {
    Ok(json!({ "revoked": count }))
}

#[test]
fn one_token_is_revoked_and_revoking_it_again_is_not_an_error() {
    let account_id = new_account();
    let (lost, kept) = (issue(&account_id, "lost"), issue(&account_id, "kept"));
    assert_eq!(revoke(json!({ "token": lost.token })), revoked(1));
    lost.get("/v1/groups")
        .assert_error(401, "token_invalid", None);
    kept.get("/v1/groups").page();
    assert_eq!(revoke(json!({ "token": lost.token })), revoked(0));
}

#[test]
fn revoking_a_token_that_was_never_issued_changes_nothing() {
    let unknown = "groups_00000000000000000000000000000000000000000004AceYX";
    assert_eq!(revoke(json!({ "token": unknown })), revoked(0));
    Client::with_token("", unknown, stack().url())
        .get("/v1/groups")
        .assert_error(401, "token_invalid", None);
}

#[test]
fn all_tokens_of_an_account_are_revoked_or_only_those_with_a_name() {
    let (account_id, other) = (new_account(), issue(&new_account(), "laptop"));
    let [first, second, third] = ["laptop", "laptop", "phone"].map(|name| issue(&account_id, name));
    assert_eq!(
        revoke(json!({ "account_id": account_id, "name": "tablet" })),
        revoked(0)
    );
    assert_eq!(
        revoke(json!({ "account_id": account_id, "name": "laptop" })),
        revoked(2)
    );
    first
        .get("/v1/groups")
        .assert_error(401, "token_invalid", None);
    second
        .get("/v1/groups")
        .assert_error(401, "token_invalid", None);
    assert_eq!(
        revoke(json!({ "account_id": account_id })),
        revoked(1),
        "only active tokens count"
    );
    third
        .get("/v1/groups")
        .assert_error(401, "token_invalid", None);
    assert_eq!(revoke(json!({ "account_id": account_id })), revoked(0));
    other.get("/v1/groups").page();
}

#[test]
fn sixty_tokens_of_an_account_are_all_revoked() {
    let account_id = new_account();
    for _ in 0..60 {
        issue(&account_id, "script");
    }
    assert_eq!(revoke(json!({ "account_id": account_id })), revoked(60));
}

#[test]
fn an_expired_token_is_not_counted() {
    // The stack starts before the time counts.
    stack();
    let account_id = new_account();
    let payload = json!({ "account_id": account_id, "name": "short", "expires_at": now() + 5 });
    stack()
        .invoke("issue-token", &payload)
        .expect("a token is issued");
    let expires_at = payload["expires_at"].as_i64();
    wait_for("the token's expiry", Duration::from_secs(15), || {
        (Some(now()) > expires_at).then_some(())
    });
    assert_eq!(revoke(json!({ "account_id": account_id })), revoked(0));
}

#[test]
fn an_invalid_payload_is_rejected_and_changes_nothing() {
    let client = issue(&new_account(), "laptop");
    let (account_id, token) = (&client.account_id, &client.token);
    for (payload, code, mentioned) in [
        (json!({}), "invalid", "token"),
        (json!([]), "invalid", "object"),
        (json!({ "name": "laptop" }), "missing", "account_id"),
        (
            json!({ "token": token, "account_id": account_id }),
            "invalid",
            "token",
        ),
        (
            json!({ "token": token, "name": "laptop" }),
            "invalid",
            "token",
        ),
        (json!({ "token": token, "x": 1 }), "unknown", "x"),
        (json!({ "token": token[..40] }), "invalid", "token"),
        (json!({ "token": format!("{token} ") }), "invalid", "token"),
        (json!({ "token": "junk" }), "invalid", "token"),
        (json!({ "token": null }), "invalid", "token"),
        (json!({ "account_id": "a b" }), "invalid", "account_id"),
        (json!({ "account_id": null }), "invalid", "account_id"),
        (
            json!({ "account_id": account_id, "name": null }),
            "invalid",
            "name",
        ),
        (
            json!({ "account_id": account_id, "name": "" }),
            "invalid",
            "name",
        ),
    ] {
        assert_rejected(revoke(payload), code, mentioned);
    }
    client.get("/v1/groups").page();
}

#[test]
fn a_token_that_the_index_does_not_show_yet_is_revoked_too() {
    let client = issue(&new_account(), "new");
    let queries = AtomicUsize::new(0);
    let proxy = start_proxy("revoke-token", move |request| {
        if request.operation == "Query" && queries.fetch_add(1, Ordering::SeqCst) == 0 {
            let nothing = json!({ "Count": 0, "Items": [], "ScannedCount": 0 });
            return Reply::Respond(200, nothing.to_string());
        }
        Reply::Pass
    });
    let payload = json!({ "account_id": client.account_id });
    let result = start_instance("revoke-token", proxy.url()).invoke(&payload);
    assert_eq!(result, revoked(1));
    client
        .get("/v1/groups")
        .assert_error(401, "token_invalid", None);
}

#[test]
fn a_token_that_the_index_still_shows_is_counted_once() {
    let client = issue(&new_account(), "new");
    let (first, writes) = (Mutex::new(None), AtomicUsize::new(0));
    let proxy = start_proxy("revoke-token", move |request| {
        if request.operation == "UpdateItem" {
            // The second write is lost, and its repetition finds a token that this call has revoked.
            return match writes.fetch_add(1, Ordering::SeqCst) {
                1 => Reply::Close,
                _ => Reply::Pass,
            };
        }
        if request.operation != "Query" {
            return Reply::Pass;
        }
        let mut first = first.lock().expect("not poisoned");
        match first.take() {
            // What the index showed before the revocation.
            Some(output) => Reply::Respond(200, output),
            None => {
                let output = stack().dynamodb().call("Query", &request.input);
                *first = Some(output.expect("the index is read").to_string());
                Reply::Pass
            }
        }
    });
    let payload = json!({ "account_id": client.account_id });
    let result = start_instance("revoke-token", proxy.url()).invoke(&payload);
    assert_eq!(result, revoked(1));
    assert_eq!(proxy.intercepted(), 2);
}

#[test]
fn a_revoked_or_expired_token_is_written_only_once() {
    let account_id = new_account();
    for _ in 0..10 {
        issue(&account_id, "script");
    }
    // Two tokens that an earlier version revoked, and an expired one that DynamoDB has not deleted yet.
    for (attribute, hash) in [
        ("revoked_at", "1"),
        ("revoked_at", "2"),
        ("expires_at", "3"),
    ] {
        let item = json!({
            "token_hash": { "S": format!("{account_id}-{hash}") }, "account_id": { "S": account_id },
            "name": { "S": "script" }, "created_at": { "N": "1" }, attribute: { "N": "2" },
        });
        let put = json!({ "TableName": "TokensTable", "Item": item });
        stack()
            .dynamodb()
            .call("PutItem", &put)
            .expect("the token is stored");
    }
    let writes = Arc::new(AtomicUsize::new(0));
    let count = writes.clone();
    let proxy = start_proxy("revoke-token", move |request| {
        if request.operation == "UpdateItem" {
            count.fetch_add(1, Ordering::SeqCst);
        }
        Reply::Pass
    });
    let mut instance = start_instance("revoke-token", proxy.url());
    let payload = json!({ "account_id": account_id });
    assert_eq!(
        instance.invoke(&payload),
        revoked(10),
        "only the active ones count"
    );
    assert_eq!(writes.swap(0, Ordering::SeqCst), 13);
    assert_eq!(instance.invoke(&payload), revoked(0));
    assert_eq!(writes.load(Ordering::SeqCst), 0);
}

#[test]
fn revoking_more_tokens_than_one_invocation_can_is_finished_by_the_next() {
    let account_id = new_account();
    let clients: Vec<_> = (0..100).map(|_| issue(&account_id, "script")).collect();
    // DynamoDB throttles the rest of the first invocation after 40 tokens.
    let is_throttling = Arc::new(AtomicBool::new(true));
    let (throttles, writes) = (is_throttling.clone(), AtomicUsize::new(0));
    let proxy = start_proxy("revoke-token", move |request| {
        if request.operation == "UpdateItem"
            && throttles.load(Ordering::SeqCst)
            && writes.fetch_add(1, Ordering::SeqCst) >= 40
        {
            return Reply::error(400, "ThrottlingException", "a secret");
        }
        Reply::Pass
    });
    let mut instance = start_instance("revoke-token", proxy.url());
    let payload = json!({ "account_id": account_id });
    let cut_short = instance.invoke_within(&payload, Duration::from_secs(3));
    assert_rejected(cut_short, "outcome_unknown", "Invoke the function again");
    is_throttling.store(false, Ordering::SeqCst);
    let result = instance.invoke_within(&payload, Duration::from_secs(60));
    assert_eq!(result, revoked(60));
    for client in [&clients[0], &clients[99]] {
        client
            .get("/v1/groups")
            .assert_error(401, "token_invalid", None);
    }
    assert_eq!(instance.invoke(&payload), revoked(0));
}

#[test]
fn a_token_without_a_name_is_revoked_too() {
    let client = issue(&new_account(), "new");
    let scan = json!({
        "TableName": "TokensTable", "FilterExpression": "account_id = :a",
        "ExpressionAttributeValues": { ":a": { "S": client.account_id } },
    });
    let found = stack()
        .dynamodb()
        .call("Scan", &scan)
        .expect("the table is read");
    let update = json!({
        "TableName": "TokensTable", "Key": { "token_hash": found["Items"][0]["token_hash"] },
        "UpdateExpression": "REMOVE #n", "ExpressionAttributeNames": { "#n": "name" },
    });
    stack()
        .dynamodb()
        .call("UpdateItem", &update)
        .expect("the token is changed");
    assert_eq!(revoke(json!({ "token": client.token })), revoked(1));
    client
        .get("/v1/groups")
        .assert_error(401, "token_invalid", None);
    assert_eq!(revoke(json!({ "token": client.token })), revoked(0));
}

#[test]
fn revoking_ends_even_if_tokens_are_issued_meanwhile() {
    let account_id = new_account();
    let name = account_id.clone();
    let proxy = start_proxy("revoke-token", move |request| {
        if request.operation == "Query" {
            issue(&name, "new");
        }
        Reply::Pass
    });
    let payload = json!({ "account_id": account_id });
    let mut instance = start_instance("revoke-token", proxy.url());
    let result = instance.invoke_within(&payload, Duration::from_secs(60));
    assert_eq!(result, revoked(10));
}
