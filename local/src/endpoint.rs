//! A DynamoDB between a function and DynamoDB Local: it does what a test has it do and DynamoDB
//! Local never does.

use std::{
    fmt,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};

use crate::{DynamoDb, Result};

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
        let error = json!({ "__type": name, "message": "a secret of ours" });
        Self::Answer(status, error.to_string())
    }
}

/// A request to DynamoDB.
#[derive(Debug)]
pub struct Request {
    /// The operation, for example `GetItem`.
    pub operation: String,
    /// The input.
    pub input: Value,
    /// Its name with that of the service, as a header has it.
    pub(crate) target: String,
}

impl Request {
    /// Whether this looks a token up.
    pub fn is_for_token(&self) -> bool {
        self.input["TableName"] == "TokensTable"
    }
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;

/// A running endpoint. It lives as long as this process.
pub struct Endpoint {
    url: String,
    address: SocketAddr,
    behind: DynamoDb,
    script: Arc<Script>,
    handled: Arc<AtomicUsize>,
    listening: Mutex<Option<Listening>>,
}

/// What an endpoint has while it listens.
struct Listening {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Endpoint({})", self.url)
    }
}

impl Endpoint {
    /// Starts an endpoint before the DynamoDB `behind` it that replies as `script` says.
    ///
    /// # Errors
    /// Where no port is free.
    pub fn start(
        behind: &DynamoDb,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = listener(([127, 0, 0, 1], 0).into())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let endpoint = Self {
            url: format!("http://{address}"),
            address,
            behind: behind.clone(),
            script: Arc::new(script),
            handled: Arc::default(),
            listening: Mutex::default(),
        };
        endpoint.listen(listener);
        Ok(endpoint)
    }

    /// Where it answers, while it does.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many requests it has had that it did not pass on.
    pub fn requests(&self) -> usize {
        self.handled.load(Ordering::SeqCst)
    }

    /// Closes its connections and refuses new ones.
    pub fn stop(&self) {
        let Some(listening) = lock(&self.listening).take() else {
            return;
        };
        listening.ends.store(true, Ordering::SeqCst);
        // One more connection has it see that it ends.
        let _ = TcpStream::connect(self.address);
        let _ = listening.thread.join();
        for connection in &*lock(&listening.connections) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Listens again where it did.
    ///
    /// # Errors
    /// Where another program has taken the port.
    pub fn resume(&self) -> Result<()> {
        self.listen(listener(self.address)?);
        Ok(())
    }

    fn listen(&self, listener: TcpListener) {
        let ends = Arc::new(AtomicBool::new(false));
        let connections: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (has_ended, opened) = (ends.clone(), connections.clone());
        let (behind, script, handled) = (
            self.behind.clone(),
            self.script.clone(),
            self.handled.clone(),
        );
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if has_ended.load(Ordering::SeqCst) {
                    return;
                }
                lock(&opened).extend(stream.try_clone());
                let (behind, script, handled) = (behind.clone(), script.clone(), handled.clone());
                thread::spawn(move || {
                    serve(&stream, &behind, |request| {
                        let reply = script(request);
                        if !matches!(reply, Reply::Pass) {
                            handled.fetch_add(1, Ordering::SeqCst);
                        }
                        reply
                    });
                    // The second handle would keep it open.
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        *lock(&self.listening) = Some(Listening {
            ends,
            thread,
            connections,
        });
    }
}

fn listener(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}"))
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection, until one of the two ends closes it or the script has it closed.
pub fn serve(
    stream: impl Read + Write,
    behind: &DynamoDb,
    script: impl Fn(&Request) -> Reply,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let request = request(&mut stream)?;
        let reply = script(&request);
        let pass = || {
            let input = request.input.to_string();
            behind.forward(&request.target, &input).ok()
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
                stream.get_mut().write_all(head.as_bytes()).ok()?;
                return None;
            }
            Reply::Silence => {
                // Until the other end has had enough and closes.
                let _ = stream.fill_buf();
                return None;
            }
        };
        let head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let writer = stream.get_mut();
        writer.write_all((head + &body).as_bytes()).ok()?;
        writer.flush().ok()?;
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
