//! The table of messages, which the messages service writes.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `conversation_id` | S | partition key |
//! | `id` | S | sort key |
//!
//! What else a message has is not ours to know.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, DeleteRequest, WriteRequest},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{MissingVariable, failure, variable};
use crate::{Error, Result, model::Id, telemetry::note};

/// How many messages DynamoDB deletes in one request at most.
const BATCH: usize = 25;

/// How many such requests are under way at once.
const CONCURRENCY: usize = 4;

/// How long to wait before unprocessed deletions are sent again, at most and at first.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// How long to wait, at most and ever.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// The table of messages.
#[derive(Clone, Debug)]
pub struct Messages {
    client: Client,
    table: String,
}

impl Messages {
    /// The table that `MESSAGES_TABLE` names.
    ///
    /// # Errors
    /// Where the variable is not set.
    pub fn from_env(client: &Client) -> Result<Self, MissingVariable> {
        let table = variable(
            "MESSAGES_TABLE",
            "the name of the DynamoDB table of messages",
        )?;
        Ok(Self {
            client: client.clone(),
            table,
        })
    }

    /// Deletes every message of a conversation. Done twice, or again after it failed half way, it
    /// deletes what is left.
    ///
    /// # Errors
    /// `unavailable` where the deadline comes first or the table does; `internal` where the table
    /// cannot be read or written.
    pub async fn purge(&self, conversation_id: &Id, deadline: Instant) -> Result<()> {
        let mut start = None;
        loop {
            in_time(deadline)?;
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("conversation_id = :conversation_id")
                .expression_attribute_values(
                    ":conversation_id",
                    AttributeValue::S(conversation_id.to_string()),
                )
                .projection_expression("conversation_id, id")
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(failure)?;
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

    /// Deletes messages by their keys; what DynamoDB leaves unprocessed it is sent again.
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
        let mut backoff = FIRST_BACKOFF;
        loop {
            in_time(deadline)?;
            let sent = left.len();
            let write = self
                .client
                .batch_write_item()
                .request_items(&self.table, left);
            let unprocessed = write.send().await.map_err(failure)?.unprocessed_items;
            left = unprocessed
                .unwrap_or_default()
                .remove(&self.table)
                .unwrap_or_default();
            let done = sent - left.len();
            note(|observed| observed.messages_purged += done as u32);
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(backoff.mul_f64(random_fraction())).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }
}

fn in_time(deadline: Instant) -> Result<()> {
    if Instant::now() < deadline {
        return Ok(());
    }
    Err(Error::Unavailable(
        "time ran short; the stream brings the record again".into(),
    ))
}

/// A random number from 0 to 1.
fn random_fraction() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}
