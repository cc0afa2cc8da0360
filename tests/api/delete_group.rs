use crate::support::Client;

#[test]
fn a_deleted_group_does_not_exist_any_more() {
    let client = Client::new();
    let (path, other) = (client.create("a"), client.create("b"));
    let response = client.delete(&path);
    assert_eq!((response.status, response.body.as_str()), (204, ""));
    client.get(&path).assert_error(404, "group_not_found", None);
    client
        .put(&path, &serde_json::json!({ "name": "a" }))
        .assert_error(404, "group_not_found", None);
    for query in ["", "?archived=false"] {
        let (ids, _) = client.get(&format!("/v1/groups{query}")).ids();
        assert_eq!(
            ids,
            [other.rsplit('/').next().expect("the path ends with an id")]
        );
    }
}

#[test]
fn deleting_a_group_again_is_404() {
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
fn deleting_a_group_of_another_account_is_404_and_changes_nothing() {
    let owner = Client::new();
    let path = owner.create("a");
    Client::new()
        .delete(&path)
        .assert_error(404, "group_not_found", None);
    owner.get(&path).group(200);
}

#[test]
fn query_parameters_are_rejected_and_a_body_is_ignored() {
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
