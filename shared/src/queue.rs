//! The edge of a function that a queue drives.

use std::{convert::Infallible, time::Instant};

use futures_util::future::join_all;
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result, deadline,
    model::Progress,
    telemetry::{self, Invocation, with_stats},
};

/// What this uses of [an event of SQS](https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html).
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    messages: Vec<Message>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    message_id: String,
    body: String,
}

/// The response to an event: the messages that the queue must deliver again, as AWS documents
/// [partial batch responses](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    batch_item_failures: Vec<Failed>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    item_identifier: String,
}

/// Serves the messages of a queue with `handler`, which gets the body of a message and the moment by which it
/// must return. All messages of a batch are handled at the same time, so none waits for another. The queue
/// delivers those again that are not done.
///
/// # Errors
/// Returns an error if the Runtime API cannot be reached or breaks its protocol; then the instance is of no use.
pub async fn serve<M, H>(handler: H) -> Result<(), lambda_http::Error>
where
    M: for<'de> Deserialize<'de>,
    H: AsyncFn(M, Instant) -> Result<Progress>,
{
    let respond = async |LambdaEvent { payload, context }: LambdaEvent<Event>| {
        let deadline = deadline::of(&context);
        let invocation = Invocation::begin(context.request_id, None);
        let handle = async |message: Message| {
            let handled = async { handler(message.parse()?, deadline).await };
            let result = handled.await;
            (message, result)
        };
        let all = join_all(payload.messages.into_iter().map(handle));
        let (results, mut stats) = with_stats(all).await;
        let mut first_error = None;
        let mut batch_item_failures = Vec::new();
        for (Message { message_id, body }, result) in results {
            if matches!(result, Ok(Progress::Done)) {
                continue;
            }
            if let Err(error) = result {
                let cause = telemetry::chain(&error);
                let body: String = body.chars().take(100).collect();
                tracing::warn!(
                    body,
                    cause,
                    "failed, so the queue delivers the message again"
                );
                first_error.get_or_insert(error);
            }
            let item_identifier = message_id;
            batch_item_failures.push(Failed { item_identifier });
        }
        stats.purges_unfinished = batch_item_failures.len() as u32;
        invocation.end(None, first_error.as_ref(), &stats);
        Ok::<_, Infallible>(Report {
            batch_item_failures,
        })
    };
    lambda_runtime::run(service_fn(respond)).await
}

impl Message {
    /// Parses the body.
    fn parse<M: for<'de> Deserialize<'de>>(&self) -> Result<M> {
        serde_json::from_str(&self.body)
            .map_err(|error| Error::internal(format!("message {}: {error}", self.message_id)))
    }
}
