use std::thread;

use serde_json::{Value, json};

use crate::support::{Answer, Client, text};

const NOT_THERE: &str = "/v1/groups/L7cGNIBKZiNJ6wqF";

/// A group, by its path and its ETag.
fn created(client: &Client) -> (String, String) {
    let answer = client.post(&json!({ "name": "Plaza Hotel" }));
    (
        answer.headers["location"].clone(),
        answer.headers["etag"].clone(),
    )
}

fn get_if_none_match(client: &Client, path: &str, tags: &str) -> Answer {
    client.send("GET", path, &[("if-none-match", tags)], "")
}

fn put_if_match(client: &Client, path: &str, tags: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("if-match", tags)];
    client.send("PUT", path, &headers, body.to_string())
}

fn delete_if_match(client: &Client, path: &str, tags: &str) -> Answer {
    client.send("DELETE", path, &[("if-match", tags)], "")
}

#[test]
fn the_etag_is_strong_and_changes_with_every_change() {
    let client = Client::new();
    let (path, etag) = created(&client);
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
        "an update with nothing in it changes nothing"
    );
    assert!(
        !client.get("/v1/groups").headers.contains_key("etag"),
        "a list has none"
    );
}

#[test]
fn a_client_that_has_the_group_already_gets_304() {
    let client = Client::new();
    let (path, etag) = created(&client);
    for tags in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"a\", {etag}"),
        "*".to_owned(),
    ] {
        let answer = get_if_none_match(&client, &path, &tags);
        assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{tags}");
        assert_eq!(answer.headers["etag"], etag);
    }
    for tags in ["\"a\"", "W/\"\"", "\"0000000000000000\""] {
        get_if_none_match(&client, &path, tags).group(200);
    }
    client.put(&path, &json!({ "name": "a" })).group(200);
    get_if_none_match(&client, &path, &etag).group(200);
    get_if_none_match(&client, NOT_THERE, "*").assert_error(404, "group_not_found", None);
}

#[test]
fn a_write_that_depends_on_a_version_is_412_once_the_group_has_moved_on() {
    let client = Client::new();
    let (path, first) = created(&client);
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
    assert_eq!(client.get(&path).group(200), group, "nothing was changed");
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
fn a_group_that_is_not_there_is_404_whatever_the_write_depends_on() {
    let (client, stranger) = (Client::new(), Client::new());
    let (path, etag) = created(&client);
    for tags in ["*", &etag, "\"a\"", "W/\"a\""] {
        for path in [NOT_THERE, &path] {
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
fn a_malformed_condition_is_400_and_never_ignored() {
    let client = Client::new();
    let (path, etag) = created(&client);
    let bare = etag.trim_matches('"');
    for tags in [bare, "\"a", "*, \"a\"", "\"a\" \"b\"", "w/\"a\"", ","] {
        get_if_none_match(&client, &path, tags).assert_error(400, "invalid", Some("If-None-Match"));
        let put = put_if_match(&client, &path, tags, &json!({ "name": "a" }));
        put.assert_error(400, "invalid", Some("If-Match"));
        delete_if_match(&client, &path, tags).assert_error(400, "invalid", Some("If-Match"));
    }
    // Before the body and the group, behind the query.
    let headers = [("content-type", "application/json"), ("if-match", "a")];
    client
        .send("PUT", NOT_THERE, &headers, "{")
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
fn twenty_writers_that_read_change_and_retry_lose_nothing() {
    let client = Client::new();
    let (path, _) = created(&client);
    thread::scope(|scope| {
        for writer in 0..20 {
            let (client, path) = (&client, &path);
            scope.spawn(move || {
                loop {
                    let read = client.get(path);
                    let mut contacts = read.group(200)["contacts"]
                        .as_array()
                        .expect("contacts")
                        .clone();
                    contacts.push(json!({ "username": writer.to_string() }));
                    let body = json!({ "contacts": contacts });
                    let answer = put_if_match(client, path, &read.headers["etag"], &body);
                    if answer.status == 200 {
                        return;
                    }
                    answer.assert_error(412, "precondition_failed", None);
                }
            });
        }
    });
    let group = client.get(&path).group(200);
    let contacts = group["contacts"].as_array().expect("contacts");
    let mut writers: Vec<_> = contacts
        .iter()
        .map(|contact| text(&contact["username"]))
        .collect();
    writers.sort();
    let mut expected: Vec<_> = (0..20).map(|writer| writer.to_string()).collect();
    expected.sort();
    assert_eq!(writers, expected);
}
