//! The tokens that an instance has looked up of late.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::model::{AccountId, Timestamp, token::TokenHash};

/// How long a verified token is served without a new look-up. A revoked token has to stop working
/// everywhere within 60 seconds; a third of that costs an instance three look-ups a minute for each
/// token, and leaves room for whatever else delays a request.
const MAX_AGE: Duration = Duration::from_secs(20);

/// How many verified tokens an instance remembers at most, which take about 200 bytes each.
const MAX_ENTRIES: usize = 1_000;

/// The tokens that this instance has looked up of late.
#[derive(Default)]
pub(super) struct Verified(HashMap<TokenHash, Entry>);

/// What an instance remembers of a token.
pub(super) struct Entry {
    pub(super) account_id: AccountId,
    pub(super) expires_at: Option<Timestamp>,
    /// When the look-up began: a token revoked after that may have been seen in force.
    pub(super) looked_up: Moment,
}

impl Entry {
    fn holds(&self) -> bool {
        self.looked_up.is_younger_than(MAX_AGE)
            && self.expires_at.is_none_or(|at| at > Timestamp::now())
    }
}

impl Verified {
    /// The account of a token that still holds.
    pub(super) fn get(&self, hash: &TokenHash) -> Option<AccountId> {
        self.0
            .get(hash)
            .filter(|entry| entry.holds())
            .map(|entry| entry.account_id.clone())
    }

    /// Remembers a token.
    pub(super) fn insert(&mut self, hash: TokenHash, entry: Entry) {
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
pub(super) struct Moment {
    monotonic: Instant,
    wall: Timestamp,
}

impl Moment {
    /// This moment.
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
    use crate::model::{
        Token,
        input::{Field, Value},
    };

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
