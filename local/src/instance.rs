//! One instance of a function: its process, and the
//! [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) that it uses.

use std::{
    io,
    process::{Command, ExitStatus},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
};
use serde_json::{Value, json};
use tokio::{
    process::Child,
    sync::{mpsc, oneshot, watch},
    task::AbortHandle,
    time::sleep,
};
use uuid::Uuid;

use crate::{
    ANY_PORT, Result, block_on, listen, lock, logs::Log, processes::ProcessGroup, runtime, server,
};

/// How long an instance may take to start; also the timeout of [`Instance::invoke`].
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The [largest payload](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html) of
/// a synchronous invocation and of its response, in bytes.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

const FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:local";

/// The response of a function, or the error that it reported.
pub type Outcome = Result<Bytes, Bytes>;

/// Why an instance cannot be used any longer.
#[derive(Debug)]
pub(crate) struct Lost {
    /// The error that Lambda returns to the client that invoked the function.
    pub error: Value,
    /// Whether the function had received the event.
    pub received: bool,
}

/// A running instance. It is killed when it is dropped.
#[derive(Debug)]
pub struct Instance {
    process: Child,
    started: Instant,
    api: Arc<RuntimeApi>,
    events: mpsc::Sender<Invocation>,
    server: AbortHandle,
    log: Log,
}

/// An invocation that the function has not received yet.
#[derive(Debug)]
struct Invocation {
    request_id: String,
    event: Bytes,
    timeout: Duration,
    outcome: oneshot::Sender<Outcome>,
}

/// The state behind the Runtime API of one instance.
#[derive(Debug)]
struct RuntimeApi {
    events: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    /// The invocation that the function is processing.
    current: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    /// When the function first requested an event, which ends its init phase.
    initialized: watch::Sender<Option<Instant>>,
}

impl Instance {
    /// Runs `command` with a Runtime API of its own.
    pub(crate) fn start(group: ProcessGroup, log: &Log, command: &mut Command) -> Result<Self> {
        let (listener, address) = listen(ANY_PORT)?;
        let (sender, receiver) = mpsc::channel(1);
        let api = Arc::new(RuntimeApi {
            events: tokio::sync::Mutex::new(receiver),
            current: Mutex::default(),
            initialized: watch::Sender::new(None),
        });
        command.env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        let started = Instant::now();
        let process = group.spawn(command)?;
        let shared = api.clone();
        let respond = move |request, _| shared.clone().respond(request);
        let server = runtime()
            .spawn(server::serve(listener, http1::Builder::new(), respond))
            .abort_handle();
        Ok(Self {
            process,
            started,
            api,
            events: sender,
            server,
            log: log.clone(),
        })
    }

    /// The id of the process.
    pub fn process_id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// The log of all instances of the function.
    pub fn log(&self) -> String {
        self.log.text()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Sends an event to the function and waits for the outcome.
    ///
    /// # Errors
    /// Returns an error in
    /// [Lambda's format](https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html) if the
    /// instance exits or takes longer than `timeout`. The instance cannot be used again.
    pub(crate) async fn run(&mut self, event: Bytes, timeout: Duration) -> Result<Outcome, Lost> {
        let request_id = Uuid::new_v4().to_string();
        let (sender, mut outcome) = oneshot::channel();
        let invocation = Invocation {
            request_id: request_id.clone(),
            event,
            timeout,
            outcome: sender,
        };
        // This fails only if the instance has exited, which is detected below.
        let _ = self.events.try_send(invocation);
        let (kind, message) = tokio::select! {
            biased;
            Ok(outcome) = &mut outcome => return Ok(outcome),
            status = self.process.wait() => ("Runtime.ExitError", exit_message(status)),
            () = sleep(timeout) => {
                let _ = self.process.start_kill();
                ("Sandbox.Timedout", format!("Task timed out after {:.2} seconds", timeout.as_secs_f64()))
            }
        };
        let with_id = format!("RequestId: {request_id} Error: {message}");
        Err(Lost {
            error: json!({ "errorType": kind, "errorMessage": with_id }),
            received: lock(&self.api.current).is_some(),
        })
    }

    /// Waits until the function requests its first event, and returns how long that took.
    pub(crate) async fn initialize(&mut self) -> Result<Duration> {
        let mut polls = self.api.initialized.subscribe();
        let initialized = async {
            let first_poll = polls.wait_for(Option::is_some).await;
            first_poll.ok().and_then(|time| *time)
        };
        let message = tokio::select! {
            biased;
            Some(first_poll) = initialized => return Ok(first_poll.duration_since(self.started)),
            status = self.process.wait() => exit_message(status),
            () = sleep(START_TIMEOUT) => format!("it is not ready after {START_TIMEOUT:?}"),
        };
        Err(format!(
            "the function does not start: {message}. {}",
            self.log.tail()
        ))
    }

    /// Waits until the function requests its first event, and returns how long that took.
    ///
    /// # Errors
    /// Returns an error with the end of the log if the function exits first, or takes too long.
    pub fn wait_for_init(&mut self) -> Result<Duration> {
        block_on(self.initialize())
    }

    /// Invokes the function with a timeout of 30 seconds.
    ///
    /// # Errors
    /// Returns the error that the function reported, or one in the same form if it did not respond.
    pub fn invoke(&mut self, event: &Value) -> Result<Value, Value> {
        self.invoke_within(event, START_TIMEOUT)
    }

    /// Invokes the function with this timeout.
    ///
    /// # Errors
    /// Returns the error that the function reported, or one in the same form if it did not respond.
    pub fn invoke_within(&mut self, event: &Value, timeout: Duration) -> Result<Value, Value> {
        block_on(self.run(event.to_string().into(), timeout))
            .map_err(|lost| lost.error)?
            .map(parsed)
            .map_err(parsed)
    }

    /// Invokes the function with these bytes, and returns the outcome and how long it took.
    ///
    /// # Errors
    /// Returns an error if the instance exits or takes longer than `timeout`.
    pub fn exchange(&mut self, event: Vec<u8>, timeout: Duration) -> Result<(Outcome, Duration)> {
        let start = Instant::now();
        block_on(self.run(event.into(), timeout))
            .map(|outcome| (outcome, start.elapsed()))
            .map_err(|lost| lost.error.to_string())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Kill the process before its Runtime API is stopped. Otherwise it logs that the API is unavailable.
        let _ = self.process.start_kill();
        self.server.abort();
    }
}

/// Parses the output of a function. Returns null if it is not JSON.
pub(crate) fn parsed(output: Bytes) -> Value {
    serde_json::from_slice(&output).unwrap_or_default()
}

fn exit_message(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("Runtime exited with error: {status}"),
        Err(error) => format!("Runtime exited with error: {error}"),
    }
}

impl RuntimeApi {
    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let path: Vec<_> = head
            .uri
            .path()
            .trim_start_matches("/2018-06-01/runtime/")
            .split('/')
            .collect();
        let status = match (&head.method, path.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => return Ok(self.next().await),
            (&Method::POST, ["invocation", id, kind @ ("response" | "error")]) => {
                let output = body.collect().await.map_err(io::Error::other)?.to_bytes();
                let is_response = *kind == "response";
                self.finish(id, if is_response { Ok(output) } else { Err(output) })
            }
            // The function has logged the error, and exits next.
            (&Method::POST, ["init", "error"]) => StatusCode::ACCEPTED,
            _ => StatusCode::NOT_FOUND,
        };
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        Ok(response)
    }

    /// Waits for the next event.
    async fn next(&self) -> Response<Full<Bytes>> {
        self.initialized.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert_with(Instant::now);
            is_first
        });
        let Some(invocation) = self.events.lock().await.recv().await else {
            return std::future::pending().await; // The instance is being dropped.
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let deadline = now.unwrap_or_default() + invocation.timeout;
        let response = Response::builder()
            // As on Lambda. AWS's C++ client of the Runtime API, which Node.js uses, crashes without it.
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &invocation.request_id)
            .header("lambda-runtime-deadline-ms", deadline.as_millis() as u64)
            .header("lambda-runtime-invoked-function-arn", FUNCTION_ARN)
            .body(Full::new(invocation.event));
        *lock(&self.current) = Some((invocation.request_id, invocation.outcome));
        response.unwrap_or_default()
    }

    /// Completes the current invocation. A response that is
    /// [too large](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-response)
    /// becomes an error.
    fn finish(&self, request_id: &str, outcome: Outcome) -> StatusCode {
        let Some((_, sender)) = lock(&self.current).take_if(|(current, _)| current == request_id)
        else {
            return StatusCode::BAD_REQUEST;
        };
        let (outcome, status) = match outcome {
            Ok(output) if output.len() > MAX_PAYLOAD_BYTES => {
                let message = format!(
                    "Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."
                );
                let kind = "Function.ResponseSizeTooLarge";
                let error = json!({ "errorType": kind, "errorMessage": message });
                let reported = Err(error.to_string().into());
                (reported, StatusCode::PAYLOAD_TOO_LARGE)
            }
            allowed => (allowed, StatusCode::ACCEPTED),
        };
        // Ignore the error: the client that invoked the function may no longer wait.
        let _ = sender.send(outcome);
        status
    }
}
