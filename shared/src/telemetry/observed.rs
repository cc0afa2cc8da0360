//! What is observed while an invocation is served, for its line in the log.

use std::{cell::RefCell, time::Duration};

use crate::model::AccountId;

/// What has been observed so far.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The account that the caller, or an operator's payload, has named.
    pub(crate) account_id: Option<AccountId>,
    /// How long each attempt of a request to DynamoDB took.
    pub(crate) dynamodb: Vec<Duration>,
    /// How many of the attempts DynamoDB throttled.
    pub(crate) throttles: u32,
    /// Whether the answer is that to the first request of an idempotency key.
    pub(crate) replayed: bool,
    /// How many messages were deleted.
    pub(crate) messages_purged: u32,
}

tokio::task_local! {
    static OBSERVED: RefCell<Observed>;
}

/// Does `work`, and gives what it came to and what was noted meanwhile.
pub(crate) fn observe<T>(work: impl Future<Output = T>) -> impl Future<Output = (T, Observed)> {
    // Boxed, because the compiler would else give up on how deep the futures are nested.
    let work = Box::pin(work);
    let observed = async {
        let outcome = work.await;
        (outcome, OBSERVED.with(RefCell::take))
    };
    OBSERVED.scope(RefCell::default(), observed)
}

/// Notes something about the invocation that is being served; outside of one, as in init, nothing.
pub(crate) fn note(change: impl FnOnce(&mut Observed)) {
    let _ = OBSERVED.try_with(|observed| change(&mut observed.borrow_mut()));
}
