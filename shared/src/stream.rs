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
    telemetry,
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
#[derive(Debug, Default, Serialize)]
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
        let mut report = Report::default();
        for record in payload.records.iter().filter(|record| record.is_deletion()) {
            let done = match record.conversation_id() {
                Ok(id) => handler(id, deadline).await,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                let item_identifier = record.dynamodb.sequence_number.clone();
                let cause = telemetry::chain(&error);
                tracing::error!(code = error.code(), cause, item_identifier, "record failed");
                report.batch_item_failures.push(Failure { item_identifier });
                break;
            }
        }
        Ok::<_, Infallible>(report)
    };
    lambda_runtime::run(service_fn(respond)).await
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
