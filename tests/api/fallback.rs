use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Client, ENDPOINTS, Response, stack};

/// Returns the methods of each path.
fn methods_by_path() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut methods: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for endpoint in ENDPOINTS {
        methods
            .entry(endpoint.path)
            .or_default()
            .push(endpoint.method);
    }
    methods
}

/// Sends a request without a token, which a request without a route does not need.
fn send_without_token(method: &str, path: &str) -> Response {
    Client::with_token("", "", stack().url()).send(method, path, &[("authorization", "")], "")
}

#[test]
fn an_unknown_path_is_404() {
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/groups/",
        "/v1/groups/L7cGNIBKZiNJ6wqF/",
        "/v1/groups/a/b",
        "/v2/groups",
        "/V1/groups",
        "/v1/Groups",
        "//v1/groups",
        "/v1/groups//",
        "/favicon.ico",
        "/v1/%67roups%2F",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            send_without_token(method, path).assert_error(404, "path_not_found", None);
        }
    }
}

#[test]
fn a_method_that_a_path_does_not_support_is_405_with_the_supported_methods() {
    for (path, allowed) in methods_by_path() {
        let path = path.replace("{id}", "L7cGNIBKZiNJ6wqF");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"] {
            if allowed.contains(&method) {
                continue;
            }
            let response = send_without_token(method, &format!("{path}?x=1"));
            response.assert_error(405, "method_not_allowed", None);
            let found: BTreeSet<_> = response.headers["allow"].split(", ").collect();
            let expected: BTreeSet<_> = allowed.iter().copied().collect();
            assert_eq!(found, expected, "{method} {path}");
        }
        // A response to HEAD has no body, so `assert_error` cannot check it.
        assert_eq!(send_head(&path), (405, true), "{path}");
    }
}

/// Sends a HEAD request and returns the status code, and whether the response has an `Allow` header.
fn send_head(path: &str) -> (u16, bool) {
    let output = std::process::Command::new("curl")
        .args(["-sI", &format!("{}{path}", stack().url())])
        .output();
    let head = String::from_utf8(output.expect("curl runs").stdout).expect("the head is UTF-8");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("the head has a status code");
    (status, head.lines().any(|line| line.starts_with("allow: ")))
}

#[test]
fn options_is_204_with_the_methods_of_the_path_and_needs_no_token() {
    for (path, allowed) in methods_by_path() {
        let response = send_without_token("OPTIONS", &path.replace("{id}", "L7cGNIBKZiNJ6wqF"));
        assert_eq!(
            (response.status, response.body.as_str()),
            (204, ""),
            "{response:?}"
        );
        let found: BTreeSet<_> = response.headers["allow"].split(", ").collect();
        assert_eq!(found, allowed.into_iter().collect(), "{path}");
    }
}
