//! Which route a request matches.

use serde_json::json;

use crate::{
    http::{get, request},
    options, stack,
};

#[test]
fn the_most_specific_route_matches_and_its_parameters_are_decoded() {
    for (method, path, key, parameters) in [
        ("GET", "/pets/mine", "GET /pets/mine", json!(null)),
        ("GET", "/pets/7", "GET /pets/{id}", json!({ "id": "7" })),
        ("PUT", "/pets/7", "ANY /pets/{id}", json!({ "id": "7" })),
        (
            "PUT",
            "/pets/mine",
            "ANY /pets/{id}",
            json!({ "id": "mine" }),
        ),
        (
            "GET",
            "/pets/a%2Fb%20%C3%A9",
            "GET /pets/{id}",
            json!({ "id": "a/b é" }),
        ),
        (
            "GET",
            "/pets/7/food/8",
            "GET /pets/{id}/food/{food}",
            json!({ "id": "7", "food": "8" }),
        ),
        (
            "GET",
            "/pets/7/8",
            "GET /pets/{proxy+}",
            json!({ "proxy": "7/8" }),
        ),
        (
            "GET",
            "/pets/7/",
            "GET /pets/{proxy+}",
            json!({ "proxy": "7/" }),
        ),
        ("PUT", "/pets/7/8", "$default", json!(null)),
        ("GET", "/pets/", "$default", json!(null)),
        ("GET", "/pets", "$default", json!(null)),
        ("GET", "/Pets/7", "$default", json!(null)),
        ("GET", "//pets/7", "$default", json!(null)),
        ("GET", "/", "$default", json!(null)),
        ("POST", "/limited", "$default", json!(null)),
        ("BREW", "/echo", "ANY /echo", json!(null)),
        ("OPTIONS", "/nowhere", "$default", json!(null)),
    ] {
        let event = request(stack(), method, path, &[], "").json();
        assert_eq!(event["routeKey"], key, "{method} {path}");
        assert_eq!(event["requestContext"]["routeKey"], key, "{method} {path}");
        assert_eq!(event["pathParameters"], parameters, "{method} {path}");
    }
}

#[test]
fn without_a_default_route_an_unmatched_request_is_404() {
    let template = std::fs::read_to_string(options("").template).expect("the template is read");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-default.yaml");
    let default = "        Default: {Type: HttpApi, Properties: {}}\n";
    assert!(template.contains(default));
    std::fs::write(&path, template.replace(default, "")).expect("the template is written");
    let stack = local::Stack::start(local::Options {
        template: path,
        ..options("no-default")
    });
    let stack = stack.expect("the stack starts");
    get(&stack, "/nowhere", "").assert_message(404, "Not Found");
    assert_eq!(get(&stack, "/echo", "").status, 200);
    let preflight = [
        "origin: http://a.example",
        "access-control-request-method: PUT",
    ];
    let response = request(&stack, "OPTIONS", "/nowhere", &preflight, "");
    assert_eq!(
        (
            response.status,
            response.header("access-control-allow-origin")
        ),
        (204, vec!["*"])
    );
}
