use crate::support::Client;

#[test]
fn a_deleted_group_is_gone() {
    let client = Client::new();
    let (path, other) = (client.create("a"), client.create("b"));
    let answer = client.delete(&path);
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    client.get(&path).assert_error(404, "group_not_found", None);
    client
        .put(&path, &serde_json::json!({ "name": "a" }))
        .assert_error(404, "group_not_found", None);
    for query in ["", "?archived=false"] {
        let (ids, _) = client.get(&format!("/v1/groups{query}")).ids();
        assert_eq!(ids, [other.rsplit('/').next().expect("an id")]);
    }
}

#[test]
fn deleting_twice_is_404_the_second_time() {
    let client = Client::new();
    let path = client.create("a");
    assert_eq!(client.delete(&path).status, 204);
    client
        .delete(&path)
        .assert_error(404, "group_not_found", None);
    client
        .delete("/v1/groups/x")
        .assert_error(404, "group_not_found", None);
}

#[test]
fn another_accounts_group_does_not_exist_and_stays() {
    let owner = Client::new();
    let path = owner.create("a");
    Client::new()
        .delete(&path)
        .assert_error(404, "group_not_found", None);
    owner.get(&path).group(200);
}

#[test]
fn no_query_parameter_is_known_and_a_body_is_ignored() {
    let client = Client::new();
    let path = client.create("a");
    client
        .delete(&format!("{path}?force=true"))
        .assert_error(400, "unknown", Some("force"));
    client.get(&path).group(200);
    assert_eq!(
        client
            .send("DELETE", &path, &[("content-type", "text/plain")], "{")
            .status,
        204
    );
}
