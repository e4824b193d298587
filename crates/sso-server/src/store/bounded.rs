//! What the server puts around its store: few wait for it at once, and nobody waits long.

use std::{
    cell::Cell,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;

use super::{LinkOutcome, Removed, Resolved, Store, StoreError, Unlink};
use crate::{
    clock::Timestamp,
    patience::Places,
    session::{CookieHash, Family, Link, LinkKey, Session, SessionId},
};

/// How long all calls of one task wait together: a broker waits five seconds for an answer.
const PATIENCE: Duration = Duration::from_secs(4);

tokio::task_local! {
    /// What is left of a task's patience.
    static LEFT: Cell<Duration>;
}

/// Has all store calls of `task` wait no longer than one of them may.
pub(crate) async fn patiently<T>(task: impl Future<Output = T>) -> T {
    match LEFT.try_with(|_| ()) {
        Ok(()) => task.await,
        Err(_) => LEFT.scope(Cell::new(PATIENCE), task).await,
    }
}

/// A store, with bounds on who waits for it.
pub(crate) struct Bounded {
    store: Box<dyn Store>,
    places: Places,
}

impl Bounded {
    pub(crate) fn new(store: Box<dyn Store>) -> Self {
        Self { store, places: Places::new() }
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        let (left, started) = (LEFT.try_with(Cell::get).unwrap_or(PATIENCE), Instant::now());
        let answer = self.places.wait(left, call).await;
        let _no_task = LEFT.try_with(|left| left.set(left.get().saturating_sub(started.elapsed())));
        answer.unwrap_or_else(|overdue| Err(StoreError::Unavailable(overdue.to_string())))
    }
}

#[async_trait]
impl Store for Bounded {
    async fn insert(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        self.call(self.store.insert(session)).await
    }

    async fn insert_linked(&self, session: Session, key: LinkKey, link: Link) -> Result<LinkOutcome, StoreError> {
        self.call(self.store.insert_linked(session, key, link)).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        self.call(self.store.get(id)).await
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        self.call(self.store.load(cookie)).await
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        self.call(self.store.resolve(key)).await
    }

    async fn update(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        self.call(self.store.update(session)).await
    }

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        self.call(self.store.touch(used)).await
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        self.call(self.store.due(by, most)).await
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<LinkOutcome, StoreError> {
        self.call(self.store.link(key, link)).await
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        self.call(self.store.called(key, at)).await
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        match which {
            // In many steps, each of which the store itself bounds.
            Unlink::Broker(_) | Unlink::All => self.store.unlink(which).await,
            Unlink::One(_) => self.call(self.store.unlink(which)).await,
        }
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        self.call(self.store.links_of(id)).await
    }

    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        self.call(self.store.of_user(username)).await
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        self.call(self.store.consume(id, until)).await
    }

    async fn insert_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        self.call(self.store.insert_family(family)).await
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        self.call(self.store.family(id)).await
    }

    async fn update_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        self.call(self.store.update_family(family)).await
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        self.call(self.store.remove_family(id)).await
    }

    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError> {
        self.call(self.store.families_of(username)).await
    }

    async fn remove_unreadable(&self, username: &str) -> Result<Removed, StoreError> {
        self.call(self.store.remove_unreadable(username)).await
    }

    /// In many steps, each of which the store itself bounds.
    async fn remove_all(&self) -> Result<Removed, StoreError> {
        self.store.remove_all().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.call(self.store.ping()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStore, clock::SystemClock, patience::MAX_WAITING};

    fn bounded() -> Bounded {
        Bounded::new(Box::new(MemoryStore::new(SystemClock)))
    }

    async fn hang() -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn slow(seconds: u64) -> Result<(), StoreError> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(())
    }

    #[tokio::test]
    async fn a_task_waits_no_longer_however_many_calls_it_makes() {
        let (store, started) = (bounded(), Instant::now());
        let first = patiently(async {
            assert_eq!(store.call(slow(3)).await, Ok(()));
            assert!(store.call(hang()).await.is_err());
            // A task within a task has no patience of its own, and what is done at once is done.
            assert!(patiently(store.call(hang())).await.is_err());
            store.call(async { Ok(1) }).await
        });
        assert_eq!(first.await, Ok(1));
        assert!((PATIENCE..PATIENCE + Duration::from_secs(30)).contains(&started.elapsed()));
        assert_eq!(patiently(store.call(slow(1))).await, Ok(()), "the next one has all of it");
    }

    #[cfg(feature = "sql")]
    #[tokio::test]
    async fn what_is_done_in_many_steps_may_take_longer() {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("sso.db");
        let store =
            crate::store::SqlStore::sqlite(&file, crate::store::StoreKeys::generate(), SystemClock).await.unwrap();
        let database = store.database.clone();
        let store = Bounded::new(Box::new(store));
        let one = Unlink::One(LinkKey { broker: "Alice".parse().unwrap(), token: sso_core::Token::generate() });
        for which in [Unlink::All, Unlink::Broker("Alice".parse().unwrap())] {
            // Somebody else writes for a second.
            let other = database.begin().await.unwrap();
            let ends = tokio::spawn(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                other.rollback().await.unwrap();
            });
            let task = async { (store.unlink(&one).await, store.unlink(&which).await) };
            let (short, long) = LEFT.scope(Cell::new(Duration::from_millis(10)), task).await;
            assert!(short.is_err() && long == Ok(0), "{short:?} {long:?}");
            ends.await.unwrap();
        }
        assert_eq!(store.unlink(&one).await, Ok(0));
    }

    #[tokio::test]
    async fn when_too_many_wait_the_next_one_is_refused_at_once() {
        let store = Arc::new(bounded());
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.call(hang()).await })
            })
            .collect();
        while store.places.free() > 0 {
            tokio::task::yield_now().await;
        }
        let started = Instant::now();
        assert!(store.ping().await.is_err());
        assert!(started.elapsed() < PATIENCE / 2);
        for task in waiting {
            assert!(task.await.unwrap().is_err());
        }
        assert_eq!(store.ping().await, Ok(()));
    }
}
