use std::thread;

use serde_json::{Value, json};

use crate::support::{Client, Response, text};

/// The path of a group that does not exist.
const MISSING_GROUP: &str = "/v1/groups/L7cGNIBKZiNJ6wqF";

/// Creates a group and returns its path and its ETag.
fn create_group(client: &Client) -> (String, String) {
    let response = client.post(&json!({ "name": "Plaza Hotel" }));
    (
        response.headers["location"].clone(),
        response.headers["etag"].clone(),
    )
}

fn get_if_none_match(client: &Client, path: &str, tags: &str) -> Response {
    client.send("GET", path, &[("if-none-match", tags)], "")
}

fn put_if_match(client: &Client, path: &str, tags: &str, body: &Value) -> Response {
    let headers = [("content-type", "application/json"), ("if-match", tags)];
    client.send("PUT", path, &headers, body.to_string())
}

fn delete_if_match(client: &Client, path: &str, tags: &str) -> Response {
    client.send("DELETE", path, &[("if-match", tags)], "")
}

#[test]
fn the_etag_is_strong_and_changes_with_every_change() {
    let client = Client::new();
    let (path, etag) = create_group(&client);
    assert!(
        etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2,
        "{etag}"
    );
    assert_eq!(client.get(&path).headers["etag"], etag);
    let mut seen = vec![etag];
    for body in [
        json!({ "name": "a" }),
        json!({ "name": "a" }),
        json!({ "description": null }),
        json!({ "archived_at": 1 }),
        json!({ "contacts": [] }),
    ] {
        let etag = client.put(&path, &body).headers["etag"].clone();
        assert!(!seen.contains(&etag), "{body}");
        assert_eq!(client.get(&path).headers["etag"], etag);
        seen.push(etag);
    }
    let unchanged = client.put(&path, &json!({})).headers["etag"].clone();
    assert_eq!(
        Some(&unchanged),
        seen.last(),
        "an empty update changes nothing"
    );
    assert!(
        !client.get("/v1/groups").headers.contains_key("etag"),
        "a list has no ETag"
    );
}

#[test]
fn if_none_match_with_the_current_etag_is_304() {
    let client = Client::new();
    let (path, etag) = create_group(&client);
    for tags in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"a\", {etag}"),
        "*".to_owned(),
    ] {
        let response = get_if_none_match(&client, &path, &tags);
        assert_eq!(
            (response.status, response.body.as_str()),
            (304, ""),
            "{tags}"
        );
        assert_eq!(response.headers["etag"], etag);
    }
    for tags in ["\"a\"", "W/\"\"", "\"0000000000000000\""] {
        get_if_none_match(&client, &path, tags).group(200);
    }
    client.put(&path, &json!({ "name": "a" })).group(200);
    get_if_none_match(&client, &path, &etag).group(200);
    get_if_none_match(&client, MISSING_GROUP, "*").assert_error(404, "group_not_found", None);
}

#[test]
fn if_match_with_an_older_etag_is_412() {
    let client = Client::new();
    let (path, first) = create_group(&client);
    let body = json!({ "name": "a" });
    let second = put_if_match(&client, &path, &first, &body).headers["etag"].clone();
    let group = client.get(&path).group(200);
    for tags in [
        &first,
        &format!("W/{second}"),
        "\"a\"",
        "W/\"\"",
        &format!("{first}, \"b\""),
    ] {
        for body in [json!({ "name": "b" }), json!({})] {
            put_if_match(&client, &path, tags, &body).assert_error(
                412,
                "precondition_failed",
                None,
            );
        }
        delete_if_match(&client, &path, tags).assert_error(412, "precondition_failed", None);
    }
    assert_eq!(client.get(&path).group(200), group, "no change was made");
    assert_eq!(
        put_if_match(&client, &path, &second, &json!({})).group(200),
        group
    );
    let third =
        put_if_match(&client, &path, &format!("{first}, {second}"), &body).headers["etag"].clone();
    put_if_match(&client, &path, "*", &json!({ "description": "a" })).group(200);
    delete_if_match(&client, &path, &third).assert_error(412, "precondition_failed", None);
    let last = client.get(&path).headers["etag"].clone();
    assert_eq!(delete_if_match(&client, &path, &last).status, 204);
}

#[test]
fn a_conditional_write_to_a_group_that_does_not_exist_is_404() {
    let (client, stranger) = (Client::new(), Client::new());
    let (path, etag) = create_group(&client);
    for tags in ["*", &etag, "\"a\"", "W/\"a\""] {
        for path in [MISSING_GROUP, &path] {
            for body in [json!({ "name": "a" }), json!({})] {
                put_if_match(&stranger, path, tags, &body).assert_error(
                    404,
                    "group_not_found",
                    None,
                );
            }
            delete_if_match(&stranger, path, tags).assert_error(404, "group_not_found", None);
        }
    }
    assert_eq!(client.delete(&path).status, 204);
    put_if_match(&client, &path, &etag, &json!({ "name": "a" })).assert_error(
        404,
        "group_not_found",
        None,
    );
    delete_if_match(&client, &path, "*").assert_error(404, "group_not_found", None);
}

#[test]
fn a_malformed_condition_is_400_and_is_not_ignored() {
    let client = Client::new();
    let (path, etag) = create_group(&client);
    let bare = etag.trim_matches('"');
    for tags in [bare, "\"a", "*, \"a\"", "\"a\" \"b\"", "w/\"a\"", ","] {
        get_if_none_match(&client, &path, tags).assert_error(400, "invalid", Some("If-None-Match"));
        let put = put_if_match(&client, &path, tags, &json!({ "name": "a" }));
        put.assert_error(400, "invalid", Some("If-Match"));
        delete_if_match(&client, &path, tags).assert_error(400, "invalid", Some("If-Match"));
    }
    // The condition is checked after the query and before the body and the group.
    let headers = [("content-type", "application/json"), ("if-match", "a")];
    client
        .send("PUT", MISSING_GROUP, &headers, "{")
        .assert_error(400, "invalid", Some("If-Match"));
    client
        .send("PUT", "/v1/groups/x?a=1", &headers, "{")
        .assert_error(400, "unknown", Some("a"));
    assert_eq!(client.get(&path).headers["etag"], etag);
}

#[test]
fn conditions_on_other_endpoints_are_ignored() {
    let client = Client::new();
    let headers = [
        ("content-type", "application/json"),
        ("if-match", "a"),
        ("if-none-match", "*"),
    ];
    let path = client
        .send("POST", "/v1/groups", &headers, r#"{"name": "a"}"#)
        .headers["location"]
        .clone();
    client.send("GET", "/v1/groups", &headers, "").page();
    client
        .send("GET", &path, &[("if-match", "a")], "")
        .group(200);
    client
        .send("PUT", &path, &[("if-none-match", "*, a")], "")
        .group(200);
    assert_eq!(
        client
            .send("DELETE", &path, &[("if-none-match", "*, a")], "")
            .status,
        204
    );
}

#[test]
fn twenty_writers_that_use_if_match_and_retry_lose_no_change() {
    let client = Client::new();
    let (path, _) = create_group(&client);
    thread::scope(|scope| {
        for writer in 0..20 {
            let (client, path) = (&client, &path);
            scope.spawn(move || {
                loop {
                    let current = client.get(path);
                    let mut contacts = current.group(200)["contacts"]
                        .as_array()
                        .expect("`contacts` is an array")
                        .clone();
                    contacts.push(json!({ "username": writer.to_string() }));
                    let body = json!({ "contacts": contacts });
                    let response = put_if_match(client, path, &current.headers["etag"], &body);
                    if response.status == 200 {
                        return;
                    }
                    response.assert_error(412, "precondition_failed", None);
                }
            });
        }
    });
    let group = client.get(&path).group(200);
    let contacts = group["contacts"]
        .as_array()
        .expect("`contacts` is an array");
    let mut writers: Vec<_> = contacts
        .iter()
        .map(|contact| text(&contact["username"]))
        .collect();
    writers.sort();
    let mut expected: Vec<_> = (0..20).map(|writer| writer.to_string()).collect();
    expected.sort();
    assert_eq!(writers, expected);
}
