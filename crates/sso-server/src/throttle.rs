//! Slows down guessing: after a few failures under one key, each next try must wait, twice as long each time.

use std::{fmt, time::Duration};

use moka::{policy::EvictionPolicy, sync::Cache};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;

/// Counts failures by key and says when the next try may come. Never a permanent lock: the wait has a limit,
/// and quiet keys are forgotten.
///
/// Its memory is bounded; under a flood of keys those that were longest unused are forgotten first.
pub struct Throttle {
    free_tries: u32,
    longest_wait: Duration,
    /// By hashed key: what strangers send must not decide how much is kept.
    failures: Cache<[u8; 32], Failures>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    next_try: Timestamp,
}

/// It is too early to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooEarly {
    /// Whole seconds to wait, at least one: for `Retry-After`.
    pub retry_after: u64,
}

impl Throttle {
    const KEYS: u64 = 100_000;
    const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);

    /// The first `free_tries` failures cost nothing; then the wait is 1 s, 2 s, 4 s …, up to `longest_wait`.
    pub fn new(free_tries: u32, longest_wait: Duration) -> Self {
        let failures = Cache::builder()
            .max_capacity(Self::KEYS)
            // moka's default policy would turn new keys away while old ones are warm.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(Self::FORGET_AFTER)
            .build();
        Self { free_tries, longest_wait, failures }
    }

    /// Whether a try may be made now.
    pub fn check(&self, key: &str, now: Timestamp) -> Result<(), TooEarly> {
        self.failures.get(&hash(key)).map_or(Ok(()), |failures| failures.check(now))
    }

    /// Counts a failure.
    pub fn failed(&self, key: &str, now: Timestamp) {
        self.failures.entry(hash(key)).and_upsert_with(|entry| {
            let count = entry.map_or(0, |entry| entry.value().count).saturating_add(1);
            Failures { count, next_try: now.after(self.wait_after(count)) }
        });
    }

    /// Forgets the failures under this key.
    pub fn succeeded(&self, key: &str) {
        self.failures.invalidate(&hash(key));
    }

    fn wait_after(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.free_tries) {
            None | Some(0) => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << (over - 1).min(32)).min(self.longest_wait),
        }
    }
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl Failures {
    fn check(self, now: Timestamp) -> Result<(), TooEarly> {
        if now >= self.next_try {
            return Ok(());
        }
        Err(TooEarly { retry_after: self.next_try.since(now).as_millis().div_ceil(1_000) as u64 })
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("free_tries", &self.free_tries).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_end() {
        let throttle = Throttle::new(3, Duration::from_secs(5));
        let mut now = Timestamp::from_millis(0);
        for _ in 0..3 {
            throttle.failed("k", now);
            assert_eq!(throttle.check("k", now), Ok(()));
        }
        for wait in [1, 2, 4, 5, 5] {
            throttle.failed("k", now);
            assert_eq!(throttle.check("k", now), Err(TooEarly { retry_after: wait }));
            now = now.after(Duration::from_secs(wait));
            assert_eq!(throttle.check("k", now), Ok(()));
        }
    }

    #[test]
    fn other_keys_and_success_are_free() {
        let throttle = Throttle::new(0, Duration::from_secs(60));
        let now = Timestamp::from_millis(0);
        throttle.failed("a", now);
        assert_eq!(throttle.check("a", now), Err(TooEarly { retry_after: 1 }));
        assert_eq!(throttle.check("b", now), Ok(()));
        throttle.succeeded("a");
        assert_eq!(throttle.check("a", now), Ok(()));
    }
}
