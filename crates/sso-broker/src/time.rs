//! The present instant, as this crate's parts count it, since 1970-01-01 UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds, as in what is kept of a visitor.
pub(crate) fn seconds() -> u64 {
    since_epoch().as_secs()
}

/// Seconds, as in JSON Web Tokens.
pub(crate) fn numeric_date() -> i64 {
    i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX)
}

/// Milliseconds, as in form tokens.
pub(crate) fn millis() -> i64 {
    i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX)
}
