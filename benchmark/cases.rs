//! The measured programs: the function of each endpoint and its baseline, with an event for both.

use std::{
    fs,
    path::{Path, PathBuf},
};

use local::{Result, Stack, sample};
use serde_json::{Value, json};

/// The body of the documentation's create and update, as clients send it.
const BODY: &str =
    r#"{"name": "Plaza Hotel", "contacts": [{"username": "Hector"}, {"username": "Cedric"}]}"#;

/// A program, its environment variables, and the event that it is invoked with.
pub(crate) struct Case {
    /// The name of the binary, or its path if it belongs to another build.
    pub(crate) binary: String,
    /// The index of this case's baseline; a baseline points to itself.
    pub(crate) baseline: usize,
    /// The index of the baseline with the functions' HTTP client.
    pub(crate) minimum: usize,
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) event: Value,
    deletes: bool,
    account_id: String,
}

/// How the names of the baselines begin.
pub(crate) const BASELINE: &str = "baseline";

/// How the names of the baselines with the functions' HTTP client begin.
pub(crate) const MINIMUM: &str = "minimum";

/// The functions of the endpoints, each with its baseline.
const FUNCTIONS: [(&str, &str); 5] = [
    ("get-group", "baseline-get-item"),
    ("list-groups", "baseline-query"),
    ("create-group", "baseline-put-item"),
    ("update-group", "baseline-update-item"),
    ("delete-group", "baseline-delete-item"),
];

/// Returns for each function: its baseline, the baseline with the functions' HTTP client, the function, and the function of
/// each directory with another build.
pub(crate) fn all(stack: &Stack, compared: &[PathBuf]) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (function, baseline) in FUNCTIONS {
        let index = cases.len();
        let minimum = baseline.replace(BASELINE, MINIMUM);
        for binary in [baseline.to_owned(), minimum] {
            cases.push(Case::new(stack, function, binary, index)?);
        }
        cases.push(Case::new(stack, function, function.to_owned(), index)?);
        let others = compared.iter().map(|directory| directory.join(function));
        for other in others.filter(|path| path.exists()) {
            let binary = other.display().to_string();
            cases.push(Case::new(stack, function, binary, index)?);
        }
    }
    Ok(cases)
}

/// Renames the binaries of the baselines, which have just been built with the functions' HTTP client.
pub(crate) fn rename_minimums(binaries: &Path) -> Result<()> {
    for (_, baseline) in FUNCTIONS {
        let minimum = binaries.join(baseline.replace(BASELINE, MINIMUM));
        fs::rename(binaries.join(baseline), &minimum)
            .map_err(|error| format!("{}: {error}", minimum.display()))?;
    }
    Ok(())
}

impl Case {
    pub(crate) fn new(
        stack: &Stack,
        function: &str,
        binary: String,
        baseline: usize,
    ) -> Result<Self> {
        let account_id = format!("bench-{function}");
        put_items(stack, "GroupsTable", 10, |number| {
            group(&account_id, &format!("{number:016}"), false)
        })?;
        sample::put(stack.dynamodb(), &account_id)?;
        Ok(Self {
            binary,
            baseline,
            minimum: baseline + 1,
            // The baseline needs these. In a function they change nothing.
            variables: vec![
                ("GROUPS_TABLE", "GroupsTable".to_owned()),
                ("ACCOUNT_ID", account_id.clone()),
            ],
            event: request_event(function, &stack.issue_token(&account_id)?),
            deletes: function == "delete-group",
            account_id,
        })
    }

    /// Whether the program is a function of this build.
    pub(crate) fn is_function(&self) -> bool {
        FUNCTIONS
            .iter()
            .any(|(function, _)| *function == self.binary)
    }

    /// Whether the program belongs to another build.
    pub(crate) fn is_compared(&self) -> bool {
        self.binary.contains('/')
    }

    /// Restores the data that a call has deleted.
    pub(crate) fn restore(&self, stack: &Stack) -> Result<()> {
        if self.deletes {
            sample::put(stack.dynamodb(), &self.account_id)?;
        }
        Ok(())
    }
}

/// Returns API Gateway's event for a request to the endpoint of a function with this token.
pub(crate) fn request_event(function: &str, token: &str) -> Value {
    let (method, has_id, body) = match function {
        "list-groups" => ("GET", false, None),
        "create-group" => ("POST", false, Some(BODY)),
        "update-group" => ("PUT", true, Some(BODY)),
        "delete-group" => ("DELETE", true, None),
        _ => ("GET", true, None),
    };
    let (route, path) = if has_id {
        let path = format!("/v1/groups/{}", sample::GROUP_ID);
        ("/v1/groups/{id}", path)
    } else {
        ("/v1/groups", "/v1/groups".to_owned())
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

/// Returns a group like the one in the documentation as an item.
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

/// Writes `count` items into a table, in batches of 25, the most that DynamoDB accepts.
pub(crate) fn put_items(
    stack: &Stack,
    table: &str,
    count: usize,
    item: impl Fn(usize) -> Result<Value>,
) -> Result<()> {
    let numbers: Vec<_> = (0..count).collect();
    let put = |number: &usize| Ok(json!({ "PutRequest": { "Item": item(*number)? } }));
    for batch in numbers.chunks(25) {
        let puts = batch.iter().map(put).collect::<Result<Vec<_>>>()?;
        let input = json!({ "RequestItems": { table: puts } });
        stack.dynamodb().call("BatchWriteItem", &input)?;
    }
    Ok(())
}
