use std::collections::{BTreeMap, BTreeSet};

use local::{Template, tools};

use crate::support::{Answer, Client, stack};

/// The methods that the template routes for each path.
fn routes() -> BTreeMap<String, Vec<String>> {
    let template =
        Template::read(&tools::workspace().join("template.yaml"), &[]).expect("the template");
    let mut routes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for route in template
        .functions()
        .expect("policies that are understood")
        .into_iter()
        .flat_map(|function| function.routes)
    {
        if !route.is_default() {
            routes.entry(route.path).or_default().push(route.method);
        }
    }
    routes
}

/// Sends a request without a token, which unrouted requests do not need.
fn send(method: &str, path: &str) -> Answer {
    Client::with_token("", "", stack().url()).send(method, path, &[("authorization", "")], "")
}

#[test]
fn a_path_that_is_not_here_is_404() {
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
            send(method, path).assert_error(404, "path_not_found", None);
        }
    }
}

#[test]
fn a_method_that_a_path_does_not_have_is_405_with_those_that_it_has() {
    for (path, allowed) in routes() {
        let path = path.replace("{id}", "L7cGNIBKZiNJ6wqF");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"] {
            if allowed.iter().any(|allowed| allowed == method) {
                continue;
            }
            let answer = send(method, &format!("{path}?x=1"));
            answer.assert_error(405, "method_not_allowed", None);
            let mut allow: Vec<_> = answer.headers["allow"]
                .split(", ")
                .map(str::to_owned)
                .collect();
            let mut expected = allowed.clone();
            allow.sort();
            expected.sort();
            assert_eq!(allow, expected, "{method} {path}");
        }
        // An answer to HEAD has no body, and so no object.
        let answer = send_head(&path);
        assert_eq!(answer, (405, true), "{path}");
    }
}

/// The status of the answer to HEAD, and whether it has an Allow header.
fn send_head(path: &str) -> (u16, bool) {
    let output = std::process::Command::new("curl")
        .args(["-sI", &format!("{}{path}", stack().url())])
        .output();
    let head = String::from_utf8(output.expect("curl runs").stdout).expect("UTF-8");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status");
    (status, head.lines().any(|line| line.starts_with("allow: ")))
}

#[test]
fn options_is_204_with_the_methods_of_the_path_and_needs_no_token() {
    for (path, allowed) in routes() {
        let answer = send("OPTIONS", &path.replace("{id}", "L7cGNIBKZiNJ6wqF"));
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (204, ""),
            "{answer:?}"
        );
        let found: BTreeSet<_> = answer.headers["allow"].split(", ").collect();
        assert_eq!(
            found,
            allowed.iter().map(String::as_str).collect(),
            "{path}"
        );
    }
}
