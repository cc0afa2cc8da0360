//! The table of bearer tokens.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `token_hash` | S | partition key: the SHA-256 of the token in hexadecimal |
//! | `account_id` | S | the account that the token names |
//! | `name` | S | what the token is for; absent once revoked |
//! | `created_at` | N | Unix seconds |
//! | `expires_at` | N | Unix seconds; absent if it never expires; the table's TTL attribute |
//! | `revoked_at` | N | Unix seconds; absent until revoked |
//! | `revoked_name` | S | the former `name`; absent until revoked |
//! | `revocation_id` | S | random for each revocation; absent until revoked |
//!
//! The index `by-account` (`account_id`, `name`; keys only) finds the tokens to revoke. Without its name, a
//! token leaves the index.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, update_item::UpdateItemError},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::{
    Error, Result, base62,
    dynamodb::{self, Attempts},
    env::{self, InvalidVariable},
    model::{AccountId, NewToken, Revocation, Timestamp, Token, token::TokenHash},
    telemetry::record,
};

/// How long [`Tokens::connect`] may take. Lambda allows ten seconds for all of init.
const INIT_TIMEOUT: Duration = Duration::from_secs(2);

const INDEX_BY_ACCOUNT: &str = "by-account";

/// How long the index may take to show a token. AWS names no limit; it is
/// [usually a fraction of a second](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html).
const INDEX_DELAY: Duration = Duration::from_secs(2);

/// How often the index is read at most. Without this limit, a call would not end while tokens are issued.
const MAX_PASSES: u32 = 10;

/// How many tokens are revoked at the same time.
const CONCURRENCY: usize = 8;

/// The table of bearer tokens.
#[derive(Clone, Debug)]
pub struct Tokens {
    client: Client,
    table: String,
}

/// An active token.
#[derive(Debug)]
pub struct ActiveToken {
    /// The account that it identifies.
    pub account_id: AccountId,
    /// When it expires, if it does.
    pub expires_at: Option<Timestamp>,
}

/// An issued token. This is the only time the token is shown.
#[derive(Debug, Serialize)]
pub struct IssuedToken {
    token: Token,
    account_id: AccountId,
    name: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

/// The attributes of an item that decide whether the token is active.
#[derive(Deserialize)]
struct Item {
    account_id: AccountId,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    revocation_id: Option<String>,
}

impl Item {
    /// Whether the token has expired. DynamoDB's TTL deletes expired items only within days.
    fn is_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= Timestamp::now())
    }
}

impl Tokens {
    /// Creates a client of the table that `TOKENS_TABLE` names.
    ///
    /// # Errors
    /// Returns an error if the variable is not set.
    pub fn from_env(client: &Client) -> Result<Self, InvalidVariable> {
        let table = env::required("TOKENS_TABLE", "the name of the DynamoDB table of tokens")?;
        Ok(Self {
            client: client.clone(),
            table,
        })
    }

    /// Returns the token with this hash if it is active: known, not revoked, not expired. The read is strongly
    /// consistent, so a revocation takes effect before its response.
    ///
    /// # Errors
    /// Returns `unavailable` or `internal` if the table cannot be read.
    pub async fn find_active(&self, hash: &TokenHash) -> Result<Option<ActiveToken>> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("token_hash", AttributeValue::S(hash.to_string()))
            .consistent_read(true)
            .projection_expression("account_id, expires_at, revoked_at");
        let found = dynamodb::read(async || read.clone().send().await).await?;
        let Some(item) = found.item else {
            return Ok(None);
        };
        let item: Item = serde_dynamo::from_item(item).map_err(Error::internal)?;
        let is_active = item.revoked_at.is_none() && !item.is_expired();
        Ok(is_active.then_some(ActiveToken {
            account_id: item.account_id,
            expires_at: item.expires_at,
        }))
    }

    /// Makes the connection to DynamoDB that the first request will use, with a request like that one's.
    ///
    /// # Errors
    /// Returns `unavailable` or `internal` if the table cannot be read.
    pub async fn connect(&self) -> Result<()> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            // No token has this hash.
            .key("token_hash", AttributeValue::S("none".to_owned()));
        let read = dynamodb::read(async || read.clone().send().await);
        let read = timeout(INIT_TIMEOUT, read).await;
        read.map_err(|elapsed| Error::Unavailable(elapsed.into()))??;
        Ok(())
    }

    /// Issues a token. Only its hash is stored.
    ///
    /// # Errors
    /// Returns `unavailable`, `outcome_unknown` or `internal` if DynamoDB does not confirm the write.
    pub async fn issue(&self, new: NewToken) -> Result<IssuedToken> {
        record(|stats| stats.account_id = Some(new.account_id.clone()));
        let token = Token::new();
        let created_at = Timestamp::now();
        let mut write = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("token_hash", AttributeValue::S(token.hash().to_string()))
            .item("account_id", AttributeValue::S(new.account_id.to_string()))
            .item("name", AttributeValue::S(new.name.clone()))
            .item("created_at", number(created_at))
            // A repeated write must not make a token active that has been revoked since.
            .condition_expression("attribute_not_exists(token_hash)");
        if let Some(expires_at) = new.expires_at {
            write = write.item("expires_at", number(expires_at));
        }
        let mut attempts = Attempts::for_write();
        while let Err(error) = attempts.send(write.clone().send()).await {
            if let Some(PutItemError::ConditionalCheckFailedException(_)) = error.as_service_error()
            {
                // No other token has this hash, so an earlier attempt has stored it.
                break;
            }
            attempts.retry(error).await?;
        }
        let NewToken {
            account_id,
            name,
            expires_at,
        } = new;
        Ok(IssuedToken {
            token,
            account_id,
            name,
            created_at,
            expires_at,
        })
    }

    /// Revokes one token, or an account's, and returns how many active tokens it revoked. If it fails
    /// part-way, calling it again revokes the rest.
    ///
    /// The index of an account's tokens may not show a new token yet. So it is read again after a pause, until
    /// it shows no token, ten times at most.
    ///
    /// # Errors
    /// Returns `outcome_unknown` if DynamoDB does not confirm each write before the deadline; `internal` if it
    /// rejects one.
    pub async fn revoke(&self, revocation: &Revocation, deadline: Instant) -> Result<usize> {
        let call = RevocationCall {
            now: Timestamp::now(),
            begun: Instant::now(),
            deadline,
        };
        let revoked = match revocation {
            Revocation::One(token) => {
                let hash = AttributeValue::S(token.hash().to_string());
                self.revoke_one(hash, &call).await.map(usize::from)
            }
            Revocation::OfAccount { account_id, name } => {
                record(|stats| stats.account_id = Some(account_id.clone()));
                self.revoke_all(account_id, name.as_deref(), &call).await
            }
        };
        revoked.map_err(|error| match error {
            Error::Unavailable(cause) => Error::OutcomeUnknown(cause),
            other => other,
        })
    }

    /// Revokes an account's tokens, or those of one name.
    async fn revoke_all(
        &self,
        account_id: &AccountId,
        name: Option<&str>,
        call: &RevocationCall,
    ) -> Result<usize> {
        let mut revoked = 0;
        for pass in 1.. {
            // By then, the index usually shows every token that was issued before the call.
            let is_complete = Instant::now() >= call.begun + INDEX_DELAY;
            let (found, active) = self.revoke_indexed(account_id, name, call).await?;
            revoked += active;
            if (found == 0 && is_complete) || pass == MAX_PASSES {
                break;
            }
            if Instant::now() + INDEX_DELAY >= call.deadline {
                let cause = format!("{revoked} tokens were revoked before the time-out");
                return Err(Error::OutcomeUnknown(cause.into()));
            }
            sleep(INDEX_DELAY).await;
        }
        Ok(revoked)
    }

    /// Revokes the tokens that the index shows, page by page. Returns how many it shows, and how many of them
    /// were active.
    async fn revoke_indexed(
        &self,
        account_id: &AccountId,
        name: Option<&str>,
        call: &RevocationCall,
    ) -> Result<(usize, usize)> {
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX_BY_ACCOUNT)
            .key_condition_expression("account_id = :account_id")
            .expression_attribute_values(":account_id", AttributeValue::S(account_id.to_string()));
        if let Some(name) = name {
            query = query
                .key_condition_expression("account_id = :account_id AND #name = :name")
                .expression_attribute_names("#name", "name")
                .expression_attribute_values(":name", AttributeValue::S(name.to_owned()));
        }
        let (mut found, mut active) = (0, 0);
        loop {
            let mut attempts = Attempts::until(call.deadline);
            let page = attempts.run(async || query.clone().send().await).await?;
            let items = page.items.unwrap_or_default();
            let hashes = items
                .into_iter()
                .filter_map(|mut item| item.remove("token_hash"));
            let hashes: Vec<_> = hashes.collect();
            found += hashes.len();
            let revocations = hashes.into_iter().map(|hash| self.revoke_one(hash, call));
            active += stream::iter(revocations)
                .buffer_unordered(CONCURRENCY)
                .try_fold(0, async |sum, was_active| Ok(sum + usize::from(was_active)))
                .await?;
            if page.last_evaluated_key.is_none() {
                return Ok((found, active));
            }
            query = query.set_exclusive_start_key(page.last_evaluated_key);
        }
    }

    /// Revokes one token, and returns whether this call has revoked an active token.
    async fn revoke_one(&self, hash: AttributeValue, call: &RevocationCall) -> Result<bool> {
        // A repeated write recognises by it what an earlier attempt has written.
        let revocation_id = base62::random(16);
        let write = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("token_hash", hash)
            .update_expression(
                "SET revoked_at = if_not_exists(revoked_at, :now), revocation_id = :id, \
                 revoked_name = if_not_exists(#name, :none) REMOVE #name",
            )
            .condition_expression(
                "attribute_exists(token_hash) AND attribute_not_exists(revocation_id)",
            )
            .expression_attribute_names("#name", "name")
            .expression_attribute_values(":now", number(call.now))
            .expression_attribute_values(":id", AttributeValue::S(revocation_id.clone()))
            .expression_attribute_values(":none", AttributeValue::S(String::new()))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut attempts = Attempts::until(call.deadline);
        loop {
            let error = match attempts.send(write.clone().send()).await {
                Ok(written) => return was_active(written.attributes, &revocation_id, call.now),
                Err(error) => error,
            };
            if let Some(UpdateItemError::ConditionalCheckFailedException(refused)) =
                error.as_service_error()
            {
                return was_active(refused.item.clone(), &revocation_id, call.now);
            }
            attempts.retry(error).await?;
        }
    }
}

/// One call of [`Tokens::revoke`].
struct RevocationCall {
    now: Timestamp,
    begun: Instant,
    deadline: Instant,
}

/// Whether a token was active before the write with this id and time revoked it. `item` is the token before the write,
/// or after it if an earlier attempt has made it.
fn was_active(
    item: Option<HashMap<String, AttributeValue>>,
    revocation_id: &str,
    now: Timestamp,
) -> Result<bool> {
    let Some(item) = item else {
        return Ok(false);
    };
    let item: Item = serde_dynamo::from_item(item).map_err(Error::internal)?;
    let is_ours =
        item.revocation_id.as_deref() == Some(revocation_id) && item.revoked_at == Some(now);
    Ok((item.revoked_at.is_none() || is_ours) && !item.is_expired())
}

fn number(timestamp: Timestamp) -> AttributeValue {
    AttributeValue::N(timestamp.seconds().to_string())
}
