//! Which error is reported if a request has several: that of the token, the media type, the size, the query, the body
//! and the group, in this order.

use crate::support::{Client, Response};

/// Sends a request in which the first `fixed` of its errors are fixed.
fn send(client: &Client, method: &str, fixed: usize, path: &str) -> Response {
    let token = format!("Bearer {}", client.token);
    let authorization = if fixed > 0 { &token } else { "Bearer junk" };
    let media_type = if fixed > 1 {
        "application/json"
    } else {
        "text/plain"
    };
    let large = "x".repeat(1_048_577);
    let body = match fixed {
        0..=2 => &large,
        3..=4 => "{",
        5 => r#"{"nmae": "a"}"#,
        _ => r#"{"name": "a"}"#,
    };
    let query = if fixed > 3 { "" } else { "?x=1" };
    let headers = [
        ("authorization", authorization),
        ("content-type", media_type),
    ];
    client.send(method, &format!("{path}{query}"), &headers, body)
}

#[test]
fn of_several_errors_the_first_in_the_contracts_order_is_reported() {
    let client = Client::new();
    for (method, path, last) in [
        ("POST", "/v1/groups", 201),
        ("PUT", "/v1/groups/L7cGNIBKZiNJ6wqF", 404),
        ("PUT", "/v1/groups/malformed", 404),
    ] {
        let send_fixed = |fixed| send(&client, method, fixed, path);
        send_fixed(0).assert_error(401, "token_invalid", None);
        send_fixed(1).assert_error(415, "media_type_not_supported", None);
        send_fixed(2).assert_error(413, "body_too_large", None);
        send_fixed(3).assert_error(400, "unknown", Some("x"));
        send_fixed(4).assert_error(400, "malformed_body", None);
        send_fixed(5).assert_error(400, "unknown", Some("nmae"));
        assert_eq!(send_fixed(6).status, last);
    }
    for method in ["GET", "DELETE"] {
        let path = "/v1/groups/malformed";
        let path_with_query = format!("{path}?x=1");
        client
            .send(
                method,
                &path_with_query,
                &[("authorization", "Bearer junk")],
                "",
            )
            .assert_error(401, "token_invalid", None);
        client
            .send(method, &path_with_query, &[], "")
            .assert_error(400, "unknown", Some("x"));
        client
            .send(method, path, &[], "")
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
