//! What is measured: the function of each endpoint and its floor, with an event that fits.

use std::path::PathBuf;

use local::{Result, Stack, sample};
use serde_json::{Value, json};

/// The page's create and update, as clients send them.
const BODY: &str =
    r#"{"name": "Plaza Hotel", "contacts": [{"username": "Hector"}, {"username": "Cedric"}]}"#;

/// A program, its variables, and the event that it gets.
pub(crate) struct Subject {
    pub(crate) binary: String,
    /// Where its floor is among the subjects; a floor is its own.
    pub(crate) floor: usize,
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) event: Value,
    deletes: bool,
    account_id: String,
}

/// The functions of the endpoints, each with its floor: the least that does the same request.
const FUNCTIONS: [(&str, &str); 5] = [
    ("get-group", "floor-get-item"),
    ("list-groups", "floor-query"),
    ("create-group", "floor-put-item"),
    ("update-group", "floor-update-item"),
    ("delete-group", "floor-delete-item"),
];

/// Each floor, the function above it, and that function of each directory of other builds.
pub(crate) fn all(stack: &Stack, others: &[PathBuf]) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for (function, floor) in FUNCTIONS {
        let at_floor = subjects.len();
        subjects.push(subject(stack, function, floor.to_owned(), at_floor)?);
        subjects.push(subject(stack, function, function.to_owned(), at_floor)?);
        for other in others.iter().filter(|other| other.join(function).exists()) {
            let binary = other.join(function).display().to_string();
            subjects.push(subject(stack, function, binary, at_floor)?);
        }
    }
    Ok(subjects)
}

fn subject(stack: &Stack, function: &str, binary: String, floor: usize) -> Result<Subject> {
    let account_id = format!("bench-{function}");
    for number in 0..10 {
        put_group(stack, &account_id, &format!("0000000{number:09}"))?;
    }
    sample::put(stack.dynamodb(), &account_id)?;
    let event = event(function, &stack.issue_token(&account_id)?);
    Ok(Subject {
        binary,
        floor,
        // What a floor needs; a function's own is the same, or not looked at.
        variables: vec![
            ("GROUPS_TABLE", "GroupsTable".to_owned()),
            ("ACCOUNT_ID", account_id.clone()),
        ],
        event,
        deletes: function == "delete-group",
        account_id,
    })
}

impl Subject {
    /// Puts things back as they were before a call.
    pub(crate) fn restore(&self, stack: &Stack) -> Result<()> {
        if self.deletes {
            sample::put(stack.dynamodb(), &self.account_id)?;
        }
        Ok(())
    }
}

/// API Gateway's event for a request to an endpoint with this token.
pub(crate) fn event(function: &str, token: &str) -> Value {
    let (method, has_id, body) = match function {
        "list-groups" => ("GET", false, None),
        "create-group" => ("POST", false, Some(BODY)),
        "update-group" => ("PUT", true, Some(BODY)),
        "delete-group" => ("DELETE", true, None),
        _ => ("GET", true, None),
    };
    let (route, path) = match has_id {
        true => (
            "/v1/groups/{id}",
            format!("/v1/groups/{}", sample::GROUP_ID),
        ),
        false => ("/v1/groups", "/v1/groups".to_owned()),
    };
    let mut event = json!({
        "version": "2.0",
        "routeKey": format!("{method} {route}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "authorization": format!("Bearer {token}"),
            "host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "user-agent": "curl/8.5.0",
            "x-amzn-trace-id": "Root=1-65a1b2c3-0123456789abcdef01234567",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "abcdefghij",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": format!("{method} {route}"),
            "stage": "$default",
            "time": "12/Jan/2026:19:03:58 +0000",
            "timeEpoch": 1_768_244_638_390_u64,
        },
        "isBase64Encoded": false,
    });
    if has_id {
        event["pathParameters"] = json!({ "id": sample::GROUP_ID });
    }
    if let Some(body) = body {
        event["headers"]["content-type"] = json!("application/json");
        event["body"] = json!(body);
    }
    event
}

/// Puts a group of this id into an account.
fn put_group(stack: &Stack, account_id: &str, id: &str) -> Result<()> {
    let put = json!({ "TableName": "GroupsTable", "Item": group(account_id, id, false)? });
    stack.dynamodb().call("PutItem", &put).map(|_| ())
}

/// A group like the page's, as an item.
pub(crate) fn group(account_id: &str, id: &str, archived: bool) -> Result<Value> {
    let state = if archived { "archived" } else { "active" };
    let mut item = sample::item(account_id)?;
    item["id"] = json!({ "S": id });
    item["account_state"] = json!({ "S": format!("{account_id}#{state}") });
    if archived {
        item["archived_at"] = json!({ "N": "692233200" });
    }
    Ok(item)
}
