//! Events of events/ and tests/events/, each sent to its function by name; those of tests/events/ with
//! the whole response to each, and as HTTP requests if HTTP can carry them.

use std::fs;

use serde_json::{Value, json};

use crate::{
    http,
    support::{Answer, Client, FUNCTIONS, stack, text},
};

/// An event of events/, with a token in its place.
fn event(function: &str, token: &str) -> Value {
    let path = local::tools::workspace()
        .join("events")
        .join(format!("{function}.json"));
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text.replace("{token}", token)).expect("JSON")
}

#[test]
fn there_is_one_event_for_each_function() {
    let entries = fs::read_dir(local::tools::workspace().join("events")).expect("events/");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().expect("UTF-8"))
        .collect();
    let mut expected = FUNCTIONS.map(|function| format!("{function}.json"));
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn each_event_of_api_gateway_is_answered() {
    let client = Client::new();
    local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample is put");
    let invoke = |function: &str| {
        let response = stack().invoke(function, &event(function, &client.token));
        let response = response.expect("an answer");
        let answer = Answer::of_function(&response);
        assert_eq!(
            answer.headers["x-request-id"], "JKJaXmPLvHcESHA=",
            "API Gateway's id"
        );
        answer
    };
    assert_eq!(
        invoke("get-group").group(200)["description"],
        "World-renowned."
    );
    // The form is in base64, as API Gateway sends it.
    assert_eq!(invoke("create-group").group(201)["name"], "Plaza Hotel");
    assert_eq!(
        invoke("update-group").group(200)["description"],
        "The finest in New York."
    );
    assert_eq!(invoke("list-groups").page().0.len(), 2);
    let answer = invoke("delete-group");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    invoke("get-group").assert_error(404, "group_not_found", None);
    let mut fallback = stack().instance("fallback", &[]).expect("an instance");
    let response = fallback
        .invoke(&event("fallback", &client.token))
        .expect("an answer");
    Answer::of_function(&response).assert_error(404, "path_not_found", None);
}

#[test]
fn the_event_of_the_queue_is_answered() {
    let mut instance = stack()
        .instance("purge-messages", &[])
        .expect("an instance");
    let report = instance.invoke(&event("purge-messages", ""));
    assert_eq!(report, Ok(json!({ "batchItemFailures": [] })));
}

#[test]
fn each_event_of_an_operator_is_answered() {
    let (issue, revoke) = (event("issue-token", ""), event("revoke-token", ""));
    let issued = stack().invoke("issue-token", &issue).expect("a token");
    assert_eq!(text(&issued["account_id"]), text(&issue["account_id"]));
    let revoked = stack().invoke("revoke-token", &revoke).expect("a count");
    assert!(revoked["revoked"].as_u64() >= Some(1), "{revoked}");
}

#[test]
fn an_event_that_says_next_to_nothing_still_gets_an_answer_that_says_what_it_lacks() {
    let nulls = json!({
        "rawQueryString": null, "headers": null, "pathParameters": null, "body": null,
        "isBase64Encoded": null, "requestContext": null,
    });
    for event in [json!({}), nulls] {
        let response = stack().invoke("get-group", &event).expect("an answer");
        Answer::of_function(&response).assert_error(401, "token_missing", None);
    }
}

#[test]
fn header_names_match_in_any_case() {
    let client = Client::new();
    let mut event = event("list-groups", &client.token);
    let authorization = event["headers"]["authorization"].take();
    event["headers"]["AUTHORIZATION"] = authorization;
    event["headers"]
        .as_object_mut()
        .expect("headers")
        .remove("authorization");
    let response = stack().invoke("list-groups", &event).expect("an answer");
    Answer::of_function(&response).page();
}

/// Checks a value against what is expected of it, in which `"{any}"` stands for anything.
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

/// The parts of a response that a case of tests/events/ describes.
fn assert_answer(status: &Value, headers: Value, body: &str, expected: &Value, name: &str) {
    // The body is JSON in a string, or absent.
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let found = json!({ "statusCode": status, "headers": headers, "body": body });
    assert_like(&found, expected, name);
}

#[test]
fn each_event_gets_its_response_from_the_function_and_over_http() {
    let dir = local::tools::workspace().join("tests/events");
    let (mut count, mut over_http) = (0, 0);
    for entry in fs::read_dir(dir).expect("tests/events/") {
        let path = entry.expect("an entry").path();
        let name = path.display().to_string();
        let text_of_case = fs::read_to_string(&path).expect("UTF-8");
        let read = |client: &Client| -> Value {
            local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample is put");
            serde_json::from_str(&text_of_case.replace("{token}", &client.token)).expect("JSON")
        };
        let case = read(&Client::new());
        let response = stack().invoke(&text(&case["function"]), &case["event"]);
        let response = response.unwrap_or_else(|error| panic!("{name}: {error}"));
        let body = response["body"].as_str().unwrap_or_default();
        let headers = response["headers"].clone();
        assert_answer(
            &response["statusCode"],
            headers,
            body,
            &case["answer"],
            &name,
        );
        count += 1;

        // Another client, because the first call may have created something.
        let case = read(&Client::new());
        let Some(request) = http::request_of(&case["event"]) else {
            continue;
        };
        let is_head = case["event"]["requestContext"]["http"]["method"] == "HEAD";
        if is_head {
            continue; // tests/api/fallback.rs sends it.
        }
        let response = http::send(stack(), request);
        let request_id = response.header("apigw-requestid").concat();
        assert_eq!(response.header("x-request-id"), [request_id], "{name}");
        let mut headers = serde_json::Map::new();
        for (header, value) in &response.headers {
            if !["apigw-requestid", "connection", "content-length", "date"]
                .contains(&header.as_str())
            {
                headers.insert(header.clone(), json!(value));
            }
        }
        headers.insert(
            "x-request-id".to_owned(),
            case["answer"]["headers"]["x-request-id"].clone(),
        );
        assert_answer(
            &json!(response.status),
            headers.into(),
            &response.text(),
            &case["answer"],
            &name,
        );
        over_http += 1;
    }
    assert!(
        count >= 25 && over_http >= 18,
        "{count}, {over_http} over HTTP"
    );
}
