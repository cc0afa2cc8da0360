//! openapi.yaml must match the routes of the template and the limits of the code. In `.ci/run`, schemathesis checks
//! that the API behaves as openapi.yaml describes.

use std::collections::BTreeSet;

use local::{Template, tools};
use serde_json::{Value, json};
use shared::{
    Error, MAX_BODY_BYTES,
    http::MAX_ENTITY_TAGS,
    model::{
        Contact, Id, ListQuery, Timestamp,
        contact::MAX_CONTACTS,
        idempotency,
        text::{DESCRIPTION, DISPLAY_NAME, MAX_URL_BYTES, NAME, PHONE_NUMBER, TextRule, USERNAME},
    },
};

use crate::support::{CONTACT_MEMBERS, GROUP_MEMBERS, text};

pub fn read_openapi() -> Value {
    let path = tools::workspace().join("openapi.yaml");
    local::template::read_yaml(&path).expect("openapi.yaml is valid")
}

fn names(object: &Value) -> BTreeSet<String> {
    object
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect()
}

#[test]
fn its_operations_are_the_routes_of_the_template() {
    let template = Template::read(&tools::workspace().join("template.yaml"), &[])
        .expect("the template is valid");
    let routed: BTreeSet<_> = template
        .functions()
        .expect("the functions are valid")
        .into_iter()
        .flat_map(|function| function.routes)
        .filter(|route| !route.is_default() && route.method != "OPTIONS")
        .map(|route| (route.path, route.method.to_lowercase()))
        .collect();
    let openapi = read_openapi();
    let mut described = BTreeSet::new();
    for (path, item) in openapi["paths"].as_object().expect("paths") {
        let methods = names(item).into_iter().filter(|name| name != "parameters");
        described.extend(methods.map(|method| (path.clone(), method)));
    }
    assert_eq!(described, routed);
}

#[test]
fn its_limits_are_those_of_the_code() {
    let openapi = read_openapi();
    let schemas = &openapi["components"]["schemas"];
    let assert_lengths = |schema: &Value, rule: &TextRule| {
        assert_eq!(schema["maxLength"], rule.max_chars, "{schema}");
        assert_eq!(
            schema["minLength"].as_u64().unwrap_or(0),
            rule.min_chars as u64,
            "{schema}"
        );
    };
    assert_lengths(&schemas["Name"], &NAME);
    assert_lengths(&schemas["Description"], &DESCRIPTION);
    assert_lengths(&schemas["Username"], &USERNAME);
    assert_lengths(&schemas["PhoneNumber"], &PHONE_NUMBER);
    assert_lengths(&schemas["DisplayName"], &DISPLAY_NAME);
    assert_eq!(schemas["Url"]["maxLength"], MAX_URL_BYTES);
    assert_eq!(schemas["StoredUrl"]["maxLength"], MAX_URL_BYTES);
    assert_eq!(schemas["ContactInputs"]["maxItems"], MAX_CONTACTS);
    assert_eq!(
        schemas["Group"]["properties"]["contacts"]["maxItems"],
        MAX_CONTACTS
    );
    let tags = text(&schemas["EntityTags"]["pattern"]);
    assert!(
        tags.contains(&format!("{{0,{}}}", MAX_ENTITY_TAGS - 1)),
        "{tags}"
    );
    let key = &openapi["paths"]["/v1/groups"]["post"]["parameters"][0]["schema"];
    let key = text(&key["pattern"]);
    let count = format!("{{1,{}}}", idempotency::MAX_CHARS);
    assert_eq!(key.matches(&count).count(), 2, "{key}");
    assert_eq!(
        (&schemas["Id"]["minLength"], &schemas["Id"]["maxLength"]),
        (&json!(Id::CHARS), &json!(Id::CHARS))
    );
    assert_eq!(schemas["Timestamp"]["minimum"], Timestamp::MIN_SECONDS);
    assert_eq!(schemas["Timestamp"]["maximum"], Timestamp::MAX_SECONDS);
    assert_eq!(
        schemas["Page"]["properties"]["data"]["maxItems"],
        ListQuery::MAX_LIMIT
    );
    let limit = &openapi["paths"]["/v1/groups"]["get"]["parameters"][0]["schema"];
    assert_eq!(
        (&limit["minimum"], &limit["maximum"]),
        (&json!(1), &json!(ListQuery::MAX_LIMIT))
    );
    assert_eq!(limit["default"], ListQuery::DEFAULT_LIMIT);
    assert_eq!(MAX_BODY_BYTES, 1_048_576, "1 MiB, as in the descriptions");
}

/// Checks a schema and all schemas in it.
fn assert_formats(schema: &Value) {
    if schema["type"] == "integer" {
        assert!(schema["format"].is_string(), "{schema}");
    }
    if schema["type"].is_string() && schema["format"].is_string() {
        // These are in the registry of the OpenAPI Initiative.
        let registered = ["int32", "int64", "uri"];
        assert!(
            registered.contains(&text(&schema["format"]).as_str()),
            "{schema}"
        );
    }
    match schema {
        Value::Object(members) => members.values().for_each(assert_formats),
        Value::Array(values) => values.iter().for_each(assert_formats),
        _ => {}
    }
}

#[test]
fn every_integer_has_a_format_and_every_format_is_registered() {
    assert_formats(&read_openapi());
}

#[test]
fn its_members_are_those_of_the_responses() {
    let openapi = read_openapi();
    let schemas = &openapi["components"]["schemas"];
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&schemas["Group"]["properties"]), set(&GROUP_MEMBERS));
    assert_eq!(schemas["Group"]["required"], json!(GROUP_MEMBERS));
    assert_eq!(schemas["Contact"]["required"], json!(CONTACT_MEMBERS));
    for contact in ["Contact", "ContactInput"] {
        let members = names(&schemas[contact]["properties"]);
        assert_eq!(members, set(&CONTACT_MEMBERS), "{contact}");
    }
    for (path, method, body, members) in [
        (
            "/v1/groups",
            "post",
            "GroupInput",
            "name|description|avatar_url|contacts",
        ),
        (
            "/v1/groups/{id}",
            "put",
            "GroupChanges",
            "name|description|avatar_url|contacts|archived_at",
        ),
    ] {
        let members_of_json = names(&schemas[body]["properties"]);
        let members_of_form: Vec<_> = members.split('|').collect();
        assert_eq!(members_of_json, set(&members_of_form));
        let content = &openapi["paths"][path][method]["requestBody"]["content"];
        let form = &content["application/x-www-form-urlencoded"]["schema"]["propertyNames"];
        let members_of_contacts = CONTACT_MEMBERS.join("|");
        assert_eq!(
            form["pattern"],
            format!(r"^({members}|contacts\[(0|[1-9][0-9]*)?\]\[({members_of_contacts})\])$")
        );
    }
    assert_eq!(set(Contact::MEMBERS), set(&CONTACT_MEMBERS));
}

#[test]
fn clients_must_accept_members_of_a_later_release_but_the_api_rejects_unknown_ones() {
    let openapi = read_openapi();
    let schemas = openapi["components"]["schemas"].as_object();
    for (name, schema) in schemas.expect("schemas") {
        if schema["type"] == "object" {
            let is_of_requests = name.contains("Input") || name == "GroupChanges";
            let additional = is_of_requests.then_some(&Value::Bool(false));
            assert_eq!(schema.get("additionalProperties"), additional, "{name}");
        }
    }
}

#[test]
fn its_version_is_that_of_the_code_and_of_the_lock_file_of_the_javascript_client() {
    let version = json!(env!("CARGO_PKG_VERSION"));
    assert_eq!(read_openapi()["info"]["version"], version);
    // The tests of the clients check the other files, and npm does not compare these two.
    let path = tools::workspace().join("clients/javascript/package-lock.json");
    let lock = std::fs::read_to_string(path).expect("package-lock.json is readable");
    let lock: Value = serde_json::from_str(&lock).expect("package-lock.json is valid");
    let versions = [&lock["version"], &lock["packages"][""]["version"]];
    assert_eq!(versions, [&version; 2]);
}

#[test]
fn every_operation_has_the_responses_of_api_gateway() {
    let openapi = read_openapi();
    for (path, item) in openapi["paths"].as_object().expect("paths") {
        for method in names(item).into_iter().filter(|name| name != "parameters") {
            for status in ["413", "429", "431", "500", "503"] {
                let reference = text(&item[&method]["responses"][status]["$ref"]);
                let response = openapi.pointer(&reference[1..]).expect(&reference);
                let schema = response["content"]["application/json"]["schema"].to_string();
                assert!(
                    schema.contains("/GatewayError") || schema.contains("/AnyError"),
                    "{method} {path}: {status}"
                );
            }
        }
    }
}

#[test]
fn no_schema_has_the_name_of_a_response() {
    let openapi = read_openapi();
    let components = &openapi["components"];
    let (schemas, responses) = (
        names(&components["schemas"]),
        names(&components["responses"]),
    );
    assert!(schemas.is_disjoint(&responses), "{schemas:?} {responses:?}");
}

#[test]
fn its_error_codes_are_those_of_the_code() {
    let (param, known) = (String::new, &[][..]);
    let all = [
        Error::MalformedBody(param()),
        Error::Missing { param: param() },
        Error::Unknown {
            param: param(),
            known,
        },
        Error::Repeated {
            param: param(),
            reason: "",
        },
        Error::Invalid {
            param: None,
            reason: param(),
        },
        Error::TokenMalformed,
        Error::TokenMissing,
        Error::TokenInvalid,
        Error::GroupNotFound,
        Error::PathNotFound,
        Error::MethodNotAllowed { allow: "" },
        Error::PreconditionFailed,
        Error::BodyTooLarge,
        Error::MediaTypeNotSupported,
        Error::IdempotencyKeyReused,
        Error::Internal("".into()),
        Error::Unavailable("".into()),
        Error::OutcomeUnknown("".into()),
    ];
    let codes: BTreeSet<_> = all.iter().map(|error| error.code().to_owned()).collect();
    let openapi = read_openapi();
    let code = &openapi["components"]["schemas"]["ErrorCode"];
    let described: BTreeSet<_> = find_all(r"`(\w+)`", &code["description"])
        .into_iter()
        .map(|[code]| code)
        .collect();
    assert_eq!(described, codes);

    let with_status: BTreeSet<_> = all
        .iter()
        .map(|error| [error.status().to_string(), error.code().to_owned()])
        .collect();
    let listed = find_all(r"(?m)^- (\d{3}) `(\w+)`:", &openapi["info"]["description"]);
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), with_status);
}

/// Finds what the groups of a pattern match in a description.
fn find_all<const N: usize>(pattern: &str, description: &Value) -> Vec<[String; N]> {
    let pattern = regex_lite::Regex::new(pattern).expect("the pattern is valid");
    pattern
        .captures_iter(&text(description))
        .map(|found| std::array::from_fn(|n| found[n + 1].to_owned()))
        .collect()
}
