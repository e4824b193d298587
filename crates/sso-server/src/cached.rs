//! Accounts and brokers that are looked up elsewhere, remembered for a moment: every broker call asks for both.

use std::{fmt, future::Future, hash::Hash, sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::future::Cache;
use sso_core::BrokerId;

use crate::{
    brokers::{Broker, Brokers, BrokersUnavailable},
    clock::{Clock, Timestamp},
    users::{Account, Users, UsersUnavailable},
};

/// What is remembered was asked for less than this ago: a change is seen so soon.
pub const FRESH: Duration = Duration::from_secs(3);

/// How many answers are remembered, in bytes of their names with [`OVERHEAD`] for each.
const CAPACITY: u64 = 4 * 1024 * 1024;
const OVERHEAD: usize = 256;

/// Remembers what was asked for, also that there is none. Of those who ask for one name at the same time one looks it up, for all of them.
/// That something cannot be looked up is never remembered.
pub struct Cached<T, K, V> {
    source: T,
    clock: Arc<dyn Clock>,
    found: Cache<K, Found<V>>,
}

/// Remembers accounts.
pub type CachedUsers<T> = Cached<T, String, Account>;

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
        Self::new(source, clock, String::len)
    }
}

impl<T: Brokers> CachedBrokers<T> {
    /// Remembers what `source` says.
    pub fn brokers(source: T, clock: impl Clock) -> Self {
        Self::new(source, clock, |id| id.as_str().len())
    }
}

impl<T, K, V> Cached<T, K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn new(source: T, clock: impl Clock, length: fn(&K) -> usize) -> Self {
        let found = Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(move |key, _| u32::try_from(length(key) + OVERHEAD).unwrap_or(u32::MAX))
            // Frees the memory; how old an answer is, the clock tells.
            .time_to_live(FRESH)
            .build();
        Self { source, clock: Arc::new(clock), found }
    }

    async fn look_up<E: Clone + Send + Sync + 'static>(
        &self,
        key: &K,
        answer: impl Future<Output = Result<Option<V>, E>> + Send,
    ) -> Result<Option<V>, E> {
        if let Some(found) = self.found.get(key).await {
            if self.clock.now().since(found.asked) < FRESH {
                return Ok(found.value);
            }
            self.found.invalidate(key).await;
        }
        let look_up = async {
            let asked = self.clock.now();
            answer.await.map(|value| Found { asked, value })
        };
        let found = self.found.try_get_with(key.clone(), look_up).await;
        found.map(|found| found.value).map_err(|error| E::clone(&error))
    }
}

#[async_trait]
impl<T: Users> Users for CachedUsers<T> {
    async fn find(&self, username: &str) -> Result<Option<Account>, UsersUnavailable> {
        self.look_up(&username.to_owned(), self.source.find(username)).await
    }
}

#[async_trait]
impl<T: Brokers> Brokers for CachedBrokers<T> {
    async fn find(&self, id: &BrokerId) -> Result<Option<Arc<Broker>>, BrokersUnavailable> {
        self.look_up(id, self.source.find(id)).await
    }
}

impl<T: fmt::Debug, K, V> fmt::Debug for Cached<T, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("source", &self.source).finish_non_exhaustive()
    }
}
