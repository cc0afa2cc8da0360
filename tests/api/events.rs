//! The events of events/ and tests/events/, each sent to its function. Those of tests/events/ contain the whole
//! response, and are also sent as HTTP requests, if HTTP can carry them.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::{
    http,
    support::{Client, ENDPOINTS, Response, find_row, functions, stack, store_sample, text},
};

/// Reads an event of events/, with this token in it.
fn read_event(function: &str, token: &str) -> Value {
    let path = local::tools::workspace()
        .join("events")
        .join(format!("{function}.json"));
    let content =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&content.replace("{token}", token)).expect("the event is JSON")
}

fn invoke(function: &str, event: &Value) -> Response {
    let output = stack().invoke(function, event);
    Response::from_output(&output.expect("the function succeeds"))
}

#[test]
fn each_function_has_one_event() {
    let entries = fs::read_dir(local::tools::workspace().join("events")).expect("events/ exists");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let found: BTreeSet<_> = entries
        .map(|entry| name(entry).into_string().expect("the name is UTF-8"))
        .collect();
    let expected: BTreeSet<_> = functions()
        .into_iter()
        .map(|function| format!("{function}.json"))
        .collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    assert!(missing.is_empty(), "events/ does not contain {missing:?}");
    let unknown: Vec<_> = found.difference(&expected).collect();
    assert!(
        unknown.is_empty(),
        "tests/api/support.rs has no function for {unknown:?} of events/"
    );
}

#[test]
fn each_event_of_an_endpoint_gets_its_response() {
    type Check = fn(&Response);
    let rows: [(&str, Check); 5] = [
        ("get-group", |response| {
            assert_eq!(response.group(200)["description"], "World-renowned.");
        }),
        // The form is in base64, as API Gateway sends it.
        ("create-group", |response| {
            assert_eq!(response.group(201)["name"], "Plaza Hotel");
        }),
        ("update-group", |response| {
            let group = response.group(200);
            assert_eq!(group["description"], "The finest in New York.");
        }),
        ("list-groups", |response| {
            assert_eq!(response.page().0.len(), 2)
        }),
        ("delete-group", |response| {
            assert_eq!((response.status, response.body.as_str()), (204, ""));
        }),
    ];
    for endpoint in ENDPOINTS {
        find_row(file!(), &rows, endpoint.function);
    }
    let client = Client::new();
    store_sample(&client);
    // In this order: each request sees the changes of those before it.
    for (function, check) in rows {
        let response = invoke(function, &read_event(function, &client.token));
        assert_eq!(
            response.headers["x-request-id"], "JKJaXmPLvHcESHA=",
            "API Gateway's id"
        );
        check(&response);
    }
    invoke("get-group", &read_event("get-group", &client.token)).assert_error(
        404,
        "group_not_found",
        None,
    );
    invoke("fallback", &read_event("fallback", &client.token)).assert_error(
        404,
        "path_not_found",
        None,
    );
}

#[test]
fn the_event_of_the_queue_reports_no_failure() {
    let mut instance = stack()
        .instance("purge-messages", &[])
        .expect("the instance starts");
    let report = instance.invoke(&read_event("purge-messages", ""));
    assert_eq!(report, Ok(json!({ "batchItemFailures": [] })));
}

#[test]
fn each_event_of_an_operator_succeeds() {
    let (issue, revoke) = (
        read_event("issue-token", ""),
        read_event("revoke-token", ""),
    );
    let issued = stack()
        .invoke("issue-token", &issue)
        .expect("a token is issued");
    assert_eq!(text(&issued["account_id"]), text(&issue["account_id"]));
    let revoked = stack()
        .invoke("revoke-token", &revoke)
        .expect("tokens are revoked");
    assert!(revoked["revoked"].as_u64() >= Some(1), "{revoked}");
}

#[test]
fn an_event_without_members_is_a_request_without_a_token() {
    let nulls = json!({
        "rawQueryString": null, "headers": null, "pathParameters": null, "body": null,
        "isBase64Encoded": null, "requestContext": null,
    });
    for event in [json!({}), nulls] {
        invoke("get-group", &event).assert_error(401, "token_missing", None);
    }
}

#[test]
fn header_names_match_in_any_case() {
    let client = Client::new();
    let mut event = read_event("list-groups", &client.token);
    let headers = event["headers"]
        .as_object_mut()
        .expect("`headers` is an object");
    let authorization = headers
        .remove("authorization")
        .expect("the event has a token");
    headers.insert("AUTHORIZATION".to_owned(), authorization);
    invoke("list-groups", &event).page();
}

/// Checks that a value is the expected one, in which `"{any}"` stands for any value.
fn assert_like(found: &Value, expected: &Value, path: &str) {
    match (found, expected) {
        (_, Value::String(any)) if any == "{any}" => assert!(!found.is_null(), "{path}"),
        (Value::Object(found), Value::Object(expected)) => {
            let names = |members: &serde_json::Map<String, Value>| {
                members.keys().cloned().collect::<Vec<_>>()
            };
            assert_eq!(names(found), names(expected), "{path}");
            for (name, value) in found {
                assert_like(value, &expected[name], &format!("{path}.{name}"));
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{path}");
            for (index, value) in found.iter().enumerate() {
                assert_like(value, &expected[index], &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(found, expected, "{path}"),
    }
}

/// Checks the parts of a response that a file in tests/events/ describes.
fn assert_response(status: &Value, headers: Value, body: &str, expected: &Value, file: &str) {
    // The body is JSON, or absent.
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let found = json!({ "statusCode": status, "headers": headers, "body": body });
    assert_like(&found, expected, file);
}

#[test]
fn each_event_gets_its_response_from_the_function_and_over_http() {
    // These headers are the gateway's.
    let own_headers = ["apigw-requestid", "connection", "content-length", "date"];
    let dir = local::tools::workspace().join("tests/events");
    let (mut count, mut over_http) = (0, 0);
    for entry in fs::read_dir(dir).expect("tests/events/ exists") {
        let path = entry.expect("an entry").path();
        let file = path.display().to_string();
        let content = fs::read_to_string(&path).expect("the file is UTF-8");
        let read_case = |client: &Client| -> Value {
            store_sample(client);
            serde_json::from_str(&content.replace("{token}", &client.token)).expect("it is JSON")
        };
        let case = read_case(&Client::new());
        let output = stack().invoke(&text(&case["function"]), &case["event"]);
        let output = output.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_response(
            &output["statusCode"],
            output["headers"].clone(),
            output["body"].as_str().unwrap_or_default(),
            &case["response"],
            &file,
        );
        count += 1;

        // Another client, because the first invocation may have created something.
        let case = read_case(&Client::new());
        // tests/api/fallback.rs sends a HEAD request.
        let is_head = case["event"]["requestContext"]["http"]["method"] == "HEAD";
        let Some(request) = http::request_of(&case["event"]).filter(|_| !is_head) else {
            continue;
        };
        let response = http::send(stack(), request);
        let request_id = response.header("apigw-requestid").concat();
        assert_eq!(response.header("x-request-id"), [request_id], "{file}");
        let mut headers = serde_json::Map::new();
        for (name, value) in &response.headers {
            if !own_headers.contains(&name.as_str()) {
                headers.insert(name.clone(), json!(value));
            }
        }
        let expected_id = &case["response"]["headers"]["x-request-id"];
        headers.insert("x-request-id".to_owned(), expected_id.clone());
        assert_response(
            &json!(response.status),
            headers.into(),
            &response.text(),
            &case["response"],
            &file,
        );
        over_http += 1;
    }
    assert!(
        count >= 25 && over_http >= 18,
        "{count} events, {over_http} over HTTP"
    );
}
