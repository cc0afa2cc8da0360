//! The examples of the documentation page, which openapi.yaml contains. Each curl command, with this stack's host and
//! token, must return the response of the page.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    openapi::read_openapi,
    support::{Client, now, stack, store_sample, text},
};

/// Returns the group of the docs examples.
fn plaza_hotel() -> Value {
    json!({
        "id": "l7cGNIBKZiNJ6wqF",
        "name": "Plaza Hotel",
        "description": "World-renowned.",
        "avatar_url": "https://assets.protocol.chat/avatars/plazahotel.jpg",
        "conversation_id": "ZYjVAbCE9g5XRlra",
        "contacts": [
            { "username": "Hector" },
            { "username": "Cedric" },
            { "username": "Hester" },
            { "username": "Cliff" },
        ],
        "created_at": 692233200,
        "archived_at": null,
    })
}

/// Returns the curl command of an operation.
fn curl(operation: &Value) -> String {
    let samples = operation["x-codeSamples"].as_array().expect("samples");
    let curl = samples.iter().find(|sample| sample["label"] == "cURL");
    text(&curl.expect("a sample for curl")["source"])
}

/// Runs the curl command of an operation in a shell, and returns its output.
fn run(client: &Client, operation: &Value) -> String {
    let command = curl(operation)
        .replace("https://api.protocol.chat", stack().url())
        .replace("{token}", &client.token);
    let output = Command::new("sh")
        .args(["-c", &command])
        .output()
        .expect("sh runs");
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// Checks a group against the docs example, member by member. The example shows only the usernames of contacts. It
/// writes the first letter of the id once in upper case and once in lower case.
fn assert_same(group: &Value, example: &Value) {
    let members = |group: &Value| group.as_object().expect("a group is an object").clone();
    assert_eq!(members(group).len(), members(example).len());
    for (name, expected) in &members(example) {
        let found = &group[name];
        match name.as_str() {
            "id" => assert!(text(found).eq_ignore_ascii_case(&text(expected)), "{found}"),
            "contacts" => assert_eq!(usernames(found), usernames(expected)),
            _ => assert_eq!(found, expected, "{name}"),
        }
    }
}

fn usernames(contacts: &Value) -> Vec<String> {
    let contacts = contacts.as_array().expect("`contacts` is an array");
    contacts
        .iter()
        .map(|contact| text(&contact["username"]))
        .collect()
}

#[test]
fn each_curl_command_of_the_documentation_page_returns_the_response_of_the_page() {
    let client = Client::new();
    store_sample(&client);
    let json = |operation| serde_json::from_str::<Value>(&run(&client, operation)).expect("JSON");
    let openapi = read_openapi();
    let groups = &openapi["paths"]["/v1/groups"];
    let group = &openapi["paths"]["/v1/groups/{id}"];

    let list = json(&groups["get"]);
    assert_eq!(list["has_more"], false);
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    assert_same(&list["data"][0], &plaza_hotel());

    let created = json(&groups["post"]);
    let mut expected = plaza_hotel();
    for name in ["description", "avatar_url"] {
        expected[name] = Value::Null;
    }
    expected["contacts"] = json!([]);
    // Only these three members differ from the docs example, because they are new for each group.
    for name in ["id", "conversation_id"] {
        assert!(text(&created[name]).len() == 16 && created[name] != expected[name]);
        expected[name] = created[name].clone();
    }
    assert!(
        (0..60).contains(
            &(now()
                - created["created_at"]
                    .as_i64()
                    .expect("`created_at` is an integer"))
        )
    );
    expected["created_at"] = created["created_at"].clone();
    assert_same(&created, &expected);

    let retrieved = json(&group["get"]);
    assert_same(&retrieved, &plaza_hotel());

    let updated = json(&group["put"]);
    let mut expected = plaza_hotel();
    expected["description"] = json!("The finest in New York.");
    assert_same(&updated, &expected);

    let deleted = run(&client, &group["delete"]);
    assert_eq!(deleted, "");
    client
        .get("/v1/groups/L7cGNIBKZiNJ6wqF")
        .assert_error(404, "group_not_found", None);
}
