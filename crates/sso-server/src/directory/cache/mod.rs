//! A short-lived cache of accounts and brokers: every broker call needs both.

use std::{fmt, future::Future, hash::Hash, sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::future::Cache;
use serde_json::Value;
use sso_core::BrokerId;

use crate::{
    brokers::{Broker, Brokers, BrokersUnavailable},
    users::{Account, PasswordHash, SetOutcome, Users, UsersUnavailable},
    util::clock::{Clock, Timestamp},
};

/// Maximum age of an answer. A change is visible after this time at the latest.
const FRESH: Duration = Duration::from_secs(3);

/// The capacity in bytes: the approximate size of the answers, plus [`OVERHEAD`] for each.
const CAPACITY: u64 = 16 * 1024 * 1024;
const OVERHEAD: usize = 256;

/// Caches answers, including negative ones. Concurrent lookups of one name share one call. Errors are never cached.
pub struct Cached<T, K, V> {
    source: T,
    clock: Arc<dyn Clock>,
    found: Cache<K, Answer<V>>,
}

/// Caches accounts.
pub type CachedUsers<T> = Cached<T, String, Arc<Account>>;

/// Caches brokers.
pub type CachedBrokers<T> = Cached<T, BrokerId, Arc<Broker>>;

/// An answer and the time of its question: later changes are not in it.
#[derive(Clone)]
struct Answer<V> {
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
            .weigher(move |key, found: &Answer<V>| {
                u32::try_from(size(key, found.value.as_ref()) + OVERHEAD).unwrap_or(u32::MAX)
            })
            // Frees the memory. The clock decides about the age of an answer.
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
        let found = self.found.try_get_with(key.clone(), self.ask(answer)).await;
        found.map(|found| found.value).map_err(|error| E::clone(&error))
    }

    async fn ask<E>(&self, answer: impl Future<Output = Result<Option<V>, E>> + Send) -> Result<Answer<V>, E> {
        let asked = self.clock.now();
        Ok(Answer { asked, value: answer.await? })
    }
}

#[async_trait]
impl<T: Users> Users for CachedUsers<T> {
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        self.look_up(&username.to_owned(), self.source.find(username)).await
    }

    async fn find_now(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        let found = self.ask(self.source.find_now(username)).await?;
        self.found.insert(username.to_owned(), found.clone()).await;
        Ok(found.value)
    }

    async fn ping(&self) -> Result<(), UsersUnavailable> {
        self.source.ping().await
    }

    async fn can_set_password(&self, username: &str) -> Result<bool, UsersUnavailable> {
        self.source.can_set_password(username).await
    }

    async fn set_password(
        &self,
        username: &str,
        expected: Option<&PasswordHash>,
        new: &PasswordHash,
    ) -> Result<SetOutcome, UsersUnavailable> {
        let outcome = self.source.set_password(username, expected, new).await;
        // Even after an error: the password may have been set.
        self.found.invalidate(username).await;
        outcome
    }

    async fn can_set_attributes(&self, username: &str) -> Result<bool, UsersUnavailable> {
        self.source.can_set_attributes(username).await
    }

    async fn set_attribute(
        &self,
        username: &str,
        name: &str,
        expected: Option<&Value>,
        value: &Value,
    ) -> Result<SetOutcome, UsersUnavailable> {
        let outcome = self.source.set_attribute(username, name, expected, value).await;
        self.found.invalidate(username).await;
        outcome
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

#[cfg(test)]
mod tests;
