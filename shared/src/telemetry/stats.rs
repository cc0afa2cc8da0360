//! What is counted while an invocation is served, for its line in the log.

use std::{cell::RefCell, time::Duration};

use crate::model::AccountId;

/// What has been counted so far.
#[derive(Debug, Default)]
pub(crate) struct InvocationStats {
    /// The account of the caller, or of an operator's payload.
    pub(crate) account_id: Option<AccountId>,
    /// How long each attempt of a request to DynamoDB took.
    pub(crate) dynamodb: Vec<Duration>,
    /// How many of the attempts DynamoDB throttled.
    pub(crate) throttles: u32,
    /// Whether the response is that to the first request of an idempotency key.
    pub(crate) replayed: bool,
    /// How many messages were deleted.
    pub(crate) messages_purged: u32,
    /// How many messages of a queue must be delivered again.
    pub(crate) purges_unfinished: u32,
}

tokio::task_local! {
    static STATS: RefCell<InvocationStats>;
}

/// Runs `work`, and returns its result with what was recorded meanwhile.
pub(crate) fn with_stats<T>(
    work: impl Future<Output = T>,
) -> impl Future<Output = (T, InvocationStats)> {
    // Boxed so that the nested futures stay within the compiler's recursion limit.
    let work = Box::pin(work);
    let counted = async {
        let result = work.await;
        (result, STATS.with(RefCell::take))
    };
    STATS.scope(RefCell::default(), counted)
}

/// Records something about the current invocation. Does nothing outside an invocation (for example, during
/// init).
pub(crate) fn record(change: impl FnOnce(&mut InvocationStats)) {
    let _ = STATS.try_with(|stats| change(&mut stats.borrow_mut()));
}
