//! One instance of a function on a Runtime API of its own, for what the shared front cannot do:
//! events as they are, answers of any size, and variables that differ from the template's.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{Result, guardian::Group, logs::Log};

/// How long an invocation may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An event, and how long the function may take, as Lambda tells it.
type Invocation = (Vec<u8>, Duration);

/// What a function answers, or reports as an error.
type Outcome = Result<Vec<u8>, Vec<u8>>;

/// One running instance. It ends when it is dropped.
#[derive(Debug)]
pub struct Instance {
    process: Child,
    started: Instant,
    polls: Receiver<Instant>,
    events: Sender<Invocation>,
    answers: Receiver<Outcome>,
    log: Log,
}

impl Instance {
    /// Runs `command` with a [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html)
    /// of its own.
    pub(crate) fn start(group: Group, log: &Log, command: &mut Command) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (events, next) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let (poll, polls) = mpsc::sync_channel(1);
        let next = Arc::new(Mutex::new(next));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (next, answer, poll) = (next.clone(), answer.clone(), poll.clone());
                thread::spawn(move || serve(&stream, &next, &answer, &poll));
            }
        });
        command.env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        let started = Instant::now();
        let process = group.spawn(log.receive(command)?)?;
        Ok(Self {
            process,
            started,
            polls,
            events,
            answers,
            log: log.clone(),
        })
    }

    /// The number of the process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// What all instances of the function have logged.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Invokes the function.
    ///
    /// # Errors
    /// As [`Instance::invoke_within`].
    pub fn invoke(&mut self, event: &Value) -> Result<Value, Value> {
        self.invoke_within(event, PATIENCE)
    }

    /// Invokes the function, which may take as long as this.
    ///
    /// # Errors
    /// The function error as the runtime reports it, or one like it where the instance has ended or
    /// gives no answer.
    pub fn invoke_within(&mut self, event: &Value, lifetime: Duration) -> Result<Value, Value> {
        let fault = |text: String| json!({ "errorType": "local", "errorMessage": text });
        let parse = |bytes: Vec<u8>| {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|error| fault(format!("no JSON: {error}")))
        };
        let answer = self.exchange(event.to_string().into_bytes(), lifetime);
        let (answer, _) = answer.map_err(fault)?;
        answer.map(parse).map_err(parse)
    }

    /// Invokes the function with these bytes, and gives those that it answers, or reports as an
    /// error, and how long it took.
    ///
    /// # Errors
    /// Where the instance has ended or gives no answer.
    pub fn exchange(&mut self, event: Vec<u8>, lifetime: Duration) -> Result<(Outcome, Duration)> {
        let start = Instant::now();
        let sent = self.events.send((event, lifetime));
        sent.map_err(|error| error.to_string())?;
        let answer = wait(&mut self.process, &self.answers, lifetime)?;
        Ok((answer, start.elapsed()))
    }

    /// Waits until the function asks for its first event, and gives how long it took to get there.
    ///
    /// # Errors
    /// Where it ends before, or takes too long.
    pub fn wait_for_init(&mut self) -> Result<Duration> {
        let polled = wait(&mut self.process, &self.polls, PATIENCE)?;
        Ok(polled.duration_since(self.started))
    }
}

/// Waits for what a process is to bring about, as long as it runs.
fn wait<T>(process: &mut Child, awaited: &Receiver<T>, patience: Duration) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match awaited.recv_timeout(Duration::from_millis(50)) {
            Ok(awaited) => return Ok(awaited),
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            Err(_) => return Err("the function does not answer".to_owned()),
        }
        if let Ok(Some(status)) = process.try_wait() {
            return Err(format!("the function ended ({status})"));
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves one connection until one of the two ends is gone.
fn serve(
    stream: &TcpStream,
    next: &Mutex<Receiver<Invocation>>,
    answer: &Sender<Outcome>,
    poll: &SyncSender<Instant>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let (path, body) = request(&mut reader)?;
        let reply = if path.ends_with("/invocation/next") {
            // Only the first is of interest, and of a full channel there is no telling.
            let _ = poll.try_send(Instant::now());
            let (event, lifetime) = next
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv()
                .ok()?;
            let deadline = SystemTime::now() + lifetime;
            let deadline = deadline
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_millis();
            let head = format!(
                "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: invocation\r\n\
                 lambda-runtime-deadline-ms: {deadline}\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:0:function:local\r\n"
            );
            [
                format!("{head}content-length: {}\r\n\r\n", event.len()).into_bytes(),
                event,
            ]
            .concat()
        } else {
            answer
                .send(if path.ends_with("/response") {
                    Ok(body)
                } else {
                    Err(body)
                })
                .ok()?;
            b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_vec()
        };
        writer.write_all(&reply).ok()?;
    }
}

/// The path and the body of the next request.
fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut line = || {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let path = line()?.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, body))
}
