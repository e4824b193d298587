//! Rate limit against guessing: after a few failures under one key, each next try has to wait, twice as long each time.
//!
//! Each node counts for itself, since counting in the store would cost every login a round trip. So several nodes allow
//! several times as many tries. Where that matters, a try that had to wait also takes a [`TimeSlot`], and the store
//! gives each slot to one node only.

use std::{fmt, time::Duration};

use moka::{policy::EvictionPolicy, sync::Cache};
use sha2::{Digest, Sha256};

use super::clock::{CLOCK_SKEW, Timestamp};

/// Counts failures by key and says when the next try is allowed. It never locks permanently: the wait has a limit, and
/// quiet keys are forgotten.
///
/// Its memory is bounded. Under a flood of keys the longest unused ones are forgotten first.
pub struct RateLimiter {
    free_tries: u32,
    longest_wait: Duration,
    /// Keys are hashed, so that callers cannot make the server keep long texts.
    failures: Cache<[u8; 32], Failures>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    next_try: Timestamp,
}

/// A slot of time, as long as the wait after the last failure. All nodes together get one try in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeSlot {
    /// Its name, equal on all nodes with the same wait.
    pub id: String,
    /// Its end.
    pub until: Timestamp,
}

/// It is too early to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimited {
    /// Whole seconds to wait, at least one: for `Retry-After`.
    pub retry_after: u64,
}

impl RateLimiter {
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

    /// Whether a try is allowed now. A wait longer than the limit comes from a clock that was ahead, and is over.
    pub fn check(&self, key: &str, now: Timestamp) -> Result<(), RateLimited> {
        let longest = now.after(self.longest_wait).after(CLOCK_SKEW);
        let failures = self.failures.get(&hash(key)).filter(|failures| failures.next_try <= longest);
        failures.map_or(Ok(()), |failures| failures.check(now))
    }

    /// The slot that a try under this key takes now; `None` while tries are free.
    ///
    /// After the wait of [`check`](Self::check) the slot is another than that of the failure: a single node never finds
    /// its slot taken.
    pub fn slot(&self, key: &str, now: Timestamp) -> Option<TimeSlot> {
        let wait = self.wait_after(self.failures.get(&hash(key))?.count).as_millis() as i64;
        let number = now.as_millis().checked_div(wait)?;
        let until = Timestamp::from_millis(number.saturating_add(1).saturating_mul(wait));
        Some(TimeSlot { id: format!("try {wait} {number} {key}"), until })
    }

    /// Another node has the slot: the next try under this key has to wait for the next slot.
    pub fn taken(&self, key: &str, slot: &TimeSlot, now: Timestamp) -> RateLimited {
        self.failures.entry(hash(key)).and_upsert_with(|entry| {
            let failures = entry.map_or(Failures { count: 0, next_try: slot.until }, |entry| *entry.value());
            Failures { next_try: failures.next_try.max(slot.until), ..failures }
        });
        RateLimited { retry_after: seconds_until(slot.until, now).max(1) }
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
    fn check(self, now: Timestamp) -> Result<(), RateLimited> {
        if now >= self.next_try {
            return Ok(());
        }
        Err(RateLimited { retry_after: seconds_until(self.next_try, now) })
    }
}

fn seconds_until(then: Timestamp, now: Timestamp) -> u64 {
    then.since(now).as_millis().div_ceil(1_000) as u64
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").field("free_tries", &self.free_tries).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_right_locks_nobody_out() {
        let throttle = RateLimiter::new(0, Duration::from_secs(5));
        let now = Timestamp::from_millis(0);
        throttle.failed("k", now.after(Duration::from_secs(3_600)));
        assert_eq!(throttle.check("k", now), Ok(()));
        throttle.failed("k", now);
        assert!(throttle.check("k", now).is_err(), "it counts on");
    }

    #[test]
    fn waits_grow_to_their_limit_and_end() {
        let throttle = RateLimiter::new(3, Duration::from_secs(5));
        let mut now = Timestamp::from_millis(0);
        for _ in 0..3 {
            throttle.failed("k", now);
            assert_eq!(throttle.check("k", now), Ok(()));
        }
        for wait in [1, 2, 4, 5, 5] {
            throttle.failed("k", now);
            assert_eq!(throttle.check("k", now), Err(RateLimited { retry_after: wait }));
            now = now.after(Duration::from_secs(wait));
            assert_eq!(throttle.check("k", now), Ok(()));
        }
    }

    #[test]
    fn nodes_that_wait_share_slots_and_one_alone_has_each_for_itself() {
        let nodes = [(); 2].map(|()| RateLimiter::new(2, Duration::from_secs(8)));
        let mut now = Timestamp::from_millis(1_234_567);
        let mut seen = std::collections::HashSet::new();
        for (failures, wait) in [(1, 0), (2, 0), (3, 1), (4, 2), (5, 4), (6, 8), (7, 8), (8, 8)] {
            let slots = nodes.each_ref().map(|node| {
                node.failed("k", now);
                node.slot("k", now.after(Duration::from_secs(wait)))
            });
            now = now.after(Duration::from_secs(wait));
            assert_eq!(slots[0], slots[1]);
            let [slot, _] = slots;
            assert_eq!(slot.is_some(), failures > 2);
            if let Some(slot) = slot {
                assert!(slot.until > now && slot.until <= now.after(Duration::from_secs(wait)));
                let early = nodes[1].taken("k", &slot, now);
                assert_eq!(nodes[1].check("k", now), Err(early));
                assert_eq!((nodes[1].check("k", slot.until), nodes[0].check("k", now)), (Ok(()), Ok(())));
                assert!(seen.insert(slot.id), "taken by itself");
            }
            assert_eq!(nodes[0].slot("other", now), None);
        }
    }

    #[test]
    fn other_keys_and_success_are_free() {
        let throttle = RateLimiter::new(0, Duration::from_secs(60));
        let now = Timestamp::from_millis(0);
        throttle.failed("a", now);
        assert_eq!(throttle.check("a", now), Err(RateLimited { retry_after: 1 }));
        assert_eq!(throttle.check("b", now), Ok(()));
        throttle.succeeded("a");
        assert_eq!(throttle.check("a", now), Ok(()));
    }
}
