//! The events that the gateway builds from requests, as documented in
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.

use std::{fs, time::SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    http::{request, request_of, send},
    stack,
};

#[test]
fn an_event_has_every_documented_member() {
    let headers = [
        "X-Many: a",
        "x-many: b,c",
        "Cookie: k=v; l=w",
        "cookie: m=x",
        "User-Agent: test",
        "Connection: keep-alive",
        "X-Forwarded-For: 203.0.113.7",
        "Content-Type: application/json",
    ];
    let target = "/echo?a=1&b=%C3%A9+x&a=2&c";
    let response = request(stack(), "POST", target, &headers, r#"{"name":"é"}"#);
    let request_id = response.header("apigw-requestid")[0].to_owned();
    let mut event = response.json();

    let context = event["requestContext"].take();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("the clock is after 1970")
        .as_millis() as u64;
    assert!(
        now - context["timeEpoch"].as_u64().expect("a number") < 10_000,
        "{context}"
    );
    let time = context["time"].as_str().expect("a time");
    assert!(
        time.len() == 26 && time.ends_with(" +0000") && time.as_bytes()[11] == b':',
        "{time}"
    );
    assert_eq!(request_id.len(), 16);
    let expected = json!({
        "accountId": "000000000000", "apiId": "local", "domainName": "api.example", "domainPrefix": "api",
        "http": {
            "method": "POST", "path": "/echo", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test",
        },
        "requestId": request_id, "routeKey": "ANY /echo", "stage": "$default",
        "time": context["time"], "timeEpoch": context["timeEpoch"],
    });
    assert_eq!(context, expected);

    let trace_id = event["headers"]["x-amzn-trace-id"].take();
    let trace = trace_id.as_str().expect("a trace id is a string");
    assert!(trace.starts_with("Root=1-") && trace.len() == 40, "{trace}");
    let port = event["headers"]["x-forwarded-port"].take();
    assert!(
        stack()
            .url()
            .ends_with(&format!(":{}", port.as_str().expect("a port")))
    );
    let expected = json!({
        "version": "2.0",
        "routeKey": "ANY /echo",
        "rawPath": "/echo",
        "rawQueryString": "a=1&b=%C3%A9+x&a=2&c",
        "cookies": ["k=v", "l=w,m=x"],
        "headers": {
            "content-length": "13", "content-type": "application/json", "host": "api.example", "user-agent": "test",
            "x-amzn-trace-id": null, "x-forwarded-for": "203.0.113.7, 127.0.0.1", "x-forwarded-port": null,
            "x-forwarded-proto": "http", "x-many": "a,b,c",
        },
        "queryStringParameters": { "a": "1,2", "b": "é x", "c": "" },
        "requestContext": null,
        "body": r#"{"name":"é"}"#,
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
}

#[test]
fn members_without_a_value_are_absent() {
    let event = request(stack(), "GET", "/echo", &[], "").json();
    for member in ["body", "cookies", "pathParameters", "queryStringParameters"] {
        assert!(event.get(member).is_none(), "{member}: {event}");
    }
}

#[test]
fn bodies_are_in_base64_unless_their_media_type_is_text() {
    for (content_type, body, is_text) in [
        ("application/json", &b"{}"[..], true),
        ("Application/JSON; charset=utf-8", b"{}", true),
        ("text/plain", b"text", true),
        ("text/csv", b"a,b", true),
        ("application/xml", b"<a/>", true),
        ("application/javascript", b"1", true),
        ("application/x-www-form-urlencoded", b"a=b", false),
        ("application/octet-stream", b"abc", false),
        ("application/problem+json", b"{}", false),
        ("multipart/form-data; boundary=x", b"--x--", false),
        ("", b"abc", false),
        ("application/json", b"\xff", false),
    ] {
        let header = format!("content-type: {content_type}");
        let headers = if content_type.is_empty() {
            vec![]
        } else {
            vec![header.as_str()]
        };
        let event = request(stack(), "POST", "/echo", &headers, body).json();
        let expected = if is_text {
            String::from_utf8_lossy(body).into_owned()
        } else {
            STANDARD.encode(body)
        };
        assert_eq!(event["isBase64Encoded"], !is_text, "{content_type}");
        assert_eq!(event["body"], expected, "{content_type}");
    }
}

#[test]
fn bytes_that_are_not_ascii_are_passed_on() {
    let mut head =
        b"GET /echo?\xc3\xa9 HTTP/1.1\r\nhost: x\r\nx-utf: \xc3\xa9\r\nx-latin: \xe9\r\n\r\n"
            .to_vec();
    let event = send(stack(), &head).json();
    assert_eq!(event["headers"]["x-utf"], "é");
    assert_eq!(event["headers"]["x-latin"], "é");
    assert_eq!(event["rawQueryString"], "é");
    head.splice(5..9, *b"pets/\xff");
    assert_eq!(send(stack(), &head).status, 400, "a path that is not UTF-8");
}

#[test]
fn http_1_0_chunked_bodies_and_absolute_targets_are_understood() {
    assert_eq!(
        send(stack(), "GET /echo HTTP/1.0\r\n\r\n").json()["requestContext"]["http"]["protocol"],
        "HTTP/1.0"
    );
    let chunked = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let event = send(stack(), chunked).json();
    assert_eq!(
        (&event["body"], &event["headers"]["content-length"]),
        (&json!("abcde"), &json!("5"))
    );
    assert_eq!(event["headers"].get("transfer-encoding"), None);
    let absolute = send(
        stack(),
        "GET http://api.example/echo?a=b HTTP/1.1\r\nhost: api.example\r\n\r\n",
    )
    .json();
    assert_eq!(
        (&absolute["rawPath"], &absolute["rawQueryString"]),
        (&json!("/echo"), &json!("a=b"))
    );
}

/// The events in events/ and tests/events/ are written by hand, as AWS documents them. The gateway must build the same
/// events from the same requests, if HTTP can carry them.
#[test]
fn the_gateway_builds_the_events_of_the_other_tests() {
    let workspace = local::tools::workspace();
    let mut count = 0;
    for dir in ["events", "tests/events"] {
        for entry in fs::read_dir(workspace.join(dir)).expect(dir) {
            let path = entry.expect("an entry").path();
            let content = fs::read_to_string(&path).expect("the file is UTF-8");
            let file: Value = serde_json::from_str(&content).expect("the file is JSON");
            let event = file.get("event").unwrap_or(&file);
            let Some(bytes) = request_of(event).filter(|_| has_usual_encoding(event)) else {
                continue;
            };
            let built = send(stack(), bytes).json();
            for member in [
                "rawPath",
                "rawQueryString",
                "body",
                "isBase64Encoded",
                "cookies",
            ] {
                assert_eq!(built[member], event[member], "{member}: {}", path.display());
            }
            for (name, value) in event["headers"].as_object().expect("headers") {
                if !name.starts_with("x-") && name != "content-length" {
                    assert_eq!(built["headers"][name], *value, "{name}: {}", path.display());
                }
            }
            count += 1;
        }
    }
    assert!(count >= 25, "{count}");
}

/// Whether the body of an event is encoded as API Gateway encodes bodies of its media type.
fn has_usual_encoding(event: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let content_type = text(&event["headers"]["content-type"]);
    let body = text(&event["body"]);
    let is_utf_8 = || String::from_utf8(STANDARD.decode(&body).expect("base64")).is_ok();
    if body.is_empty() {
        return true;
    }
    if event["isBase64Encoded"] == true {
        !content_type.starts_with("application/json") || !is_utf_8()
    } else {
        content_type.starts_with("application/json")
    }
}
