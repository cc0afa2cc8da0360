//! Limits, time-outs and misbehaving clients.

use std::{
    io::{BufReader, Read, Write},
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

use local::{Options, Stack};
use serde_json::json;

use crate::{
    http::{build_request, connect, get, read_response, request, send, try_send},
    options, stack,
};

/// Checks that the gateway still works.
fn assert_alive(stack: &Stack) {
    assert_eq!(get(stack, "/echo", "").status, 200);
}

#[test]
fn the_request_line_and_headers_may_have_10_240_bytes() {
    let line = "GET /echo HTTP/1.1".len() + "api.example".len();
    let padding = |size: usize| format!("x-padding: {}", "x".repeat(size));
    assert_eq!(
        request(stack(), "GET", "/echo", &[&padding(10_240 - line)], "").status,
        200
    );
    let response = request(stack(), "GET", "/echo", &[&padding(10_241 - line)], "");
    response.assert_message(431, "Request Header Fields Too Large");
    let path = format!("/echo?{}", "x".repeat(10_240));
    request(stack(), "GET", &path, &[], "").assert_message(431, "Request Header Fields Too Large");
    let many_headers: Vec<_> = (0..600)
        .map(|n| format!("x-{n}: {}", "x".repeat(15)))
        .collect();
    let many_headers: Vec<_> = many_headers.iter().map(String::as_str).collect();
    assert_eq!(
        request(stack(), "GET", "/echo", &many_headers, "").status,
        200
    );
    // If the parser rejects the request, the response has no body.
    assert_eq!(
        request(stack(), "GET", "/echo", &[&padding(200_000)], "").status,
        431
    );
    assert_alive(stack());
}

#[test]
fn a_body_may_have_10_mb_and_its_event_6_mb() {
    let send_body = |size: usize| {
        request(
            stack(),
            "POST",
            "/echo",
            &["content-type: text/plain"],
            vec![b'x'; size],
        )
    };
    // The function returns the event as a string of JSON, so the response is no smaller.
    assert_eq!(send_body(5_000_000).status, 200);
    send_body(6_300_000).assert_message(413, "Request Entity Too Large");
    send_body(10_000_001).assert_message(413, "Request Entity Too Large");
    send_body(30_000_000).assert_message(413, "Request Entity Too Large");
    assert_alive(stack());
}

#[test]
fn a_response_may_have_6_mb() {
    assert_eq!(get(stack(), "/echo", "large 6000000").body.len(), 6_000_000);
    get(stack(), "/echo", "large 6300000").assert_message(500, "Internal Server Error");
    assert_alive(stack());
}

#[test]
fn throttling_one_route_does_not_affect_others() {
    let limit = ("Limit".to_owned(), "3".to_owned());
    let stack = Stack::start(Options {
        parameters: vec![limit],
        ..options("throttled")
    })
    .expect("the stack starts");
    let statuses: Vec<_> = (0..20)
        .map(|_| get(&stack, "/limited", "").status)
        .collect();
    assert_eq!(statuses[..3], [200, 200, 200]);
    assert!(
        statuses.iter().filter(|status| **status == 429).count() > 10,
        "{statuses:?}"
    );
    get(&stack, "/limited", "").assert_message(429, "Too Many Requests");
    assert_alive(&stack);
    let start = Instant::now();
    while get(&stack, "/limited", "").status == 429 {
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "three requests per second are allowed"
        );
    }
}

#[test]
fn a_function_that_takes_too_long_is_503_and_the_next_request_is_served() {
    let start = Instant::now();
    get(stack(), "/hasty", "sleep 800").assert_message(503, "Service Unavailable");
    assert!(
        (400..2_000).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(get(stack(), "/hasty", "").status, 200);
}

#[test]
fn incomplete_requests_are_closed_after_the_time_out() {
    for (part, status) in [
        ("", None),
        ("GET", None),
        ("GET /echo HTTP/1.1\r\nhost: x\r\n", None),
        (
            "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc",
            Some(408),
        ),
        (
            "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
            Some(408),
        ),
    ] {
        let start = Instant::now();
        let mut stream = connect(stack());
        stream
            .write_all(part.as_bytes())
            .expect("the request is sent");
        let mut reader = BufReader::new(stream);
        assert_eq!(
            read_response(&mut reader).map(|response| response.status),
            status,
            "{part}"
        );
        let mut rest = Vec::new();
        let _ = reader.read_to_end(&mut rest);
        assert_eq!(rest, b"", "{part}: the connection is closed");
        assert!(
            (1_900..5_000).contains(&start.elapsed().as_millis()),
            "{part}: {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_slow_body_within_the_time_out_is_accepted() {
    let mut stream = connect(stack());
    let request = build_request("POST", "/echo", &["content-type: text/plain"], "slowly");
    for chunk in request.chunks(request.len() / 8) {
        stream.write_all(chunk).expect("the request is sent");
        thread::sleep(Duration::from_millis(80));
    }
    assert_eq!(
        read_response(&mut BufReader::new(stream))
            .expect("a response")
            .json()["body"],
        "slowly"
    );
}

#[test]
fn a_client_may_close_its_side_of_the_connection_after_its_request() {
    let mut stream = connect(stack());
    let request = build_request("GET", "/echo", &["x-do: sleep 100"], "");
    stream.write_all(&request).expect("the request is sent");
    stream
        .shutdown(Shutdown::Write)
        .expect("the side is closed");
    assert_eq!(
        read_response(&mut BufReader::new(stream))
            .expect("a response")
            .status,
        200
    );
}

#[test]
fn pipelined_requests_get_their_responses_in_order() {
    let mut stream = connect(stack());
    let requests: Vec<_> = (0..20)
        .flat_map(|n| build_request("GET", &format!("/pets/{n}"), &[], ""))
        .collect();
    stream.write_all(&requests).expect("the requests are sent");
    let mut reader = BufReader::new(stream);
    for n in 0..20 {
        let response = read_response(&mut reader).expect("a response");
        assert_eq!(
            response.json()["pathParameters"],
            json!({ "id": n.to_string() })
        );
    }
}

#[test]
fn malformed_requests_get_an_error_or_a_closed_connection() {
    let binary: Vec<u8> = (0..=255).cycle().take(4_000).collect();
    let malformed: [&[u8]; 20] = [
        b"GET /echo HTTP/1.1\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /echo HTTP/9.9\r\n\r\n",
        b"GET /echo\r\n\r\n",
        b"GET echo HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nhost x\r\n\r\n",
        b"GET /echo HTTP/1.1\r\n: x\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nx: a\0b\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &binary,
    ];
    for bytes in malformed {
        let response = try_send(stack(), bytes);
        let status = response.as_ref().map_or(400, |response| response.status);
        assert!(
            (400..500).contains(&status),
            "{}: {response:?}",
            String::from_utf8_lossy(bytes)
        );
    }
    // These requests are unusual, but valid.
    for bytes in [
        "GET /echo HTTP/1.1\r\nhost: \r\nexpect: 100-continue\r\n\r\n",
        "GET /%zz%%% HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /echo?%zz&&=&== HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let status = send(stack(), bytes).status;
        assert!((200..500).contains(&status), "{bytes}: {status}");
    }
    assert_alive(stack());
}
