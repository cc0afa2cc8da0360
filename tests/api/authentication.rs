use std::time::Duration;

use serde_json::json;

use crate::support::{Client, ENDPOINTS, new_account, now, stack, text, wait_for};

/// A token with a valid format and checksum that was never issued.
const UNKNOWN: &str = "groups_00000000000000000000000000000000000000000004AceYX";

#[test]
fn every_endpoint_rejects_a_missing_malformed_or_invalid_token() {
    let client = Client::new();
    let token = &client.token;
    let last = if token.ends_with('x') { "y" } else { "x" };
    let (changed, lower) = (format!("{}{last}", &token[..55]), token.to_lowercase());
    for (authorization, status, code) in [
        ("", 401, "token_missing"),
        ("Basic Z3JvdXBzOng=", 401, "token_missing"),
        ("Bearer", 400, "token_malformed"),
        ("Bearer {token}", 400, "token_malformed"),
        ("Bearer a b", 400, "token_malformed"),
        (
            &format!("Bearer {token},Bearer {token}"),
            400,
            "token_malformed",
        ),
        ("Bearer junk", 401, "token_invalid"),
        (&format!("Bearer {UNKNOWN}"), 401, "token_invalid"),
        (&format!("Bearer {token}="), 401, "token_invalid"),
        (&format!("Bearer {token}0"), 401, "token_invalid"),
        (&format!("Bearer {lower}"), 401, "token_invalid"),
        (&format!("Bearer {changed}"), 401, "token_invalid"),
    ] {
        for endpoint in ENDPOINTS {
            let headers = [("authorization", authorization)];
            let response = client.send(endpoint.method, &endpoint.example_path(), &headers, "");
            response.assert_error(status, code, None);
        }
    }
}

#[test]
fn the_name_of_the_scheme_is_case_insensitive() {
    let client = Client::new();
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
        let authorization = format!("{scheme} {}", client.token);
        client
            .send(
                "GET",
                "/v1/groups",
                &[("authorization", &authorization)],
                "",
            )
            .page();
    }
}

#[test]
fn an_expired_token_is_rejected_even_if_the_instance_has_cached_it() {
    // The stack starts before the time counts.
    stack();
    let expires_at = now() + 6;
    let payload = json!({ "account_id": new_account(), "name": "short", "expires_at": expires_at });
    let issued = stack()
        .invoke("issue-token", &payload)
        .expect("a token is issued");
    let client = Client::with_token("", &text(&issued["token"]), stack().url());
    client.get("/v1/groups").page();
    let rejection = wait_for("the token's expiry", Duration::from_secs(15), || {
        let response = client.get("/v1/groups");
        (response.status != 200).then_some(response)
    });
    assert!(now() >= expires_at);
    rejection.assert_error(401, "token_invalid", None);
}

#[test]
fn a_revoked_token_is_rejected_by_all_instances_within_60_seconds() {
    let client = Client::new();
    // Both instances of the function cache the token.
    for _ in 0..20 {
        client.get("/v1/groups").page();
    }
    let revoked = stack().invoke("revoke-token", &json!({ "token": client.token }));
    assert_eq!(revoked, Ok(json!({ "revoked": 1 })));
    // Functions that have not cached the token reject it at once.
    client
        .delete("/v1/groups/L7cGNIBKZiNJ6wqF")
        .assert_error(401, "token_invalid", None);
    // One instance may reject the token before the other. Ten rejections in a row are from both.
    let mut rejections = 0;
    wait_for(
        "the rejection of the revoked token",
        Duration::from_secs(60),
        || {
            let response = client.get("/v1/groups");
            rejections = if response.status == 200 {
                0
            } else {
                rejections + 1
            };
            if rejections > 0 {
                response.assert_error(401, "token_invalid", None);
            }
            (rejections == 10).then_some(())
        },
    );
}

#[test]
fn tokens_are_stored_only_as_their_hash() {
    let client = Client::new();
    let input = json!({
        "TableName": "TokensTable",
        "IndexName": "by-account",
        "KeyConditionExpression": "account_id = :account_id",
        "ExpressionAttributeValues": { ":account_id": { "S": client.account_id } },
    });
    let found = stack()
        .dynamodb()
        .call("Query", &input)
        .expect("the index is read");
    let key = json!({ "token_hash": found["Items"][0]["token_hash"] });
    let read = json!({ "TableName": "TokensTable", "Key": key });
    let item = stack()
        .dynamodb()
        .call("GetItem", &read)
        .expect("the table is read")["Item"]
        .clone();
    assert_eq!(item["account_id"]["S"], client.account_id);
    let hash = text(&item["token_hash"]["S"]);
    assert!(
        hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{hash}"
    );
    assert!(!item.to_string().contains(&client.token[7..50]), "{item}");
}

#[test]
fn no_token_is_logged_at_any_log_level() {
    let client = Client::new();
    let trace = [("LOG_LEVEL", "TRACE")];
    let mut list = stack()
        .instance("list-groups", &trace)
        .expect("the instance starts");
    let event = json!({ "headers": { "authorization": format!("Bearer {}", client.token) } });
    let output = list.invoke(&event).expect("the function succeeds");
    assert_eq!(output["statusCode"], 200);
    let mut revoke = stack()
        .instance("revoke-token", &trace)
        .expect("the instance starts");
    revoke
        .invoke(&json!({ "token": client.token }))
        .expect("the function succeeds");
    revoke
        .invoke(&json!({ "token": format!("{} ", client.token) }))
        .expect_err("the token is malformed");
    let mut issue = stack()
        .instance("issue-token", &trace)
        .expect("the instance starts");
    let issued = issue
        .invoke(&json!({ "account_id": client.account_id, "name": "a" }))
        .expect("a token is issued");
    for log in [list.log(), revoke.log(), issue.log()] {
        assert!(log.contains("\"DEBUG\""), "the log level is low enough");
        for token in [&client.token, &text(&issued["token"])] {
            assert!(!log.contains(token.as_str()));
        }
    }
}
