//! The DynamoDB tables. Each kind of thing has one, because nothing is ever read across them and
//! each function is then allowed only what it needs; `template.yaml` defines them, and the layout
//! of a table's items is in its module and nowhere else.

use std::{env, fmt, time::Duration};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_dynamodb::{
    Client,
    config::{Builder, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
};

use crate::{Error, telemetry::Observer};

mod groups;
mod idempotency;
mod messages;
mod tokens;

pub use groups::Groups;
pub use idempotency::{FirstAnswer, Idempotency};
pub use messages::Messages;
pub use tokens::{InForce, IssuedToken, Tokens};

/// How long one request to DynamoDB may take, retries included. A call makes two at most, the
/// token's look-up and its own, which leaves a function time to answer before its own time-out
/// (`Timeout` in template.yaml).
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(4);

/// How long one attempt may take. DynamoDB answers in milliseconds; what takes this long is lost.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_900);

/// How long connecting may take, the TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a request is tried at most: a third time only, so that a database in trouble sees no
/// storm of retries; the client backs off at random in between.
const MAX_ATTEMPTS: u32 = 3;

/// The variable that names another endpoint than AWS's, as the SDKs have it.
const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// Connects to DynamoDB, as the environment says: `AWS_REGION`, credentials and
/// `AWS_ENDPOINT_URL_DYNAMODB`.
///
/// # Errors
/// Where no region is set. Lambda always sets one; left to itself the SDK would go and ask an
/// instance's metadata service.
pub async fn connect() -> Result<Client, MissingVariable> {
    let region = Region::new(variable("AWS_REGION", "the AWS region of the tables")?);
    let retries = RetryConfig::standard()
        .with_max_attempts(MAX_ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(50))
        .with_max_backoff(Duration::from_millis(500));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let environment = aws_config::from_env()
        .region(region)
        // Lambda hands credentials over in the environment. The default chain would make a client of
        // STS besides, and where there are none go and ask an instance's metadata service.
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .retry_config(retries)
        .timeout_config(timeouts)
        .load()
        .await;
    // The SDK takes an empty variable for an endpoint, and `sam local` passes one that is not set
    // as an empty one.
    let endpoint_url = env::var(ENDPOINT_URL).ok().filter(|url| !url.is_empty());
    let mut config = Builder::from(&environment);
    config.set_endpoint_url(endpoint_url);
    Ok(Client::from_conf(config.interceptor(Observer).build()))
}

/// A variable that a function cannot do without is not set.
pub struct MissingVariable {
    name: &'static str,
    meaning: &'static str,
}

impl fmt::Display for MissingVariable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the environment variable {} is not set; it must hold {}",
            self.name, self.meaning
        )
    }
}

/// As `Display`: a `main` that returns the error prints it so.
impl fmt::Debug for MissingVariable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for MissingVariable {}

/// The value of a variable; an empty one is as good as none.
fn variable(name: &'static str, meaning: &'static str) -> Result<String, MissingVariable> {
    let value = env::var(name).ok().filter(|value| !value.is_empty());
    value.ok_or(MissingVariable { name, meaning })
}

/// What a failed request to DynamoDB means: `unavailable` where trying again may help, because the
/// database throttles, fails, cannot be reached or takes too long; else `internal`, our fault.
fn failure<E, R>(error: SdkError<E, R>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    let unavailable = match &error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
        SdkError::ServiceError(service) => is_unavailable(service.err()),
        _ => false,
    };
    if unavailable {
        Error::Unavailable(error.into())
    } else {
        Error::Internal(error.into())
    }
}

/// What an error that DynamoDB answered with means.
fn service_failure<E>(error: E) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let unavailable = is_unavailable(&error);
    if unavailable {
        Error::Unavailable(error.into())
    } else {
        Error::Internal(error.into())
    }
}

/// Whether what DynamoDB answered with says that it is in trouble; so does an answer that does not
/// even name an error, as what is no JSON does not.
fn is_unavailable(error: &impl ProvideErrorMetadata) -> bool {
    const IN_TROUBLE: [&str; 7] = [
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        // Another transaction, or an earlier attempt of the same one, is still in progress.
        "TransactionConflictException",
        "TransactionInProgressException",
    ];
    error.code().is_none_or(|code| IN_TROUBLE.contains(&code))
}
