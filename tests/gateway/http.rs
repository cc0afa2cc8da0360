//! A client that sends exactly the bytes that a test wants.

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
    /// The values of a header.
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

    /// Checks that this is a response of API Gateway's own.
    pub fn assert_message(&self, status: u16, message: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.json(), serde_json::json!({ "message": message }));
        assert_eq!(self.header("content-type"), ["application/json"]);
    }
}

pub fn connect(stack: &Stack) -> TcpStream {
    let address = stack.url().strip_prefix("http://").expect("a URL");
    let stream = TcpStream::connect(address).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(40)))
        .expect("a time-out");
    stream
}

/// Sends bytes on a connection of their own and returns the response; `None` if the gateway closes
/// the connection without one.
pub fn try_send(stack: &Stack, bytes: impl AsRef<[u8]>) -> Option<Response> {
    let mut stream = connect(stack);
    // The gateway may respond and close before it has read everything.
    let _ = stream.write_all(bytes.as_ref());
    read(&mut BufReader::new(stream))
}

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
    send(stack, bytes(method, target, headers, body))
}

pub fn bytes(method: &str, target: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: api.example\r\n");
    headers
        .iter()
        .for_each(|header| head += &format!("{header}\r\n"));
    if !body.as_ref().is_empty() {
        head += &format!("content-length: {}\r\n", body.as_ref().len());
    }
    [format!("{head}\r\n").as_bytes(), body.as_ref()].concat()
}

pub fn get(stack: &Stack, target: &str, action: &str) -> Response {
    request(stack, "GET", target, &[&format!("x-do: {action}")], "")
}

/// Reads one response.
pub fn read(reader: &mut impl BufRead) -> Option<Response> {
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
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().expect("a number"))];
    reader.read_exact(&mut body).ok()?;
    Some(Response {
        status,
        headers,
        body,
    })
}

/// The request that an event stands for; `None` if HTTP cannot carry it, or no stage of this gateway
/// would send it. HEAD becomes GET, because the function's response is in the body.
pub fn request_of(event: &Value) -> Option<Vec<u8>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    // The path of the event is decoded, so a slash in a parameter shows only there.
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
    // Without headers, this is HTTP/1.0, which needs no Host.
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
