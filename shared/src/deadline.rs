//! The time that an invocation has left.

use std::time::{Duration, Instant};

use lambda_http::lambda_runtime::Context;

use crate::model::timestamp;

/// How long before the function's time-out its work ends, so that the response is still sent.
const MARGIN: Duration = Duration::from_secs(2);

/// Returns the moment by which the work of an invocation must end.
pub(crate) fn of(context: &Context) -> Instant {
    let time_out = Duration::from_millis(context.deadline);
    let left = time_out.saturating_sub(timestamp::since_epoch());
    Instant::now() + left.saturating_sub(MARGIN)
}
