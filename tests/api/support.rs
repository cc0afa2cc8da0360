//! The stack, the functions and endpoints, a client, and the checks that apply to every response.

use std::{
    collections::BTreeMap,
    process::exit,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use local::{DynamoDbProxy, Instance, Options, Reply, Stack, dynamodb_proxy::Request, say};
use serde_json::{Value, json};

use crate::run;

/// The base of the errors' `documentation_url`, as in template.yaml.
pub const DOCUMENTATION_URL: &str = "https://protocol.chat/docs/errors";

/// The members of a group, in order.
pub const GROUP_MEMBERS: [&str; 8] = [
    "id",
    "name",
    "description",
    "avatar_url",
    "conversation_id",
    "contacts",
    "created_at",
    "archived_at",
];

/// The members of a contact, in order.
pub const CONTACT_MEMBERS: [&str; 8] = [
    "id",
    "username",
    "phone_number",
    "avatar_url",
    "display_name",
    "conversation_id",
    "last_active_at",
    "created_at",
];

/// An HTTP endpoint.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// The function that serves it.
    pub function: &'static str,
    pub method: &'static str,
    /// The path, as template.yaml defines it.
    pub path: &'static str,
    /// A body that it accepts.
    pub body: Option<&'static str>,
    /// The status code if it accepts the request.
    pub status: u16,
}

impl Endpoint {
    /// Returns the path with an id, which no group of a new account has.
    pub fn example_path(&self) -> String {
        self.path.replace("{id}", local::sample::GROUP_ID)
    }
}

/// All endpoints. A new one needs a row here; the tests then name the tables that need a row, too.
pub const ENDPOINTS: [Endpoint; 5] = [
    Endpoint {
        function: "list-groups",
        method: "GET",
        path: "/v1/groups",
        body: None,
        status: 200,
    },
    Endpoint {
        function: "create-group",
        method: "POST",
        path: "/v1/groups",
        body: Some(r#"{"name": "a"}"#),
        status: 201,
    },
    Endpoint {
        function: "get-group",
        method: "GET",
        path: "/v1/groups/{id}",
        body: None,
        status: 200,
    },
    Endpoint {
        function: "update-group",
        method: "PUT",
        path: "/v1/groups/{id}",
        body: Some(r#"{"name": "a"}"#),
        status: 200,
    },
    Endpoint {
        function: "delete-group",
        method: "DELETE",
        path: "/v1/groups/{id}",
        body: None,
        status: 204,
    },
];

/// The functions that serve no endpoint.
const OTHER_FUNCTIONS: [&str; 4] = ["fallback", "purge-messages", "issue-token", "revoke-token"];

/// Returns the names of all functions.
pub fn functions() -> Vec<&'static str> {
    let of_endpoints = ENDPOINTS.iter().map(|endpoint| endpoint.function);
    of_endpoints.chain(OTHER_FUNCTIONS).collect()
}

/// Returns the row of a function in a test's table. `file` is the test's `file!()`.
pub fn find_row<'a, T>(file: &str, rows: &'a [(&str, T)], function: &str) -> &'a T {
    let row = rows.iter().find(|(name, _)| *name == function);
    let (_, row) = row.unwrap_or_else(|| panic!("{file} has no row for {function}"));
    row
}

/// Returns the stack that all tests share. If it does not start, no test can run, so the process prints one line
/// and exits.
pub fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    run::register_test();
    STACK.get_or_init(|| {
        let started = Stack::start(options(&run::stack_name()));
        let stack = started.unwrap_or_else(|error| {
            say(&format!("cargo test: {error}"));
            exit(1)
        });
        run::start(stack.logs());
        stack
    })
}

/// Starts a proxy to the DynamoDB of `function` that replies as `script` decides.
pub fn start_proxy(
    function: &str,
    script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> DynamoDbProxy {
    DynamoDbProxy::start(&stack().dynamodb_of(function), script).expect("a port is free")
}

/// Starts an instance of a function that sends its requests to the DynamoDB at `url`, and waits until its init ends.
pub fn start_instance(function: &str, url: &str) -> Instance {
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", url)];
    let started = stack().instance(function, &variables);
    let mut instance = started.expect("the instance starts");
    instance.wait_for_init().expect("init succeeds");
    instance
}

/// Invokes a function of an endpoint, and returns the response and how long it took.
pub fn invoke(instance: &mut Instance, event: &Value) -> (Response, Duration) {
    let start = Instant::now();
    let output = instance
        .invoke(event)
        .unwrap_or_else(|error| panic!("{error}: {event}"));
    (Response::from_output(&output), start.elapsed())
}

/// Builds an event of API Gateway for the function of an endpoint, with a body that it accepts and the id of the
/// sample group.
pub fn build_event(function: &str, token: &str) -> Value {
    let endpoint = ENDPOINTS
        .iter()
        .find(|endpoint| endpoint.function == function);
    let endpoint =
        endpoint.unwrap_or_else(|| panic!("tests/api/support.rs has no endpoint for {function}"));
    json!({
        "routeKey": format!("{} {}", endpoint.method, endpoint.path),
        "rawQueryString": "",
        "headers": { "authorization": format!("Bearer {token}"), "content-type": "application/json" },
        "pathParameters": { "id": local::sample::GROUP_ID },
        "body": endpoint.body,
        "requestContext": { "requestId": "the-request" },
    })
}

/// Stores the sample group for the account of a client.
pub fn store_sample(client: &Client) {
    local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample is stored");
}

/// Returns options for a stack of the binaries that Cargo built for this test, with a purge delay of three seconds.
pub fn options(name: &str) -> Options {
    run::register_test();
    let mut options = Options {
        name: name.to_owned(),
        binaries: run::binaries(),
        ..Options::default()
    };
    let delay = ("PurgeDelaySeconds".to_owned(), "3".to_owned());
    options.parameters.push(delay);
    options
}

/// Returns the name of a new account, which no other run uses.
pub fn new_account() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970");
    format!(
        "test-{}-{}",
        time.as_nanos(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Returns the seconds since the Unix epoch.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970")
        .as_secs() as i64
}

/// Waits until `probe` returns a value. Fails the test after `timeout`.
pub fn wait_for<T>(what: &str, timeout: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "{what} took more than {timeout:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A client of the API, with a token of an account.
pub struct Client {
    pub account_id: String,
    pub token: String,
    pub url: String,
    http: ureq::Agent,
}

impl Client {
    /// Creates a client with a new account.
    pub fn new() -> Self {
        Self::of_account(&new_account())
    }

    /// Creates a client with a new token of an account.
    pub fn of_account(account_id: &str) -> Self {
        let token = stack()
            .issue_token(account_id)
            .expect("the token is issued");
        Self::with_token(account_id, &token, stack().url())
    }

    /// Creates a client of the stack at `url` with this token.
    pub fn with_token(account_id: &str, token: &str, url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self {
            account_id: account_id.to_owned(),
            token: token.to_owned(),
            url: url.to_owned(),
            http: config.into(),
        }
    }

    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], "")
    }

    pub fn delete(&self, path: &str) -> Response {
        self.send("DELETE", path, &[], "")
    }

    pub fn post(&self, body: &Value) -> Response {
        self.json("POST", "/v1/groups", body)
    }

    pub fn put(&self, path: &str, body: &Value) -> Response {
        self.json("PUT", path, body)
    }

    pub fn json(&self, method: &str, path: &str, body: &Value) -> Response {
        let headers = [("content-type", "application/json")];
        self.send(method, path, &headers, body.to_string())
    }

    pub fn form(&self, method: &str, path: &str, body: &str) -> Response {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send(method, path, &headers, body)
    }

    /// Creates a group and returns its path.
    pub fn create(&self, name: &str) -> String {
        let response = self.post(&json!({ "name": name }));
        assert_eq!(response.status, 201, "{}", response.body);
        response.headers["location"].clone()
    }

    /// Sends a request. The client's token is added unless `headers` contain `authorization`.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Response {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        // An empty value leaves the header out.
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let result = match body.as_ref() {
            [] => self
                .http
                .run(request.body(()).expect("the request is valid")),
            body => self
                .http
                .run(request.body(body).expect("the request is valid")),
        };
        Response::read(result.unwrap_or_else(|error| panic!("{method} {path}: {error}")))
    }
}

/// A response of the API. Its common headers are checked when it is read.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Response {
    fn read(mut received: ureq::http::Response<ureq::Body>) -> Self {
        let body = received
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_string();
        let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
            (
                name.to_string(),
                value.to_str().expect("the header is ASCII").to_owned(),
            )
        };
        let headers = received.headers().iter().map(header).collect();
        Self {
            status: received.status().as_u16(),
            headers,
            body: body.expect("the body is UTF-8"),
        }
        .checked()
    }

    /// Reads the response in the output of a function.
    pub fn from_output(output: &Value) -> Self {
        let header = |(name, value): (&String, &Value)| (name.clone(), text(value));
        let headers = output["headers"].as_object();
        Self {
            status: output["statusCode"]
                .as_u64()
                .expect("`statusCode` is a number") as u16,
            headers: headers
                .expect("`headers` is an object")
                .iter()
                .map(header)
                .collect(),
            body: output["body"].as_str().unwrap_or_default().to_owned(),
        }
        .checked()
    }

    /// Checks the headers that every response has.
    fn checked(self) -> Self {
        let header = |name: &str| self.headers.get(name).map(String::as_str);
        let json = (!self.body.is_empty()).then_some("application/json");
        assert_eq!(header("content-type"), json, "{self:?}");
        assert!(
            header("x-request-id").is_some_and(|id| !id.is_empty()),
            "{self:?}"
        );
        let cache = if header("etag").is_some() {
            "private, no-cache"
        } else {
            "no-store"
        };
        assert_eq!(header("cache-control"), Some(cache), "{self:?}");
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the group in the response. Checks the status code, and that the group has all members, in order.
    pub fn group(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let group = self.json();
        assert_eq!(self.body, group_text(&group));
        group
    }

    /// Returns the groups of the page in the response, and whether more follow.
    pub fn page(&self) -> (Vec<Value>, bool) {
        assert_eq!(self.status, 200, "{self:?}");
        let page = self.json();
        let groups = page["data"].as_array().expect("`data` is an array").clone();
        let texts = groups.iter().map(group_text).collect::<Vec<_>>().join(",");
        assert_eq!(
            self.body,
            format!(r#"{{"has_more":{},"data":[{texts}]}}"#, page["has_more"])
        );
        (
            groups,
            page["has_more"].as_bool().expect("`has_more` is a boolean"),
        )
    }

    /// Returns the ids of the page in the response, and whether more follow.
    pub fn ids(&self) -> (Vec<String>, bool) {
        let (groups, has_more) = self.page();
        (
            groups.iter().map(|group| text(&group["id"])).collect(),
            has_more,
        )
    }

    /// Checks that the body is the contract's error object with this code and this param.
    pub fn assert_error(&self, status: u16, code: &str, param: Option<&str>) {
        let error = self.json();
        let found = (self.status, error["code"].as_str(), error["param"].as_str());
        assert_eq!(found, (status, Some(code), param), "{self:?}");
        let mut members = vec!["type", "code", "message", "documentation_url"];
        members.extend(param.map(|_| "param"));
        assert_eq!(self.body, object_text(&error, &members));
        let kind = if status < 500 {
            "invalid_request"
        } else {
            "api_error"
        };
        assert_eq!(error["type"], kind, "{self:?}");
        assert_eq!(
            error["documentation_url"],
            format!("{DOCUMENTATION_URL}/{kind}"),
            "{self:?}"
        );
        assert!(text(&error["message"]).ends_with('.'), "{self:?}");
        let challenge = self.headers.get("www-authenticate").map(String::as_str);
        let expected = match code {
            "token_missing" => Some(r#"Bearer realm="groups""#),
            "token_malformed" => Some(r#"Bearer realm="groups", error="invalid_request""#),
            "token_invalid" => Some(r#"Bearer realm="groups", error="invalid_token""#),
            _ => None,
        };
        assert_eq!(challenge, expected, "{self:?}");
        assert_eq!(
            self.headers.contains_key("retry-after"),
            status == 503,
            "{self:?}"
        );
    }
}

/// Returns the content of a JSON string.
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"))
        .to_owned()
}

/// Writes a group as the contract does: exactly its members, in order.
fn group_text(group: &Value) -> String {
    let contacts = group["contacts"]
        .as_array()
        .expect("`contacts` is an array");
    let contact_texts: Vec<_> = contacts
        .iter()
        .map(|contact| object_text(contact, &CONTACT_MEMBERS))
        .collect();
    object_text(group, &GROUP_MEMBERS).replacen(
        &format!(r#""contacts":{}"#, group["contacts"]),
        &format!(r#""contacts":[{}]"#, contact_texts.join(",")),
        1,
    )
}

/// Writes an object with these members in this order.
fn object_text(object: &Value, members: &[&str]) -> String {
    let member = |name: &&str| format!("\"{name}\":{}", object[*name]);
    format!(
        "{{{}}}",
        members.iter().map(member).collect::<Vec<_>>().join(",")
    )
}
