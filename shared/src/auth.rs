//! Authentication: finds the account that a bearer token identifies.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    Error, Result,
    model::{Caller, Token},
    tables::Tokens,
    telemetry::{self, record},
};

mod token_cache;

use token_cache::{CacheTime, Entry, TokenCache};

/// Finds the caller that a bearer token identifies.
pub struct Authenticator {
    tokens: Tokens,
    cache: Mutex<TokenCache>,
}

impl Authenticator {
    /// Creates an authenticator that looks tokens up in `tokens`.
    pub fn new(tokens: Tokens) -> Self {
        Self {
            tokens,
            cache: Mutex::default(),
        }
    }

    /// Connects to DynamoDB before the first request, because Lambda gives an instance a whole core during
    /// init, and afterwards only the share that its memory buys.
    ///
    /// If this fails, the failure is logged, and the first request connects.
    pub async fn connect(&self) {
        if let Err(error) = self.tokens.connect().await {
            let cause = telemetry::chain(&error);
            tracing::warn!(cause, "no connection to DynamoDB in init");
        }
    }

    /// Returns the caller that a bearer token identifies.
    ///
    /// # Errors
    /// Returns `token_invalid` if the token is not active, and `unavailable` or `internal` if the table of
    /// tokens cannot be read.
    pub async fn caller(&self, token: &str) -> Result<Caller> {
        let token = Token::from_text(token).ok_or(Error::TokenInvalid)?;
        let hash = token.hash();
        let cached = self.cache().get(&hash);
        let account_id = match cached {
            Some(account_id) => account_id,
            None => {
                let looked_up = CacheTime::now();
                let active = self.tokens.find_active(&hash).await?;
                let active = active.ok_or(Error::TokenInvalid)?;
                let entry = Entry {
                    account_id: active.account_id.clone(),
                    expires_at: active.expires_at,
                    looked_up,
                };
                self.cache().insert(hash, entry);
                active.account_id
            }
        };
        record(|stats| stats.account_id = Some(account_id.clone()));
        Ok(Caller::new(account_id))
    }

    fn cache(&self) -> MutexGuard<'_, TokenCache> {
        // A panic leaves the map consistent, because each change of it is one call.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
