//! The log: one JSON object on each line, with the members `timestamp` and `level` that Lambda reads.
//!
//! Every invocation ends with one line (`line`), which also contains its metrics (`metrics`). What they count is
//! recorded where it happens (`stats`).

use std::error::Error;

use tracing::Level;

mod line;
mod metrics;
mod stats;

pub(crate) use line::{Invocation, set_function};
pub(crate) use stats::{InvocationStats, record, with_stats};

/// The environment variable with the lowest level that is logged: `ERROR`, `WARN`, `INFO` (the default) or
/// `DEBUG`. `TRACE` is not supported, because the runtime then logs whole events, bearer tokens included. The
/// lines of invocations are written at every level, because they contain the metrics.
const LOG_LEVEL: &str = "LOG_LEVEL";

/// Starts the log of the function with this name. All events of `tracing`, those of the SDK and the runtime
/// included, and all panics become lines on standard output.
///
/// `lambda_runtime` has a subscriber too, but its lines have no timestamp, and Lambda treats every line without
/// one as `INFO`.
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

/// Returns an error and all its causes in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line += &format!(": {cause}");
        next = cause.source();
    }
    line
}
