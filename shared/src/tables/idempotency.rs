//! The table of idempotency keys, with the response to the first request of each.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `account_id` | S | partition key: the account of the key |
//! | `key_hash` | S | sort key: the SHA-256 of the key in hexadecimal |
//! | `fingerprint` | S | the SHA-256 of the body's media type and bytes in hexadecimal |
//! | `group_id` | S | the group that was created |
//! | `version` | S | the version that the group had then |
//! | `body` | S | the body of the response |
//! | `expires_at` | N | Unix seconds; the table's TTL attribute |

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem,
    },
};
use serde::{Deserialize, Serialize};

use super::Groups;
use crate::{
    Error, Result,
    dynamodb::{Attempts, Failure, is_throttling},
    env::{self, InvalidVariable},
    model::{AccountId, Caller, Fingerprint, FirstResponse, Group, IdempotencyKey, Timestamp},
    telemetry::record,
};

/// How long a key is remembered, in seconds: 24 hours.
const LIFETIME_SECONDS: i64 = 24 * 60 * 60;

/// The table of idempotency keys, and the groups that are created with them.
#[derive(Clone, Debug)]
pub struct Idempotency {
    client: Client,
    table: String,
    groups: Groups,
}

#[derive(Deserialize, Serialize)]
struct Item {
    account_id: AccountId,
    key_hash: String,
    fingerprint: String,
    #[serde(flatten)]
    response: FirstResponse,
    expires_at: Timestamp,
}

impl Idempotency {
    /// Creates a client of the table that `IDEMPOTENCY_TABLE` names, and of `groups`.
    ///
    /// # Errors
    /// Returns an error if the variable is not set.
    pub fn from_env(client: &Client, groups: &Groups) -> Result<Self, InvalidVariable> {
        let meaning = "the name of the DynamoDB table of idempotency keys";
        let table = env::required("IDEMPOTENCY_TABLE", meaning)?;
        Ok(Self {
            client: client.clone(),
            table,
            groups: groups.clone(),
        })
    }

    /// Stores a new group and its key in one transaction. If the key has been used for the same body before,
    /// nothing is stored, and the first response is returned.
    ///
    /// # Errors
    /// Returns `idempotency_key_reused` if the key came with another body; `unavailable`, `outcome_unknown` or
    /// `internal` if DynamoDB does not confirm the transaction.
    pub async fn create_group(
        &self,
        caller: &Caller,
        key: &IdempotencyKey,
        fingerprint: &Fingerprint,
        group: &Group,
        body: &str,
    ) -> Result<Option<FirstResponse>> {
        let now = Timestamp::now();
        let item = Item {
            account_id: caller.account_id().clone(),
            key_hash: key.hash(),
            fingerprint: fingerprint.as_str().to_owned(),
            response: FirstResponse {
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
            // DynamoDB's TTL deletes expired items only within days.
            .condition_expression("attribute_not_exists(key_hash) OR expires_at <= :now")
            .expression_attribute_values(":now", AttributeValue::N(now.seconds().to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(Error::internal)?;
        let put_group = self.groups.put_for_transaction(caller, group)?;
        let writes = [put_key, put_group].map(|put| TransactWriteItem::builder().put(put).build());
        let transaction = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes.to_vec()))
            // All attempts have the same token, so DynamoDB carries out one of them and confirms the others:
            // https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
            .client_request_token(format!("{}{}", group.id(), group.version()));
        let mut attempts = Attempts::for_write();
        loop {
            let error = match attempts.send(transaction.clone().send()).await {
                Ok(_) => return Ok(None),
                Err(error) => error,
            };
            if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                error.as_service_error()
            {
                let reasons = cancelled.cancellation_reasons();
                if let Some(first) = reasons.iter().find_map(CancellationReason::item) {
                    return replay(first, fingerprint).map(Some);
                }
                attempts.retry_failure(failure(reasons), error).await?;
            } else {
                attempts.retry(error).await?;
            }
        }
    }
}

/// Returns the first response, if the key was used with the same body.
///
/// It is never the response to this request itself: if the response of an attempt is lost, DynamoDB confirms the
/// next one by its client request token.
fn replay(
    item: &HashMap<String, AttributeValue>,
    fingerprint: &Fingerprint,
) -> Result<FirstResponse> {
    let first: Item = serde_dynamo::from_item(item.clone()).map_err(Error::internal)?;
    if first.fingerprint != fingerprint.as_str() {
        return Err(Error::IdempotencyKeyReused);
    }
    record(|stats| stats.replayed = true);
    Ok(first.response)
}

/// What the reasons for which a transaction was cancelled mean for the next attempt.
fn failure(reasons: &[CancellationReason]) -> Failure {
    let mut codes = reasons.iter().filter_map(CancellationReason::code);
    if codes.clone().any(is_throttling) {
        Failure::Throttled
    } else if codes.any(|code| code == "TransactionConflict") {
        Failure::Conflict
    } else {
        Failure::Rejected
    }
}
