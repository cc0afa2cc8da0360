//! The page: each of its curl lines, run by curl as the page has it but for the host, the token and
//! the id, and each response, member by member.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Client, now, stack, text};

/// The group of the page's examples, as the page writes it.
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

/// Runs a line of the page in a shell, and gives curl's output.
fn run(client: &Client, line: &str) -> String {
    let line = line
        .replace("https://api.protocol.chat", stack().url())
        .replace("{token}", &client.token);
    let output = Command::new("sh")
        .args(["-c", &line])
        .output()
        .expect("sh runs");
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Checks a group against the page's, member by member. Of a contact the page shows the username;
/// of the example's id, it writes the first letter once large and once small.
fn assert_same(group: &Value, page: &Value) {
    assert_eq!(
        group.as_object().expect("a group").len(),
        page.as_object().expect("a group").len()
    );
    for (name, expected) in page.as_object().expect("a group") {
        let found = &group[name];
        match name.as_str() {
            "id" => assert!(text(found).eq_ignore_ascii_case(&text(expected)), "{found}"),
            "contacts" => {
                let usernames = |contacts: &Value| {
                    let contacts = contacts.as_array().expect("contacts").clone();
                    contacts
                        .into_iter()
                        .map(|contact| text(&contact["username"]))
                        .collect::<Vec<_>>()
                };
                assert_eq!(usernames(found), usernames(expected));
            }
            _ => assert_eq!(found, expected, "{name}"),
        }
    }
}

#[test]
fn every_curl_line_of_the_page_does_what_the_page_shows() {
    let client = Client::new();
    local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample is put");
    let json = |line| serde_json::from_str::<Value>(&run(&client, line)).expect("JSON");

    let list = json(
        r#"curl -G https://api.protocol.chat/v1/groups \
  -H "Authorization: Bearer {token}" \
  -d limit=10"#,
    );
    assert_eq!(list["has_more"], false);
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    assert_same(&list["data"][0], &plaza_hotel());

    let created = json(
        r#"curl https://api.protocol.chat/v1/groups \
  -H "Authorization: Bearer {token}" \
  -d name="Plaza Hotel""#,
    );
    let mut expected = json!({
        "id": "l7cGNIBKZiNJ6wqF",
        "name": "Plaza Hotel",
        "description": null,
        "avatar_url": null,
        "conversation_id": "ZYjVAbCE9g5XRlra",
        "contacts": [],
        "created_at": 692233200,
        "archived_at": null,
    });
    // What is made for a new group differs from the page's, in these three members alone.
    for name in ["id", "conversation_id"] {
        assert!(text(&created[name]).len() == 16 && created[name] != expected[name]);
        expected[name] = created[name].clone();
    }
    assert!((0..60).contains(&(now() - created["created_at"].as_i64().expect("an integer"))));
    expected["created_at"] = created["created_at"].clone();
    assert_same(&created, &expected);

    let retrieved = json(
        r#"curl https://api.protocol.chat/v1/groups/L7cGNIBKZiNJ6wqF \
  -H "Authorization: Bearer {token}""#,
    );
    assert_same(&retrieved, &plaza_hotel());

    let updated = json(
        r#"curl -X PUT https://api.protocol.chat/v1/groups/L7cGNIBKZiNJ6wqF \
  -H "Authorization: Bearer {token}" \
  -d description="The finest in New York.""#,
    );
    let mut expected = plaza_hotel();
    expected["description"] = json!("The finest in New York.");
    assert_same(&updated, &expected);

    let deleted = run(
        &client,
        r#"curl -X DELETE https://api.protocol.chat/v1/groups/L7cGNIBKZiNJ6wqF \
  -H "Authorization: Bearer {token}""#,
    );
    assert_eq!(deleted, "");
    client
        .get("/v1/groups/L7cGNIBKZiNJ6wqF")
        .assert_error(404, "group_not_found", None);
}
