//! A cache of recently verified tokens.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::model::{AccountId, Timestamp, token::TokenHash};

/// How long a token is accepted without a new look-up. A revoked token must stop working everywhere within
/// 60 seconds. A third of that costs three look-ups a minute for each token, and leaves time for a slow
/// request.
const MAX_AGE: Duration = Duration::from_secs(20);

/// The most tokens that an instance remembers. Each takes about 200 bytes.
const MAX_ENTRIES: usize = 1_000;

/// The tokens that this instance has recently verified.
#[derive(Default)]
pub(super) struct TokenCache(HashMap<TokenHash, Entry>);

/// A verified token.
pub(super) struct Entry {
    pub(super) account_id: AccountId,
    pub(super) expires_at: Option<Timestamp>,
    /// When the look-up began. A token that was revoked after that may still have been read as active.
    pub(super) looked_up: CacheTime,
}

impl Entry {
    fn is_valid(&self) -> bool {
        self.looked_up.is_younger_than(MAX_AGE)
            && self.expires_at.is_none_or(|at| at > Timestamp::now())
    }
}

impl TokenCache {
    /// Returns the account of a token, if the token is in the cache and still valid.
    pub(super) fn get(&self, hash: &TokenHash) -> Option<AccountId> {
        self.0
            .get(hash)
            .filter(|entry| entry.is_valid())
            .map(|entry| entry.account_id.clone())
    }

    /// Adds a token.
    pub(super) fn insert(&mut self, hash: TokenHash, entry: Entry) {
        if self.0.len() >= MAX_ENTRIES {
            self.0.retain(|_, entry| entry.is_valid());
        }
        // A thousand valid tokens on one instance are rare, so forgetting them all is simplest. It costs each
        // of them one look-up.
        if self.0.len() >= MAX_ENTRIES {
            self.0.clear();
        }
        self.0.insert(hash, entry);
    }
}

/// A time by both clocks. The monotonic clock may stop while Lambda has frozen the instance, and the wall
/// clock may be set back, so the one that shows the greater age counts.
#[derive(Clone, Copy)]
pub(super) struct CacheTime {
    monotonic: Instant,
    wall: Timestamp,
}

impl CacheTime {
    /// Returns the current time.
    pub(super) fn now() -> Self {
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
    use crate::{
        input::{Field, Input},
        model::Token,
    };

    fn entry(age_seconds: u64, expires_in: Option<i64>) -> Entry {
        let parse = |value| Field {
            param: String::new(),
            value,
        };
        let seconds = |seconds| Timestamp::parse(parse(Input::Integer(seconds))).expect("in range");
        let now = Timestamp::now().seconds();
        Entry {
            account_id: AccountId::parse(parse(Input::JsonString("acme".into())))
                .expect("an account id"),
            expires_at: expires_in.map(|wait| seconds(now + wait)),
            looked_up: CacheTime {
                monotonic: Instant::now(),
                wall: seconds(now - age_seconds as i64),
            },
        }
    }

    #[test]
    fn a_token_is_valid_for_twenty_seconds_and_never_after_it_expires() {
        let hash = Token::new().hash();
        for (is_valid, age, expires_in) in [
            (true, 0, None),
            (true, 18, Some(100)),
            (false, 20, None),
            (false, 0, Some(0)),
            (false, 0, Some(-1)),
        ] {
            let mut cache = TokenCache::default();
            cache.insert(hash, entry(age, expires_in));
            assert_eq!(cache.get(&hash).is_some(), is_valid, "{age} {expires_in:?}");
        }
    }

    #[test]
    fn the_cache_is_bounded_and_removes_stale_tokens_first() {
        let mut cache = TokenCache::default();
        let fresh = Token::new().hash();
        cache.insert(fresh, entry(0, None));
        for _ in 1..MAX_ENTRIES {
            cache.insert(Token::new().hash(), entry(20, None));
        }
        assert_eq!(cache.0.len(), MAX_ENTRIES);
        cache.insert(Token::new().hash(), entry(0, None));
        assert_eq!(cache.0.len(), 2, "only valid tokens are left");
        assert!(cache.get(&fresh).is_some());
        for _ in 0..2 * MAX_ENTRIES {
            cache.insert(Token::new().hash(), entry(0, None));
            assert!(cache.0.len() <= MAX_ENTRIES);
        }
    }
}
