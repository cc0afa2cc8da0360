//! A DynamoDB whose behaviour a test scripts, for what DynamoDB Local never does.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};

use crate::support::stack;

/// What the endpoint does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Passes it on to DynamoDB Local, and the answer back.
    Pass,
    /// Passes it on, and then closes the connection without an answer.
    PassAndClose,
    /// Answers with this status and body.
    Answer(u16, String),
    /// Closes the connection in the middle of an answer.
    Half,
    /// Never answers.
    Silence,
}

impl Reply {
    /// An error of DynamoDB's.
    pub fn error(status: u16, name: &str) -> Self {
        let name = format!("com.amazonaws.dynamodb.v20120810#{name}");
        Self::Answer(
            status,
            json!({ "__type": name, "message": "a secret of ours" }).to_string(),
        )
    }
}

/// A request to DynamoDB.
#[derive(Debug)]
pub struct Request {
    /// The operation, for example `GetItem`.
    pub operation: String,
    /// The input.
    pub input: Value,
    target: String,
}

impl Request {
    /// Whether this looks a token up.
    pub fn is_for_token(&self) -> bool {
        self.input["TableName"] == "TokensTable"
    }
}

/// A running endpoint. It lives as long as the test run.
pub struct Endpoint {
    pub url: String,
    requests: Arc<AtomicUsize>,
    address: SocketAddr,
    script: Arc<dyn Fn(&Request) -> Reply + Send + Sync>,
    listening: Mutex<Option<Listening>>,
}

/// What an endpoint does while it listens.
struct Listening {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Endpoint {
    /// Starts an endpoint that replies as `script` says.
    pub fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let endpoint = Self {
            url: format!("http://{address}"),
            requests: Arc::default(),
            address,
            script: Arc::new(script),
            listening: Mutex::default(),
        };
        endpoint.serve(listener);
        endpoint
    }

    /// How many requests it has had that it did not pass on.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Closes its connections and refuses new ones.
    pub fn stop(&self) {
        let mut listening = self.listening.lock().expect("not poisoned");
        let listening = listening.take().expect("it listens");
        listening.ends.store(true, Ordering::SeqCst);
        // One more connection has it see that it ends.
        let _ = TcpStream::connect(self.address);
        listening.thread.join().expect("it has not panicked");
        for connection in &*listening.connections.lock().expect("not poisoned") {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Listens again where it did.
    pub fn resume(&self) {
        self.serve(TcpListener::bind(self.address).expect("its port"));
    }

    fn serve(&self, listener: TcpListener) {
        let ends = Arc::new(AtomicBool::new(false));
        let connections: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (script, count) = (self.script.clone(), self.requests.clone());
        let (has_ended, opened) = (ends.clone(), connections.clone());
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if has_ended.load(Ordering::SeqCst) {
                    return;
                }
                let connection = stream.try_clone().expect("a second handle");
                opened.lock().expect("not poisoned").push(connection);
                let (script, count) = (script.clone(), count.clone());
                thread::spawn(move || {
                    serve(&stream, &*script, &count);
                    // The second handle would keep it open.
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        *self.listening.lock().expect("not poisoned") = Some(Listening {
            ends,
            thread,
            connections,
        });
    }
}

/// Serves one connection, until one of the two ends closes it.
fn serve(
    stream: &TcpStream,
    script: &dyn Fn(&Request) -> Reply,
    count: &AtomicUsize,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let request = request(&mut reader)?;
        let reply = script(&request);
        if !matches!(reply, Reply::Pass) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        let pass = || {
            stack()
                .dynamodb()
                .forward(&request.target, &request.input.to_string())
                .ok()
        };
        let (status, body) = match reply {
            Reply::Pass => pass()?,
            Reply::PassAndClose => {
                pass()?;
                return None;
            }
            Reply::Answer(status, body) => (status, body),
            Reply::Half => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 1000\r\n\r\n{";
                writer.write_all(head.as_bytes()).ok()?;
                return None;
            }
            Reply::Silence => {
                // Until the other end has had enough and closes.
                let _ = reader.fill_buf();
                return None;
            }
        };
        let head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all((head + &body).as_bytes()).ok()?;
    }
}

fn request(reader: &mut impl BufRead) -> Option<Request> {
    let (mut length, mut target) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            break;
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "x-amz-target" => target = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let operation = target.split_once('.')?.1.to_owned();
    Some(Request {
        operation,
        input: serde_json::from_slice(&body).ok()?,
        target,
    })
}
