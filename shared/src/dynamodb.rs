//! The client of DynamoDB, and the attempts that one request may take.
//!
//! The SDK's own retries are off. A repeated write needs to know what its earlier attempts may have done, and
//! some writes need a new version for each attempt; the SDK would send the same bytes again.

use std::{
    error::Error as StdError,
    time::{Duration, Instant},
};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_dynamodb::{
    Client,
    config::{Builder, Region, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
};
use tokio::time::{sleep, timeout};

use crate::{
    Error, Result,
    env::{self, InvalidVariable},
    error::Cause,
    telemetry::record,
    transport,
};

/// How long one request to DynamoDB may take, all attempts included. A call makes two requests at
/// most, the token's look-up and its own, which leaves a function time to respond before its own
/// time-out (`Timeout` in template.yaml).
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(4);

/// How long one attempt may take. DynamoDB responds within milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_900);

/// How long connecting may take, the TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a request is tried if DynamoDB throttles it, fails or cannot be reached: few times, so that
/// a database in trouble is not flooded with retries.
const MAX_ATTEMPTS: u32 = 3;

/// How often a request is tried that conflicts with a transaction. These attempts do not count as failures: each
/// conflict means that another transaction makes progress, so the next attempt is likely to succeed.
const MAX_CONFLICTS: u32 = 8;

/// The longest wait before the second attempt. It doubles with each further one; after conflicts, it grows evenly.
const BACKOFF: Duration = Duration::from_millis(50);

/// The longest wait before any attempt.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// The time that waits leave for a last attempt before the deadline. With less time left, there is no other attempt.
const LAST_ATTEMPT: Duration = Duration::from_millis(500);

/// The environment variable that names another endpoint than AWS's, as the SDKs define it.
const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// Creates a client of DynamoDB, as the environment says: `AWS_REGION`, credentials, `AWS_ENDPOINT_URL_DYNAMODB` and
/// `SSL_CERT_FILE`.
///
/// # Errors
/// Returns an error if no region is set, or if `SSL_CERT_FILE` is set to a file that cannot be used. Lambda always sets a
/// region; without it, the SDK would ask an instance's metadata service.
pub async fn connect() -> Result<Client, InvalidVariable> {
    let region = Region::new(env::required("AWS_REGION", "the AWS region of the tables")?);
    let environment = aws_config::from_env()
        .region(region)
        // Lambda passes credentials in the environment. The default chain would also create a client of
        // STS, and without credentials ask an instance's metadata service.
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .retry_config(RetryConfig::disabled())
        .http_client(transport::http_client(CONNECT_TIMEOUT)?)
        .load()
        .await;
    let mut config = Builder::from(&environment);
    // The SDK would use an empty value as the endpoint.
    config.set_endpoint_url(env::non_empty(ENDPOINT_URL));
    Ok(Client::from_conf(config.build()))
}

/// Sends a request that reads, as often as [`Attempts`] allows.
///
/// # Errors
/// Returns `unavailable` if DynamoDB throttles, fails or cannot be reached; otherwise `internal`.
pub(crate) async fn read<T, E: ServiceError>(
    request: impl AsyncFn() -> Result<T, SdkError<E>>,
) -> Result<T> {
    Attempts::for_read().run(request).await
}

/// An error of one of DynamoDB's operations.
pub(crate) trait ServiceError:
    ProvideErrorMetadata + StdError + Send + Sync + 'static
{
}

impl<E: ProvideErrorMetadata + StdError + Send + Sync + 'static> ServiceError for E {}

/// The attempts of one request: how many there may be, for how long, and whether one of them may have
/// changed something although it failed.
#[derive(Debug)]
pub(crate) struct Attempts {
    deadline: Instant,
    max_failures: u32,
    max_conflicts: u32,
    failures: u32,
    conflicts: u32,
    writes: bool,
    may_have_written: bool,
}

/// What a failed attempt means for the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Failure {
    /// DynamoDB did not carry it out, because it throttles.
    Throttled,
    /// DynamoDB did not carry it out, because a transaction on the same item, or an earlier attempt of the same
    /// transaction, is still running.
    Conflict,
    /// It did not reach DynamoDB.
    NotSent,
    /// DynamoDB may have carried it out: no response came in time, or one that cannot be read, or 5xx.
    Unknown,
    /// DynamoDB did not carry it out, and never will.
    Rejected,
}

impl Attempts {
    /// The attempts of a request that reads.
    pub(crate) fn for_read() -> Self {
        Self {
            deadline: Instant::now() + OPERATION_TIMEOUT,
            max_failures: MAX_ATTEMPTS,
            max_conflicts: MAX_CONFLICTS,
            failures: 0,
            conflicts: 0,
            writes: false,
            may_have_written: false,
        }
    }

    /// The attempts of a request that writes.
    pub(crate) fn for_write() -> Self {
        Self {
            writes: true,
            ..Self::for_read()
        }
    }

    /// The attempts of a request that is repeated until the deadline, without another limit.
    pub(crate) fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            max_failures: u32::MAX,
            max_conflicts: u32::MAX,
            ..Self::for_write()
        }
    }

    /// Whether an attempt that failed may have changed something.
    pub(crate) fn may_have_written(&self) -> bool {
        self.may_have_written
    }

    /// Makes one attempt. It ends at the deadline at the latest.
    pub(crate) async fn send<T, E>(
        &self,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, SdkError<E>> {
        let begun = Instant::now();
        let left = self.deadline.saturating_duration_since(begun);
        let sent = timeout(left.min(ATTEMPT_TIMEOUT), request).await;
        record(|stats| stats.dynamodb.push(begun.elapsed()));
        match sent {
            Ok(result) => result,
            Err(elapsed) => Err(SdkError::timeout_error(elapsed)),
        }
    }

    /// Makes attempts until one succeeds.
    ///
    /// # Errors
    /// Returns the same as [`Attempts::retry`].
    pub(crate) async fn run<T, E: ServiceError>(
        &mut self,
        request: impl AsyncFn() -> Result<T, SdkError<E>>,
    ) -> Result<T> {
        loop {
            match self.send(request()).await {
                Ok(output) => return Ok(output),
                Err(error) => self.retry(error).await?,
            }
        }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// Returns what the error means if there is no next attempt: `outcome_unknown` if an attempt of a write may
    /// have been carried out; otherwise `internal` if DynamoDB rejected the request, and `unavailable` if it
    /// throttles, fails or cannot be reached.
    pub(crate) async fn retry<E: ServiceError>(&mut self, error: SdkError<E>) -> Result<()> {
        let failure = Failure::of(&error);
        self.retry_failure(failure, error).await
    }

    /// The same as [`Attempts::retry`] for an error whose meaning is known.
    ///
    /// # Errors
    /// Returns the same as [`Attempts::retry`].
    pub(crate) async fn retry_failure(
        &mut self,
        failure: Failure,
        cause: impl Into<Cause>,
    ) -> Result<()> {
        record(|stats| stats.throttles += u32::from(failure == Failure::Throttled));
        self.may_have_written |= self.writes && failure == Failure::Unknown;
        let (is_last, longest_wait) = match failure {
            Failure::Rejected => return Err(self.give_up(failure, cause)),
            Failure::Conflict => {
                self.conflicts = self.conflicts.saturating_add(1);
                let factor = self.conflicts.min(100);
                (self.conflicts >= self.max_conflicts, BACKOFF * factor)
            }
            _ => {
                self.failures = self.failures.saturating_add(1);
                let factor = 2_u32.pow((self.failures - 1).min(10));
                (self.failures >= self.max_failures, BACKOFF * factor)
            }
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        if is_last || left <= LAST_ATTEMPT {
            return Err(self.give_up(failure, cause));
        }
        let wait = longest_wait.min(MAX_BACKOFF).mul_f64(random_fraction());
        sleep(wait.min(left - LAST_ATTEMPT)).await;
        Ok(())
    }

    fn give_up(&self, failure: Failure, cause: impl Into<Cause>) -> Error {
        if self.may_have_written {
            Error::OutcomeUnknown(cause.into())
        } else if failure == Failure::Rejected {
            Error::Internal(cause.into())
        } else {
            Error::Unavailable(cause.into())
        }
    }
}

impl Failure {
    /// Decides by the kind of failure and the status code of the response. The error code matters only for
    /// 4xx, because DynamoDB
    /// [throttles](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html)
    /// with status code 400.
    fn of<E: ServiceError>(error: &SdkError<E>) -> Self {
        match error {
            SdkError::TimeoutError(_) | SdkError::ResponseError(_) => Self::Unknown,
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(error) => Self::of_connection(error),
                None => Self::Unknown,
            },
            SdkError::ServiceError(service) => match service.raw().status().as_u16() {
                400..=499 => Self::of_code(service.err().code()),
                // 5xx, and a success that cannot be read.
                _ => Self::Unknown,
            },
            _ => Self::Rejected,
        }
    }

    fn of_connection(error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
                return if error.is_connect() {
                    Self::NotSent
                } else {
                    Self::Unknown
                };
            }
            next = error.source();
        }
        // The connection is not the cause. Credentials may be missing, for example.
        Self::Rejected
    }

    fn of_code(code: Option<&str>) -> Self {
        match code {
            // DynamoDB always names an error, so the request did not reach it.
            None => Self::NotSent,
            Some("TransactionConflictException" | "TransactionInProgressException") => {
                Self::Conflict
            }
            Some(code) if is_throttling(code) => Self::Throttled,
            Some(_) => Self::Rejected,
        }
    }
}

/// Whether an error code, or the reason of a cancelled transaction, means throttling.
pub(crate) fn is_throttling(code: &str) -> bool {
    [
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingError",
        "ThrottlingException",
    ]
    .contains(&code)
}

/// Returns a random number from 0 to 1.
fn random_fraction() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_leaves_time_for_a_last_attempt() {
        let left = LAST_ATTEMPT + Duration::from_secs(1);
        // Waits are random. Without the limit, only one in five would be as short.
        for _ in 0..10 {
            let mut attempts = Attempts::until(Instant::now() + left);
            attempts.failures = 20;
            let begun = tokio::time::Instant::now();
            let retried = attempts.retry_failure(Failure::Throttled, "").await;
            retried.expect("there is time for another attempt");
            assert!(
                begun.elapsed() <= left - LAST_ATTEMPT,
                "{:?}",
                begun.elapsed()
            );
        }
    }
}
