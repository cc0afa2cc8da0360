//! Who is calling: the account behind a bearer token ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)).

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    Error, Result,
    model::{AccountId, Token},
    tables::Tokens,
    telemetry::{self, note},
};

mod verified;

use verified::{Entry, Moment, Verified};

/// Whoever sent a request. There is no way to make one but [`Authenticator::caller`], and every
/// read and write of a group takes one, so that nothing is reachable without a token.
#[derive(Clone, Debug)]
pub struct Caller {
    account_id: AccountId,
}

impl Caller {
    /// The account that the token names.
    pub fn account_id(&self) -> &AccountId {
        &self.account_id
    }
}

/// Finds the caller behind the Authorization header.
pub struct Authenticator {
    tokens: Tokens,
    verified: Mutex<Verified>,
}

impl Authenticator {
    /// An authenticator that looks tokens up in `tokens`.
    pub fn new(tokens: Tokens) -> Self {
        Self {
            tokens,
            verified: Mutex::default(),
        }
    }

    /// Makes the connection to DynamoDB ahead of the first request, which then finds it: in init
    /// Lambda gives an instance a whole core, and afterwards the share that its memory buys.
    ///
    /// Where it cannot be made, that is logged, and the first request tries again.
    pub async fn connect(&self) {
        if let Err(error) = self.tokens.connect().await {
            let cause = telemetry::chain(&error);
            tracing::warn!(cause, "no connection to DynamoDB in init");
        }
    }

    /// The caller that the Authorization header names.
    ///
    /// # Errors
    /// `token_missing` without a header, or with one of another scheme; `token_malformed` where it
    /// is not one well-formed bearer token; `token_invalid` where that is not in force. `unavailable`
    /// or `internal` where the look-up failed, so that it is never taken for an answer.
    pub async fn caller(&self, authorization: Option<&str>) -> Result<Caller> {
        let caller = self.find(authorization).await?;
        note(|observed| observed.account_id = Some(caller.account_id.clone()));
        Ok(caller)
    }

    async fn find(&self, authorization: Option<&str>) -> Result<Caller> {
        let text = bearer_token(authorization.unwrap_or_default())?;
        let token = Token::from_text(text).ok_or(Error::TokenInvalid)?;
        let hash = token.hash();
        if let Some(account_id) = self.verified().get(&hash) {
            return Ok(Caller { account_id });
        }
        let looked_up = Moment::now();
        let Some(in_force) = self.tokens.in_force(&hash).await? else {
            return Err(Error::TokenInvalid);
        };
        let account_id = in_force.account_id.clone();
        let entry = Entry {
            account_id: in_force.account_id,
            expires_at: in_force.expires_at,
            looked_up,
        };
        self.verified().insert(hash, entry);
        Ok(Caller { account_id })
    }

    fn verified(&self) -> MutexGuard<'_, Verified> {
        // A panic leaves the map whole: it is changed by single calls only.
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token in an Authorization header: the scheme, in any case, spaces, and one `b64token`.
fn bearer_token(authorization: &str) -> Result<&str> {
    let authorization = authorization.trim_matches([' ', '\t']);
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::TokenMissing);
    }
    let token = token.trim_start_matches(' ');
    let b64 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let body = token.trim_end_matches('=');
    if body.is_empty() || !body.bytes().all(b64) {
        return Err(Error::TokenMalformed);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(authorization: &str) -> &'static str {
        bearer_token(authorization).map_or_else(|error| error.code(), |_| "well-formed")
    }

    #[test]
    fn one_b64token_after_the_scheme_is_well_formed() {
        for header in [
            "Bearer abc",
            "bearer abc",
            "BEARER   a-._~+/Z9==",
            " Bearer abc\t",
        ] {
            assert_eq!(code(header), "well-formed", "{header:?}");
        }
        for header in [
            "",
            "Basic abc",
            "Bearerabc",
            "Token abc",
            "abc",
            "Bearer\tabc",
        ] {
            assert_eq!(code(header), "token_missing", "{header:?}");
        }
        for header in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a,Bearer b",
            "Bearer =",
            "Bearer a=b",
            "Bearer é",
        ] {
            assert_eq!(code(header), "token_malformed", "{header:?}");
        }
    }
}
