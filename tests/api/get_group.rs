use crate::support::Client;

#[test]
fn a_group_is_retrieved_by_its_id() {
    let client = Client::new();
    let path = client.create("Plaza Hotel");
    let group = client.get(&path).group(200);
    assert_eq!(group["name"], "Plaza Hotel");
    assert_eq!(
        path,
        format!(
            "/v1/groups/{}",
            group["id"].as_str().expect("`id` is a string")
        )
    );
}

#[test]
fn a_group_that_does_not_exist_is_404() {
    let client = Client::new();
    for id in [
        "L7cGNIBKZiNJ6wqF",
        "x",
        "L7cGNIBKZiNJ6wq",
        "L7cGNIBKZiNJ6wqFF",
        "L7cGNIBKZiNJ6wq-",
        "%00",
        "%2F",
    ] {
        client
            .get(&format!("/v1/groups/{id}"))
            .assert_error(404, "group_not_found", None);
    }
}

#[test]
fn ids_are_case_sensitive() {
    let client = Client::new();
    let path = client.create("a");
    let (start, end) = path.split_at(path.len() - 9);
    let swap_case = |c: char| {
        if c.is_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    };
    let other: String = end.chars().map(swap_case).collect();
    // Nine random characters are all digits once in ten million runs.
    assert_ne!(other, end);
    client
        .get(&format!("{start}{other}"))
        .assert_error(404, "group_not_found", None);
}

#[test]
fn a_group_of_another_account_is_404() {
    let path = Client::new().create("a");
    Client::new()
        .get(&path)
        .assert_error(404, "group_not_found", None);
}

#[test]
fn all_tokens_of_an_account_see_the_same_groups() {
    let client = Client::new();
    let path = client.create("a");
    Client::of_account(&client.account_id).get(&path).group(200);
}

#[test]
fn query_parameters_are_rejected_and_a_body_is_ignored() {
    let client = Client::new();
    let path = client.create("a");
    client
        .get(&format!("{path}?x=1"))
        .assert_error(400, "unknown", Some("x"));
    client
        .get(&format!("{path}?x=%zz"))
        .assert_error(400, "invalid", Some("x"));
    client
        .send("GET", &path, &[("content-type", "text/plain")], "{")
        .group(200);
}
