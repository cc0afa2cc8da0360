//! What callers see when DynamoDB is in trouble. A scripted endpoint plays what DynamoDB Local
//! cannot.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Answer, Client, stack};

/// A token of the right form and checksum.
const TOKEN: &str = "groups_00000000000000000000000000000000000000000004AceYX";

/// What the endpoint does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// It says that it is throttled.
    Throttled,
    /// It says that it has failed.
    Failed,
    /// It never answers.
    Silent,
    /// It says that the caller may not.
    Denied,
}

/// An endpoint that plays DynamoDB in trouble, and counts what it is asked.
struct Endpoint {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Endpoint {
    /// One that finds every token in force where `knows_tokens` says so, and else has the fault.
    fn start(fault: Fault, knows_tokens: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = count.clone();
                thread::spawn(move || serve(&stream, fault, knows_tokens, &count));
            }
        });
        Self { url, requests }
    }
}

fn serve(stream: &TcpStream, fault: Fault, knows_tokens: bool, count: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(body) = request(&mut reader) {
        let (status, answer) = if knows_tokens && body["TableName"] == "TokensTable" {
            (
                "200 OK",
                json!({ "Item": { "account_id": { "S": "acme" } } }),
            )
        } else {
            count.fetch_add(1, Ordering::SeqCst);
            let error = |name: &str| json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": "secret" });
            match fault {
                Fault::Throttled => ("400 Bad Request", error("ThrottlingException")),
                Fault::Failed => ("500 Internal Server Error", error("InternalServerError")),
                Fault::Denied => ("400 Bad Request", error("AccessDeniedException")),
                Fault::Silent => {
                    thread::sleep(Duration::from_secs(30));
                    return;
                }
            }
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        if writer.write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}

/// The body of the next request, as JSON.
fn request(reader: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// The functions of the endpoints, each with an event that fits.
fn events() -> [(&'static str, Value); 5] {
    let event = |body: Option<&str>| {
        json!({
            "rawQueryString": "",
            "headers": { "authorization": format!("Bearer {TOKEN}"), "content-type": "application/json" },
            "pathParameters": { "id": "L7cGNIBKZiNJ6wqF" },
            "body": body,
            "requestContext": { "requestId": "the-request" },
        })
    };
    [
        ("list-groups", event(None)),
        ("create-group", event(Some(r#"{"name": "a"}"#))),
        ("get-group", event(None)),
        ("update-group", event(Some(r#"{"name": "a"}"#))),
        ("delete-group", event(None)),
    ]
}

/// Invokes a function on an endpoint, and gives the answer and how long it took.
fn invoke(function: &str, url: &str, event: &Value) -> (Answer, Duration) {
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", url)];
    let mut instance = stack().instance(function, &variables).expect("an instance");
    let start = Instant::now();
    let response = instance
        .invoke(event)
        .unwrap_or_else(|error| panic!("{function}: {error}"));
    (Answer::of_function(&response), start.elapsed())
}

#[test]
fn a_database_in_trouble_is_503_for_the_token_and_for_the_operation_without_a_storm_of_retries() {
    for fault in [Fault::Throttled, Fault::Failed] {
        for knows_tokens in [false, true] {
            for (function, event) in events() {
                let endpoint = Endpoint::start(fault, knows_tokens);
                let (answer, time) = invoke(function, &endpoint.url, &event);
                answer.assert_error(503, "unavailable", None);
                assert!(!answer.body.contains("secret"), "{}", answer.body);
                let requests = endpoint.requests.load(Ordering::SeqCst);
                assert_eq!(requests, 3, "{function}, {fault:?}: attempts");
                assert!(
                    time < Duration::from_secs(5),
                    "{function}, {fault:?}: {time:?}"
                );
            }
        }
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_503() {
    for (function, event) in events() {
        // Nothing listens on the discard port.
        let (answer, time) = invoke(function, "http://127.0.0.1:9", &event);
        answer.assert_error(503, "unavailable", None);
        assert!(time < Duration::from_secs(5), "{function}: {time:?}");
    }
}

#[test]
fn a_database_that_does_not_answer_is_503_before_the_functions_own_time_out() {
    thread::scope(|scope| {
        for (function, event) in events() {
            for knows_tokens in [false, true] {
                let event = event.clone();
                scope.spawn(move || {
                    let endpoint = Endpoint::start(Fault::Silent, knows_tokens);
                    let (answer, time) = invoke(function, &endpoint.url, &event);
                    answer.assert_error(503, "unavailable", None);
                    // Half of the function's ten seconds, so that two such requests fit in.
                    assert!(time < Duration::from_secs(5), "{function}: {time:?}");
                    assert!(endpoint.requests.load(Ordering::SeqCst) <= 3, "{function}");
                });
            }
        }
    });
}

#[test]
fn what_is_our_fault_is_500_and_its_cause_is_in_the_log_only() {
    for knows_tokens in [false, true] {
        let endpoint = Endpoint::start(Fault::Denied, knows_tokens);
        let (function, event) = events()[2].clone();
        let (answer, _) = invoke(function, &endpoint.url, &event);
        answer.assert_error(500, "internal", None);
        assert!(!answer.body.contains("secret"), "{}", answer.body);
        assert_eq!(
            endpoint.requests.load(Ordering::SeqCst),
            1,
            "no use in trying again"
        );
    }
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
    let mut event = events()[2].1.clone();
    event["headers"]["authorization"] = json!(format!("Bearer {}", Client::new().token));
    for _ in 0..2 {
        let response = instance
            .invoke(&event)
            .expect("an answer, and not a function error");
        let answer = Answer::of_function(&response);
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
