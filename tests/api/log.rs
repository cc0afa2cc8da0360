//! What the functions log about a request: one line. `tests/logs.rs` checks all lines against their schema.

use local::{Instance, Reply};
use serde_json::{Value, json};

use crate::support::{
    Client, ENDPOINTS, build_event, find_row, invoke, new_account, stack, start_proxy,
    store_sample, text,
};

/// What the second request of an endpoint, with the same key, adds to its line: the status code, the error code and
/// the number of replays.
type Second = (u16, Option<&'static str>, Option<u8>);

const SECOND_REQUESTS: [(&str, Second); 5] = [
    ("list-groups", (200, None, None)),
    ("create-group", (201, None, Some(1))),
    ("get-group", (200, None, None)),
    ("update-group", (200, None, None)),
    ("delete-group", (404, Some("group_not_found"), None)),
];

/// The members of a line that describe the outcome.
const OUTCOME: [&str; 6] = [
    "level",
    "function",
    "route",
    "status",
    "account_id",
    "dynamodb_requests",
];

/// Builds an event with a new request id. tests/logs.rs searches all logs for the name in the body.
fn build_named_event(function: &str, client: &Client) -> Value {
    let mut event = build_event(function, &client.token);
    event["headers"]["idempotency-key"] = json!("a-key");
    event["requestContext"]["requestId"] = json!(new_account());
    if event["body"].is_string() {
        event["body"] = json!(r#"{"name":"a name that is nobody's business"}"#);
    }
    event
}

/// Invokes the function and returns the line that it logs about the request.
fn log_line_of(instance: &mut Instance, event: &Value, status: u16) -> Value {
    let (response, _) = invoke(instance, event);
    assert_eq!(response.status, status, "{response:?}");
    let request_id = text(&event["requestContext"]["requestId"]);
    only_line(&instance.log(), |line| {
        line["message"] == "request" && line["request_id"] == request_id
    })
}

/// Returns the line of a log that matches, and checks that it is the only one.
fn only_line(log: &str, matches: impl Fn(&Value) -> bool) -> Value {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let found: Vec<Value> = lines.filter(matches).collect();
    let [line] = &found[..] else {
        panic!("{} lines match: {found:?}", found.len());
    };
    line.clone()
}

/// Returns the members of a line with these names.
fn select(line: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| line[*name].clone()).collect()
}

#[test]
fn the_line_of_a_request_has_its_route_its_outcome_and_its_times() {
    for endpoint in ENDPOINTS {
        let function = endpoint.function;
        let client = Client::new();
        store_sample(&client);
        let mut instance = stack()
            .instance(function, &[])
            .expect("the instance starts");
        let event = build_named_event(function, &client);
        let first = log_line_of(&mut instance, &event, endpoint.status);
        let (account_id, route) = (&client.account_id, &event["routeKey"]);
        let outcome = json!(["INFO", function, route, endpoint.status, account_id, 2]);
        assert_eq!(select(&first, &OUTCOME), outcome);
        assert_eq!(first["cold_starts"], 1, "{first}");
        let times = first["dynamodb_ms"].as_array();
        assert_eq!(times.expect("`dynamodb_ms` is an array").len(), 2);
        let duration = first["duration_ms"].as_f64().expect("a number");
        assert!(duration > 0.0 && duration < 30_000.0, "{first}");

        // The token is cached now, and the group of the deletion does not exist any more.
        let (status, code, replays) = *find_row(file!(), &SECOND_REQUESTS, function);
        let event = build_named_event(function, &client);
        let second = log_line_of(&mut instance, &event, status);
        assert_eq!(second["dynamodb_requests"], 1, "{second}");
        assert_eq!(second["cold_starts"], Value::Null, "{second}");
        let client_errors = code.map(|_| 1);
        assert_eq!(
            select(&second, &["code", "client_errors", "idempotent_replays"]),
            json!([code, client_errors, replays]),
            "{second}"
        );
    }
}

#[test]
fn a_server_error_is_logged_once_with_all_its_causes_and_throttled_requests_are_counted() {
    let client = Client::new();
    let proxy = start_proxy("get-group", |request| {
        if request.is_for_token() {
            Reply::Pass
        } else {
            Reply::error(400, "ThrottlingException", "a secret")
        }
    });
    let variables = [
        ("AWS_ENDPOINT_URL_DYNAMODB", proxy.url()),
        ("LOG_LEVEL", "ERROR"),
    ];
    let mut instance = stack()
        .instance("get-group", &variables)
        .expect("the instance starts");
    let event = build_named_event("get-group", &client);
    let line = log_line_of(&mut instance, &event, 503);
    assert_eq!(
        select(&line, &["level", "code", "server_errors", "client_errors"]),
        json!(["ERROR", "unavailable", 1, null])
    );
    let attempts = proxy.intercepted();
    assert_eq!(line["dynamodb_throttles"], attempts, "{line}");
    assert_eq!(line["dynamodb_requests"], attempts + 1, "{line}");
    let cause = text(&line["cause"]);
    assert!(cause.contains("ThrottlingException"), "{cause}");
}

#[test]
fn the_line_is_logged_at_every_log_level_and_its_metrics_have_the_namespace_of_the_stack() {
    let client = Client::new();
    let variables = [("LOG_LEVEL", "ERROR"), ("METRICS_NAMESPACE", "groups-test")];
    let mut instance = stack()
        .instance("list-groups", &variables)
        .expect("the instance starts");
    let event = build_named_event("list-groups", &client);
    let line = log_line_of(&mut instance, &event, 200);
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "groups-test", "{line}");
}

#[test]
fn a_request_without_a_route_has_a_line_too() {
    let event = json!({
        "routeKey": "$default",
        "rawPath": "/v1/group",
        "requestContext": { "requestId": new_account() },
    });
    let mut instance = stack()
        .instance("fallback", &[])
        .expect("the instance starts");
    let line = log_line_of(&mut instance, &event, 404);
    let outcome = json!(["INFO", "fallback", "$default", 404, null, 0]);
    assert_eq!(select(&line, &OUTCOME), outcome);
    assert_eq!(line["code"], "path_not_found");
}

#[test]
fn the_line_of_an_operators_invocation_has_the_account() {
    let account_id = new_account();
    // A revocation reads the index, revokes the token, and reads the index again.
    for (function, requests) in [("issue-token", 1), ("revoke-token", 3)] {
        let mut instance = stack()
            .instance(function, &[])
            .expect("the instance starts");
        let mut payload = json!({ "account_id": account_id, "name": "laptop" });
        instance.invoke(&payload).expect("the function succeeds");
        let line = only_line(&instance.log(), |line| line["account_id"] == account_id);
        assert_eq!(
            select(&line, &["level", "function", "dynamodb_requests"]),
            json!(["INFO", function, requests])
        );
        payload["name"] = json!("");
        instance
            .invoke(&payload)
            .expect_err("an empty name is rejected");
    }
}
