//! What the log says of a request: one line, whose form `tests/logs.rs` holds to its schema.

use local::{Instance, Reply};
use serde_json::{Value, json};

use crate::support::{Answer, Client, endpoint, new_account, stack};

/// An event of an HTTP API with this id, which no other request has.
fn event(client: &Client, route: &str, request_id: &str, body: Option<&str>) -> Value {
    json!({
        "routeKey": route,
        "rawQueryString": "",
        "headers": {
            "authorization": format!("Bearer {}", client.token),
            "content-type": "application/json",
            "idempotency-key": "a-key",
        },
        "pathParameters": { "id": local::sample::GROUP_ID },
        "body": body,
        "requestContext": { "requestId": request_id },
    })
}

/// Sends the event, and gives the one line about its request.
fn line(instance: &mut Instance, event: &Value, status: u16) -> Value {
    let response = instance.invoke(event).expect("an answer");
    assert_eq!(Answer::of_function(&response).status, status, "{response}");
    let request_id = event["requestContext"]["requestId"].as_str();
    let log = instance.log();
    let lines = log.lines().filter(|line| line.contains("\"request\""));
    let lines = lines.map(|line| serde_json::from_str(line).expect("JSON"));
    let mut lines = lines.filter(|line: &Value| line["request_id"].as_str() == request_id);
    let line = lines.next().expect("a line");
    assert_eq!(lines.next(), None, "one line");
    line
}

/// The members of a line by these names.
fn members(line: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| line[*name].clone()).collect()
}

const OUTCOME: [&str; 6] = [
    "level",
    "function",
    "route",
    "status",
    "account_id",
    "dynamodb_requests",
];

const BODY: Option<&str> = Some(r#"{"name":"a name that is nobody's business"}"#);

#[test]
fn a_requests_line_says_what_was_asked_what_came_of_it_and_what_it_took() {
    for (function, route, body, status) in [
        ("list-groups", "GET /v1/groups", None, 200),
        ("create-group", "POST /v1/groups", BODY, 201),
        ("get-group", "GET /v1/groups/{id}", None, 200),
        ("update-group", "PUT /v1/groups/{id}", BODY, 200),
        ("delete-group", "DELETE /v1/groups/{id}", None, 204),
    ] {
        let client = Client::new();
        local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample");
        let mut instance = stack().instance(function, &[]).expect("an instance");
        let first = event(&client, route, &new_account(), body);
        let first = line(&mut instance, &first, status);
        let outcome = json!(["INFO", function, route, status, client.account_id, 2]);
        assert_eq!(members(&first, &OUTCOME), outcome);
        assert_eq!(first["cold_starts"], 1, "{first}");
        assert_eq!(first["dynamodb_ms"].as_array().expect("times").len(), 2);
        let duration = first["duration_ms"].as_f64().expect("a time");
        assert!(duration > 0.0 && duration < 30_000.0, "{first}");

        // The account is known, and the group of the deletion is gone.
        let second = event(&client, route, &new_account(), body);
        let gone = function == "delete-group";
        let second = line(&mut instance, &second, if gone { 404 } else { status });
        assert_eq!(second["dynamodb_requests"], 1, "{second}");
        assert_eq!(second["cold_starts"], Value::Null, "{second}");
        let (code, errors) = if gone {
            (json!("group_not_found"), json!(1))
        } else {
            (Value::Null, Value::Null)
        };
        assert_eq!(
            members(&second, &["code", "client_errors"]),
            json!([code, errors])
        );
        let replayed = function == "create-group";
        let replays = if replayed { json!(1) } else { Value::Null };
        assert_eq!(second["idempotent_replays"], replays, "{second}");
    }
}

#[test]
fn an_error_of_ours_is_logged_once_with_all_its_causes_and_a_throttled_request_is_counted() {
    let client = Client::new();
    let endpoint = endpoint("get-group", |request| {
        if request.is_for_token() {
            Reply::Pass
        } else {
            Reply::error(400, "ThrottlingException", "a secret")
        }
    });
    let variables = [
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url()),
        ("LOG_LEVEL", "ERROR"),
    ];
    let mut instance = stack()
        .instance("get-group", &variables)
        .expect("an instance");
    let event = event(&client, "GET /v1/groups/{id}", &new_account(), None);
    let line = line(&mut instance, &event, 503);
    assert_eq!(
        members(&line, &["level", "code", "server_errors", "client_errors"]),
        json!(["ERROR", "unavailable", 1, null])
    );
    let attempts = endpoint.intercepted();
    assert_eq!(line["dynamodb_throttles"], attempts, "{line}");
    assert_eq!(line["dynamodb_requests"], attempts + 1, "{line}");
    let cause = line["cause"].as_str().expect("a cause");
    assert!(cause.contains("ThrottlingException"), "{cause}");
}

#[test]
fn a_line_is_written_at_every_level_and_its_metrics_have_the_stacks_namespace() {
    let client = Client::new();
    let variables = [("LOG_LEVEL", "ERROR"), ("METRICS_NAMESPACE", "groups-test")];
    let mut instance = stack()
        .instance("list-groups", &variables)
        .expect("an instance");
    let event = event(&client, "GET /v1/groups", &new_account(), None);
    let line = line(&mut instance, &event, 200);
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "groups-test", "{line}");
}

#[test]
fn what_no_route_takes_has_its_line_too() {
    let event = json!({
        "routeKey": "$default",
        "rawPath": "/v1/group",
        "requestContext": { "requestId": new_account() },
    });
    let mut instance = stack().instance("fallback", &[]).expect("an instance");
    let line = line(&mut instance, &event, 404);
    let outcome = json!(["INFO", "fallback", "$default", 404, null, 0]);
    assert_eq!(members(&line, &OUTCOME), outcome);
    assert_eq!(line["code"], "path_not_found");
}

#[test]
fn an_operators_line_names_the_account() {
    let account_id = new_account();
    // A revocation reads the index, revokes the token, and reads the index again.
    for (function, requests) in [("issue-token", 1), ("revoke-token", 3)] {
        let mut instance = stack().instance(function, &[]).expect("an instance");
        let mut payload = json!({ "account_id": account_id, "name": "laptop" });
        instance.invoke(&payload).expect("it is done");
        let log = instance.log();
        let mut lines = log.lines().filter(|line| line.contains(&account_id));
        let line: Value = serde_json::from_str(lines.next().expect("a line")).expect("JSON");
        assert_eq!(lines.next(), None, "one line");
        assert_eq!(
            members(&line, &["level", "function", "dynamodb_requests"]),
            json!(["INFO", function, requests])
        );
        payload["name"] = json!("");
        instance
            .invoke(&payload)
            .expect_err("a name has a character");
    }
}
