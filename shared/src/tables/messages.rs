//! The table of messages, which the messages service writes.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `conversation_id` | S | partition key |
//! | `id` | S | sort key |
//!
//! Other attributes belong to the messages service.

use std::{collections::HashMap, time::Instant};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, DeleteRequest, WriteRequest},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    Error, Result,
    dynamodb::{Attempts, Failure},
    env::{self, InvalidVariable},
    model::{Id, Progress},
    telemetry::record,
};

/// How many messages DynamoDB deletes in one request at most.
const BATCH: usize = 25;

/// How many such requests of one conversation are sent at the same time.
const CONCURRENCY: usize = 4;

/// The table of messages.
#[derive(Clone, Debug)]
pub struct Messages {
    client: Client,
    table: String,
}

impl Messages {
    /// Creates a client of the table that `MESSAGES_TABLE` names.
    ///
    /// # Errors
    /// Returns an error if the variable is not set.
    pub fn from_env(client: &Client) -> Result<Self, InvalidVariable> {
        let table = env::required(
            "MESSAGES_TABLE",
            "the name of the DynamoDB table of messages",
        )?;
        Ok(Self {
            client: client.clone(),
            table,
        })
    }

    /// Deletes the messages of a conversation until there are none, or until the deadline. It can be repeated
    /// at any time, and then deletes what is left.
    ///
    /// # Errors
    /// Returns `internal` if DynamoDB rejects a request. Other failures, throttling included, are retried until the
    /// deadline.
    pub async fn purge(&self, conversation_id: &Id, deadline: Instant) -> Result<Progress> {
        match self.delete_all(conversation_id, deadline).await {
            Ok(()) => Ok(Progress::Done),
            Err(Error::Unavailable(cause) | Error::OutcomeUnknown(cause)) => {
                tracing::warn!(%conversation_id, cause, "not finished, so the queue delivers the message again");
                Ok(Progress::Unfinished)
            }
            Err(error) => Err(error),
        }
    }

    async fn delete_all(&self, conversation_id: &Id, deadline: Instant) -> Result<()> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("conversation_id = :conversation_id")
            .expression_attribute_values(
                ":conversation_id",
                AttributeValue::S(conversation_id.to_string()),
            )
            .projection_expression("conversation_id, id")
            .consistent_read(true);
        let mut start = None;
        loop {
            let query = query.clone().set_exclusive_start_key(start);
            let mut attempts = Attempts::until(deadline);
            let page = attempts.run(async || query.clone().send().await).await?;
            let keys = page.items.unwrap_or_default();
            let deletions = keys.chunks(BATCH).map(|keys| self.delete(keys, deadline));
            stream::iter(deletions)
                .buffer_unordered(CONCURRENCY)
                .try_collect::<()>()
                .await?;
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// Deletes up to [`BATCH`] messages by their keys. What DynamoDB leaves unprocessed is sent again.
    async fn delete(
        &self,
        keys: &[HashMap<String, AttributeValue>],
        deadline: Instant,
    ) -> Result<()> {
        let deletion = |key: &HashMap<String, AttributeValue>| {
            let delete = DeleteRequest::builder().set_key(Some(key.clone())).build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        };
        let deletions = keys.iter().map(deletion).collect::<Result<Vec<_>, _>>();
        let mut left = deletions.map_err(Error::internal)?;
        let mut attempts = Attempts::until(deadline);
        while !left.is_empty() {
            let write = self
                .client
                .batch_write_item()
                .request_items(&self.table, left.clone());
            match attempts.send(write.send()).await {
                Ok(written) => {
                    let sent = left.len();
                    let mut unprocessed = written.unprocessed_items.unwrap_or_default();
                    left = unprocessed.remove(&self.table).unwrap_or_default();
                    record(|stats| stats.messages_purged += (sent - left.len()) as u32);
                    if !left.is_empty() {
                        attempts
                            .retry_failure(
                                Failure::Throttled,
                                "DynamoDB left deletions unprocessed",
                            )
                            .await?;
                    }
                }
                Err(error) => attempts.retry(error).await?,
            }
        }
        Ok(())
    }
}
