//! The stack, a client of it, and what every answer has in common.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::exit,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use local::{DynamoDbProxy, Options, Reply, Stack, dynamodb_proxy::Request, say};
use serde_json::{Value, json};

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

/// The stack that all tests share. If it does not start, no test can run, so the run ends with one
/// line.
pub fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| {
        Stack::start(options("tests")).unwrap_or_else(|error| {
            say(&format!("cargo test: {error}"));
            exit(1)
        })
    })
}

/// A DynamoDB for an instance of `function`, before the one that it has, that replies as `script` says.
pub fn endpoint(
    function: &str,
    script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> DynamoDbProxy {
    DynamoDbProxy::start(&stack().dynamodb_of(function), script).expect("a port")
}

/// Options for a stack of the binaries that Cargo built for this test, whose purges wait for three seconds.
pub fn options(name: &str) -> Options {
    let mut options = Options {
        name: name.to_owned(),
        binaries: binaries(),
        ..Options::default()
    };
    let delay = ("PurgeDelaySeconds".to_owned(), "3".to_owned());
    options.parameters.push(delay);
    options
}

/// The directory of the functions' binaries.
pub fn binaries() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_create-group"));
    binary
        .parent()
        .expect("a binary is in a directory")
        .to_owned()
}

/// The names of all functions.
pub const FUNCTIONS: [&str; 9] = [
    "list-groups",
    "create-group",
    "get-group",
    "update-group",
    "delete-group",
    "fallback",
    "purge-messages",
    "issue-token",
    "revoke-token",
];

/// The five endpoints, with a path that fits each.
pub const ENDPOINTS: [(&str, &str); 5] = [
    ("GET", "/v1/groups"),
    ("POST", "/v1/groups"),
    ("GET", "/v1/groups/L7cGNIBKZiNJ6wqF"),
    ("PUT", "/v1/groups/L7cGNIBKZiNJ6wqF"),
    ("DELETE", "/v1/groups/L7cGNIBKZiNJ6wqF"),
];

/// A name that no other account has, in this run or another.
pub fn new_account() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    format!(
        "test-{}-{}",
        time.as_nanos(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Seconds since the Unix epoch.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs() as i64
}

/// Waits until `probe` gives something, and fails the test where it does not within `patience`.
pub fn wait_for<T>(what: &str, patience: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = SystemTime::now() + patience;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            SystemTime::now() < deadline,
            "{what} took more than {patience:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Someone who calls the API.
pub struct Client {
    pub account_id: String,
    pub token: String,
    pub url: String,
    http: ureq::Agent,
}

impl Client {
    /// A client with an account of its own and a token for it.
    pub fn new() -> Self {
        Self::of_account(&new_account())
    }

    /// A client with a token of this account.
    pub fn of_account(account_id: &str) -> Self {
        let token = stack().issue_token(account_id).expect("a token is issued");
        Self::with_token(account_id, &token, stack().url())
    }

    /// A client with this token, of the stack at `url`.
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

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "")
    }

    pub fn post(&self, body: &Value) -> Answer {
        self.json("POST", "/v1/groups", body)
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.json("PUT", path, body)
    }

    pub fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(method, path, &headers, body.to_string())
    }

    pub fn form(&self, method: &str, path: &str, body: &str) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send(method, path, &headers, body)
    }

    /// Creates a group of this name and gives its path.
    pub fn create(&self, name: &str) -> String {
        let answer = self.post(&json!({ "name": name }));
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.headers["location"].clone()
    }

    /// Sends a request with this client's token, but where the headers bring an Authorization.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        // An empty value stands for no header at all.
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let sent = match body.as_ref() {
            [] => self.http.run(request.body(()).expect("a request")),
            body => self.http.run(request.body(body).expect("a request")),
        };
        Answer::read(sent.unwrap_or_else(|error| panic!("{method} {path}: {error}")))
    }
}

/// An answer that has the headers that every answer has.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    fn read(mut answer: ureq::http::Response<ureq::Body>) -> Self {
        let body = answer
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_string();
        let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
            (name.to_string(), value.to_str().expect("ASCII").to_owned())
        };
        let headers = answer.headers().iter().map(header).collect();
        Self {
            status: answer.status().as_u16(),
            headers,
            body: body.expect("UTF-8"),
        }
        .checked()
    }

    /// The answer in a function's response object.
    pub fn of_function(response: &Value) -> Self {
        let header = |(name, value): (&String, &Value)| {
            (name.clone(), value.as_str().expect("a string").to_owned())
        };
        let headers = response["headers"]
            .as_object()
            .expect("headers")
            .iter()
            .map(header)
            .collect();
        let status = response["statusCode"].as_u64().expect("a status") as u16;
        let body = response["body"].as_str().unwrap_or_default().to_owned();
        Self {
            status,
            headers,
            body,
        }
        .checked()
    }

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

    /// The group in this answer, which has exactly its members, in order.
    pub fn group(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let group = self.json();
        assert_eq!(self.body, group_text(&group));
        group
    }

    /// The groups of the page in this answer, and whether more follow.
    pub fn page(&self) -> (Vec<Value>, bool) {
        assert_eq!(self.status, 200, "{self:?}");
        let page = self.json();
        let groups = page["data"].as_array().expect("an array").clone();
        let texts = groups.iter().map(group_text).collect::<Vec<_>>().join(",");
        assert_eq!(
            self.body,
            format!(r#"{{"has_more":{},"data":[{texts}]}}"#, page["has_more"])
        );
        (groups, page["has_more"].as_bool().expect("a boolean"))
    }

    /// The ids of the page in this answer, and whether more follow.
    pub fn ids(&self) -> (Vec<String>, bool) {
        let (groups, has_more) = self.page();
        (
            groups.iter().map(|group| text(&group["id"])).collect(),
            has_more,
        )
    }

    /// Checks that this is the contract's error object with this code and this param.
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

/// The string that a value is.
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no string: {value}"))
        .to_owned()
}

/// A group as the contract writes it: exactly its members, in order.
fn group_text(group: &Value) -> String {
    let mut text = object_text(group, &GROUP_MEMBERS);
    let contacts = group["contacts"].as_array().expect("contacts");
    let texts: Vec<_> = contacts
        .iter()
        .map(|contact| object_text(contact, &CONTACT_MEMBERS))
        .collect();
    let members = format!(r#""contacts":{}"#, group["contacts"]);
    text = text.replacen(&members, &format!(r#""contacts":[{}]"#, texts.join(",")), 1);
    text
}

/// An object with these members in this order.
fn object_text(object: &Value, members: &[&str]) -> String {
    let member = |name: &&str| format!("\"{name}\":{}", object[*name]);
    format!(
        "{{{}}}",
        members.iter().map(member).collect::<Vec<_>>().join(",")
    )
}
