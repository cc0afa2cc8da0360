//! What callers see when DynamoDB fails, throttles or cannot be reached.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use local::{DynamoDbProxy, Reply};
use serde_json::{Value, json};

use crate::support::{
    Client, ENDPOINTS, Response, build_event, invoke, stack, start_instance, start_proxy,
    store_sample, text,
};

/// The time in which a function must respond. Two requests to DynamoDB must fit into its time-out of ten seconds.
const MAX_DURATION: Duration = Duration::from_secs(5);

/// Builds an event for the function of each endpoint, with the status code of its success. `create-group` has a second
/// event with an idempotency key, because it then uses a transaction.
fn build_events(token: &str) -> Vec<(&'static str, Value, u16)> {
    let mut events = Vec::new();
    for endpoint in ENDPOINTS {
        let event = build_event(endpoint.function, token);
        events.push((endpoint.function, event, endpoint.status));
    }
    events.push(("create-group", build_create_with_key(token), 201));
    events
}

fn build_create_with_key(token: &str) -> Value {
    let mut event = build_event("create-group", token);
    event["headers"]["idempotency-key"] = json!("a-key");
    event
}

/// A request to DynamoDB that fails.
struct Case {
    function: &'static str,
    /// Whether the request writes.
    writes: bool,
}

/// Lets the look-up of the token fail with `reply`, and then the request after it, in the function of each endpoint.
/// Afterwards, DynamoDB works again, and the same instance must succeed.
fn check_each_request(
    reply: &Reply,
    check: impl Fn(&Case, &Response, Duration, &DynamoDbProxy) + Sync,
) {
    thread::scope(|scope| {
        for (function, event, status) in build_events("") {
            for in_look_up in [true, false] {
                let (mut event, check, reply) = (event.clone(), &check, reply.clone());
                scope.spawn(move || {
                    let client = Client::new();
                    store_sample(&client);
                    let (before, _) = client.get("/v1/groups").page();
                    event["headers"]["authorization"] = json!(format!("Bearer {}", client.token));
                    let is_broken = Arc::new(AtomicBool::new(false));
                    let fails = is_broken.clone();
                    let proxy = start_proxy(function, move |request| {
                        let is_affected = request.is_for_token() == in_look_up;
                        if is_affected && fails.load(Ordering::SeqCst) {
                            reply.clone()
                        } else {
                            Reply::Pass
                        }
                    });
                    let mut instance = start_instance(function, proxy.url());
                    is_broken.store(true, Ordering::SeqCst);
                    let (response, duration) = invoke(&mut instance, &event);
                    let case = Case {
                        function,
                        writes: !in_look_up && !text(&event["routeKey"]).starts_with("GET "),
                    };
                    check(&case, &response, duration, &proxy);
                    let (groups, _) = client.get("/v1/groups").page();
                    assert_eq!(groups, before, "{function}: no change was made");
                    is_broken.store(false, Ordering::SeqCst);
                    let (response, _) = invoke(&mut instance, &event);
                    assert_eq!(
                        response.status, status,
                        "{function}, afterwards: {response:?}"
                    );
                });
            }
        }
    });
}

/// Checks the response if DynamoDB may have carried out the request. This matters only for a write.
fn assert_unknown(case: &Case, response: &Response, duration: Duration, proxy: &DynamoDbProxy) {
    let code = if case.writes {
        "outcome_unknown"
    } else {
        "unavailable"
    };
    assert_error(case, code, response, duration, proxy);
}

/// Checks the response if DynamoDB cannot have carried out the request.
fn assert_unavailable(case: &Case, response: &Response, duration: Duration, proxy: &DynamoDbProxy) {
    assert_error(case, "unavailable", response, duration, proxy);
}

fn assert_error(
    case: &Case,
    code: &str,
    response: &Response,
    duration: Duration,
    proxy: &DynamoDbProxy,
) {
    response.assert_error(503, code, None);
    assert!(!response.body.contains("secret"), "{}", response.body);
    assert!(duration < MAX_DURATION, "{}: {duration:?}", case.function);
    let attempts = proxy.intercepted();
    assert!(
        (2..=3).contains(&attempts),
        "{}: {attempts} attempts",
        case.function
    );
}

#[test]
fn throttling_is_503_after_three_attempts() {
    for name in [
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    ] {
        let reply = Reply::error(400, name, "a secret");
        check_each_request(&reply, |case, response, duration, proxy| {
            assert_unavailable(case, response, duration, proxy);
            assert_eq!(proxy.intercepted(), 3, "{}", case.function);
        });
    }
}

#[test]
fn a_transaction_that_is_throttled_is_503_after_three_attempts() {
    for code in ["ThrottlingError", "ProvisionedThroughputExceeded"] {
        let response = create_with_key(&cancelled(code), 3);
        response.assert_error(503, "unavailable", None);
    }
}

#[test]
fn a_transaction_that_conflicts_is_503_after_eight_attempts() {
    let response = create_with_key(&cancelled("TransactionConflict"), 8);
    response.assert_error(503, "unavailable", None);
}

/// Returns DynamoDB's response to a transaction that it cancels for this reason.
fn cancelled(code: &str) -> Reply {
    let reason = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "a secret",
        "CancellationReasons": [{ "Code": code }, { "Code": "None" }],
    });
    Reply::Respond(400, reason.to_string())
}

/// Creates a group with a key while DynamoDB always sends `reply`, and checks the number of attempts.
fn create_with_key(reply: &Reply, attempts: usize) -> Response {
    let client = Client::new();
    let reply = reply.clone();
    let proxy = start_proxy("create-group", move |request| {
        if request.is_for_token() {
            Reply::Pass
        } else {
            reply.clone()
        }
    });
    let mut instance = start_instance("create-group", proxy.url());
    let (response, _) = invoke(&mut instance, &build_create_with_key(&client.token));
    assert_eq!(proxy.intercepted(), attempts);
    response
}

#[test]
fn a_status_code_of_5xx_from_dynamodb_is_503_whatever_the_error_code_is() {
    for (status, name) in [
        (500, "InternalServerError"),
        (500, "InternalFailure"),
        (503, "ServiceUnavailableException"),
        (503, "SlowDown"),
        (502, "SomethingElse"),
    ] {
        check_each_request(&Reply::error(status, name, "a secret"), assert_unknown);
    }
}

#[test]
fn a_conflict_with_a_transaction_is_503() {
    for name in [
        "TransactionConflictException",
        "TransactionInProgressException",
    ] {
        check_each_request(&Reply::error(400, name, "a secret"), |_, response, _, _| {
            response.assert_error(503, "unavailable", None);
        });
    }
}

#[test]
fn a_connection_that_closes_before_the_response_is_503() {
    check_each_request(&Reply::Close, assert_unknown);
}

#[test]
fn a_connection_that_closes_in_the_middle_of_a_response_is_503() {
    check_each_request(&Reply::TruncatedResponse, assert_unknown);
}

#[test]
fn a_request_without_a_response_is_503_before_the_functions_own_time_out() {
    check_each_request(&Reply::NoResponse, assert_unknown);
}

#[test]
fn a_response_that_is_not_json_is_503() {
    check_each_request(&Reply::Respond(200, "<html>".to_owned()), assert_unknown);
    check_each_request(
        &Reply::Respond(400, "<html>".to_owned()),
        assert_unavailable,
    );
}

#[test]
fn rejected_credentials_permissions_and_tables_are_500() {
    for name in [
        "ExpiredTokenException",
        "AccessDeniedException",
        "ResourceNotFoundException",
    ] {
        check_each_request(
            &Reply::error(400, name, "a secret"),
            |case, response, duration, _| {
                response.assert_error(500, "internal", None);
                assert!(!response.body.contains("secret"), "{}", response.body);
                assert!(duration < MAX_DURATION, "{}: {duration:?}", case.function);
            },
        );
    }
}

#[test]
fn an_unreachable_database_is_503_until_it_is_reachable_again() {
    for in_look_up in [true, false] {
        let client = Client::new();
        store_sample(&client);
        for (function, event, status) in build_events(&client.token) {
            let proxy = start_proxy(function, |_| Reply::Pass);
            let mut instance = start_instance(function, proxy.url());
            if !in_look_up {
                // The query is rejected after the token has been looked up.
                let mut with_query = event.clone();
                with_query["rawQueryString"] = json!("x=1");
                let (response, _) = invoke(&mut instance, &with_query);
                response.assert_error(400, "unknown", Some("x"));
            }
            proxy.stop();
            let (response, duration) = invoke(&mut instance, &event);
            response.assert_error(503, "unavailable", None);
            assert!(duration < MAX_DURATION, "{function}: {duration:?}");
            proxy.resume().expect("the port is still free");
            let (response, _) = invoke(&mut instance, &event);
            assert_eq!(
                response.status, status,
                "{function}, afterwards: {response:?}"
            );
        }
    }
}

#[test]
fn an_instance_that_cannot_connect_in_init_serves_requests_afterwards() {
    // Replies, each with the cause that is logged.
    let faults = [
        (
            Reply::error(400, "ThrottlingException", "a secret"),
            "ThrottlingException",
        ),
        (
            Reply::error(400, "AccessDeniedException", "a secret"),
            "AccessDeniedException",
        ),
        (Reply::TruncatedResponse, "error reading a body"),
        (Reply::NoResponse, "deadline has elapsed"),
    ];
    thread::scope(|scope| {
        for (fault, cause) in &faults {
            scope.spawn(move || {
                let client = Client::new();
                store_sample(&client);
                for (function, event, status) in build_events(&client.token) {
                    let is_broken = Arc::new(AtomicBool::new(true));
                    let (fails, fault) = (is_broken.clone(), fault.clone());
                    let proxy = start_proxy(function, move |_| {
                        if fails.load(Ordering::SeqCst) {
                            fault.clone()
                        } else {
                            Reply::Pass
                        }
                    });
                    let start = Instant::now();
                    let mut instance = start_instance(function, proxy.url());
                    assert!(proxy.intercepted() > 0, "{function} tried to connect");
                    assert!(start.elapsed() < Duration::from_secs(3), "{function}");
                    is_broken.store(false, Ordering::SeqCst);
                    let (response, _) = invoke(&mut instance, &event);
                    assert_eq!(response.status, status, "{function}: {response:?}");
                    // All instances of a function share a log, but no other instance logs this cause in init.
                    let log = instance.log();
                    let mut lines = log.lines();
                    let line = lines.find(|line| {
                        line.contains("no connection to DynamoDB in init") && line.contains(cause)
                    });
                    assert!(line.is_some(), "{function}: {cause}: {log}");
                }
            });
        }
    });
}

#[test]
fn a_stored_group_that_cannot_be_parsed_is_500() {
    let client = Client::new();
    let item = json!({
        "account_id": { "S": client.account_id }, "id": { "S": "L7cGNIBKZiNJ6wqF" }, "name": { "S": "a" },
    });
    let put = json!({ "TableName": "GroupsTable", "Item": item });
    stack()
        .dynamodb()
        .call("PutItem", &put)
        .expect("the item is stored");
    client
        .get("/v1/groups/L7cGNIBKZiNJ6wqF")
        .assert_error(500, "internal", None);
    client.get("/v1/groups").assert_error(500, "internal", None);
    client.create("the instance still works");
}

#[test]
fn a_panic_is_500_is_logged_with_the_request_and_does_not_end_the_instance() {
    // Cargo builds it from tests/functions/panic.rs.
    let variables = [("TOKENS_TABLE", "TokensTable")];
    let mut instance = stack()
        .instance("examples/panic", &variables)
        .expect("the instance starts");
    let event = build_event("list-groups", &Client::new().token);
    for _ in 0..2 {
        let (response, _) = invoke(&mut instance, &event);
        response.assert_error(500, "internal", None);
        assert_eq!(response.headers["x-request-id"], "the-request");
    }
    let log = instance.log();
    let mut lines = log.lines();
    let is_logged = lines.any(|line| {
        line.contains("the handler panicked on purpose") && line.contains("the-request")
    });
    assert!(is_logged, "{log}");
}
