//! An HTTP client that sends exactly the bytes that a test builds.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use local::Stack;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start: String = self.text().chars().take(500).collect();
        write!(formatter, "{} {:?} {start}", self.status, self.headers)
    }
}

impl Response {
    /// Returns the values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let values = self.headers.iter().filter(|(found, _)| found == name);
        values.map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that this is an error response of API Gateway itself.
    pub fn assert_message(&self, status: u16, message: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.json(), serde_json::json!({ "message": message }));
        assert_eq!(self.header("content-type"), ["application/json"]);
    }
}

pub fn connect(stack: &Stack) -> TcpStream {
    let address = stack
        .url()
        .strip_prefix("http://")
        .expect("the URL has this scheme");
    let stream = TcpStream::connect(address).expect("the gateway accepts connections");
    stream
        .set_read_timeout(Some(Duration::from_secs(40)))
        .expect("the time-out is valid");
    stream
}

/// Sends bytes on a new connection and returns the response, or `None` if the gateway closes the connection without
/// one.
pub fn try_send(stack: &Stack, bytes: impl AsRef<[u8]>) -> Option<Response> {
    let mut stream = connect(stack);
    // The gateway may respond and close before it has read everything.
    let _ = stream.write_all(bytes.as_ref());
    read_response(&mut BufReader::new(stream))
}

/// Sends bytes on a new connection and returns the response.
pub fn send(stack: &Stack, bytes: impl AsRef<[u8]>) -> Response {
    try_send(stack, bytes).expect("a response")
}

/// Sends a request with these header lines.
pub fn request(
    stack: &Stack,
    method: &str,
    target: &str,
    headers: &[&str],
    body: impl AsRef<[u8]>,
) -> Response {
    send(stack, build_request(method, target, headers, body))
}

/// Builds a request with these header lines.
pub fn build_request(
    method: &str,
    target: &str,
    headers: &[&str],
    body: impl AsRef<[u8]>,
) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: api.example\r\n");
    headers
        .iter()
        .for_each(|header| head += &format!("{header}\r\n"));
    if !body.as_ref().is_empty() {
        head += &format!("content-length: {}\r\n", body.as_ref().len());
    }
    [format!("{head}\r\n").as_bytes(), body.as_ref()].concat()
}

/// Sends a GET request that makes the probe perform an action.
pub fn get(stack: &Stack, target: &str, action: &str) -> Response {
    request(stack, "GET", target, &[&format!("x-do: {action}")], "")
}

/// Reads one response. Returns `None` if the connection ends before.
pub fn read_response(reader: &mut impl BufRead) -> Option<Response> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let status = line
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![
        0;
        length.map_or(0, |(_, length)| length
            .parse()
            .expect("the length is a number"))
    ];
    reader.read_exact(&mut body).ok()?;
    Some(Response {
        status,
        headers,
        body,
    })
}

/// Builds the HTTP request that becomes this event. Returns `None` if HTTP cannot carry it, or if this gateway has no
/// such stage. HEAD becomes GET, because tests read the response from the body.
pub fn request_of(event: &Value) -> Option<Vec<u8>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    // The path of an event is decoded, so only the parameters show which slashes were encoded.
    let path = match event["pathParameters"].as_object() {
        None => escape(&text(&event["rawPath"])).replace("%2F", "/"),
        Some(parameters) => {
            let route = text(&event["routeKey"]);
            let path = route.split(' ').nth(1)?.to_owned();
            let fill = |path: String, (name, value): (&String, &Value)| {
                path.replace(&format!("{{{name}}}"), &escape(&text(value)))
            };
            parameters.iter().fold(path, fill)
        }
    };
    let query = text(&event["rawQueryString"]);
    let headers = event["headers"].as_object()?;
    let context = &event["requestContext"];
    let is_valid = |value: &Value| !text(value).contains(['\0', '\u{fffd}']);
    if context["stage"] != "$default"
        || query.contains([' ', '"'])
        || !headers.values().all(is_valid)
    {
        return None;
    }
    let body = if event["isBase64Encoded"] == true {
        STANDARD.decode(text(&event["body"])).ok()?
    } else {
        text(&event["body"]).into_bytes()
    };
    let method = text(&context["http"]["method"]).replace("HEAD", "GET");
    // A request without headers must be HTTP/1.0, because HTTP/1.1 requires `Host`.
    let version = if headers.is_empty() { "1.0" } else { "1.1" };
    let question_mark = if query.is_empty() { "" } else { "?" };
    let mut head = format!("{method} {path}{question_mark}{query} HTTP/{version}\r\n");
    for (name, value) in headers.iter().filter(|(name, _)| *name != "content-length") {
        head += &format!("{name}: {}\r\n", text(value));
    }
    if !body.is_empty() {
        head += &format!("content-length: {}\r\n", body.len());
    }
    Some([head.as_bytes(), b"\r\n", &body].concat())
}
