//! Headers that a client sends more than once. API Gateway joins their values with a comma.

use crate::{
    http::{self, Response},
    support::{Client, stack},
};

fn send(client: &Client, method: &str, target: &str, headers: &[&str], body: &str) -> Response {
    let authorization = format!("authorization: Bearer {}", client.token);
    let headers = [&[authorization.as_str()], headers].concat();
    http::request(stack(), method, target, &headers, body)
}

const FORM: &str = "content-type: application/x-www-form-urlencoded";

#[test]
fn several_idempotency_keys_are_400() {
    let client = Client::new();
    for keys in [["a", "b"], ["a", "a"], ["\"a\"", "\"b\""]] {
        let keys = keys.map(|key| format!("Idempotency-Key: {key}"));
        let response = send(
            &client,
            "POST",
            "/v1/groups",
            &[FORM, &keys[0], &keys[1]],
            "name=a",
        );
        let error = response.json();
        assert_eq!(
            (response.status, &error["code"]),
            (400, &"repeated".into()),
            "{keys:?}: {error}"
        );
        assert_eq!(error["param"], "Idempotency-Key");
    }
    assert_eq!(
        client.get("/v1/groups").ids().0.len(),
        0,
        "nothing was created"
    );
}

#[test]
fn several_tokens_are_400() {
    let client = Client::new();
    let again = format!("Authorization: Bearer {}", client.token);
    for second in [
        again.as_str(),
        "authorization: Bearer x",
        "AUTHORIZATION: Basic eDp5",
    ] {
        let response = send(&client, "GET", "/v1/groups", &[second], "");
        assert_eq!(
            (response.status, &response.json()["code"]),
            (400, &"token_malformed".into()),
            "{second}"
        );
    }
}

#[test]
fn several_headers_of_entity_tags_are_one_list() {
    let client = Client::new();
    let path = client.create("a");
    let etag = client.get(&path).headers["etag"].clone();
    let (none, some) = (
        format!("If-None-Match: {etag}"),
        format!("If-Match: {etag}"),
    );
    assert_eq!(
        send(&client, "GET", &path, &["If-None-Match: \"x\"", &none], "").status,
        304
    );
    assert_eq!(
        send(
            &client,
            "GET",
            &path,
            &["If-None-Match: \"x\"", "if-none-match: \"y\""],
            ""
        )
        .status,
        200
    );
    let response = send(
        &client,
        "PUT",
        &path,
        &[FORM, "If-Match: \"x\"", "if-match: \"y\""],
        "name=b",
    );
    assert_eq!(response.status, 412);
    assert_eq!(
        send(
            &client,
            "PUT",
            &path,
            &[FORM, "If-Match: \"x\"", &some],
            "name=b"
        )
        .status,
        200
    );
    let star = send(
        &client,
        "GET",
        &path,
        &["If-None-Match: *", "if-none-match: \"y\""],
        "",
    );
    assert_eq!(
        (star.status, &star.json()["param"]),
        (400, &"If-None-Match".into())
    );
}

#[test]
fn several_content_types_are_415() {
    let client = Client::new();
    let response = send(
        &client,
        "POST",
        "/v1/groups",
        &[FORM, "Content-Type: application/json"],
        "name=a",
    );
    assert_eq!(response.status, 415, "{response:?}");
}
