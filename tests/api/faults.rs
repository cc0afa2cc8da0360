//! What callers see when DynamoDB is in trouble.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use local::{DynamoDbProxy, Instance, Reply};
use serde_json::{Value, json};

use crate::support::{Answer, Client, endpoint, stack};

/// The functions of the endpoints, each with an event that fits and the status when all is well.
/// Creating is there with an idempotency key too, because it is then a transaction.
pub fn events(token: &str) -> [(&'static str, Value, u16); 6] {
    let event = |body: Option<&str>, key: Option<&str>| {
        let mut event = json!({
            "rawQueryString": "",
            "headers": { "authorization": format!("Bearer {token}"), "content-type": "application/json" },
            "pathParameters": { "id": local::sample::GROUP_ID },
            "body": body,
            "requestContext": { "requestId": "the-request" },
        });
        if let Some(key) = key {
            event["headers"]["idempotency-key"] = json!(key);
        }
        event
    };
    [
        ("list-groups", event(None, None), 200),
        ("create-group", event(Some(r#"{"name": "a"}"#), None), 201),
        (
            "create-group",
            event(Some(r#"{"name": "a"}"#), Some("a-key")),
            201,
        ),
        ("get-group", event(None, None), 200),
        ("update-group", event(Some(r#"{"name": "a"}"#), None), 200),
        ("delete-group", event(None, None), 204),
    ]
}

/// Every endpoint's function, with the fault in the token's look-up and then in the operation; and
/// on the same instance once more when the fault has passed, when it has to serve as ever.
fn in_each_endpoint(
    reply: &Reply,
    check: impl Fn(&Case, &Answer, Duration, &DynamoDbProxy) + Sync,
) {
    thread::scope(|scope| {
        for (function, event, status) in events("") {
            for in_look_up in [true, false] {
                let (event, check, reply) = (event.clone(), &check, reply.clone());
                scope.spawn(move || {
                    let client = Client::new();
                    local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample");
                    let (before, _) = client.get("/v1/groups").page();
                    let mut event = event;
                    event["headers"]["authorization"] = json!(format!("Bearer {}", client.token));
                    let broken = Arc::new(AtomicBool::new(false));
                    let is_broken = broken.clone();
                    let endpoint = endpoint(function, move |request| {
                        let here = request.is_for_token() == in_look_up;
                        if here && is_broken.load(Ordering::SeqCst) {
                            reply.clone()
                        } else {
                            Reply::Pass
                        }
                    });
                    let mut instance = instance(function, endpoint.url());
                    broken.store(true, Ordering::SeqCst);
                    let (answer, time) = invoke(&mut instance, &event);
                    let case = Case {
                        function,
                        writes: !in_look_up && !["list-groups", "get-group"].contains(&function),
                    };
                    check(&case, &answer, time, &endpoint);
                    let (groups, _) = client.get("/v1/groups").page();
                    assert_eq!(groups, before, "{function}: nothing is half done");
                    broken.store(false, Ordering::SeqCst);
                    let (answer, _) = invoke(&mut instance, &event);
                    assert_eq!(answer.status, status, "{function}, afterwards: {answer:?}");
                });
            }
        }
    });
}

/// An instance of a function with a DynamoDB of its own.
pub fn instance(function: &str, url: &str) -> Instance {
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", url)];
    let mut instance = stack().instance(function, &variables).expect("an instance");
    instance.wait_for_init().expect("it starts");
    instance
}

/// Invokes a function, and gives the answer and how long it took.
pub fn invoke(instance: &mut Instance, event: &Value) -> (Answer, Duration) {
    let start = Instant::now();
    let response = instance
        .invoke(event)
        .unwrap_or_else(|error| panic!("{error}"));
    (Answer::of_function(&response), start.elapsed())
}

/// Half of a function's ten seconds, so that two such requests fit in.
const IN_TIME: Duration = Duration::from_secs(5);

/// Where a fault is: in which function, and whether in a request that writes.
struct Case {
    function: &'static str,
    writes: bool,
}

/// Checks a fault that leaves open whether DynamoDB has carried out the request: only for a write it matters.
fn assert_unknown(case: &Case, answer: &Answer, time: Duration, endpoint: &DynamoDbProxy) {
    let code = if case.writes {
        "outcome_unknown"
    } else {
        "unavailable"
    };
    assert_error(case, code, answer, time, endpoint);
}

/// Checks a fault that shows that DynamoDB has not carried out the request.
fn assert_unavailable(case: &Case, answer: &Answer, time: Duration, endpoint: &DynamoDbProxy) {
    assert_error(case, "unavailable", answer, time, endpoint);
}

fn assert_error(
    case: &Case,
    code: &str,
    answer: &Answer,
    time: Duration,
    endpoint: &DynamoDbProxy,
) {
    answer.assert_error(503, code, None);
    assert!(!answer.body.contains("secret"), "{}", answer.body);
    assert!(time < IN_TIME, "{}: {time:?}", case.function);
    let requests = endpoint.intercepted();
    assert!(
        (2..=3).contains(&requests),
        "{}: {requests} attempts",
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
        in_each_endpoint(&reply, |case, answer, time, endpoint| {
            assert_unavailable(case, answer, time, endpoint);
            assert_eq!(endpoint.intercepted(), 3, "{}", case.function);
        });
    }
}

#[test]
fn a_transaction_that_is_throttled_is_503_after_three_attempts() {
    for code in ["ThrottlingError", "ProvisionedThroughputExceeded"] {
        let answer = create_with_key(&cancelled(code), 3);
        answer.assert_error(503, "unavailable", None);
    }
}

#[test]
fn a_transaction_that_conflicts_is_tried_more_often() {
    let answer = create_with_key(&cancelled("TransactionConflict"), 8);
    answer.assert_error(503, "unavailable", None);
}

/// A transaction that DynamoDB cancels for this reason.
fn cancelled(code: &str) -> Reply {
    let reason = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "a secret",
        "CancellationReasons": [{ "Code": code }, { "Code": "None" }],
    });
    Reply::Respond(400, reason.to_string())
}

/// Creates a group with a key if DynamoDB always replies so, and checks the number of attempts.
fn create_with_key(reply: &Reply, attempts: usize) -> Answer {
    let client = Client::new();
    let (function, event, _) = events(&client.token)[2].clone();
    let reply = reply.clone();
    let endpoint = endpoint(function, move |request| {
        if request.is_for_token() {
            Reply::Pass
        } else {
            reply.clone()
        }
    });
    let (answer, _) = invoke(&mut instance(function, endpoint.url()), &event);
    assert_eq!(endpoint.intercepted(), attempts);
    answer
}

#[test]
fn a_failing_database_is_503_whatever_it_names_its_error() {
    for (status, name) in [
        (500, "InternalServerError"),
        (500, "InternalFailure"),
        (503, "ServiceUnavailableException"),
        (503, "SlowDown"),
        (502, "SomethingElse"),
    ] {
        in_each_endpoint(&Reply::error(status, name, "a secret"), assert_unknown);
    }
}

#[test]
fn a_transaction_in_the_way_is_503() {
    for name in [
        "TransactionConflictException",
        "TransactionInProgressException",
    ] {
        in_each_endpoint(&Reply::error(400, name, "a secret"), |_, answer, _, _| {
            answer.assert_error(503, "unavailable", None);
        });
    }
}

#[test]
fn a_connection_that_closes_before_the_response_is_503() {
    in_each_endpoint(&Reply::Close, assert_unknown);
}

#[test]
fn a_connection_that_closes_in_the_middle_of_a_response_is_503() {
    in_each_endpoint(&Reply::TruncatedResponse, assert_unknown);
}

#[test]
fn a_response_that_never_comes_is_503_before_the_functions_own_time_out() {
    in_each_endpoint(&Reply::NoResponse, assert_unknown);
}

#[test]
fn a_response_that_is_not_json_is_503() {
    in_each_endpoint(&Reply::Respond(200, "<html>".to_owned()), assert_unknown);
    in_each_endpoint(
        &Reply::Respond(400, "<html>".to_owned()),
        assert_unavailable,
    );
}

#[test]
fn credentials_that_have_expired_or_do_not_suffice_are_our_fault_and_500() {
    for name in [
        "ExpiredTokenException",
        "AccessDeniedException",
        "ResourceNotFoundException",
    ] {
        in_each_endpoint(
            &Reply::error(400, name, "a secret"),
            |case, answer, time, _| {
                answer.assert_error(500, "internal", None);
                assert!(!answer.body.contains("secret"), "{}", answer.body);
                assert!(time < IN_TIME, "{}: {time:?}", case.function);
            },
        );
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_503_until_it_can() {
    for in_look_up in [true, false] {
        let client = Client::new();
        local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample");
        for (function, event, status) in events(&client.token) {
            let endpoint = endpoint(function, |_| Reply::Pass);
            let mut instance = instance(function, endpoint.url());
            if !in_look_up {
                // A request that is refused for its query has had its token looked up.
                let mut refused = event.clone();
                refused["rawQueryString"] = json!("x=1");
                let (answer, _) = invoke(&mut instance, &refused);
                answer.assert_error(400, "unknown", Some("x"));
            }
            endpoint.stop();
            let (answer, time) = invoke(&mut instance, &event);
            answer.assert_error(503, "unavailable", None);
            assert!(time < IN_TIME, "{function}: {time:?}");
            endpoint.resume().expect("its port");
            let (answer, _) = invoke(&mut instance, &event);
            assert_eq!(answer.status, status, "{function}, afterwards: {answer:?}");
        }
    }
}

#[test]
fn an_instance_that_finds_no_database_in_init_serves_all_the_same() {
    // Each with what the log has to say of it.
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
                local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample");
                for (function, event, status) in events(&client.token) {
                    let broken = Arc::new(AtomicBool::new(true));
                    let (is_broken, fault) = (broken.clone(), fault.clone());
                    let endpoint = endpoint(function, move |_| {
                        if is_broken.load(Ordering::SeqCst) {
                            fault.clone()
                        } else {
                            Reply::Pass
                        }
                    });
                    let start = Instant::now();
                    let mut instance = instance(function, endpoint.url());
                    assert!(endpoint.intercepted() > 0, "{function} has tried");
                    assert!(start.elapsed() < Duration::from_secs(3), "{function}");
                    broken.store(false, Ordering::SeqCst);
                    let (answer, _) = invoke(&mut instance, &event);
                    assert_eq!(answer.status, status, "{function}: {answer:?}");
                    // All instances of a function share a log, but no other has this cause in init.
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
fn a_group_that_cannot_be_read_back_is_500() {
    let client = Client::new();
    let item = json!({
        "account_id": { "S": client.account_id }, "id": { "S": "L7cGNIBKZiNJ6wqF" }, "name": { "S": "a" },
    });
    let put = json!({ "TableName": "GroupsTable", "Item": item });
    stack()
        .dynamodb()
        .call("PutItem", &put)
        .expect("the item is put");
    client
        .get("/v1/groups/L7cGNIBKZiNJ6wqF")
        .assert_error(500, "internal", None);
    client.get("/v1/groups").assert_error(500, "internal", None);
    client.create("the instance lives");
}

#[test]
fn a_panic_is_500_the_instance_lives_and_the_log_has_the_request_and_the_cause() {
    // `cargo test` builds it from tests/functions/panic.rs.
    let variables = [("TOKENS_TABLE", "TokensTable")];
    let mut instance = stack()
        .instance("examples/panic", &variables)
        .expect("an instance");
    let (_, event, _) = events(&Client::new().token)[0].clone();
    for _ in 0..2 {
        let (answer, _) = invoke(&mut instance, &event);
        answer.assert_error(500, "internal", None);
        assert_eq!(answer.headers["x-request-id"], "the-request");
    }
    let log = instance.log();
    let line = |wanted: &str| {
        log.lines()
            .any(|line| line.contains(wanted) && line.contains("the-request"))
    };
    assert!(line("the handler panicked on purpose"), "{log}");
}
