//! Where several things are wrong at once, the contract says which is told: the token, the media
//! type, the size, the query and the body, the group.

use crate::support::Client;

/// A request with this many of its faults mended, from the front.
fn send(client: &Client, method: &str, mended: usize, fixed_path: &str) -> crate::support::Answer {
    let token = format!("Bearer {}", client.token);
    let authorization = if mended > 0 { &token } else { "Bearer junk" };
    let media_type = if mended > 1 {
        "application/json"
    } else {
        "text/plain"
    };
    let large = "x".repeat(1_048_577);
    let body = match mended {
        0..=2 => &large,
        3..=4 => "{",
        5 => r#"{"nmae": "a"}"#,
        _ => r#"{"name": "a"}"#,
    };
    let query = if mended > 3 { "" } else { "?x=1" };
    let headers = [
        ("authorization", authorization),
        ("content-type", media_type),
    ];
    client.send(method, &format!("{fixed_path}{query}"), &headers, body)
}

#[test]
fn simultaneous_faults_answer_in_the_contracts_order() {
    let client = Client::new();
    for (method, path, last) in [
        ("POST", "/v1/groups", 201),
        ("PUT", "/v1/groups/L7cGNIBKZiNJ6wqF", 404),
        ("PUT", "/v1/groups/malformed", 404),
    ] {
        let answer = |mended| send(&client, method, mended, path);
        answer(0).assert_error(401, "token_invalid", None);
        answer(1).assert_error(415, "media_type_not_supported", None);
        answer(2).assert_error(413, "body_too_large", None);
        answer(3).assert_error(400, "unknown", Some("x"));
        answer(4).assert_error(400, "malformed_body", None);
        answer(5).assert_error(400, "unknown", Some("nmae"));
        assert_eq!(answer(6).status, last);
    }
    for method in ["GET", "DELETE"] {
        let path = "/v1/groups/malformed?x=1";
        client
            .send(method, path, &[("authorization", "Bearer junk")], "")
            .assert_error(401, "token_invalid", None);
        client
            .send(method, path, &[], "")
            .assert_error(400, "unknown", Some("x"));
        client
            .send(method, &path[..20], &[], "")
            .assert_error(404, "group_not_found", None);
    }
    let list = "/v1/groups?limit=0";
    client
        .send("GET", list, &[("authorization", "")], "")
        .assert_error(401, "token_missing", None);
    client
        .send("GET", list, &[], "")
        .assert_error(400, "invalid", Some("limit"));
}
