use std::{sync::Mutex, thread};

use local::Reply;
use serde_json::json;

use crate::{
    create_group::contacts_of_bytes,
    support::{Client, Response, build_event, stack, start_instance, start_proxy},
};

/// Creates this many groups and returns their ids, newest first.
fn create_groups(client: &Client, count: usize) -> Vec<String> {
    let id = |path: String| path.rsplit('/').next().expect("an id").to_owned();
    let mut ids: Vec<_> = (0..count)
        .map(|i| id(client.create(&format!("group {i}"))))
        .collect();
    // Ids of the same millisecond are in random order, and the list is sorted by id.
    ids.sort();
    ids.reverse();
    ids
}

fn list(client: &Client, query: &str) -> (Vec<String>, bool) {
    client.get(&format!("/v1/groups?{query}")).ids()
}

/// Returns all pages, from the newest group to the oldest.
fn walk_forward(client: &Client, query: &str) -> Vec<Vec<String>> {
    let (mut page, mut has_more) = list(client, query);
    let mut pages = vec![page.clone()];
    while has_more {
        let last = page.last().expect("a page is not empty if more follow");
        (page, has_more) = list(client, &format!("{query}&starting_after={last}"));
        pages.push(page.clone());
        assert!(pages.len() <= 100, "the list ends");
    }
    pages
}

/// Returns all pages of the groups that are newer than `start`, from the newest group to the oldest.
fn walk_backward(client: &Client, query: &str, start: &str) -> Vec<Vec<String>> {
    let (mut page, mut has_more) = list(client, &format!("{query}&ending_before={start}"));
    let mut pages = vec![page.clone()];
    while has_more {
        let first = page.first().expect("a page is not empty if more follow");
        (page, has_more) = list(client, &format!("{query}&ending_before={first}"));
        pages.push(page.clone());
        assert!(pages.len() <= 100, "the list ends");
    }
    pages.reverse();
    pages
}

#[test]
fn an_account_without_groups_has_an_empty_list() {
    let client = Client::new();
    for query in [
        "",
        "?archived=true",
        "?archived=false",
        "?limit=100",
        "?starting_after=L7cGNIBKZiNJ6wqF",
    ] {
        assert_eq!(
            client.get(&format!("/v1/groups{query}")).ids(),
            (vec![], false)
        );
    }
}

#[test]
fn groups_are_listed_newest_first_and_ten_on_a_page() {
    let client = Client::new();
    let ids = create_groups(&client, 11);
    assert_eq!(client.get("/v1/groups").ids(), (ids[..10].to_vec(), true));
    assert_eq!(
        client.delete(&format!("/v1/groups/{}", ids[10])).status,
        204
    );
    assert_eq!(client.get("/v1/groups").ids(), (ids[..10].to_vec(), false));
    let (groups, _) = client.get("/v1/groups?limit=1").page();
    assert_eq!(
        groups[0],
        client.get(&format!("/v1/groups/{}", ids[0])).group(200)
    );
}

#[test]
fn the_limit_is_1_to_100() {
    let client = Client::new();
    let ids = create_groups(&client, 101);
    assert_eq!(list(&client, "limit=1"), (ids[..1].to_vec(), true));
    assert_eq!(list(&client, "limit=100"), (ids[..100].to_vec(), true));
    let after = format!("limit=100&starting_after={}", ids[0]);
    assert_eq!(list(&client, &after), (ids[1..].to_vec(), false));
    for limit in [
        "0",
        "101",
        "-1",
        "01",
        "+1",
        "1.0",
        "1e1",
        "",
        "ten",
        "10%20",
        "%D9%A3",
        "99999999999999999999",
    ] {
        client
            .get(&format!("/v1/groups?limit={limit}"))
            .assert_error(400, "invalid", Some("limit"));
    }
}

#[test]
fn cursors_work_in_both_directions_and_has_more_is_exact() {
    let client = Client::new();
    let ids = create_groups(&client, 7);
    let ids_in = |range: std::ops::Range<usize>| ids[range].to_vec();
    assert_eq!(
        walk_forward(&client, "limit=3"),
        [ids_in(0..3), ids_in(3..6), ids_in(6..7)]
    );
    assert_eq!(
        walk_backward(&client, "limit=3", &ids[6]),
        [ids_in(0..3), ids_in(3..6)]
    );
    assert_eq!(
        walk_backward(&client, "limit=3", &ids[5]),
        [ids_in(0..2), ids_in(2..5)]
    );
    assert_eq!(
        list(&client, &format!("ending_before={}", ids[0])),
        (vec![], false)
    );
    assert_eq!(
        list(&client, &format!("starting_after={}", ids[6])),
        (vec![], false)
    );
    assert_eq!(
        list(&client, &format!("limit=3&ending_before={}", ids[3])),
        (ids_in(0..3), false)
    );
    assert_eq!(
        list(&client, &format!("limit=2&ending_before={}", ids[3])),
        (ids_in(1..3), true)
    );
}

#[test]
fn a_cursor_is_a_position_whether_or_not_its_group_is_in_the_list() {
    let client = Client::new();
    let ids = create_groups(&client, 5);
    assert_eq!(client.delete(&format!("/v1/groups/{}", ids[2])).status, 204);
    client
        .put(
            &format!("/v1/groups/{}", ids[1]),
            &json!({ "archived_at": 1 }),
        )
        .group(200);
    let after = |id: &str, query: &str| list(&client, &format!("starting_after={id}{query}")).0;
    let before = |id: &str, query: &str| list(&client, &format!("ending_before={id}{query}")).0;
    assert_eq!(after(&ids[2], ""), ids[3..]);
    assert_eq!(before(&ids[2], ""), ids[..2]);
    assert_eq!(
        after(&ids[1], "&archived=false"),
        ids[3..],
        "the group of the cursor is not in this list"
    );
    assert_eq!(before(&ids[1], "&archived=false"), ids[..1]);
    assert_eq!(after(&ids[0], "&archived=true"), ids[1..2]);
    assert_eq!(after("zzzzzzzzzzzzzzzz", "").len(), 4);
    assert_eq!(before("0000000000000000", "").len(), 4);
    assert_eq!(after("0000000000000000", "").len(), 0);
}

#[test]
fn filters_select_groups_by_their_state_in_both_directions() {
    let client = Client::new();
    let ids = create_groups(&client, 12);
    let archived: Vec<_> = ids.iter().step_by(3).cloned().collect();
    for id in &archived {
        client
            .put(
                &format!("/v1/groups/{id}"),
                &json!({ "archived_at": 692_233_200 }),
            )
            .group(200);
    }
    let active: Vec<_> = ids
        .iter()
        .filter(|id| !archived.contains(id))
        .cloned()
        .collect();
    for limit in [1, 2, 3, 5] {
        for (query, expected) in [
            ("", &ids),
            ("&archived=true", &archived),
            ("&archived=false", &active),
        ] {
            let query = format!("limit={limit}{query}");
            let forward = walk_forward(&client, &query);
            assert_eq!(&forward.concat(), expected, "{query}");
            assert!(
                forward.iter().rev().skip(1).all(|page| page.len() == limit),
                "{query}"
            );
            let backward = walk_backward(&client, &query, "0000000000000000");
            assert_eq!(&backward.concat(), expected, "{query}");
        }
    }
}

#[test]
fn concurrent_creates_and_deletes_make_no_other_group_missing_or_repeated() {
    let client = Client::new();
    let kept = create_groups(&client, 30);
    let deleted = create_groups(&client, 30);
    let mut ids = [kept.clone(), deleted.clone()].concat();
    ids.sort();
    let oldest = ids[0].clone();
    thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for id in &deleted {
                assert_eq!(client.delete(&format!("/v1/groups/{id}")).status, 204);
                client.create("newer");
            }
        });
        while !changes.is_finished() {
            for pages in [
                walk_forward(&client, "limit=7"),
                walk_backward(&client, "limit=7", &oldest),
            ] {
                let seen = pages.concat();
                assert!(
                    seen.is_sorted_by(|a, b| a > b),
                    "sorted and without repeats: {seen:?}"
                );
                let missed = kept
                    .iter()
                    .filter(|id| **id != oldest && !seen.contains(id));
                assert_eq!(missed.count(), 0);
            }
        }
    });
}

#[test]
fn a_page_of_large_groups_has_fewer_groups_and_reports_that_more_follow() {
    let client = Client::new();
    let contacts = contacts_of_bytes(350_000);
    for name in ["a", "b", "c", "d", "e", "f"] {
        client
            .post(&json!({ "name": name, "contacts": contacts }))
            .group(201);
    }
    let (all, _) = list(&client, "limit=100");
    assert!(
        (1..6).contains(&all.len()),
        "one read returns at most 1 MB: {}",
        all.len()
    );
    for query in ["limit=100", "limit=100&archived=false", "limit=2"] {
        let pages = walk_forward(&client, query);
        assert_eq!(pages.concat().len(), 6, "{query}: {pages:?}");
        assert!(pages.iter().all(|page| !page.is_empty()), "{query}");
        let back = walk_backward(&client, query, "0000000000000000");
        assert_eq!(back.concat(), pages.concat(), "{query}");
        assert!(back.iter().all(|page| !page.is_empty()), "{query}");
    }
}

#[test]
fn a_page_that_ends_with_the_last_group_of_a_read_of_1_mb_still_has_an_exact_has_more() {
    // If DynamoDB reaches its limit of 1 MB with the last group, it reports that more may follow. DynamoDB Local cannot
    // be made to do this, so the proxy does it for the first page.
    let client = Client::new();
    let ids = create_groups(&client, 3);
    let is_cut = Mutex::new(false);
    let proxy = start_proxy("list-groups", move |request| {
        let mut is_cut = is_cut.lock().expect("not poisoned");
        if request.operation != "Query" || *is_cut {
            return Reply::Pass;
        }
        *is_cut = true;
        let output = stack().dynamodb().call("Query", &request.input);
        let mut page = output.expect("the table is read");
        let last = &page["Items"][2];
        page["LastEvaluatedKey"] = json!({ "account_id": last["account_id"], "id": last["id"] });
        Reply::Respond(200, page.to_string())
    });
    let mut instance = start_instance("list-groups", proxy.url());
    let mut list = |query: &str| {
        let mut event = build_event("list-groups", &client.token);
        event["rawQueryString"] = json!(query);
        let output = instance.invoke(&event).expect("the function succeeds");
        Response::from_output(&output).ids()
    };
    assert_eq!(list(""), (ids[..2].to_vec(), true));
    let after = format!("starting_after={}", ids[1]);
    assert_eq!(list(&after), (ids[2..].to_vec(), false));
}

#[test]
fn a_response_stays_below_the_limit_of_lambda() {
    // A contact with only a username takes 16 bytes in the table and nine times as many in the response, so one read
    // of 1 MB can return more than a response may contain.
    let client = Client::new();
    let contacts: Vec<_> = (0..1_000)
        .map(|i| json!({ "username": i.to_string() }))
        .collect();
    for name in 0..45 {
        client
            .post(&json!({ "name": name.to_string(), "contacts": contacts }))
            .group(201);
    }
    let list = |query: &str| {
        let response = client.get(&format!("/v1/groups?{query}"));
        // Lambda counts the bytes of the body as a JSON string.
        let bytes = json!(response.body).to_string().len();
        assert!(bytes <= 6 * 1_024 * 1_024, "{bytes}: the limit of Lambda");
        (bytes, response.ids())
    };
    let (bytes, (ids, has_more)) = list("limit=100");
    assert!(has_more && ids.len() < 45, "{}", ids.len());
    assert!(bytes > 5_900_000, "not cut too early: {bytes}");
    for (parameter, start) in [
        ("starting_after", "zzzzzzzzzzzzzzzz"),
        ("ending_before", "0000000000000000"),
    ] {
        let (mut cursor, mut pages, mut has_more) = (start.to_owned(), Vec::new(), true);
        while has_more {
            let page;
            (_, (page, has_more)) = list(&format!("limit=100&{parameter}={cursor}"));
            let next = if parameter == "starting_after" {
                page.last()
            } else {
                page.first()
            };
            cursor = next.expect("a page is not empty if more follow").clone();
            pages.push(page);
        }
        if parameter == "ending_before" {
            pages.reverse();
        }
        let seen = pages.concat();
        assert_eq!(seen.len(), 45);
        assert!(seen.is_sorted_by(|a, b| a > b));
    }
}

#[test]
fn an_error_in_the_query_names_its_parameter() {
    let client = Client::new();
    let id = "L7cGNIBKZiNJ6wqF";
    for (query, code, param) in [
        ("x=1", "unknown", Some("x")),
        ("Limit=1", "unknown", Some("Limit")),
        ("limit=1&limit=1", "repeated", Some("limit")),
        ("archived=true&archived=true", "repeated", Some("archived")),
        ("archived=1", "invalid", Some("archived")),
        ("archived=True", "invalid", Some("archived")),
        ("archived=", "invalid", Some("archived")),
        ("archived", "invalid", Some("archived")),
        ("starting_after=x", "invalid", Some("starting_after")),
        ("starting_after=", "invalid", Some("starting_after")),
        (
            "ending_before=L7cGNIBKZiNJ6wq-",
            "invalid",
            Some("ending_before"),
        ),
        (
            &format!("starting_after={id}&ending_before={id}"),
            "invalid",
            Some("ending_before"),
        ),
        ("limit=%zz", "invalid", Some("limit")),
        ("limit=%ff", "invalid", Some("limit")),
        ("%zz=1", "invalid", None),
        ("%ff=1", "invalid", None),
    ] {
        client
            .get(&format!("/v1/groups?{query}"))
            .assert_error(400, code, param);
    }
    for query in ["", "&", "limit=%31", "l%69mit=10", "archived=false&"] {
        client.get(&format!("/v1/groups?{query}")).page();
    }
}

#[test]
fn a_body_is_ignored() {
    let client = Client::new();
    client
        .send("GET", "/v1/groups", &[("content-type", "text/plain")], "{")
        .page();
}

#[test]
fn an_account_sees_its_own_groups_only() {
    // The name of one account is a prefix of the other's.
    let client = Client::new();
    let longer = Client::of_account(&format!("{}0", client.account_id));
    let (ids, others) = (create_groups(&client, 2), create_groups(&longer, 3));
    for query in ["", "archived=false"] {
        assert_eq!(list(&client, query).0, ids);
        assert_eq!(list(&longer, query).0, others);
    }
}
