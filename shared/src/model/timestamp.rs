//! Moments, in whole seconds since the Unix epoch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, model::input::Field};

/// A moment in whole seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest moment: the epoch.
    pub const MIN_SECONDS: i64 = 0;

    /// The latest moment: the last second of the year 9999, where four-digit years end.
    pub const MAX_SECONDS: i64 = 253_402_300_799;

    /// The current moment, by the machine's clock.
    pub fn now() -> Self {
        since_epoch().into()
    }

    /// The moment in `field`.
    ///
    /// # Errors
    /// `invalid` where it holds no integer or one out of range.
    pub fn parse(field: Field) -> Result<Self> {
        let (param, seconds) = field.integer()?;
        if !(Self::MIN_SECONDS..=Self::MAX_SECONDS).contains(&seconds) {
            let (min, max) = (Self::MIN_SECONDS, Self::MAX_SECONDS);
            let reason = format!("is {seconds} and must be Unix seconds from {min} to {max}");
            return Err(Error::invalid(param, reason));
        }
        Ok(Self(seconds))
    }

    /// The moment this many seconds later.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0 + seconds)
    }

    /// Seconds since the Unix epoch.
    pub fn seconds(self) -> i64 {
        self.0
    }
}

impl From<Duration> for Timestamp {
    /// Returns the moment at this time since the Unix epoch.
    fn from(since_epoch: Duration) -> Self {
        Self(since_epoch.as_secs() as i64)
    }
}

/// How long ago the Unix epoch was; nothing, should the clock stand before it.
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
