//! The store in this process's memory: fast, and gone with the process.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use moka::{
    Expiry,
    notification::RemovalCause,
    ops::compute::{CompResult, Op},
    sync::Cache,
};
use parking_lot::{Mutex, RwLock};

use super::{LinkOutcome, Resolved, Store, StoreError, Unlink};
use crate::{
    clock::{Clock, Timestamp},
    session::{CookieHash, Link, LinkKey, Session, SessionId},
};

/// Sessions in memory. moka drops each record some time after its `keep_until`; whether a session has ended is never
/// moka's decision, and there is no limit on their number: a full cache would turn new sessions away or throw logged-in ones out.
pub struct MemoryStore {
    /// Owns the sessions. The other two maps lose an entry when it is dropped from here.
    sessions: Cache<SessionId, Arc<Cell>>,
    cookies: Cache<CookieHash, Arc<Cell>>,
    links: Cache<LinkKey, Arc<Linked>>,
}

/// A session's place. Links and cookies hold it directly, so that resolving a token is one look-up in one map.
struct Cell {
    session: RwLock<Arc<Session>>,
    /// What must go when the session goes.
    links: Mutex<Vec<LinkKey>>,
}

struct Linked {
    link: Link,
    cell: Arc<Cell>,
}

impl MemoryStore {
    /// An empty store. The clock tells when records may go.
    pub fn new(clock: impl Clock) -> Self {
        let cookies: Cache<CookieHash, Arc<Cell>> = Cache::builder().build();
        let links: Cache<LinkKey, Arc<Linked>> = Cache::builder().build();
        let (lost_cookies, lost_links) = (cookies.clone(), links.clone());
        let sessions = Cache::builder()
            .expire_after(KeepUntil(clock))
            .eviction_listener(move |_, cell: Arc<Cell>, cause| {
                // The same cell is put again when its time changes: that is no loss.
                if cause == RemovalCause::Replaced {
                    return;
                }
                let cookies: Vec<_> = cell.session.read().cookies().collect();
                for cookie in cookies {
                    forget(&lost_cookies, &cookie, |other| Arc::ptr_eq(other, &cell));
                }
                for key in cell.links.lock().drain(..) {
                    // The token may have been linked to another session since.
                    forget(&lost_links, &key, |linked| Arc::ptr_eq(&linked.cell, &cell));
                }
            })
            .build();
        Self { sessions, cookies, links }
    }

    /// Puts the cell again, so that moka asks anew how long to keep it.
    fn keep(&self, id: &SessionId, cell: &Arc<Cell>) {
        self.sessions.insert(id.clone(), cell.clone());
    }

    /// Cuts those of a session's links that are meant by their key and by themselves.
    fn cut_of(&self, id: &SessionId, by_key: impl Fn(&LinkKey) -> bool, by_link: impl Fn(&Link) -> bool) -> u64 {
        let Some(cell) = self.sessions.get(id) else { return 0 };
        let keys: Vec<_> = cell.links.lock().iter().filter(|key| by_key(key)).cloned().collect();
        // A token of the list may have been linked to another session since.
        let is_meant = |linked: &Arc<Linked>| Arc::ptr_eq(&linked.cell, &cell) && by_link(&linked.link);
        let cut: Vec<_> = keys.into_iter().filter(|key| forget(&self.links, key, is_meant)).collect();
        cell.links.lock().retain(|key| !cut.contains(key));
        cut.len() as u64
    }

    fn cut(&self, keys: impl IntoIterator<Item = LinkKey>) -> u64 {
        keys.into_iter().filter(|key| self.links.remove(key).is_some()).count() as u64
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        let (id, cookie) = (session.id.clone(), session.cookie);
        let session = Arc::new(session);
        let cell = Arc::new(Cell { session: RwLock::new(session.clone()), links: Mutex::default() });
        // The session first: a cookie that leads nowhere yet is nobody's.
        if !self.sessions.entry(id.clone()).or_insert(cell.clone()).is_fresh() {
            return Err(StoreError::Conflict);
        }
        if !self.cookies.entry(cookie).or_insert(cell).is_fresh() {
            self.sessions.invalidate(&id);
            return Err(StoreError::Conflict);
        }
        Ok(session)
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        Ok(self.sessions.get(id).map(|cell| cell.session.read().clone()))
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        let session = self.cookies.get(cookie).map(|cell| cell.session.read().clone());
        // Between two steps of an update the map may still know a cookie that the session has lost.
        Ok(session.filter(|session| session.cookies().any(|known| known == *cookie)))
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        Ok(self.links.get(key).map(|linked| {
            let session = linked.cell.session.read().clone();
            Resolved { link: linked.link.clone(), session }
        }))
    }

    async fn update(&self, mut session: Session) -> Result<Arc<Session>, StoreError> {
        let cell = self.sessions.get(&session.id).ok_or(StoreError::NotFound)?;
        let updated = {
            let mut current = cell.session.write();
            if current.version != session.version {
                return Err(StoreError::Conflict);
            }
            if !current.cookies().any(|known| known == session.cookie)
                && !self.cookies.entry(session.cookie).or_insert(cell.clone()).is_fresh()
            {
                return Err(StoreError::Conflict);
            }
            for lost in current.cookies().filter(|known| session.cookies().all(|kept| kept != *known)) {
                self.cookies.invalidate(&lost);
            }
            session.version += 1;
            session.last_seen = session.last_seen.max(current.last_seen);
            // Another login, or none, has times of its own.
            if session.epoch == current.epoch {
                session.keep_until = session.keep_until.max(current.keep_until);
            }
            *current = Arc::new(session);
            current.clone()
        };
        self.keep(&updated.id, &cell);
        Ok(updated)
    }

    async fn touch(&self, id: &SessionId, at: Timestamp, keep_until: Timestamp) -> Result<(), StoreError> {
        let cell = self.sessions.get(id).ok_or(StoreError::NotFound)?;
        {
            let mut current = cell.session.write();
            let session = Arc::make_mut(&mut current);
            session.last_seen = session.last_seen.max(at);
            session.keep_until = session.keep_until.max(keep_until);
        }
        self.keep(id, &cell);
        Ok(())
    }

    async fn link(&self, key: LinkKey, link: Link, replaces: Option<&SessionId>) -> Result<LinkOutcome, StoreError> {
        let cell = self.sessions.get(&link.session).ok_or(StoreError::NotFound)?;
        let code = link.code.clone();
        let result = self.links.entry_by_ref(&key).and_compute_with(|entry| {
            let may_put = entry.as_ref().is_none_or(|entry| {
                let owner = &entry.value().link.session;
                *owner != link.session && Some(owner) == replaces
            });
            if may_put { Op::Put(Arc::new(Linked { link: link.clone(), cell: cell.clone() })) } else { Op::Nop }
        });
        Ok(match result {
            CompResult::Unchanged(entry) if entry.value().link.session == link.session => {
                LinkOutcome::Linked(entry.value().link.code.clone())
            }
            CompResult::Unchanged(entry) => LinkOutcome::Taken(entry.value().cell.session.read().clone()),
            _ => {
                cell.links.lock().push(key);
                LinkOutcome::Linked(code)
            }
        })
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        match which {
            Unlink::OthersAtBroker { session, keep } => {
                let is_other = |key: &LinkKey| key.broker == keep.broker && key.token != keep.token;
                Ok(self.cut_of(session, is_other, |_| true))
            }
            Unlink::OthersThatHeal { session, keep } => {
                Ok(self.cut_of(session, |key| Some(key) != keep.as_ref(), |link| link.heals))
            }
            Unlink::Broker(broker) => {
                Ok(self.cut(self.links.iter().map(|(key, _)| (*key).clone()).filter(|key| key.broker == *broker)))
            }
            Unlink::All => Ok(self.cut(self.links.iter().map(|(key, _)| (*key).clone()))),
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Removes the entry if it is the one that is meant; whether it was.
fn forget<K, V>(map: &Cache<K, V>, key: &K, is_meant: impl Fn(&V) -> bool) -> bool
where
    K: Clone + Eq + std::hash::Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let result = map.entry_by_ref(key).and_compute_with(|entry| match entry {
        Some(entry) if is_meant(entry.value()) => Op::Remove,
        _ => Op::Nop,
    });
    matches!(result, CompResult::Removed(_))
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sessions", &self.sessions.entry_count()).finish_non_exhaustive()
    }
}

/// Tells moka how long to keep a session.
struct KeepUntil<C>(C);

impl<C: Clock> KeepUntil<C> {
    fn left(&self, cell: &Cell) -> Duration {
        cell.session.read().keep_until.since(self.0.now())
    }
}

impl<C: Clock> Expiry<SessionId, Arc<Cell>> for KeepUntil<C> {
    fn expire_after_create(&self, _: &SessionId, cell: &Arc<Cell>, _: Instant) -> Option<Duration> {
        Some(self.left(cell))
    }

    fn expire_after_update(
        &self,
        _: &SessionId,
        cell: &Arc<Cell>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.left(cell))
    }
}
