//! A store that notes every call, and fails those that it is told to, or lets something else happen just before.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use sso_server::{
    MemoryStore, Session, Store,
    clock::Timestamp,
    session::{CookieHash, Family, Link, LinkKey, SessionId},
    store::{Removed, Resolved, StoreError, Unlink},
};

#[derive(Clone)]
pub(crate) struct Spy(Arc<Inner>);

struct Inner {
    store: MemoryStore,
    calls: Mutex<Vec<&'static str>>,
    failing: Mutex<Failing>,
    /// How long a call of many steps takes, and the cut of one link.
    takes: Mutex<Duration>,
    before_update: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    before_link: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    before_of_user: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

enum Failing {
    Nothing,
    Everything,
    Only(&'static str),
    /// The next such call.
    Once(&'static str),
    /// This call ends so, every time.
    With(&'static str, StoreError),
}

impl Spy {
    pub(crate) fn new(store: MemoryStore) -> Self {
        Self(Arc::new(Inner {
            store,
            calls: Mutex::default(),
            failing: Mutex::new(Failing::Nothing),
            takes: Mutex::default(),
            before_update: Mutex::default(),
            before_link: Mutex::default(),
            before_of_user: Mutex::default(),
        }))
    }

    /// The calls since this was last asked.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.calls.lock())
    }

    pub(crate) fn fail_everything(&self) {
        *self.0.failing.lock() = Failing::Everything;
    }

    pub(crate) fn fail_only(&self, call: &'static str) {
        *self.0.failing.lock() = Failing::Only(call);
    }

    pub(crate) fn fail_once(&self, call: &'static str) {
        *self.0.failing.lock() = Failing::Once(call);
    }

    /// Cutting links, or removing everything, takes this long.
    pub(crate) fn be_slow(&self, takes: Duration) {
        *self.0.takes.lock() = takes;
    }

    pub(crate) fn conflict_without_end(&self, call: &'static str) {
        *self.0.failing.lock() = Failing::With(call, StoreError::Conflict);
    }

    pub(crate) fn work_again(&self) {
        *self.0.failing.lock() = Failing::Nothing;
    }

    /// Somebody else is faster: `this` happens just before the next update, which then comes too late.
    pub(crate) fn before_next_update(&self, this: impl Future<Output = ()> + Send + 'static) {
        *self.0.before_update.lock() = Some(Box::pin(this));
    }

    /// The same before the next look for the sessions of a user.
    pub(crate) fn before_next_of_user(&self, this: impl Future<Output = ()> + Send + 'static) {
        *self.0.before_of_user.lock() = Some(Box::pin(this));
    }

    /// The same before the next link is made.
    pub(crate) fn before_next_link(&self, this: impl Future<Output = ()> + Send + 'static) {
        *self.0.before_link.lock() = Some(Box::pin(this));
    }

    fn enter(&self, call: &'static str) -> Result<&MemoryStore, StoreError> {
        self.0.calls.lock().push(call);
        let mut failing = self.0.failing.lock();
        match &*failing {
            Failing::Nothing => Ok(&self.0.store),
            Failing::Only(other) | Failing::Once(other) | Failing::With(other, _) if *other != call => {
                Ok(&self.0.store)
            }
            Failing::Once(_) => {
                *failing = Failing::Nothing;
                Err(StoreError::Unavailable("the test says so, once".into()))
            }
            Failing::With(_, error) => Err(error.clone()),
            _ => Err(StoreError::Unavailable("the test says so".into())),
        }
    }
}

#[async_trait]
impl Store for Spy {
    async fn insert(&self, session: Session, first: Option<(LinkKey, Link)>) -> Result<Arc<Session>, StoreError> {
        self.enter("insert")?.insert(session, first).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        self.enter("get")?.get(id).await
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        self.enter("load")?.load(cookie).await
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        self.enter("resolve")?.resolve(key).await
    }

    async fn update(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        let first = self.0.before_update.lock().take();
        if let Some(first) = first {
            first.await;
        }
        self.enter("update")?.update(session).await
    }

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        self.enter("touch")?.touch(used).await
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        self.enter("due")?.due(by, most).await
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<(), StoreError> {
        let first = self.0.before_link.lock().take();
        if let Some(first) = first {
            first.await;
        }
        self.enter("link")?.link(key, link).await
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        self.enter("called")?.called(key, at).await
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        let takes = *self.0.takes.lock();
        tokio::time::sleep(takes).await;
        self.enter("unlink")?.unlink(which).await
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        self.enter("links_of")?.links_of(id).await
    }

    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        let first = self.0.before_of_user.lock().take();
        if let Some(first) = first {
            first.await;
        }
        self.enter("of_user")?.of_user(username).await
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        self.enter("consume")?.consume(id, until).await
    }

    async fn put_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        self.enter("put_family")?.put_family(family).await
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        self.enter("family")?.family(id).await
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        self.enter("remove_family")?.remove_family(id).await
    }

    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError> {
        self.enter("families_of")?.families_of(username).await
    }

    async fn remove_unreadable(&self, username: &str) -> Result<Removed, StoreError> {
        self.enter("remove_unreadable")?.remove_unreadable(username).await
    }

    async fn remove_all(&self) -> Result<Removed, StoreError> {
        let takes = *self.0.takes.lock();
        tokio::time::sleep(takes).await;
        self.enter("remove_all")?.remove_all().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.enter("ping")?.ping().await
    }
}
