//! Accounts and brokers that are looked up elsewhere, remembered for a moment: every broker call asks for both.

use std::{fmt, future::Future, hash::Hash, sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::future::Cache;
use sso_core::BrokerId;

use crate::{
    brokers::{Broker, Brokers, BrokersUnavailable},
    clock::{Clock, Timestamp},
    patience::Places,
    users::{Account, PasswordHash, PasswordOutcome, Users, UsersUnavailable},
};

/// What is remembered was asked for less than this ago: a change is seen so soon.
pub const FRESH: Duration = Duration::from_secs(3);

/// How long a look-up may take: a broker waits five seconds for an answer, and the store needs some of them.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many answers are remembered, in bytes: about what is in them, with [`OVERHEAD`] for each.
const CAPACITY: u64 = 16 * 1024 * 1024;
const OVERHEAD: usize = 256;

/// Remembers what was asked for, also that there is none. Of those who ask for one name at the same time one looks it up, for all of them.
/// That something cannot be looked up is never remembered.
pub struct Cached<T, K, V> {
    source: T,
    clock: Arc<dyn Clock>,
    found: Cache<K, Found<V>>,
    places: Places,
    patience: Duration,
}

/// Remembers accounts.
pub type CachedUsers<T> = Cached<T, String, Arc<Account>>;

/// Remembers brokers.
pub type CachedBrokers<T> = Cached<T, BrokerId, Arc<Broker>>;

/// An answer, and when it was asked for: what changed since then is not in it.
#[derive(Clone)]
struct Found<V> {
    asked: Timestamp,
    value: Option<V>,
}

impl<T: Users> CachedUsers<T> {
    /// Remembers what `source` says.
    pub fn users(source: T, clock: impl Clock) -> Self {
        Self::new(source, clock, |name, account| name.len() + account.map_or(0, |account| account.size()))
    }
}

impl<T: Brokers> CachedBrokers<T> {
    /// Remembers what `source` says.
    pub fn brokers(source: T, clock: impl Clock) -> Self {
        Self::new(source, clock, |id, broker| id.as_str().len() + broker.map_or(0, |broker| broker.size()))
    }
}

impl<T, K, V> Cached<T, K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn new(source: T, clock: impl Clock, size: fn(&K, Option<&V>) -> usize) -> Self {
        let found = Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(move |key, found: &Found<V>| {
                u32::try_from(size(key, found.value.as_ref()) + OVERHEAD).unwrap_or(u32::MAX)
            })
            // Frees the memory; how old an answer is, the clock tells.
            .time_to_live(FRESH)
            .build();
        Self { source, clock: Arc::new(clock), found, places: Places::new(), patience: PATIENCE }
    }

    async fn look_up<E: Clone + Send + Sync + 'static>(
        &self,
        key: &K,
        answer: impl Future<Output = Result<Option<V>, E>> + Send,
        unavailable: fn(String) -> E,
    ) -> Result<Option<V>, E> {
        if let Some(found) = self.found.get(key).await {
            if self.clock.now().since(found.asked) < FRESH {
                return Ok(found.value);
            }
            self.found.invalidate(key).await;
        }
        let found = self.found.try_get_with(key.clone(), self.ask(answer, unavailable)).await;
        found.map(|found| found.value).map_err(|error| E::clone(&error))
    }

    async fn ask<E>(
        &self,
        answer: impl Future<Output = Result<Option<V>, E>> + Send,
        unavailable: fn(String) -> E,
    ) -> Result<Found<V>, E> {
        let asked = self.clock.now();
        Ok(Found { asked, value: self.wait(answer, unavailable).await? })
    }

    async fn wait<R, E>(
        &self,
        answer: impl Future<Output = Result<R, E>> + Send,
        unavailable: fn(String) -> E,
    ) -> Result<R, E> {
        let answer = self.places.wait(self.patience, answer).await;
        answer.unwrap_or_else(|overdue| Err(unavailable(overdue.to_string())))
    }
}

#[async_trait]
impl<T: Users> Users for CachedUsers<T> {
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        self.look_up(&username.to_owned(), self.source.find(username), UsersUnavailable).await
    }

    async fn find_now(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        let found = self.ask(self.source.find_now(username), UsersUnavailable).await?;
        self.found.insert(username.to_owned(), found.clone()).await;
        Ok(found.value)
    }

    async fn ping(&self) -> Result<(), UsersUnavailable> {
        self.wait(self.source.ping(), UsersUnavailable).await
    }

    async fn can_set_password(&self, username: &str) -> Result<bool, UsersUnavailable> {
        self.wait(self.source.can_set_password(username), UsersUnavailable).await
    }

    async fn set_password(
        &self,
        username: &str,
        expected: Option<&PasswordHash>,
        new: &PasswordHash,
    ) -> Result<PasswordOutcome, UsersUnavailable> {
        let outcome = self.wait(self.source.set_password(username, expected, new), UsersUnavailable).await;
        // Also after an error: it may have been set.
        self.found.invalidate(username).await;
        outcome
    }
}

#[async_trait]
impl<T: Brokers> Brokers for CachedBrokers<T> {
    async fn find(&self, id: &BrokerId) -> Result<Option<Arc<Broker>>, BrokersUnavailable> {
        self.look_up(id, self.source.find(id), BrokersUnavailable).await
    }
}

impl<T: fmt::Debug, K, V> fmt::Debug for Cached<T, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;
    use crate::{clock::ManualClock, patience::MAX_WAITING};

    /// Has one user, in this group; counts how often it is asked, and may fail or be slow.
    struct Source {
        clock: Arc<ManualClock>,
        group: AtomicU32,
        asked: AtomicU32,
        is_down: AtomicBool,
        takes: Duration,
    }

    #[async_trait]
    impl Users for Arc<Source> {
        async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let group = self.group.load(Ordering::SeqCst).to_string();
            self.clock.advance(self.takes);
            // Others come meanwhile.
            tokio::task::yield_now().await;
            if self.is_down.load(Ordering::SeqCst) {
                return Err(UsersUnavailable("the test says so".into()));
            }
            Ok((username == "jackie").then(|| Arc::new(Account::new("jackie", hash()).group(group))))
        }

        async fn set_password(
            &self,
            _: &str,
            _: Option<&PasswordHash>,
            _: &PasswordHash,
        ) -> Result<PasswordOutcome, UsersUnavailable> {
            self.group.fetch_add(1, Ordering::SeqCst);
            Ok(PasswordOutcome::Set)
        }
    }

    fn hash() -> PasswordHash {
        "$2y$04$NkmGAgLHXQQ8sUSW/IqGJ.FUI17yVmjx1/dlf6jCEwWUnTLcFjb4a".parse().unwrap()
    }

    impl Source {
        fn asked(&self) -> u32 {
            self.asked.swap(0, Ordering::SeqCst)
        }
    }

    fn cached(takes: Duration) -> (Arc<Source>, Arc<CachedUsers<Arc<Source>>>) {
        let source = Arc::new(Source {
            clock: Arc::new(ManualClock::at(Timestamp::from_millis(1))),
            group: AtomicU32::new(0),
            asked: AtomicU32::new(0),
            is_down: AtomicBool::new(false),
            takes,
        });
        let cached = Cached::users(source.clone(), source.clock.clone());
        (source, Arc::new(cached))
    }

    async fn group(cached: &CachedUsers<Arc<Source>>) -> Option<String> {
        cached.find("jackie").await.unwrap().map(|account| account.groups.concat())
    }

    #[tokio::test]
    async fn what_was_asked_for_is_remembered_for_three_seconds_and_so_is_that_there_is_none() {
        let (source, cached) = cached(Duration::ZERO);
        for _ in 0..10 {
            assert_eq!(group(&cached).await.as_deref(), Some("0"));
            assert!(cached.find("john").await.unwrap().is_none());
        }
        assert_eq!(source.asked(), 2);
        source.group.store(1, Ordering::SeqCst);
        source.clock.advance(FRESH - Duration::from_millis(1));
        assert_eq!(group(&cached).await.as_deref(), Some("0"));
        source.clock.advance(Duration::from_millis(1));
        assert_eq!(group(&cached).await.as_deref(), Some("1"));
        assert!(cached.find("john").await.unwrap().is_none());
        assert_eq!(source.asked(), 2);
    }

    #[tokio::test]
    async fn of_many_at_once_one_looks_it_up_for_all() {
        let (source, cached) = cached(Duration::ZERO);
        for is_down in [false, true] {
            source.is_down.store(is_down, Ordering::SeqCst);
            source.clock.advance(FRESH);
            let ask = |_| {
                let cached = cached.clone();
                tokio::spawn(async move { cached.find("jackie").await.is_err() })
            };
            for task in (0..50).map(ask).collect::<Vec<_>>() {
                assert_eq!(task.await.unwrap(), is_down);
            }
            assert_eq!(source.asked(), 1);
        }
    }

    #[tokio::test]
    async fn a_failure_is_not_remembered() {
        let (source, cached) = cached(Duration::ZERO);
        source.is_down.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            assert!(cached.find("jackie").await.is_err());
        }
        assert_eq!(source.asked(), 3);
        source.is_down.store(false, Ordering::SeqCst);
        assert_eq!(group(&cached).await.as_deref(), Some("0"));
    }

    struct Hangs;

    #[async_trait]
    impl Users for Hangs {
        async fn find(&self, _: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
            std::future::pending().await
        }

        async fn ping(&self) -> Result<(), UsersUnavailable> {
            std::future::pending().await
        }

        async fn can_set_password(&self, _: &str) -> Result<bool, UsersUnavailable> {
            std::future::pending().await
        }

        async fn set_password(
            &self,
            _: &str,
            _: Option<&PasswordHash>,
            _: &PasswordHash,
        ) -> Result<PasswordOutcome, UsersUnavailable> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn nobody_waits_long_and_not_too_many_do() {
        let clock = || ManualClock::at(Timestamp::from_millis(1));
        fn error<T>(answer: Result<T, UsersUnavailable>) -> String {
            answer.map(|_| ()).unwrap_err().to_string()
        }
        let cached = Cached { patience: Duration::from_millis(10), ..Cached::users(Hangs, clock()) };
        for error in [
            error(cached.find("jackie").await),
            error(cached.find_now("jackie").await),
            error(cached.ping().await),
            error(cached.can_set_password("jackie").await),
            error(cached.set_password("jackie", None, &hash()).await),
        ] {
            assert!(error.contains("did not answer in time"), "{error}");
        }

        let cached = Arc::new(Cached::users(Hangs, clock()));
        for n in 0..MAX_WAITING {
            let cached = cached.clone();
            tokio::spawn(async move { cached.find(&n.to_string()).await });
        }
        while cached.places.free() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(error(cached.find("jackie").await).contains("too many"));
    }

    #[tokio::test]
    async fn an_answer_that_took_long_is_as_old_as_its_question() {
        let (source, cached) = cached(Duration::from_secs(2));
        group(&cached).await;
        source.clock.advance(Duration::from_secs(1));
        source.group.store(1, Ordering::SeqCst);
        assert_eq!(group(&cached).await.as_deref(), Some("1"));
        assert_eq!(source.asked(), 2);
    }

    #[tokio::test]
    async fn what_is_asked_for_now_and_what_was_changed_here_is_seen_at_once() {
        let (source, cached) = cached(Duration::ZERO);
        group(&cached).await;
        source.group.store(1, Ordering::SeqCst);
        assert_eq!(cached.find_now("jackie").await.unwrap().unwrap().groups, ["1"]);
        assert_eq!(group(&cached).await.as_deref(), Some("1"), "and remembered");
        assert_eq!(cached.set_password("jackie", None, &hash()).await.unwrap(), PasswordOutcome::Set);
        assert_eq!(group(&cached).await.as_deref(), Some("2"));
        assert_eq!(source.asked(), 3);
    }

    #[tokio::test]
    async fn few_big_accounts_are_remembered_and_many_small_ones() {
        let users = |size: usize| {
            let account = Arc::new(Account::new("jackie", hash()).attribute("about", "x".repeat(size)));
            let find = move |_: &str| Some(Account::clone(&account));
            Cached::users(find, ManualClock::at(Timestamp::from_millis(1)))
        };
        for (size, all) in [(1, true), (1_000_000, false)] {
            let cached = users(size);
            for n in 0..100 {
                cached.find(&n.to_string()).await.unwrap();
            }
            cached.found.run_pending_tasks().await;
            assert_eq!(cached.found.entry_count() == 100, all, "{}", cached.found.entry_count());
            assert!(cached.found.weighted_size() <= CAPACITY);
        }
    }
}
