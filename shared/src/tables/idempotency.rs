//! The table of idempotency keys: what was answered to the first request of each.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `account_id` | S | partition key: the account whose key it is |
//! | `key_hash` | S | sort key: the SHA-256 of the key in hexadecimal |
//! | `fingerprint` | S | the SHA-256 of the body's media type and bytes in hexadecimal |
//! | `group_id` | S | the group that was created |
//! | `version` | S | its version then |
//! | `body` | S | the body of the answer, byte by byte |
//! | `expires_at` | N | Unix seconds; the table's TTL attribute |

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem,
    },
};
use serde::{Deserialize, Serialize};

use tokio::time::{error::Elapsed, timeout};

use super::{Groups, MissingVariable, OPERATION_TIMEOUT, failure, service_failure, variable};
use crate::{
    Error, Result,
    auth::Caller,
    model::{AccountId, Fingerprint, Group, Id, IdempotencyKey, Timestamp, Version},
    telemetry::note,
};

/// How long a key is remembered, in seconds: 24 hours.
const LIFETIME_SECONDS: i64 = 24 * 60 * 60;

/// How often a transaction that met another on the same key is tried. Each loses to one that has
/// won, so that the next try finds the key, but for one that was itself cancelled.
const MAX_TRIES: u32 = 8;

/// How long to wait before the next try, at most, for each that has gone before.
const BACKOFF: Duration = Duration::from_millis(25);

/// The table of idempotency keys, and the groups that are created with them.
#[derive(Clone, Debug)]
pub struct Idempotency {
    client: Client,
    table: String,
    groups: Groups,
}

/// The answer to the first request of a key.
#[derive(Debug, Deserialize, Serialize)]
pub struct FirstAnswer {
    /// The group that was created.
    pub group_id: Id,
    /// Its version then.
    pub version: Version,
    /// The body.
    pub body: String,
}

#[derive(Deserialize, Serialize)]
struct Item {
    account_id: AccountId,
    key_hash: String,
    fingerprint: String,
    #[serde(flatten)]
    answer: FirstAnswer,
    expires_at: Timestamp,
}

impl Idempotency {
    /// The table that `IDEMPOTENCY_TABLE` names, for creating groups in `groups`.
    ///
    /// # Errors
    /// Where the variable is not set.
    pub fn from_env(client: &Client, groups: &Groups) -> Result<Self, MissingVariable> {
        let meaning = "the name of the DynamoDB table of idempotency keys";
        let table = variable("IDEMPOTENCY_TABLE", meaning)?;
        Ok(Self {
            client: client.clone(),
            table,
            groups: groups.clone(),
        })
    }

    /// Stores a new group and its key in one transaction. Where the key has been used for the same
    /// body before, nothing is stored, and the first answer comes back.
    ///
    /// # Errors
    /// `idempotency_key_reused` where the key came with another body; `unavailable` or `internal`
    /// where the tables cannot be written.
    pub async fn create(
        &self,
        caller: &Caller,
        key: &IdempotencyKey,
        fingerprint: &Fingerprint,
        group: &Group,
        body: &str,
    ) -> Result<Option<FirstAnswer>> {
        let now = Timestamp::now();
        let item = Item {
            account_id: caller.account_id().clone(),
            key_hash: key.hash(),
            fingerprint: fingerprint.as_str().to_owned(),
            answer: FirstAnswer {
                group_id: group.id().clone(),
                version: group.version().clone(),
                body: body.to_owned(),
            },
            expires_at: now.plus_seconds(LIFETIME_SECONDS),
        };
        let item = serde_dynamo::to_item(item).map_err(Error::internal)?;
        let put_key = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            // DynamoDB's TTL removes expired keys only in the course of days.
            .condition_expression("attribute_not_exists(key_hash) OR expires_at <= :now")
            .expression_attribute_values(":now", AttributeValue::N(now.seconds().to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(Error::internal)?;
        let put_group = self.groups.put(caller, group)?;
        let writes = [put_key, put_group].map(|put| TransactWriteItem::builder().put(put).build());
        let tries = self.transact(&writes, fingerprint);
        let out_of_time = |elapsed: Elapsed| Error::Unavailable(elapsed.into());
        timeout(OPERATION_TIMEOUT, tries)
            .await
            .map_err(out_of_time)?
    }

    /// Tries the transaction until it is written, or the key turns out to be used.
    async fn transact(
        &self,
        writes: &[TransactWriteItem],
        fingerprint: &Fingerprint,
    ) -> Result<Option<FirstAnswer>> {
        let mut attempt = 1;
        loop {
            let transaction = self.client.transact_write_items();
            let written = transaction
                .set_transact_items(Some(writes.to_vec()))
                .send()
                .await;
            let error = match written {
                Ok(_) => return Ok(None),
                Err(SdkError::ServiceError(error)) => error.into_err(),
                Err(error) => return Err(failure(error)),
            };
            let reasons = match &error {
                TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                    cancelled.cancellation_reasons()
                }
                _ => return Err(service_failure(error)),
            };
            if let Some(first) = reasons.iter().find_map(CancellationReason::item) {
                return replay(first, fingerprint).map(Some);
            }
            if !reasons.iter().any(may_pass) {
                return Err(service_failure(error));
            }
            if attempt == MAX_TRIES {
                return Err(Error::Unavailable(error.into()));
            }
            let wait = BACKOFF * random_below(attempt);
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }
}

/// The first answer, if the key came with the same body.
///
/// It is never an answer to this very request: where an attempt gets through and its answer gets
/// lost, the SDK sends the same client request token again, and DynamoDB says that it is done.
fn replay(
    item: &HashMap<String, AttributeValue>,
    fingerprint: &Fingerprint,
) -> Result<FirstAnswer> {
    let first: Item = serde_dynamo::from_item(item.clone()).map_err(Error::internal)?;
    if first.fingerprint != fingerprint.as_str() {
        return Err(Error::IdempotencyKeyReused);
    }
    note(|observed| observed.replayed = true);
    Ok(first.answer)
}

/// Whether a transaction was cancelled for a reason that passes.
fn may_pass(reason: &CancellationReason) -> bool {
    let passing = [
        "ProvisionedThroughputExceeded",
        "ThrottlingError",
        "TransactionConflict",
    ];
    reason.code().is_some_and(|code| passing.contains(&code))
}

/// A random number from 0 to `limit`, which it may be.
fn random_below(limit: u32) -> u32 {
    getrandom::u32().map_or(limit, |random| random % (limit + 1))
}
