//! The log: one JSON object a line, with a timestamp and a level where Lambda looks for them.
//!
//! Every invocation ends in one line (`line`), which holds its metrics (`metrics`) as well. What is observed on
//! the way there is noted where it happens (`observed`).

use std::error::Error;

use tracing::Level;

mod line;
mod metrics;
mod observed;

pub(crate) use line::{Invocation, set_function};
pub(crate) use observed::{Observed, note, observe};

/// The environment variable that holds the least level that is logged: `ERROR`, `WARN`, `INFO`
/// (where it is not set) or `DEBUG`. There is no `TRACE`: at that level the runtime logs whole
/// events, bearer tokens included. The lines of invocations are written at every level, because
/// the metrics are made of them.
const LOG_LEVEL: &str = "LOG_LEVEL";

/// Starts the log of the function with this name, that of its binary. Everything that goes through
/// `tracing` becomes a line on standard output, the SDK's and the runtime's own lines included, and
/// so does every panic.
///
/// `lambda_runtime` brings a subscriber too, but its lines have no timestamp, without which Lambda
/// takes every line for `INFO`.
pub fn init(function: &'static str) {
    set_function(function);
    let level = std::env::var(LOG_LEVEL)
        .ok()
        .and_then(|level| level.parse().ok());
    let level = level.unwrap_or(Level::INFO).min(Level::DEBUG);
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(level)
        .with_current_span(true)
        .with_span_list(false)
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, cause = panic.payload_as_str(), "panicked");
    }));
}

/// An error and all its causes in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line += &format!(": {cause}");
        next = cause.source();
    }
    line
}
