//! Instants as the wire counts them, since 1970-01-01 UTC. The clock is the caller's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds, as in tokens. What is before 1970 counts as 0.
pub fn seconds(at: SystemTime) -> i64 {
    i64::try_from(since_epoch(at).as_secs()).unwrap_or(i64::MAX)
}

/// Milliseconds, as in form tokens. What is before 1970 counts as 0.
pub fn millis(at: SystemTime) -> i64 {
    i64::try_from(since_epoch(at).as_millis()).unwrap_or(i64::MAX)
}
