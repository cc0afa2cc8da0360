//! Lambda: instances, time-outs, and the Invoke API.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use local::Stack;
use serde_json::json;

use crate::{
    http::{Response, get, request},
    kill_instances, options, stack,
};

#[test]
fn concurrent_requests_run_concurrently_up_to_the_limit() {
    let stack = Stack::start(options("concurrency")).expect("the stack starts");
    let send_at_once = |count: usize, path: &'static str| {
        let start = Instant::now();
        let stack = &stack;
        let responses: Vec<_> = thread::scope(|scope| {
            let request = |_| scope.spawn(move || get(stack, path, "sleep 300").status);
            let requests: Vec<_> = (0..count).map(request).collect();
            requests
                .into_iter()
                .map(|request| request.join().expect("the thread ends"))
                .collect()
        });
        (responses, start.elapsed().as_millis())
    };
    let (statuses, time) = send_at_once(3, "/echo");
    assert_eq!(statuses, [200; 3]);
    assert!((300..900).contains(&time), "{time}");
    // Each of the three instances runs three invocations.
    let (statuses, time) = send_at_once(9, "/echo");
    assert_eq!(statuses, [200; 9]);
    assert!((900..2_000).contains(&time), "{time}");
    assert_eq!(stack.process_ids("examples/probe").len(), 3);
    // The time-out of this route is 400 ms, so the second invocations are too late.
    let (statuses, _) = send_at_once(6, "/hasty");
    assert!(
        statuses.contains(&200) && statuses.iter().all(|status| [200, 503].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(get(&stack, "/hasty", "").status, 200);
}

#[test]
fn an_instance_is_reused() {
    let stack = Stack::start(options("reuse")).expect("the stack starts");
    let processes: BTreeSet<_> = (0..10)
        .map(|_| get(&stack, "/echo", "process").text())
        .collect();
    assert_eq!(processes.len(), 1);
}

#[test]
fn a_failed_invocation_affects_only_its_own_request() {
    let stack = Stack::start(options("failures")).expect("the stack starts");
    for action in ["exit", "fail", "sleep 5000"] {
        get(&stack, "/echo", action).assert_message(500, "Internal Server Error");
        assert_eq!(get(&stack, "/echo", "").status, 200, "{action}");
    }
    for _ in 0..20 {
        kill_instances(&stack);
        let response = get(&stack, "/echo", "");
        assert_eq!(response.status, 200, "a killed idle instance is replaced");
    }
}

#[test]
fn an_invocation_continues_if_its_client_disconnects() {
    let stack = Stack::start(options("disconnects")).expect("the stack starts");
    for _ in 0..30 {
        let mut stream = crate::http::connect(&stack);
        let request = crate::http::build_request("GET", "/echo", &["x-do: sleep 20"], "");
        std::io::Write::write_all(&mut stream, &request).expect("the request is sent");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(get(&stack, "/echo", "").status, 200);
    assert!(stack.process_ids("examples/probe").len() <= 3);
}

#[test]
fn a_function_has_the_environment_variables_and_the_memory_size_of_the_template() {
    let variables = get(stack(), "/echo", "variables").json();
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_NAME", "examples/probe"),
        ("COLOR", "red"),
        ("COMMON", "common"),
        ("NAME", "none"),
        ("OWN", "own"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
    assert_eq!(variables.get("HUE"), None, "AWS::NoValue");
    assert_eq!(variables.get("PATH"), None, "no variable of this process");
}

fn invoke(name: &str, headers: &[&str], payload: impl AsRef<[u8]>) -> Response {
    let path = format!("/2015-03-31/functions/{name}/invocations");
    request(stack(), "POST", &path, headers, payload)
}

#[test]
fn a_function_is_invoked_by_its_name() {
    let payload = json!({ "a": [1, "é"] });
    for name in [
        "ProbeFunction",
        "examples%2Fprobe",
        "ProbeFunction:live",
        "arn:aws:lambda:us-east-1:000000000000:function:ProbeFunction",
        "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3AProbeFunction%3Alive",
    ] {
        let response = invoke(name, &[], payload.to_string());
        assert_eq!(response.status, 200, "{response:?}");
        let output = response.json();
        assert_eq!(output["body"], payload.to_string(), "{name}");
        assert_eq!(response.header("x-amz-executed-version"), ["$LATEST"]);
        assert_eq!(response.header("x-amz-function-error"), [""; 0]);
    }
    assert_eq!(
        invoke("ProbeFunction", &[], "").json()["body"],
        "{}",
        "an empty payload becomes an empty object"
    );
}

#[test]
fn a_function_error_is_200_with_a_header() {
    for (action, kind) in [
        ("fail", "Error"),
        ("exit", "Runtime.ExitError"),
        ("sleep 5000", "Sandbox.Timedout"),
    ] {
        let response = invoke("ProbeFunction", &[], json!({ "do": action }).to_string());
        assert_eq!(
            (response.status, response.header("x-amz-function-error")),
            (200, vec!["Unhandled"])
        );
        let error = response.json();
        assert!(
            error["errorType"]
                .as_str()
                .expect("`errorType` is a string")
                .contains(kind),
            "{error}"
        );
        assert!(error["errorMessage"].is_string(), "{error}");
    }
}

#[test]
fn a_rejected_invocation_has_the_error_of_aws() {
    for (name, payload, status, kind) in [
        ("nobody", "{}".to_owned(), 404, "ResourceNotFoundException"),
        (
            "ProbeFunction",
            "{".to_owned(),
            400,
            "InvalidRequestContentException",
        ),
        (
            "ProbeFunction",
            format!("\"{}\"", "x".repeat(6_300_000)),
            413,
            "RequestTooLargeException",
        ),
    ] {
        let response = invoke(name, &[], payload);
        assert_eq!(
            (response.status, response.header("x-amzn-errortype")),
            (status, vec![kind])
        );
        assert!(response.json()["Message"].is_string());
    }
}

#[test]
fn asynchronous_invocations_and_dry_runs_return_at_once() {
    // The start of the stack is not part of the time.
    stack();
    let start = Instant::now();
    let payload = json!({ "do": "sleep 700" }).to_string();
    let response = invoke("ProbeFunction", &["x-amz-invocation-type: Event"], &payload);
    assert_eq!((response.status, response.text()), (202, String::new()));
    let response = invoke(
        "ProbeFunction",
        &["x-amz-invocation-type: DryRun"],
        &payload,
    );
    assert_eq!(response.status, 204);
    assert!(
        start.elapsed() < Duration::from_millis(600),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn invocations_with_other_methods_or_from_web_pages_are_rejected() {
    let path = "/2015-03-31/functions/ProbeFunction/invocations";
    assert_eq!(request(stack(), "GET", path, &[], "").status, 405);
    let response = invoke("ProbeFunction", &["origin: https://a.example"], "{}");
    assert_eq!(response.status, 403);
    assert_eq!(response.header("access-control-allow-origin"), [""; 0]);
}
