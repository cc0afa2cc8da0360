use serde_json::{Value, json};

use crate::{
    issue_token::assert_refused,
    support::{Client, new_account, now, stack, text},
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
        &text(&issued.expect("a token")["token"]),
        stack().url(),
    )
}

fn revoked(count: usize) -> Result<Value, Value> {
    Ok(json!({ "revoked": count }))
}

#[test]
fn one_token_is_revoked_and_again_is_no_error() {
    let account_id = new_account();
    let (lost, kept) = (issue(&account_id, "lost"), issue(&account_id, "kept"));
    assert_eq!(revoke(json!({ "token": lost.token })), revoked(1));
    lost.get("/v1/groups")
        .assert_error(401, "token_invalid", None);
    kept.get("/v1/groups").page();
    assert_eq!(revoke(json!({ "token": lost.token })), revoked(0));
}

#[test]
fn a_token_that_nobody_issued_ends_nothing() {
    let unknown = "groups_00000000000000000000000000000000000000000004AceYX";
    assert_eq!(revoke(json!({ "token": unknown })), revoked(0));
    Client::with_token("", unknown, stack().url())
        .get("/v1/groups")
        .assert_error(401, "token_invalid", None);
}

#[test]
fn all_tokens_of_an_account_are_revoked_or_those_of_a_name() {
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
        "only what was in force counts"
    );
    third
        .get("/v1/groups")
        .assert_error(401, "token_invalid", None);
    assert_eq!(revoke(json!({ "account_id": account_id })), revoked(0));
    other.get("/v1/groups").page();
}

#[test]
fn an_accounts_many_tokens_are_all_revoked() {
    let account_id = new_account();
    for _ in 0..60 {
        issue(&account_id, "script");
    }
    assert_eq!(revoke(json!({ "account_id": account_id })), revoked(60));
}

#[test]
fn an_expired_token_is_none_in_force() {
    // Brought up first, which may take its time.
    let stack = stack();
    let account_id = new_account();
    let payload = json!({ "account_id": account_id, "name": "short", "expires_at": now() + 5 });
    stack.invoke("issue-token", &payload).expect("a token");
    crate::support::wait_for(
        "the token's end",
        std::time::Duration::from_secs(15),
        || (now() > payload["expires_at"].as_i64().expect("an integer")).then_some(()),
    );
    assert_eq!(revoke(json!({ "account_id": account_id })), revoked(0));
}

#[test]
fn a_payload_that_is_not_one_is_refused_and_changes_nothing() {
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
        assert_refused(revoke(payload), code, mentioned);
    }
    client.get("/v1/groups").page();
}
