//! Properties that must hold for all requests, tried with random ones.

use std::{cell::RefCell, collections::BTreeMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use local::Instance;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::{collection, option, prelude::*};
use serde_json::{Value, json};

use crate::support::{Client, ENDPOINTS, Response, stack, text};

/// Configures how many cases a property is tried with.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    }
}

thread_local! {
    /// The instance of each function for the test on this thread.
    static INSTANCES: RefCell<BTreeMap<&'static str, Instance>> = RefCell::default();
}

fn invoke(function: &'static str, event: &Value) -> Response {
    INSTANCES.with_borrow_mut(|instances| {
        let instance = instances.entry(function).or_insert_with(|| {
            stack()
                .instance(function, &[])
                .expect("the instance starts")
        });
        let output = instance
            .invoke(event)
            .unwrap_or_else(|error| panic!("{function}: {error}: {event}"));
        Response::from_output(&output)
    })
}

/// Generates a text without control characters, of this many characters.
fn plain(chars: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = String> {
    let plain = any::<char>().prop_filter("no control character", |c| !c.is_control());
    collection::vec(plain, chars).prop_map(String::from_iter)
}

fn name() -> impl Strategy<Value = String> {
    plain(1..=256).prop_filter("not only white space", |name| {
        !name.chars().all(char::is_whitespace)
    })
}

fn description() -> impl Strategy<Value = String> {
    let allowed = prop_oneof![
        any::<char>().prop_filter("no control character", |c| !c.is_control()),
        prop_oneof![Just('\n'), Just('\r'), Just('\t')],
    ];
    collection::vec(allowed, 0..=300).prop_map(String::from_iter)
}

fn id() -> impl Strategy<Value = String> {
    "[0-9A-Za-z]{16}"
}

fn url() -> impl Strategy<Value = String> {
    "https?://[a-z]{1,20}\\.example(:[0-9]{1,4})?/[!-~]{0,60}"
}

fn seconds() -> impl Strategy<Value = i64> {
    0..=253_402_300_799_i64
}

prop_compose! {
    fn contact()(
        id in option::of(id()),
        username in plain(1..=64).prop_filter("no white space", |name| !name.contains(char::is_whitespace)),
        phone_number in option::of(plain(1..=32)),
        avatar_url in option::of(url()),
        display_name in option::of(plain(1..=256)),
        conversation_id in option::of(id()),
        last_active_at in option::of(seconds()),
        created_at in option::of(seconds()),
    ) -> Value {
        json!({
            "id": id, "username": username, "phone_number": phone_number, "avatar_url": avatar_url,
            "display_name": display_name, "conversation_id": conversation_id,
            "last_active_at": last_active_at, "created_at": created_at,
        })
    }
}

fn contacts() -> impl Strategy<Value = Vec<Value>> {
    collection::vec(contact(), 0..6).prop_filter("no username twice", |contacts| {
        let names: std::collections::BTreeSet<_> =
            contacts.iter().map(|c| c["username"].to_string()).collect();
        names.len() == contacts.len()
    })
}

prop_compose! {
    fn new_group()(
        name in name(),
        description in option::of(description()),
        avatar_url in option::of(url()),
        contacts in contacts(),
    ) -> Value {
        json!({ "name": name, "description": description, "avatar_url": avatar_url, "contacts": contacts })
    }
}

/// Encodes a JSON object as a form.
fn encode_form(body: &Value, numbered: bool) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let encode_value = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => encode(text),
        other => encode(&other.to_string()),
    };
    let mut pairs = Vec::new();
    for (member, value) in body.as_object().expect("an object") {
        let Value::Array(contacts) = value else {
            pairs.push(format!("{member}={}", encode_value(value)));
            continue;
        };
        for (index, contact) in contacts.iter().enumerate() {
            for (name, value) in contact.as_object().expect("a contact") {
                let index = if numbered {
                    index.to_string()
                } else {
                    String::new()
                };
                let path = encode(&format!("contacts[{index}][{name}]"));
                pairs.push(format!("{path}={}", encode_value(value)));
            }
        }
    }
    pairs.join("&")
}

/// Returns the members of a group that the client set.
fn client_members(group: &Value) -> Value {
    json!({
        "name": group["name"], "description": group["description"],
        "avatar_url": group["avatar_url"], "contacts": group["contacts"],
    })
}

#[test]
fn no_request_makes_a_function_panic_or_fail() {
    let client = Client::new();
    let header = || {
        prop_oneof![
            ".{0,40}",
            "[!-~ ]{0,40}",
            Just("*".to_owned()),
            Just("\"a\", W/\"b\"".to_owned())
        ]
    };
    let media_type = prop_oneof![
        Just("application/json".to_owned()),
        Just("application/x-www-form-urlencoded".to_owned()),
        ".{0,20}",
    ];
    let body = prop_oneof![
        collection::vec(any::<u8>(), 0..200),
        "[\\[\\]{}:,\"a-z0-9.eE\\\\u-]{0,80}".prop_map(String::into_bytes),
        "(contacts|name|description|archived_at)?[\\[\\]0-9a-z%=&+]{0,80}"
            .prop_map(String::into_bytes),
        new_group().prop_map(|group| group.to_string().into_bytes()),
    ];
    let query = prop_oneof![
        ".{0,60}",
        "(limit|archived|starting_after|ending_before|x)?[=&%0-9a-zA-Z+]{0,60}",
        Just(String::new()),
        Just(String::new()),
    ];
    let of_endpoints = ENDPOINTS.map(|endpoint| endpoint.function);
    let function =
        prop_oneof![5 => proptest::sample::select(of_endpoints.to_vec()), 1 => Just("fallback")];
    let path = prop_oneof![".{0,40}", id(), Just(local::sample::GROUP_ID.to_owned())];
    let conditional = (header(), header(), header());
    let request = (
        function,
        media_type,
        body,
        query,
        path,
        conditional,
        option::weighted(0.2, header()),
    );
    proptest!(config(600), |((function, media_type, body, query, path, conditional, authorization) in request)| {
        let (if_match, if_none_match, key) = conditional;
        let authorization = authorization.unwrap_or_else(|| format!("Bearer {}", client.token));
        let event = json!({
            "rawPath": path,
            "rawQueryString": query,
            "headers": {
                "authorization": authorization, "content-type": media_type, "if-match": if_match,
                "if-none-match": if_none_match, "idempotency-key": key, "host": if_match,
            },
            "pathParameters": { "id": path },
            "body": STANDARD.encode(&body),
            "isBase64Encoded": true,
            "requestContext": { "requestId": "id", "stage": key },
        });
        let response = invoke(function, &event);
        prop_assert!(response.status < 500, "{function}: {response:?}: {event}");
    });
}

#[test]
fn groups_are_stored_unchanged_and_a_form_means_the_same_as_its_json() {
    let client = Client::new();
    let build_event = |id: &str, media_type: &str, body: &str| {
        json!({
            "headers": { "authorization": format!("Bearer {}", client.token), "content-type": media_type },
            "pathParameters": { "id": id },
            "body": body,
            "requestContext": { "requestId": "id" },
        })
    };
    let (json_type, form_type) = ("application/json", "application/x-www-form-urlencoded");
    proptest!(config(100), |(first in new_group(), second in new_group(), numbered in any::<bool>())| {
        let created = invoke("create-group", &build_event("", json_type, &first.to_string())).group(201);
        prop_assert_eq!(&client_members(&created), &first);
        let id = text(&created["id"]);
        let get = || invoke("get-group", &build_event(&id, "", "")).group(200);
        prop_assert_eq!(&get(), &created);
        let updated = invoke("update-group", &build_event(&id, json_type, &second.to_string())).group(200);
        prop_assert_eq!(&client_members(&updated), &second);
        prop_assert_eq!(&get(), &updated);
        let (listed, _) = invoke("list-groups", &build_event("", "", "")).page();
        prop_assert_eq!(&listed, &[updated]);

        // A form cannot contain an empty string, because an empty value means `null`.
        let mut as_form = second.clone();
        if as_form["description"] == "" {
            as_form["description"] = Value::Null;
        }
        let from_form = invoke("create-group", &build_event("", form_type, &encode_form(&as_form, numbered))).group(201);
        prop_assert_eq!(&client_members(&from_form), &as_form);
        for id in [&id, &text(&from_form["id"])] {
            prop_assert_eq!(invoke("delete-group", &build_event(id, "", "")).status, 204);
        }
    });
}

/// A request of a client. A number selects a group, modulo the number of groups.
#[derive(Clone, Debug)]
enum Step {
    Create,
    Archive(usize),
    Restore(usize),
    Delete(usize),
    ListAll {
        limit: usize,
        archived: Option<bool>,
        back: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let list_all = (1..5_usize, any::<Option<bool>>(), any::<bool>());
    prop_oneof![
        3 => Just(Step::Create),
        1 => any::<usize>().prop_map(Step::Archive),
        1 => any::<usize>().prop_map(Step::Restore),
        1 => any::<usize>().prop_map(Step::Delete),
        3 => list_all.prop_map(|(limit, archived, back)| Step::ListAll { limit, archived, back }),
    ]
}

#[test]
fn after_any_sequence_of_requests_the_list_is_the_sorted_groups() {
    proptest!(config(20), |(steps in collection::vec(step(), 1..30))| {
        let client = Client::new();
        // Whether each group is archived, by id, oldest first.
        let mut model: BTreeMap<String, bool> = BTreeMap::new();
        let nth = |model: &BTreeMap<String, bool>, n: usize| model.keys().cycle().nth(n % model.len().max(1)).cloned();
        for step in steps {
            match step {
                Step::Create => {
                    let path = client.create("a");
                    model.insert(path["/v1/groups/".len()..].to_owned(), false);
                }
                Step::Archive(n) | Step::Restore(n) => {
                    let Some(id) = nth(&model, n) else { continue };
                    let archived = matches!(step, Step::Archive(_));
                    let at = if archived { json!(1) } else { Value::Null };
                    client.put(&format!("/v1/groups/{id}"), &json!({ "archived_at": at })).group(200);
                    model.insert(id, archived);
                }
                Step::Delete(n) => {
                    let Some(id) = nth(&model, n) else { continue };
                    prop_assert_eq!(client.delete(&format!("/v1/groups/{id}")).status, 204);
                    model.remove(&id);
                }
                Step::ListAll { limit, archived, back } => {
                    let is_listed = |is_archived: bool| archived.is_none_or(|archived| archived == is_archived);
                    let listed = model.iter().filter(|(_, is_archived)| is_listed(**is_archived));
                    let mut expected: Vec<_> = listed.map(|(id, _)| id.clone()).collect();
                    expected.reverse();
                    prop_assert_eq!(list_all(&client, limit, archived, back)?, expected);
                }
            }
        }
    });
}

/// Returns all ids of a list, newest first. If `back`, reads its pages from the oldest group to the newest.
fn list_all(
    client: &Client,
    limit: usize,
    archived: Option<bool>,
    back: bool,
) -> Result<Vec<String>, TestCaseError> {
    let filter = archived
        .map(|archived| format!("&archived={archived}"))
        .unwrap_or_default();
    let (parameter, mut cursor) = if back {
        ("ending_before", "0".repeat(16))
    } else {
        ("starting_after", "z".repeat(16))
    };
    let mut pages = Vec::new();
    loop {
        let query = format!("/v1/groups?limit={limit}{filter}&{parameter}={cursor}");
        let (page, has_more) = client.get(&query).ids();
        prop_assert!(
            page.len() == limit || !has_more,
            "a page of small groups is full if more follow"
        );
        let next = if back { page.first() } else { page.last() };
        cursor = next.cloned().unwrap_or_default();
        pages.push(page);
        prop_assert!(pages.len() <= 100, "the list ends");
        if !has_more {
            break;
        }
    }
    if back {
        pages.reverse();
    }
    Ok(pages.concat())
}
