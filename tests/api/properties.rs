//! What holds for everything that anybody could send.

use std::{cell::RefCell, collections::BTreeMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use local::Instance;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::{collection, option, prelude::*};
use serde_json::{Value, json};

use crate::support::{Answer, Client, stack, text};

/// How many cases a property is tried with.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    }
}

thread_local! {
    /// This test's instance of each function.
    static INSTANCES: RefCell<BTreeMap<&'static str, Instance>> = RefCell::default();
}

fn invoke(function: &'static str, event: &Value) -> Answer {
    INSTANCES.with_borrow_mut(|instances| {
        let instance = instances
            .entry(function)
            .or_insert_with(|| stack().instance(function, &[]).expect("an instance"));
        let response = instance.invoke(event);
        Answer::of_function(
            &response.unwrap_or_else(|error| panic!("{function}: {error}: {event}")),
        )
    })
}

/// A text without control characters, of a length in characters.
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

/// The form that says the same as a JSON object.
fn form(body: &Value, numbered: bool) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let value = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => encode(text),
        other => encode(&other.to_string()),
    };
    let mut pairs = Vec::new();
    for (member, given) in body.as_object().expect("an object") {
        let Value::Array(contacts) = given else {
            pairs.push(format!("{member}={}", value(given)));
            continue;
        };
        for (index, contact) in contacts.iter().enumerate() {
            for (name, given) in contact.as_object().expect("a contact") {
                let index = if numbered {
                    index.to_string()
                } else {
                    String::new()
                };
                let path = encode(&format!("contacts[{index}][{name}]"));
                pairs.push(format!("{path}={}", value(given)));
            }
        }
    }
    pairs.join("&")
}

/// The members of a group that its creator chose.
fn chosen(group: &Value) -> Value {
    json!({
        "name": group["name"], "description": group["description"],
        "avatar_url": group["avatar_url"], "contacts": group["contacts"],
    })
}

#[test]
fn nothing_that_anybody_sends_makes_a_function_panic_or_fail() {
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
    let function = prop_oneof![
        Just("list-groups"),
        Just("create-group"),
        Just("get-group"),
        Just("update-group"),
        Just("delete-group"),
        Just("fallback"),
    ];
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
    proptest!(cases(600), |((function, media_type, body, query, path, conditional, authorization) in request)| {
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
        let answer = invoke(function, &event);
        prop_assert!(answer.status < 500, "{function}: {answer:?}: {event}");
    });
}

#[test]
fn a_group_survives_unchanged_and_a_form_gives_the_same_as_its_json_twin() {
    let client = Client::new();
    let event = |id: &str, media_type: &str, body: &str| {
        json!({
            "headers": { "authorization": format!("Bearer {}", client.token), "content-type": media_type },
            "pathParameters": { "id": id },
            "body": body,
            "requestContext": { "requestId": "id" },
        })
    };
    let (json_type, form_type) = ("application/json", "application/x-www-form-urlencoded");
    proptest!(cases(100), |(first in new_group(), second in new_group(), numbered in any::<bool>())| {
        let created = invoke("create-group", &event("", json_type, &first.to_string())).group(201);
        prop_assert_eq!(&chosen(&created), &first);
        let id = text(&created["id"]);
        let read = || invoke("get-group", &event(&id, "", "")).group(200);
        prop_assert_eq!(&read(), &created);
        let updated = invoke("update-group", &event(&id, json_type, &second.to_string())).group(200);
        prop_assert_eq!(&chosen(&updated), &second);
        prop_assert_eq!(&read(), &updated);
        let (listed, _) = invoke("list-groups", &event("", "", "")).page();
        prop_assert_eq!(&listed, &[updated]);

        // A form has no way to write an empty string, which is null there.
        let mut twin = second.clone();
        if twin["description"] == "" {
            twin["description"] = Value::Null;
        }
        let from_form = invoke("create-group", &event("", form_type, &form(&twin, numbered))).group(201);
        prop_assert_eq!(&chosen(&from_form), &twin);
        for id in [&id, &text(&from_form["id"])] {
            prop_assert_eq!(invoke("delete-group", &event(id, "", "")).status, 204);
        }
    });
}

/// What somebody does to an account's groups; which group, counts round.
#[derive(Clone, Debug)]
enum Step {
    Create,
    Archive(usize),
    Restore(usize),
    Delete(usize),
    Walk {
        limit: usize,
        archived: Option<bool>,
        back: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let walk = (1..5_usize, any::<Option<bool>>(), any::<bool>());
    prop_oneof![
        3 => Just(Step::Create),
        1 => any::<usize>().prop_map(Step::Archive),
        1 => any::<usize>().prop_map(Step::Restore),
        1 => any::<usize>().prop_map(Step::Delete),
        3 => walk.prop_map(|(limit, archived, back)| Step::Walk { limit, archived, back }),
    ]
}

#[test]
fn any_sequence_of_steps_agrees_with_a_sorted_list() {
    proptest!(cases(20), |(steps in collection::vec(step(), 1..30))| {
        let client = Client::new();
        // The groups by id, oldest first, and whether each is archived.
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
                Step::Walk { limit, archived, back } => {
                    let is_in = |state: bool| archived.is_none_or(|archived| archived == state);
                    let in_list = model.iter().filter(|(_, state)| is_in(**state));
                    let mut expected: Vec<_> = in_list.map(|(id, _)| id.clone()).collect();
                    expected.reverse();
                    prop_assert_eq!(walk(&client, limit, archived, back)?, expected);
                }
            }
        }
    });
}

/// All ids of a list, newest first, by pages in one direction or the other.
fn walk(
    client: &Client,
    limit: usize,
    archived: Option<bool>,
    back: bool,
) -> Result<Vec<String>, TestCaseError> {
    let filter = archived
        .map(|archived| format!("&archived={archived}"))
        .unwrap_or_default();
    let (parameter, mut cursor) = match back {
        true => ("ending_before", "0".repeat(16)),
        false => ("starting_after", "z".repeat(16)),
    };
    let mut pages = Vec::new();
    loop {
        let query = format!("/v1/groups?limit={limit}{filter}&{parameter}={cursor}");
        let (page, has_more) = client.get(&query).ids();
        prop_assert!(
            page.len() == limit || !has_more,
            "a page of small groups is full while more follow"
        );
        let next = if back { page.first() } else { page.last() };
        cursor = next.cloned().unwrap_or_default();
        pages.push(page);
        prop_assert!(pages.len() <= 100, "the walk comes to an end");
        if !has_more {
            break;
        }
    }
    if back {
        pages.reverse();
    }
    Ok(pages.concat())
}
