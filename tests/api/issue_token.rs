use serde_json::{Value, json};

use crate::support::{Client, new_account, now, stack, text};

fn issue(payload: Value) -> Result<Value, Value> {
    stack().invoke("issue-token", &payload)
}

/// Checks that the result is a function error of this type, whose message mentions a text.
pub fn assert_rejected(result: Result<Value, Value>, code: &str, mentioned: &str) {
    let error = result.expect_err("a function error");
    assert_eq!(error["errorType"], code, "{error}");
    assert!(text(&error["errorMessage"]).contains(mentioned), "{error}");
}

#[test]
fn a_token_is_issued_and_works() {
    let account_id = new_account();
    let before = now();
    let issued =
        issue(json!({ "account_id": account_id, "name": "laptop" })).expect("a token is issued");
    let token = text(&issued["token"]);
    let created_at = issued["created_at"]
        .as_i64()
        .expect("`created_at` is an integer");
    assert!((before..=now()).contains(&created_at));
    let expected = json!({
        "token": token, "account_id": account_id, "name": "laptop",
        "created_at": created_at, "expires_at": null,
    });
    assert_eq!(issued, expected);
    assert!(token.starts_with("groups_") && token.len() == 56, "{token}");
    Client::with_token(&account_id, &token, stack().url()).create("a");
}

#[test]
fn the_expiry_must_be_in_the_future() {
    let issue = |expires_at: Value| {
        issue(json!({ "account_id": new_account(), "name": "a", "expires_at": expires_at }))
    };
    let later = now() + 3_600;
    assert_eq!(
        issue(json!(later)).expect("a token is issued")["expires_at"],
        later
    );
    assert_eq!(
        issue(Value::Null).expect("a token is issued")["expires_at"],
        Value::Null
    );
    for expires_at in [
        json!(now() - 1),
        json!(0),
        json!(-1),
        json!(253_402_300_800_i64),
        json!("x"),
        json!(1.5),
    ] {
        assert_rejected(issue(expires_at), "invalid", "expires_at");
    }
}

#[test]
fn an_invalid_payload_is_rejected_and_the_error_names_the_member() {
    for (payload, code, mentioned) in [
        (json!({}), "missing", "account_id"),
        (json!({ "account_id": "acme" }), "missing", "name"),
        (json!({ "name": "laptop" }), "missing", "account_id"),
        (json!([]), "invalid", "object"),
        (json!(null), "invalid", "object"),
        (
            json!({ "account_id": "acme", "name": "a", "x": 1 }),
            "unknown",
            "x",
        ),
        (
            json!({ "account_id": "", "name": "a" }),
            "invalid",
            "account_id",
        ),
        (
            json!({ "account_id": "a".repeat(65), "name": "a" }),
            "invalid",
            "account_id",
        ),
        (
            json!({ "account_id": "a#b", "name": "a" }),
            "invalid",
            "account_id",
        ),
        (
            json!({ "account_id": "é", "name": "a" }),
            "invalid",
            "account_id",
        ),
        (
            json!({ "account_id": 1, "name": "a" }),
            "invalid",
            "account_id",
        ),
        (
            json!({ "account_id": "acme", "name": "" }),
            "invalid",
            "name",
        ),
        (
            json!({ "account_id": "acme", "name": "a".repeat(65) }),
            "invalid",
            "name",
        ),
        (
            json!({ "account_id": "acme", "name": "a\nb" }),
            "invalid",
            "name",
        ),
        (
            json!({ "account_id": "acme", "name": null }),
            "invalid",
            "name",
        ),
    ] {
        assert_rejected(issue(payload), code, mentioned);
    }
    let longest = "aZ0_-".repeat(12) + "abcd";
    issue(json!({ "account_id": longest, "name": "語".repeat(64) }))
        .expect("both have their maximum length");
}
