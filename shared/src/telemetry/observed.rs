//! What is observed while an invocation is served, for its line in the log.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef},
    },
    error::BoxError,
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use serde_json::Value;

use crate::model::AccountId;

/// What has been observed so far.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The account that the caller, or an operator's payload, has named.
    pub(crate) account_id: Option<AccountId>,
    /// How long each request to DynamoDB took, retries one by one.
    pub(crate) dynamodb: Vec<Duration>,
    /// How many of them DynamoDB throttled.
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

/// Notes every request that the SDK sends to DynamoDB.
#[derive(Debug)]
pub(crate) struct Observer;

/// When a request was begun. Several may be under way at once.
#[derive(Debug)]
struct Begun(Instant);

impl Storable for Begun {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Observer {
    fn name(&self) -> &'static str {
        "Observer"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Begun(Instant::now()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Begun(begun)) = config.load::<Begun>() {
            let answer = context
                .response()
                .filter(|answer| !answer.status().is_success());
            let throttled = answer
                .and_then(|answer| answer.body().bytes())
                .is_some_and(is_throttled);
            note(|observed| {
                observed.dynamodb.push(begun.elapsed());
                observed.throttles += u32::from(throttled);
            });
        }
        Ok(())
    }
}

/// Whether the body of an error says so, by one of
/// [its codes](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html),
/// or as the reason for which a transaction was cancelled.
fn is_throttled(body: &[u8]) -> bool {
    const CODES: [&str; 5] = [
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingError",
        "ThrottlingException",
    ];
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = error["__type"].as_str().unwrap_or_default();
    // The code stands behind the namespace of DynamoDB's errors.
    let code = code.rsplit('#').next().unwrap_or_default();
    let reasons = error["CancellationReasons"].as_array();
    let reasons = reasons.into_iter().flatten();
    let mut codes = reasons.filter_map(|reason| reason["Code"].as_str());
    CODES.contains(&code) || codes.any(|code| CODES.contains(&code))
}
