//! The HTTP responses that the gateway builds from the output of functions, and CORS.

use std::io::{Read, Write};

use local::{Options, Stack};

use crate::{
    http::{build_request, connect, get, request},
    options, stack,
};

#[test]
fn the_output_of_a_function_becomes_an_http_response() {
    let respond = |output: &str| get(stack(), "/echo", &format!("respond {output}"));
    for (output, status, content_type, body) in [
        (
            r#"{"statusCode":201,"headers":{"content-type":"a/b"},"body":"c"}"#,
            201,
            vec!["a/b"],
            "c",
        ),
        (
            r#"{"statusCode":"202","body":"c"}"#,
            202,
            vec!["text/plain;charset=UTF-8"],
            "c",
        ),
        (r#"{"statusCode":204}"#, 204, vec![], ""),
        (
            r#"{"statusCode":200,"body":"w6k=","isBase64Encoded":true}"#,
            200,
            vec!["text/plain;charset=UTF-8"],
            "é",
        ),
        // Without a status code, the output is the body.
        (r#"{"a":1}"#, 200, vec!["application/json"], r#"{"a":1}"#),
        (r#""text""#, 200, vec!["application/json"], "text"),
        ("[1]", 200, vec!["application/json"], "[1]"),
    ] {
        let response = respond(output);
        assert_eq!(
            (response.status, response.text()),
            (status, body.to_owned()),
            "{output}"
        );
        assert_eq!(response.header("content-type"), content_type, "{output}");
    }
    let with_ignored_headers = r#"{"statusCode":200,"headers":{"Content-Length":"9","transfer-encoding":"chunked","connection":"close"},"body":"abc"}"#;
    let response = respond(with_ignored_headers);
    assert_eq!(
        (response.status, response.text()),
        (200, "abc".to_owned()),
        "{response:?}"
    );
    assert_eq!(response.header("connection"), [""; 0]);
    let cookies = respond(
        r#"{"statusCode":200,"cookies":["a=b","c=d; Secure"],"headers":{"x-number":1,"x-bool":true}}"#,
    );
    assert_eq!(cookies.header("set-cookie"), ["a=b", "c=d; Secure"]);
    assert_eq!(
        (cookies.header("x-number"), cookies.header("x-bool")),
        (vec!["1"], vec!["true"])
    );
}

#[test]
fn an_invalid_output_is_500() {
    for output in [
        r#"{"statusCode":"many"}"#,
        r#"{"statusCode":99}"#,
        r#"{"statusCode":600}"#,
        r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
        r#"{"statusCode":200,"headers":{"a":"b\r\nc: d"}}"#,
        r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#,
    ] {
        get(stack(), "/echo", &format!("respond {output}"))
            .assert_message(500, "Internal Server Error");
    }
}

#[test]
fn a_response_to_head_has_no_body() {
    let mut stream = connect(stack());
    let request = build_request("HEAD", "/nowhere", &["connection: close"], "");
    stream.write_all(&request).expect("the request is sent");
    let mut response = String::new();
    stream
        .read_to_string(&mut response)
        .expect("the response is UTF-8");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\n"), "{response}");
}

const PREFLIGHT: [&str; 2] = [
    "access-control-request-method: PUT",
    "access-control-request-headers: if-match",
];

#[test]
fn cors_allows_every_origin_by_default() {
    let origin = "origin: http://localhost:5173";
    let response = request(
        stack(),
        "OPTIONS",
        "/pets/7",
        &[origin, PREFLIGHT[0], PREFLIGHT[1]],
        "",
    );
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET,PUT"),
        ("access-control-allow-headers", "authorization,if-match"),
        ("access-control-max-age", "60"),
    ] {
        assert_eq!(response.header(name), [value], "{response:?}");
    }
    let own_headers = r#"respond {"statusCode":200,"headers":{"access-control-allow-origin":"https://own.example","access-control-allow-credentials":"true"}}"#;
    let response = request(
        stack(),
        "GET",
        "/echo",
        &[origin, &format!("x-do: {own_headers}")],
        "",
    );
    assert_eq!(response.header("access-control-allow-origin"), ["*"]);
    assert_eq!(response.header("access-control-expose-headers"), ["etag"]);
    assert_eq!(
        response.header("access-control-allow-credentials"),
        [""; 0],
        "the CORS headers of the function are ignored"
    );
    assert_eq!(response.header("access-control-allow-methods"), [""; 0]);
    let response = request(stack(), "GET", "/echo", &[], "");
    assert_eq!(
        response.header("access-control-allow-origin"),
        [""; 0],
        "not a cross-origin request"
    );
}

#[test]
fn only_allowed_origins_get_cors_headers() {
    let allowed = (
        "AllowedOrigins".to_owned(),
        "https://a.example,https://b.example".to_owned(),
    );
    let stack = Stack::start(Options {
        parameters: vec![allowed],
        ..options("cors")
    })
    .expect("the stack starts");
    let preflight = |origin: &str| {
        let response = request(&stack, "OPTIONS", "/pets/7", &[origin, PREFLIGHT[0]], "");
        assert_eq!(response.status, 200, "the function responds");
        (
            response.header("access-control-allow-origin").concat(),
            response.header("vary").concat(),
        )
    };
    assert_eq!(
        preflight("origin: https://b.example"),
        ("https://b.example".to_owned(), "Origin".to_owned())
    );
    assert_eq!(
        preflight("origin: https://c.example"),
        (String::new(), String::new())
    );
    assert_eq!(preflight("origin: null"), (String::new(), String::new()));
}
