//! Who is calling: the account behind a bearer token ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    Error, Result,
    model::{AccountId, Timestamp, Token, token::TokenHash},
    tables::Tokens,
};

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

    /// The caller that the Authorization header names.
    ///
    /// # Errors
    /// `token_missing` without a header, or with one of another scheme; `token_malformed` where it
    /// is not one well-formed bearer token; `token_invalid` where that is not in force. `unavailable`
    /// or `internal` where the look-up failed, so that it is never taken for an answer.
    pub async fn caller(&self, authorization: Option<&str>) -> Result<Caller> {
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

    fn verified(&self) -> std::sync::MutexGuard<'_, Verified> {
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

/// How long a verified token is served without a new look-up. A revoked token has to stop working
/// everywhere within 60 seconds; a third of that costs an instance three look-ups a minute for each
/// token, and leaves room for whatever else delays a request.
const MAX_AGE: Duration = Duration::from_secs(20);

/// How many verified tokens an instance remembers at most, which take about 200 bytes each.
const MAX_ENTRIES: usize = 1_000;

/// The tokens that this instance has looked up of late.
#[derive(Default)]
struct Verified(HashMap<TokenHash, Entry>);

struct Entry {
    account_id: AccountId,
    expires_at: Option<Timestamp>,
    /// When the look-up began: a token revoked after that may have been seen in force.
    looked_up: Moment,
}

impl Entry {
    fn holds(&self) -> bool {
        self.looked_up.is_younger_than(MAX_AGE)
            && self.expires_at.is_none_or(|at| at > Timestamp::now())
    }
}

impl Verified {
    fn get(&self, hash: &TokenHash) -> Option<AccountId> {
        self.0
            .get(hash)
            .filter(|entry| entry.holds())
            .map(|entry| entry.account_id.clone())
    }

    fn insert(&mut self, hash: TokenHash, entry: Entry) {
        if self.0.len() >= MAX_ENTRIES {
            self.0.retain(|_, entry| entry.holds());
        }
        // Full of tokens that all still hold, which takes a thousand accounts within a minute on
        // one instance: forgetting them costs each one look-up.
        if self.0.len() >= MAX_ENTRIES {
            self.0.clear();
        }
        self.0.insert(hash, entry);
    }
}

/// A moment by both clocks. The monotonic one may stand still while Lambda has the instance frozen,
/// and the wall clock may be set back; the older reading counts.
#[derive(Clone, Copy)]
struct Moment {
    monotonic: Instant,
    wall: Timestamp,
}

impl Moment {
    fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: Timestamp::now(),
        }
    }

    fn is_younger_than(&self, age: Duration) -> bool {
        let wall = Timestamp::now().seconds() - self.wall.seconds();
        self.monotonic.elapsed() < age && wall.unsigned_abs() < age.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::input::{Field, Value};

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

    fn entry(age_seconds: u64, expires_in: Option<i64>) -> Entry {
        let parse = |value| Field {
            param: String::new(),
            value,
        };
        let seconds = |seconds| Timestamp::parse(parse(Value::Integer(seconds))).expect("in range");
        let now = Timestamp::now().seconds();
        Entry {
            account_id: AccountId::parse(parse(Value::String("acme".into())))
                .expect("an account id"),
            expires_at: expires_in.map(|wait| seconds(now + wait)),
            looked_up: Moment {
                monotonic: Instant::now(),
                wall: seconds(now - age_seconds as i64),
            },
        }
    }

    #[test]
    fn a_verified_token_holds_for_twenty_seconds_and_never_past_its_end() {
        let hash = Token::new().hash();
        for (held, age, expires_in) in [
            (true, 0, None),
            (true, 18, Some(100)),
            (false, 20, None),
            (false, 0, Some(0)),
            (false, 0, Some(-1)),
        ] {
            let mut verified = Verified::default();
            verified.insert(hash, entry(age, expires_in));
            assert_eq!(verified.get(&hash).is_some(), held, "{age} {expires_in:?}");
        }
    }

    #[test]
    fn the_memory_of_tokens_is_bounded_and_forgets_the_stale_ones_first() {
        let mut verified = Verified::default();
        let fresh = Token::new().hash();
        verified.insert(fresh, entry(0, None));
        for _ in 1..MAX_ENTRIES {
            verified.insert(Token::new().hash(), entry(20, None));
        }
        assert_eq!(verified.0.len(), MAX_ENTRIES);
        verified.insert(Token::new().hash(), entry(0, None));
        assert_eq!(verified.0.len(), 2, "only what holds is left");
        assert!(verified.get(&fresh).is_some());
        for _ in 0..2 * MAX_ENTRIES {
            verified.insert(Token::new().hash(), entry(0, None));
            assert!(verified.0.len() <= MAX_ENTRIES);
        }
    }
}
