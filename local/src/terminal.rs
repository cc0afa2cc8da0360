//! What `cargo local` prints.

use std::{
    io::{IsTerminal, Write},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use hyper::StatusCode;
use serde_json::Value;

/// Prints a line on standard error. Test runs do not capture it.
pub fn say(line: &str) {
    // Ignore the error: if standard error is closed, there is nowhere to report it.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints text on standard output.
pub(crate) fn print(text: &str) {
    // Ignore the error: the reader may have closed the pipe.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Runs `work`. If it takes longer than a second, prints `what`, and in the end how long it took.
pub(crate) fn with_progress<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let (finished, finish) = mpsc::channel::<()>();
    let text = format!("{what} …");
    let notice = thread::spawn(move || {
        let is_slow = finish.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout);
        if is_slow {
            say(&text);
        }
        is_slow
    });
    let result = work();
    drop(finished);
    if notice.join().unwrap_or_default() {
        say(&format!("{what}: {} s.", start.elapsed().as_secs()));
    }
    result
}

/// A finished request.
pub(crate) struct Line<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub status: u16,
    pub duration: Duration,
    pub cold_start: bool,
    pub error: Option<&'a str>,
}

/// Prints one line about a request: time (UTC), method, path, status code, milliseconds, whether it was a
/// cold start, and the error. The status code is coloured if standard output is a terminal and `NO_COLOR` is
/// not set.
pub(crate) fn print_line(line: &Line<'_>) {
    let mut out = std::io::stdout().lock();
    let is_coloured = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (start, end) = match (is_coloured, line.status) {
        (false, _) => ("", ""),
        (true, ..400) => ("\x1b[32m", "\x1b[0m"),
        (true, 400..500) => ("\x1b[33m", "\x1b[0m"),
        (true, _) => ("\x1b[31m", "\x1b[0m"),
    };
    let date = httpdate::fmt_http_date(SystemTime::now());
    let time = date.split(' ').nth(4).unwrap_or_default();
    let milliseconds = line.duration.as_secs_f64() * 1e3;
    let cold_start = if line.cold_start { "  cold start" } else { "" };
    let error = line
        .error
        .map(|error| format!("  {}", printable(error, 500)))
        .unwrap_or_default();
    let _ = writeln!(
        out,
        "{time}Z {method:6} {path} {start}{status}{end} {milliseconds:.1} ms{cold_start}{error}",
        method = printable(line.method, 20),
        path = printable(line.path, 80),
        status = line.status,
    );
}

/// Returns the start of a client's text, without control characters.
fn printable(text: &str, length: usize) -> String {
    text.chars()
        .take(length)
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

/// Returns the code and the param of an error response of a function, for example `missing: name`.
pub(crate) fn error_summary(status: StatusCode, output: &[u8]) -> Option<String> {
    if status.as_u16() < 400 {
        return None;
    }
    let response: Value = serde_json::from_slice(output).ok()?;
    let error: Value = serde_json::from_str(response["body"].as_str()?).ok()?;
    let code = error["code"].as_str()?;
    Some(match error["param"].as_str() {
        Some(param) => format!("{code}: {param}"),
        None => code.to_owned(),
    })
}

/// Returns the message of an error that a function reported, or the whole error if it has no message.
pub(crate) fn error_message(error: &[u8]) -> String {
    let parsed: Value = serde_json::from_slice(error).unwrap_or_default();
    let message = parsed["errorMessage"].as_str().map(str::to_owned);
    message.unwrap_or_else(|| String::from_utf8_lossy(error).into_owned())
}
