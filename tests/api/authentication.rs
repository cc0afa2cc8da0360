use std::time::Duration;

use serde_json::json;

use crate::support::{Client, ENDPOINTS, new_account, now, stack, text, wait_for};

/// A token of the right form and checksum that nobody ever issued.
const UNKNOWN: &str = "groups_00000000000000000000000000000000000000000004AceYX";

#[test]
fn each_row_of_the_table_has_its_answer_and_its_challenge_on_every_endpoint() {
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
        for (method, path) in ENDPOINTS {
            let answer = client.send(method, path, &[("authorization", authorization)], "");
            answer.assert_error(status, code, None);
        }
    }
}

#[test]
fn the_schemes_name_is_case_insensitive() {
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
fn an_expired_token_is_invalid_also_on_an_instance_that_has_served_it() {
    // Brought up first, which may take its time.
    let stack = stack();
    let expires_at = now() + 6;
    let payload = json!({ "account_id": new_account(), "name": "short", "expires_at": expires_at });
    let issued = stack.invoke("issue-token", &payload).expect("a token");
    let client = Client::with_token("", &text(&issued["token"]), stack.url());
    client.get("/v1/groups").page();
    let refused = wait_for("the token's end", Duration::from_secs(15), || {
        let answer = client.get("/v1/groups");
        (answer.status != 200).then_some(answer)
    });
    assert!(now() >= expires_at);
    refused.assert_error(401, "token_invalid", None);
}

#[test]
fn a_revoked_token_stops_working_everywhere_within_60_seconds() {
    let client = Client::new();
    // Both instances of the function come to know the token.
    for _ in 0..20 {
        client.get("/v1/groups").page();
    }
    let revoked = stack().invoke("revoke-token", &json!({ "token": client.token }));
    assert_eq!(revoked, Ok(json!({ "revoked": 1 })));
    // Functions that have not seen the token refuse it at once.
    client
        .delete("/v1/groups/L7cGNIBKZiNJ6wqF")
        .assert_error(401, "token_invalid", None);
    // One refusal can come from one of the two instances; ten in a row come from both.
    let mut refusals = 0;
    wait_for(
        "the end of the revoked token",
        Duration::from_secs(60),
        || {
            let answer = client.get("/v1/groups");
            refusals = if answer.status == 200 {
                0
            } else {
                refusals + 1
            };
            (refusals > 0).then(|| answer.assert_error(401, "token_invalid", None));
            (refusals == 10).then_some(())
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
        .expect("the index answers");
    let key = json!({ "token_hash": found["Items"][0]["token_hash"] });
    let read = json!({ "TableName": "TokensTable", "Key": key });
    let item = stack()
        .dynamodb()
        .call("GetItem", &read)
        .expect("the table answers")["Item"]
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
fn a_token_is_in_no_log_however_much_is_logged() {
    let client = Client::new();
    let trace = [("LOG_LEVEL", "TRACE")];
    let mut list = stack()
        .instance("list-groups", &trace)
        .expect("an instance");
    let event = json!({ "headers": { "authorization": format!("Bearer {}", client.token) } });
    let response = list.invoke(&event).expect("an answer");
    assert_eq!(response["statusCode"], 200);
    let mut revoke = stack()
        .instance("revoke-token", &trace)
        .expect("an instance");
    revoke
        .invoke(&json!({ "token": client.token }))
        .expect("an answer");
    revoke
        .invoke(&json!({ "token": format!("{} ", client.token) }))
        .expect_err("a function error");
    let mut issue = stack()
        .instance("issue-token", &trace)
        .expect("an instance");
    let issued = issue
        .invoke(&json!({ "account_id": client.account_id, "name": "a" }))
        .expect("a token");
    for log in [list.log(), revoke.log(), issue.log()] {
        assert!(log.contains("\"DEBUG\""), "much is logged");
        for token in [&client.token, &text(&issued["token"])] {
            assert!(!log.contains(token.as_str()));
        }
    }
}
