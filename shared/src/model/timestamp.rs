//! Times in whole seconds since the Unix epoch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, input::Field};

/// A time in whole seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time: the epoch.
    pub const MIN_SECONDS: i64 = 0;

    /// The latest time: the last second of the year 9999, the last with four digits.
    pub const MAX_SECONDS: i64 = 253_402_300_799;

    /// Returns the current time of the machine's clock.
    pub fn now() -> Self {
        since_epoch().into()
    }

    /// Parses a time.
    ///
    /// # Errors
    /// Returns `invalid` if the field does not contain an integer in range.
    pub fn parse(field: Field) -> Result<Self> {
        let (param, seconds) = field.integer()?;
        if !(Self::MIN_SECONDS..=Self::MAX_SECONDS).contains(&seconds) {
            let (min, max) = (Self::MIN_SECONDS, Self::MAX_SECONDS);
            let reason = format!("is {seconds} and must be Unix seconds from {min} to {max}");
            return Err(Error::invalid(param, reason));
        }
        Ok(Self(seconds))
    }

    /// Returns the time this many seconds later.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0 + seconds)
    }

    /// Seconds since the Unix epoch.
    pub fn seconds(self) -> i64 {
        self.0
    }
}

impl From<Duration> for Timestamp {
    /// Drops the fraction of a second.
    fn from(since_epoch: Duration) -> Self {
        Self(since_epoch.as_secs() as i64)
    }
}

/// Returns the time since the Unix epoch; zero if the clock is before it.
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
