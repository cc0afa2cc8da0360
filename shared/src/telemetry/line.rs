//! The log line at the end of each invocation: the request, its outcome, its cost and the metrics.
//!
//! It never contains a token, a name or a body. `tests/log.schema.json` describes its members.

use std::{
    error::Error as _,
    io::{self, Write},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

use super::{
    chain,
    metrics::{Metric, Metrics},
    stats::InvocationStats,
};
use crate::{Error, model::AccountId};

/// The most values of one metric on a line, by the format's specification. If an invocation sends more
/// requests to DynamoDB, as a purge does, only the first ones are in the metric.
const MAX_VALUES: usize = 100;

/// The name of the function, which is that of its binary.
static FUNCTION: OnceLock<&str> = OnceLock::new();

pub(crate) fn set_function(name: &'static str) {
    // Ignore the error: `init` runs once per process.
    let _ = FUNCTION.set(name);
}

/// An invocation under way.
#[derive(Debug)]
pub(crate) struct Invocation {
    request_id: String,
    route: Option<String>,
    begun: Instant,
}

impl Invocation {
    /// Begins an invocation. For an HTTP request, the id and the route are API Gateway's.
    pub(crate) fn begin(request_id: String, route: Option<String>) -> Self {
        Self {
            request_id,
            route,
            begun: Instant::now(),
        }
    }

    /// The id.
    pub(crate) fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Ends the invocation, and writes its line. `status` is that of an HTTP response.
    pub(crate) fn end(&self, status: Option<u16>, error: Option<&Error>, stats: &InvocationStats) {
        static IS_WARM: AtomicBool = AtomicBool::new(false);
        let is_our_fault = error.is_some_and(Error::is_our_fault);
        let dynamodb = stats.dynamodb.iter().take(MAX_VALUES);
        let mut line = Line {
            timestamp: now(),
            level: if is_our_fault { "ERROR" } else { "INFO" },
            message: "request",
            request_id: &self.request_id,
            function: FUNCTION.get().copied().unwrap_or_default(),
            route: self.route.as_deref(),
            status,
            code: error.map(Error::code),
            // Errors of callers have no cause.
            cause: error.and_then(Error::source).map(chain),
            account_id: stats.account_id.as_ref(),
            dynamodb_requests: stats.dynamodb.len(),
            requests: 1,
            duration_ms: milliseconds(self.begun.elapsed()),
            dynamodb_ms: dynamodb.copied().map(milliseconds).collect(),
            dynamodb_throttles: stats.throttles,
            client_errors: u32::from(error.is_some() && !is_our_fault),
            server_errors: u32::from(is_our_fault),
            cold_starts: u32::from(!IS_WARM.swap(true, Ordering::Relaxed)),
            idempotent_replays: u32::from(stats.replayed),
            messages_purged: stats.messages_purged,
            purges_unfinished: stats.purges_unfinished,
            metrics: None,
        };
        line.metrics = Some(line.metrics());
        // Ignore the error: if stdout is closed, there is nowhere to report it.
        let _ = line.write();
    }
}

/// The line, without members that are empty or zero. Those from `requests` on are metrics.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    message: &'static str,
    request_id: &'a str,
    function: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a AccountId>,
    dynamodb_requests: usize,
    requests: u32,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dynamodb_ms: Vec<f64>,
    #[serde(skip_serializing_if = "is_zero")]
    dynamodb_throttles: u32,
    #[serde(skip_serializing_if = "is_zero")]
    client_errors: u32,
    #[serde(skip_serializing_if = "is_zero")]
    server_errors: u32,
    #[serde(skip_serializing_if = "is_zero")]
    cold_starts: u32,
    #[serde(skip_serializing_if = "is_zero")]
    idempotent_replays: u32,
    #[serde(skip_serializing_if = "is_zero")]
    messages_purged: u32,
    #[serde(skip_serializing_if = "is_zero")]
    purges_unfinished: u32,
    #[serde(rename = "_aws")]
    metrics: Option<Metrics>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Line<'_> {
    fn metrics(&self) -> Metrics {
        let mut by_function = Metric::counts(&[
            ("requests", self.requests),
            ("dynamodb_throttles", self.dynamodb_throttles),
            ("cold_starts", self.cold_starts),
            ("idempotent_replays", self.idempotent_replays),
            ("messages_purged", self.messages_purged),
            ("purges_unfinished", self.purges_unfinished),
        ]);
        by_function.push(Metric::milliseconds("duration_ms"));
        if !self.dynamodb_ms.is_empty() {
            by_function.push(Metric::milliseconds("dynamodb_ms"));
        }
        let errors = Metric::counts(&[
            ("client_errors", self.client_errors),
            ("server_errors", self.server_errors),
        ]);
        Metrics::new(by_function, errors)
    }

    fn write(&self) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        // In one call, so that lines do not mix.
        io::stdout().lock().write_all(&line)
    }
}

/// Returns a time in milliseconds, rounded to the microsecond.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Returns the current time in the format of the other lines: RFC 3339, in UTC.
fn now() -> String {
    let mut now = String::new();
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut now));
    now
}
