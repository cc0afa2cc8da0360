use std::thread;

use serde_json::{Value, json};

use crate::support::{Client, text};

/// Creates a group with all members and returns its path and the group.
fn create_full_group(client: &Client) -> (String, Value) {
    let response = client.post(&json!({
        "name": "Plaza Hotel",
        "description": "World-renowned.",
        "avatar_url": "https://assets.protocol.chat/avatars/plazahotel.jpg",
        "contacts": [{ "username": "Hector" }, { "username": "Cedric" }],
    }));
    (response.headers["location"].clone(), response.group(201))
}

#[test]
fn an_update_changes_only_the_members_in_the_body() {
    let client = Client::new();
    let (path, mut expected) = create_full_group(&client);
    for (member, value) in [
        ("name", json!("Plaza")),
        ("description", json!("The finest in New York.")),
        (
            "avatar_url",
            json!("https://assets.protocol.chat/avatars/plaza.jpg"),
        ),
        ("archived_at", json!(692_233_200)),
        ("archived_at", Value::Null),
        ("description", json!("")),
        ("description", Value::Null),
        ("avatar_url", Value::Null),
        ("avatar_url", Value::Null),
    ] {
        expected[member] = value.clone();
        assert_eq!(
            client.put(&path, &json!({ member: value })).group(200),
            expected
        );
        assert_eq!(client.get(&path).group(200), expected);
    }
}

#[test]
fn contacts_are_replaced_as_a_whole_and_cleared_by_null() {
    let client = Client::new();
    let (path, group) = create_full_group(&client);
    let usernames = |group: &Value| -> Vec<String> {
        let contacts = group["contacts"].as_array();
        let contacts = contacts.expect("`contacts` is an array").iter();
        contacts.map(|contact| text(&contact["username"])).collect()
    };
    let mut contacts = group["contacts"]
        .as_array()
        .expect("`contacts` is an array")
        .clone();
    contacts.push(json!({ "username": "Hester" }));
    let added = client
        .put(&path, &json!({ "contacts": contacts }))
        .group(200);
    assert_eq!(usernames(&added), ["Hector", "Cedric", "Hester"]);
    let removed = client
        .put(&path, &json!({ "contacts": [{ "username": "Cliff" }] }))
        .group(200);
    assert_eq!(usernames(&removed), ["Cliff"]);
    let cleared = client.put(&path, &json!({ "contacts": null })).group(200);
    assert_eq!(cleared["contacts"], json!([]));
    assert_eq!(client.get(&path).group(200), cleared);
}

#[test]
fn forms_change_and_clear_members_as_json_does() {
    let client = Client::new();
    let (path, mut expected) = create_full_group(&client);
    expected["description"] = json!("The finest in New York.");
    let response = client.form("PUT", &path, "description=The finest in New York.");
    assert_eq!(response.group(200), expected);
    for member in ["description", "avatar_url"] {
        expected[member] = Value::Null;
    }
    expected["contacts"] = json!([]);
    expected["archived_at"] = json!(692_233_200);
    let form = "description=&avatar_url=&contacts=&archived_at=692233200";
    assert_eq!(client.form("PUT", &path, form).group(200), expected);
    expected["archived_at"] = Value::Null;
    assert_eq!(
        client.form("PUT", &path, "archived_at=").group(200),
        expected
    );
    client
        .form("PUT", &path, "name=")
        .assert_error(400, "invalid", Some("name"));
    assert_eq!(client.get(&path).group(200), expected);
}

#[test]
fn an_empty_update_returns_the_group_unchanged() {
    let client = Client::new();
    let (path, group) = create_full_group(&client);
    assert_eq!(client.put(&path, &json!({})).group(200), group);
    assert_eq!(client.send("PUT", &path, &[], "").group(200), group);
    assert_eq!(client.form("PUT", &path, "").group(200), group);
    client
        .put("/v1/groups/L7cGNIBKZiNJ6wqF", &json!({}))
        .assert_error(404, "group_not_found", None);
}

#[test]
fn archiving_moves_a_group_from_one_filtered_list_to_the_other_and_back() {
    let client = Client::new();
    let (path, group) = create_full_group(&client);
    let lists = || {
        let count = |query: &str| client.get(&format!("/v1/groups{query}")).ids().0.len();
        [count(""), count("?archived=false"), count("?archived=true")]
    };
    assert_eq!(lists(), [1, 1, 0]);
    client.put(&path, &json!({ "archived_at": 0 })).group(200);
    assert_eq!(lists(), [1, 0, 1]);
    client
        .put(&path, &json!({ "name": "still archived" }))
        .group(200);
    assert_eq!(lists(), [1, 0, 1]);
    client
        .put(
            &path,
            &json!({ "archived_at": null, "name": group["name"] }),
        )
        .group(200);
    assert_eq!(lists(), [1, 1, 0]);
    assert_eq!(client.get(&path).group(200), group);
}

#[test]
fn the_limits_of_members_are_those_of_create() {
    let client = Client::new();
    let (path, group) = create_full_group(&client);
    for (body, code, param) in [
        (json!({ "name": null }), "invalid", "name"),
        (json!({ "name": "" }), "invalid", "name"),
        (json!({ "name": "a".repeat(257) }), "invalid", "name"),
        (
            json!({ "description": "a".repeat(4_097) }),
            "invalid",
            "description",
        ),
        (
            json!({ "avatar_url": "plazahotel.jpg" }),
            "invalid",
            "avatar_url",
        ),
        (
            json!({ "contacts": [{}] }),
            "missing",
            "contacts[0].username",
        ),
        (json!({ "archived_at": -1 }), "invalid", "archived_at"),
        (
            json!({ "archived_at": 253_402_300_800_i64 }),
            "invalid",
            "archived_at",
        ),
        (json!({ "archived_at": 1.5 }), "invalid", "archived_at"),
        (
            json!({ "archived_at": "692233200" }),
            "invalid",
            "archived_at",
        ),
        (json!({ "archived_at": true }), "invalid", "archived_at"),
        (json!({ "id": group["id"] }), "unknown", "id"),
        (json!({ "created_at": 1 }), "unknown", "created_at"),
        (
            json!({ "conversation_id": null }),
            "unknown",
            "conversation_id",
        ),
    ] {
        client
            .put(&path, &body)
            .assert_error(400, code, Some(param));
    }
    client
        .put(&path, &json!({ "archived_at": 253_402_300_799_i64 }))
        .group(200);
    // JSON Schema, and therefore OpenAPI, defines a number without a fraction as an integer.
    let archive_at = |number: &str| {
        let headers = [("content-type", "application/json")];
        let body = format!(r#"{{"archived_at": {number}}}"#);
        client.send("PUT", &path, &headers, body)
    };
    for (number, integer) in [("1.0", 1), ("70e-1", 7), ("0.0", 0)] {
        assert_eq!(
            archive_at(number).group(200)["archived_at"],
            integer,
            "{number}"
        );
    }
    for number in ["1e-400", "253402300799.00000000001", "1e300"] {
        archive_at(number).assert_error(400, "invalid", Some("archived_at"));
    }
    client
        .put(&path, &json!({ "archived_at": null }))
        .group(200);
    assert_eq!(client.get(&path).group(200), group);
}

#[test]
fn a_group_of_another_account_is_404_and_is_not_created() {
    let (owner, stranger) = (Client::new(), Client::new());
    let (path, group) = create_full_group(&owner);
    stranger
        .put(&path, &json!({ "name": "mine" }))
        .assert_error(404, "group_not_found", None);
    assert_eq!(owner.get(&path).group(200), group);
    assert_eq!(stranger.get("/v1/groups").ids().0.len(), 0);
    for id in ["L7cGNIBKZiNJ6wqF", "x"] {
        let path = format!("/v1/groups/{id}");
        stranger
            .put(&path, &json!({ "name": "a" }))
            .assert_error(404, "group_not_found", None);
    }
    assert_eq!(stranger.get("/v1/groups").ids().0.len(), 0);
}

#[test]
fn concurrent_updates_of_different_members_do_not_overwrite_each_other() {
    let client = Client::new();
    let (path, _) = create_full_group(&client);
    const ROUNDS: usize = 20;
    thread::scope(|scope| {
        for member in ["name", "description"] {
            let (client, path) = (&client, &path);
            scope.spawn(move || {
                for round in 1..=ROUNDS {
                    let value = format!("{member} {round}");
                    let group = client.put(path, &json!({ member: value })).group(200);
                    assert_eq!(group[member], value, "only this thread writes this member");
                }
            });
        }
    });
    let group = client.get(&path).group(200);
    assert_eq!(group["name"], format!("name {ROUNDS}"));
    assert_eq!(group["description"], format!("description {ROUNDS}"));
}

#[test]
fn query_parameters_are_rejected() {
    let client = Client::new();
    let (path, group) = create_full_group(&client);
    let response = client.put(&format!("{path}?archived=true"), &json!({ "name": "a" }));
    response.assert_error(400, "unknown", Some("archived"));
    assert_eq!(client.get(&path).group(200), group);
}

#[test]
fn an_empty_body_changes_nothing_whatever_its_content_type() {
    let client = Client::new();
    let (path, expected) = create_full_group(&client);
    for content_type in [
        "application/json",
        "text/plain",
        "application/octet-stream",
        "",
    ] {
        let response = client.send("PUT", &path, &[("content-type", content_type)], "");
        assert_eq!(response.group(200), expected, "{content_type}");
    }
}
