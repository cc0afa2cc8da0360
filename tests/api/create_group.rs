use serde_json::{Value, json};

use crate::support::{Client, now, text};

#[test]
fn a_group_needs_only_a_name() {
    let client = Client::new();
    let before = now();
    let response = client.form("POST", "/v1/groups", "name=Plaza Hotel");
    let group = response.group(201);
    let id = text(&group["id"]);
    let expected = json!({
        "id": id,
        "name": "Plaza Hotel",
        "description": null,
        "avatar_url": null,
        "conversation_id": group["conversation_id"],
        "contacts": [],
        "created_at": group["created_at"],
        "archived_at": null,
    });
    assert_eq!(group, expected);
    for id in [&id, &text(&group["conversation_id"])] {
        assert!(
            id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{id}"
        );
    }
    assert_ne!(group["id"], group["conversation_id"]);
    assert!(
        (before..=now()).contains(
            &group["created_at"]
                .as_i64()
                .expect("`created_at` is an integer")
        )
    );
    assert_eq!(response.headers["location"], format!("/v1/groups/{id}"));
    assert_eq!(
        client.get(&response.headers["location"]).group(200),
        group,
        "the stored group is the one in the response"
    );
}

#[test]
fn members_are_stored_unchanged() {
    let client = Client::new();
    let full = json!({
        "id": "0123456789ABCDEF",
        "username": "Hector",
        "phone_number": "+1 (212) 555-0100",
        "avatar_url": "HTTPS://Assets.Protocol.Chat:443/a/../b?c=%7e#d",
        "display_name": " Hector Salamanca ",
        "conversation_id": "abcdefghijklmnop",
        "last_active_at": 0,
        "created_at": 253_402_300_799_i64,
    });
    let minimal = json!({ "username": "Ce\u{301}dric" });
    let body = json!({
        "name": " Plaza \u{202e}Hotel\u{200b} ",
        "description": "World-renowned.\r\n\t\"Quoted\" \\ and 🦀 — A\u{30a}ngstrom, Ångstrom",
        "avatar_url": "https://assets.protocol.chat/avatars/plazahotel.jpg",
        "contacts": [full, minimal],
    });
    let response = client.post(&body);
    let group = response.group(201);
    for member in ["name", "description", "avatar_url"] {
        assert_eq!(group[member], body[member]);
    }
    assert_eq!(group["contacts"][0], full);
    let with_nulls = json!({
        "id": null,
        "username": "Ce\u{301}dric",
        "phone_number": null,
        "avatar_url": null,
        "display_name": null,
        "conversation_id": null,
        "last_active_at": null,
        "created_at": null,
    });
    assert_eq!(group["contacts"][1], with_nulls);
    assert_eq!(client.get(&response.headers["location"]).group(200), group);

    let again = client
        .post(&json!({ "name": "Again", "contacts": group["contacts"] }))
        .group(201);
    assert_eq!(
        again["contacts"], group["contacts"],
        "contacts of a response can be sent in a request"
    );
}

#[test]
fn null_means_the_same_as_absent_except_for_the_name() {
    let client = Client::new();
    let group = client
        .post(&json!({ "name": "a", "description": null, "avatar_url": null, "contacts": null }))
        .group(201);
    assert_eq!(
        (&group["description"], &group["contacts"]),
        (&Value::Null, &json!([]))
    );
    client
        .post(&json!({ "name": null }))
        .assert_error(400, "invalid", Some("name"));
    client
        .post(&json!({}))
        .assert_error(400, "missing", Some("name"));
    let empty = client
        .post(&json!({ "name": "a", "description": "" }))
        .group(201);
    assert_eq!(empty["description"], "", "an empty string is not null");
}

#[test]
fn usernames_are_compared_code_point_by_code_point() {
    let client = Client::new();
    let create = |names: &[&str]| {
        let contacts: Vec<_> = names
            .iter()
            .map(|name| json!({ "username": name }))
            .collect();
        client.post(&json!({ "name": "a", "contacts": contacts }))
    };
    create(&["hector", "Hector", "\u{e9}", "e\u{301}"]).group(201);
    create(&["a", "b", "a"]).assert_error(400, "repeated", Some("contacts[2].username"));
}

#[test]
fn each_limit_allows_its_exact_value_and_rejects_the_next_one() {
    let client = Client::new();
    let url = |bytes: usize| format!("https://a.example/{}", "x".repeat(bytes - 18));
    let contact = |member: &str, value: Value| {
        let mut contact = json!({ "username": "a" });
        contact[member] = value;
        json!([contact])
    };
    let many = |count: usize| {
        (0..count)
            .map(|i| json!({ "username": i.to_string() }))
            .collect::<Value>()
    };
    let max = 253_402_300_799_i64;
    for (param, member, allowed, rejected) in [
        (
            "name",
            "name",
            json!("🦀".repeat(256)),
            json!("🦀".repeat(257)),
        ),
        ("name", "name", json!("a"), json!("")),
        (
            "description",
            "description",
            json!("é".repeat(4_096)),
            json!("é".repeat(4_097)),
        ),
        (
            "avatar_url",
            "avatar_url",
            json!(url(2_048)),
            json!(url(2_049)),
        ),
        ("contacts", "contacts", many(1_000), many(1_001)),
        (
            "contacts",
            "contacts",
            contacts_of_bytes(350_000),
            contacts_of_bytes(350_001),
        ),
        (
            "contacts[0].username",
            "contacts",
            contact("username", json!("語".repeat(64))),
            contact("username", json!("語".repeat(65))),
        ),
        (
            "contacts[0].phone_number",
            "contacts",
            contact("phone_number", json!("1".repeat(32))),
            contact("phone_number", json!("1".repeat(33))),
        ),
        (
            "contacts[0].phone_number",
            "contacts",
            contact("phone_number", json!("1")),
            contact("phone_number", json!("")),
        ),
        (
            "contacts[0].display_name",
            "contacts",
            contact("display_name", json!("🦀".repeat(256))),
            contact("display_name", json!("🦀".repeat(257))),
        ),
        (
            "contacts[0].avatar_url",
            "contacts",
            contact("avatar_url", json!(url(2_048))),
            contact("avatar_url", json!(url(2_049))),
        ),
        (
            "contacts[0].last_active_at",
            "contacts",
            contact("last_active_at", json!(max)),
            contact("last_active_at", json!(max + 1)),
        ),
        (
            "contacts[0].created_at",
            "contacts",
            contact("created_at", json!(0)),
            contact("created_at", json!(-1)),
        ),
        (
            "contacts[0].id",
            "contacts",
            contact("id", json!("x".repeat(16))),
            contact("id", json!("x".repeat(17))),
        ),
        (
            "contacts[0].conversation_id",
            "contacts",
            contact("conversation_id", json!("x".repeat(16))),
            contact("conversation_id", json!("x".repeat(15))),
        ),
    ] {
        let mut body = json!({ "name": "a" });
        body[member] = allowed;
        let response = client.post(&body);
        let group = response.group(201);
        assert_eq!(client.get(&response.headers["location"]).group(200), group);
        body[member] = rejected;
        client.post(&body).assert_error(400, "invalid", Some(param));
    }
}

/// Returns contacts whose JSON array has exactly this many bytes in a response.
pub fn contacts_of_bytes(bytes: usize) -> Value {
    let contact = |index: usize, padding: usize| {
        let avatar_url = format!("https://a.example/{}", "x".repeat(padding));
        json!({
            "id": null, "username": format!("{index:04}"), "phone_number": null,
            "avatar_url": avatar_url, "display_name": null, "conversation_id": null,
            "last_active_at": null, "created_at": null,
        })
    };
    let size = |contacts: &[Value]| json!(contacts).to_string().len();
    let mut contacts = Vec::new();
    while size(&contacts) + 1_300 < bytes {
        contacts.push(contact(contacts.len(), 1_000));
    }
    contacts.push(contact(contacts.len(), 0));
    let missing = bytes - size(&contacts);
    let last = contacts.len() - 1;
    contacts[last] = contact(last, missing);
    assert_eq!(size(&contacts), bytes);
    json!(contacts)
}

#[test]
fn the_largest_group_fits_into_the_table() {
    let client = Client::new();
    let body = json!({
        "name": "🦀".repeat(256),
        "description": "🦀".repeat(4_096),
        "avatar_url": format!("https://a.example/{}", "x".repeat(2_030)),
        "contacts": contacts_of_bytes(350_000),
    });
    let response = client.post(&body);
    let group = response.group(201);
    let path = &response.headers["location"];
    assert_eq!(client.get(path).group(200), group);
    client.put(path, &json!({ "archived_at": 1 })).group(200);
    assert_eq!(
        client.get("/v1/groups?archived=true").page().0[0]["description"],
        body["description"]
    );
}

#[test]
fn a_body_may_have_1_mib_and_not_one_byte_more() {
    let client = Client::new();
    let padded = |bytes: usize| " ".repeat(bytes - 13) + r#"{"name": "a"}"#;
    let send = |body: &str| {
        client.send(
            "POST",
            "/v1/groups",
            &[("content-type", "application/json")],
            body,
        )
    };
    send(&padded(1_048_576)).group(201);
    send(&padded(1_048_577)).assert_error(413, "body_too_large", None);
    let form = |bytes: usize| format!("{}name=a", "&".repeat(bytes - 6));
    client
        .form("POST", "/v1/groups", &form(1_048_576))
        .group(201);
    client
        .form("POST", "/v1/groups", &form(1_048_577))
        .assert_error(413, "body_too_large", None);
}

#[test]
fn the_media_type_is_json_or_form_with_any_parameters() {
    let client = Client::new();
    let send = |media_type: &str, body: &str| {
        client.send("POST", "/v1/groups", &[("content-type", media_type)], body)
    };
    for media_type in [
        "application/json",
        "Application/JSON; charset=latin1",
        "application/json;x=\"y;z\"",
        "application/json ;",
    ] {
        send(media_type, r#"{"name": "a"}"#).group(201);
    }
    send("application/x-www-form-urlencoded; charset=UTF-8", "name=a").group(201);
    for media_type in [
        "text/plain",
        "application/merge-patch+json",
        "application",
        "json",
        "multipart/form-data",
    ] {
        send(media_type, r#"{"name": "a"}"#).assert_error(415, "media_type_not_supported", None);
        send(media_type, "").assert_error(400, "missing", Some("name"));
    }
    send("", r#"{"name": "a"}"#).assert_error(415, "media_type_not_supported", None);
    for media_type in ["", "application/json", "application/x-www-form-urlencoded"] {
        send(media_type, "").assert_error(400, "missing", Some("name"));
    }
}

#[test]
fn a_body_that_cannot_be_parsed_is_malformed() {
    let client = Client::new();
    for body in [
        "{",
        " ",
        "name=a",
        r#"{"name": "a"} x"#,
        r#"{"name": "\ud800"}"#,
        r#"{"name": "a", "archived_at": 1e999}"#,
        &format!(r#"{{"name": {}{}}}"#, "[".repeat(100), "]".repeat(100)),
    ] {
        let headers = [("content-type", "application/json")];
        client
            .send("POST", "/v1/groups", &headers, body)
            .assert_error(400, "malformed_body", None);
    }
    for body in ["name=%", "name=%zz", "name=%ff", "na%me=a"] {
        client
            .form("POST", "/v1/groups", body)
            .assert_error(400, "malformed_body", None);
    }
}

#[test]
fn an_error_in_a_member_names_its_path() {
    let client = Client::new();
    for (body, code, param) in [
        (r#"[]"#, "invalid", None),
        (r#""name""#, "invalid", None),
        (r#"null"#, "invalid", None),
        (r#"{"name": 1}"#, "invalid", Some("name")),
        (
            &format!(r#"{{"name": {}{}}}"#, "[".repeat(99), "]".repeat(99)),
            "invalid",
            Some("name"),
        ),
        (
            r#"{"name": "a", "contacts": [{"username": [["x"]]}]}"#,
            "invalid",
            Some("contacts[0].username"),
        ),
        (
            r#"{"name": "a", "contacts": [{"username": "b", "id": {"c": {}}}]}"#,
            "invalid",
            Some("contacts[0].id"),
        ),
        (r#"{"name": "\u0000"}"#, "invalid", Some("name")),
        (r#"{"name": "\u3000\t"}"#, "invalid", Some("name")),
        (r#"{"name": " \u00a0 "}"#, "invalid", Some("name")),
        (r#"{"name": "a", "name": "b"}"#, "repeated", Some("name")),
        (r#"{"name": "a", "nmae": "b"}"#, "unknown", Some("nmae")),
        (
            r#"{"name": "a", "archived_at": 1}"#,
            "unknown",
            Some("archived_at"),
        ),
        (
            r#"{"name": "a", "id": "L7cGNIBKZiNJ6wqF"}"#,
            "unknown",
            Some("id"),
        ),
        (
            r#"{"name": "a", "description": true}"#,
            "invalid",
            Some("description"),
        ),
        (
            r#"{"name": "a", "description": "\u0007"}"#,
            "invalid",
            Some("description"),
        ),
        (
            r#"{"name": "a", "avatar_url": ""}"#,
            "invalid",
            Some("avatar_url"),
        ),
        (
            r#"{"name": "a", "avatar_url": "ftp://a.example/"}"#,
            "invalid",
            Some("avatar_url"),
        ),
        (
            r#"{"name": "a", "avatar_url": "https://a.example/ b"}"#,
            "invalid",
            Some("avatar_url"),
        ),
        (
            r#"{"name": "a", "contacts": {}}"#,
            "invalid",
            Some("contacts"),
        ),
        (
            r#"{"name": "a", "contacts": "Hector"}"#,
            "invalid",
            Some("contacts"),
        ),
        (
            r#"{"name": "a", "contacts": ["Hector"]}"#,
            "invalid",
            Some("contacts[0]"),
        ),
        (
            r#"{"name": "a", "contacts": [null]}"#,
            "invalid",
            Some("contacts[0]"),
        ),
        (
            r#"{"name": "a", "contacts": [{"username": "a"}, {}]}"#,
            "missing",
            Some("contacts[1].username"),
        ),
        (
            r#"{"name": "a", "contacts": [{"username": null}]}"#,
            "invalid",
            Some("contacts[0].username"),
        ),
        (
            r#"{"name": "a", "contacts": [{"username": "a b"}]}"#,
            "invalid",
            Some("contacts[0].username"),
        ),
        (
            r#"{"name": "a", "contacts": [{"username": "a", "x": 1}]}"#,
            "unknown",
            Some("contacts[0].x"),
        ),
        (
            r#"{"name": "a", "contacts": [{"username": "a", "id": null, "id": null}]}"#,
            "repeated",
            Some("contacts[0].id"),
        ),
        (
            r#"{"name": "a", "contacts": [{"username": "a", "created_at": "1"}]}"#,
            "invalid",
            Some("contacts[0].created_at"),
        ),
        (
            r#"{"name": "a", "contacts": [{"username": "a", "created_at": 1.5}]}"#,
            "invalid",
            Some("contacts[0].created_at"),
        ),
    ] {
        let headers = [("content-type", "application/json")];
        client
            .send("POST", "/v1/groups", &headers, body)
            .assert_error(400, code, param);
    }
    assert_eq!(
        client.get("/v1/groups").ids(),
        (vec![], false),
        "a rejected request changes nothing"
    );
}

#[test]
fn forms_write_contacts_in_two_ways() {
    let client = Client::new();
    let usernames = |form: &str| {
        let group = client.form("POST", "/v1/groups", form).group(201);
        let contacts = group["contacts"].as_array();
        contacts
            .expect("`contacts` is an array")
            .iter()
            .map(|contact| text(&contact["username"]))
            .collect::<Vec<_>>()
    };
    let numbered = "contacts[1][username]=Cedric&name=a&contacts[0][username]=Hector";
    assert_eq!(usernames(numbered), ["Hector", "Cedric"]);
    let unnumbered = "name=a&contacts%5B%5D%5Busername%5D=Hector&contacts[][created_at]=7&contacts[][username]=Cedric";
    assert_eq!(usernames(unnumbered), ["Hector", "Cedric"]);
    assert_eq!(usernames("name=a&contacts="), [""; 0]);

    let full = "name=a&contacts[0][id]=0123456789ABCDEF&contacts[0][username]=H%C3%A9ctor\
        &contacts[0][phone_number]=%2B1&contacts[0][avatar_url]=&contacts[0][display_name]=H+S\
        &contacts[0][conversation_id]=abcdefghijklmnop&contacts[0][last_active_at]=5&contacts[0][created_at]=0";
    let expected = json!({
        "id": "0123456789ABCDEF", "username": "Héctor", "phone_number": "+1", "avatar_url": null,
        "display_name": "H S", "conversation_id": "abcdefghijklmnop", "last_active_at": 5, "created_at": 0,
    });
    assert_eq!(
        client.form("POST", "/v1/groups", full).group(201)["contacts"][0],
        expected
    );
}

#[test]
fn an_error_in_a_form_names_the_path_of_its_member() {
    let client = Client::new();
    for (form, code, param) in [
        ("name=", "invalid", "name"),
        ("name=a&name=b", "repeated", "name"),
        ("name=a&nmae=b", "unknown", "nmae"),
        ("name=a&contacts=Hector", "invalid", "contacts"),
        ("name=a&contacts[1][username]=a", "invalid", "contacts"),
        (
            "name=a&contacts[0][username]=a&contacts[][username]=b",
            "invalid",
            "contacts",
        ),
        (
            "name=a&contacts=&contacts[0][username]=a",
            "repeated",
            "contacts",
        ),
        ("name=a&contacts[0]=a", "unknown", "contacts[0]"),
        ("name=a&contacts[]=a", "unknown", "contacts[]"),
        ("name[]=a", "unknown", "name[]"),
        (
            "name=a&contacts[0][username]=a&contacts[0][username]=b",
            "repeated",
            "contacts[0].username",
        ),
        ("name=a&contacts[0][x]=a", "unknown", "contacts[0].x"),
        (
            "name=a&contacts[0][id]=0123456789ABCDEF",
            "missing",
            "contacts[0].username",
        ),
        (
            "name=a&contacts[0][username]=",
            "invalid",
            "contacts[0].username",
        ),
        (
            "name=a&contacts[0][username]=a&contacts[0][created_at]=01",
            "invalid",
            "contacts[0].created_at",
        ),
        (
            "name=a&contacts[0][username]=a&contacts[1][username]=a",
            "repeated",
            "contacts[1].username",
        ),
    ] {
        client
            .form("POST", "/v1/groups", form)
            .assert_error(400, code, Some(param));
    }
}

#[test]
fn an_unknown_member_with_a_long_name_is_shortened_in_the_error() {
    let client = Client::new();
    let name = "\u{1}".repeat(1_000_000);
    let response = client.form("POST", "/v1/groups", &name);
    let param = format!("{}…", &name[..256]);
    response.assert_error(400, "unknown", Some(&param));
}

#[test]
fn query_parameters_are_rejected() {
    let client = Client::new();
    let send = |query: &str| {
        client.json(
            "POST",
            &format!("/v1/groups?{query}"),
            &json!({ "name": "a" }),
        )
    };
    send("limit=10").assert_error(400, "unknown", Some("limit"));
    send("").group(201);
}

#[test]
fn contacts_are_parsed_in_order_until_they_exceed_their_limit() {
    let client = Client::new();
    let contact = |index: usize| {
        let avatar_url = format!("https://a.example/{}", "x".repeat(2_000));
        json!({ "username": format!("user-{index}"), "avatar_url": avatar_url })
    };
    let body = |invalid: usize| {
        let mut contacts: Vec<_> = (0..300).map(contact).collect();
        contacts[invalid]["avatar_url"] = json!("not a URL");
        json!({ "name": "a", "contacts": contacts })
    };
    let param = |index: usize| format!("contacts[{index}].avatar_url");
    client
        .post(&body(100))
        .assert_error(400, "invalid", Some(&param(100)));
    // Contacts after the limit are not parsed, so that they cost no time.
    client
        .post(&body(250))
        .assert_error(400, "invalid", Some("contacts"));
}

#[test]
fn a_group_its_id_and_its_conversation_are_created_at_the_same_time() {
    let client = Client::new();
    let milliseconds = |id: &Value| {
        let digit_value = |byte: u8| match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            _ => byte - b'a' + 36,
        };
        let id = text(id);
        let digits = id.bytes().take(7).map(|byte| i64::from(digit_value(byte)));
        digits.fold(0, |time, digit| time * 62 + digit)
    };
    for _ in 0..50 {
        let group = client.post(&json!({ "name": "a" })).group(201);
        let time = milliseconds(&group["id"]);
        assert_eq!(milliseconds(&group["conversation_id"]), time, "{group}");
        assert_eq!(group["created_at"], time / 1_000, "{group}");
    }
}
