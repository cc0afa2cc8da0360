//! The table of bearer tokens.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `token_hash` | S | partition key: the SHA-256 of the token in hexadecimal |
//! | `account_id` | S | the account that the token names |
//! | `name` | S | what the token is for |
//! | `created_at` | N | Unix seconds |
//! | `expires_at` | N | Unix seconds; absent where it never expires; the table's TTL attribute |
//! | `revoked_at` | N | Unix seconds; absent while in force |
//!
//! The index `by-account` (`account_id`, `name`; keys only) finds the tokens to revoke.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client, error::SdkError, operation::update_item::UpdateItemError, types::AttributeValue,
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{MissingVariable, failure, variable};
use crate::{
    Error, Result,
    model::{AccountId, NewToken, Revocation, Timestamp, Token, token::TokenHash},
    telemetry::note,
};

/// How long [`Tokens::connect`] may take. Lambda gives a function ten seconds for all of its init.
const INIT_TIMEOUT: Duration = Duration::from_secs(2);

const INDEX_BY_ACCOUNT: &str = "by-account";

/// The table of bearer tokens.
#[derive(Clone, Debug)]
pub struct Tokens {
    client: Client,
    table: String,
}

/// What a token in force is good for.
#[derive(Debug)]
pub struct InForce {
    /// The account that it names.
    pub account_id: AccountId,
    /// When it ends, where it does.
    pub expires_at: Option<Timestamp>,
}

/// A token that was just issued, with the token itself, which is shown this once.
#[derive(Debug, Serialize)]
pub struct IssuedToken {
    token: Token,
    account_id: AccountId,
    name: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

/// What the look-up reads of an item.
#[derive(Deserialize)]
struct Item {
    account_id: AccountId,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl Tokens {
    /// The table that `TOKENS_TABLE` names.
    ///
    /// # Errors
    /// Where the variable is not set.
    pub fn from_env(client: &Client) -> Result<Self, MissingVariable> {
        let table = variable("TOKENS_TABLE", "the name of the DynamoDB table of tokens")?;
        Ok(Self {
            client: client.clone(),
            table,
        })
    }

    /// What the token of this hash is good for, if it is in force: known, not revoked, not expired.
    /// The read is strongly consistent, so that a revocation counts from the moment it is answered.
    ///
    /// # Errors
    /// `unavailable` or `internal` where the table cannot be read.
    pub async fn in_force(&self, hash: &TokenHash) -> Result<Option<InForce>> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("token_hash", AttributeValue::S(hash.to_string()))
            .consistent_read(true)
            .projection_expression("account_id, expires_at, revoked_at");
        let Some(item) = read.send().await.map_err(failure)?.item else {
            return Ok(None);
        };
        let Item {
            account_id,
            expires_at,
            revoked_at,
        } = serde_dynamo::from_item(item).map_err(Error::internal)?;
        // DynamoDB's TTL removes expired items only in the course of days.
        let expired = expires_at.is_some_and(|at| at <= Timestamp::now());
        Ok((revoked_at.is_none() && !expired).then_some(InForce {
            account_id,
            expires_at,
        }))
    }

    /// Makes the connection to DynamoDB that the first request will use, by a request like its own.
    ///
    /// # Errors
    /// `unavailable` or `internal` where the table cannot be read.
    pub async fn connect(&self) -> Result<()> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            // No token has this hash.
            .key("token_hash", AttributeValue::S("none".to_owned()));
        let read = timeout(INIT_TIMEOUT, read.send()).await;
        read.map_err(|elapsed| Error::Unavailable(elapsed.into()))?
            .map_err(failure)?;
        Ok(())
    }

    /// Issues a token. Only its hash is stored.
    ///
    /// # Errors
    /// `unavailable` or `internal` where the table cannot be written.
    pub async fn issue(&self, new: NewToken) -> Result<IssuedToken> {
        note(|observed| observed.account_id = Some(new.account_id.clone()));
        let token = Token::new();
        let created_at = Timestamp::now();
        let mut write = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("token_hash", AttributeValue::S(token.hash().to_string()))
            .item("account_id", AttributeValue::S(new.account_id.to_string()))
            .item("name", AttributeValue::S(new.name.clone()))
            .item("created_at", number(created_at));
        if let Some(expires_at) = new.expires_at {
            write = write.item("expires_at", number(expires_at));
        }
        write.send().await.map_err(failure)?;
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
    /// # Errors
    /// `unavailable` or `internal` where the table cannot be read or written.
    pub async fn revoke(&self, revocation: &Revocation) -> Result<usize> {
        match revocation {
            Revocation::One(token) => {
                let hash = AttributeValue::S(token.hash().to_string());
                Ok(usize::from(self.end(hash).await?))
            }
            Revocation::OfAccount { account_id, name } => {
                note(|observed| observed.account_id = Some(account_id.clone()));
                let mut revoked = 0;
                for hash in self.hashes(account_id, name.as_deref()).await? {
                    revoked += usize::from(self.end(hash).await?);
                }
                Ok(revoked)
            }
        }
    }

    /// The hashes of an account's tokens, or of those of one name.
    async fn hashes(
        &self,
        account_id: &AccountId,
        name: Option<&str>,
    ) -> Result<Vec<AttributeValue>> {
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
        let mut items = query.into_paginator().items().send();
        let mut hashes = Vec::new();
        while let Some(item) = items.next().await {
            hashes.extend(item.map_err(failure)?.remove("token_hash"));
        }
        Ok(hashes)
    }

    /// Ends one token, and says whether it was in force.
    async fn end(&self, hash: AttributeValue) -> Result<bool> {
        let write = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("token_hash", hash)
            .update_expression("SET revoked_at = :now")
            .condition_expression(
                "attribute_exists(token_hash) AND attribute_not_exists(revoked_at) \
                 AND (attribute_not_exists(expires_at) OR expires_at > :now)",
            )
            .expression_attribute_values(":now", number(Timestamp::now()));
        match write.send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error))
                if matches!(
                    error.err(),
                    UpdateItemError::ConditionalCheckFailedException(_)
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(failure(error)),
        }
    }
}

fn number(timestamp: Timestamp) -> AttributeValue {
    AttributeValue::N(timestamp.seconds().to_string())
}
