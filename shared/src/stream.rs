//! The edge of a function that the stream of the table of groups drives.

use std::{
    collections::HashMap,
    convert::Infallible,
    time::{Duration, Instant},
};

use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    model::{Id, timestamp},
    telemetry::{Invocation, observe},
};

/// How long before Lambda would end the function the work stops: one request to DynamoDB may just
/// have begun, and the answer has to get out.
const MARGIN: Duration = Duration::from_secs(5);

/// What we use of
/// [a stream's event](https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html).
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    dynamodb: Change,
    /// Who made the change, where that was DynamoDB itself, by TTL.
    user_identity: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    sequence_number: String,
    #[serde(default)]
    old_image: HashMap<String, Attribute>,
}

/// An attribute, of which only strings are of use here.
#[derive(Debug, Deserialize)]
struct Attribute {
    #[serde(rename = "S")]
    string: Option<String>,
}

/// Tells Lambda the first record that was not done; it and what follows it come again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// Serves the stream's events with `handler`, which gets the conversation of each group that was
/// deleted, in order, and the moment by which it has to stop. Where it fails, that record is
/// reported, so that the stream brings it and what follows it again.
///
/// # Errors
/// Where the Runtime API cannot be reached or breaks its protocol; then the instance is of no use.
pub async fn serve<H>(handler: H) -> Result<(), lambda_http::Error>
where
    H: AsyncFn(Id, Instant) -> Result<()>,
{
    let respond = async |LambdaEvent { payload, context }: LambdaEvent<Event>| {
        let left = Duration::from_millis(context.deadline).saturating_sub(timestamp::since_epoch());
        let deadline = Instant::now() + left.saturating_sub(MARGIN);
        let invocation = Invocation::begin(context.request_id, None);
        let (failure, observed) =
            observe(first_failure(&payload.records, &handler, deadline)).await;
        invocation.end(None, failure.as_ref().map(|(error, _)| error), &observed);
        let failures = failure
            .into_iter()
            .map(|(_, item_identifier)| Failure { item_identifier });
        let report = Report {
            batch_item_failures: failures.collect(),
        };
        Ok::<_, Infallible>(report)
    };
    lambda_runtime::run(service_fn(respond)).await
}

/// Handles the records in order, up to the first that fails, of which it gives the error and the
/// sequence number.
async fn first_failure<H>(
    records: &[Record],
    handler: &H,
    deadline: Instant,
) -> Option<(Error, String)>
where
    H: AsyncFn(Id, Instant) -> Result<()>,
{
    for record in records.iter().filter(|record| record.is_deletion()) {
        let done = async { handler(record.conversation_id()?, deadline).await };
        if let Err(error) = done.await {
            return Some((error, record.dynamodb.sequence_number.clone()));
        }
    }
    None
}

impl Record {
    /// Whether a caller has deleted the group.
    fn is_deletion(&self) -> bool {
        self.event_name == "REMOVE" && self.user_identity.is_none()
    }

    /// The conversation that belonged to the group.
    fn conversation_id(&self) -> Result<Id> {
        let attribute = self.dynamodb.old_image.get("conversation_id");
        let text = attribute.and_then(|attribute| attribute.string.as_deref());
        let id = text.and_then(Id::from_text);
        id.ok_or_else(|| Error::internal("the record has no old image with a conversation_id"))
    }
}
