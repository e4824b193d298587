//! The store in this process's memory: fast, and gone with the process.

mod families;
mod index;

use std::{
    collections::HashSet,
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

use families::Families;
use index::Index;

use super::{LinkOutcome, Removed, Resolved, Store, StoreError, Unlink};
use crate::{
    clock::{Clock, Timestamp},
    session::{CookieHash, Family, Link, LinkKey, Session, SessionId},
};

/// Sessions in memory. moka drops each record some time after its `keep_until`; whether a session has ended is never
/// moka's decision, and there is no limit on their number: a full cache would turn new sessions away or throw logged-in ones out.
pub struct MemoryStore {
    /// Owns the sessions. The other two maps lose an entry when it is dropped from here.
    sessions: Cache<SessionId, Arc<Cell>>,
    cookies: Cache<CookieHash, Arc<Cell>>,
    links: Cache<LinkKey, Arc<Linked>>,
    /// The sessions by who is logged in, brought up to date under the session's lock.
    users: Arc<Index<SessionId>>,
    families: Families,
    /// One-time ids, until when they are remembered.
    used: Cache<String, Timestamp>,
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
        let (clock, users) = (Arc::new(clock), Arc::new(Index::<SessionId>::default()));
        let (lost_cookies, lost_links, lost_users) = (cookies.clone(), links.clone(), users.clone());
        let sessions = Cache::builder()
            .expire_after(KeepUntil(clock.clone()))
            .eviction_listener(move |id: Arc<SessionId>, cell: Arc<Cell>, cause| {
                // The same cell is put again when its time changes: that is no loss.
                if cause == RemovalCause::Replaced {
                    return;
                }
                lost_users.forget(username(&cell.session.read()), &*id);
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
        let used = Cache::builder().expire_after(KeepUntil(clock.clone())).build();
        Self { sessions, cookies, links, users, families: Families::new(clock), used }
    }

    /// Has moka ask anew how long to keep the cell, unless it was dropped meanwhile.
    fn keep(&self, id: &SessionId, cell: &Arc<Cell>) {
        self.sessions.entry_by_ref(id).and_compute_with(|entry| match entry {
            Some(entry) if Arc::ptr_eq(entry.value(), cell) => Op::Put(cell.clone()),
            _ => Op::Nop,
        });
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
        if !put_new(&self.sessions, &id, cell.clone()) {
            return Err(StoreError::Conflict);
        }
        if !put_new(&self.cookies, &cookie, cell.clone()) {
            self.sessions.invalidate(&id);
            return Err(StoreError::Conflict);
        }
        // Of the record as it is now: whoever changed it meanwhile has done the same under this lock.
        self.users.add(username(&cell.session.read()), &id);
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
                && !put_new(&self.cookies, &session.cookie, cell.clone())
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
            self.users.moved(username(&current), username(&session), &session.id);
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
                cell.links.lock().push(key.clone());
                if !self.sessions.contains_key(&link.session) {
                    // It went in between, and may have looked at its links before this one was among them.
                    forget(&self.links, &key, |linked| Arc::ptr_eq(&linked.cell, &cell));
                    return Err(StoreError::NotFound);
                }
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

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        let Some(cell) = self.sessions.get(id) else { return Ok(Vec::new()) };
        // A token that was moved away and back is listed twice.
        let keys: HashSet<_> = cell.links.lock().iter().cloned().collect();
        let leads_here = |key: LinkKey| {
            let linked = self.links.get(&key).filter(|linked| Arc::ptr_eq(&linked.cell, &cell))?;
            Some((key, linked.link.clone()))
        };
        Ok(keys.into_iter().filter_map(leads_here).collect())
    }

    async fn of_user(&self, name: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        let cells = self.users.of(name).into_iter().filter_map(|id| self.sessions.get(&id));
        let sessions = cells.map(|cell| cell.session.read().clone());
        Ok(sessions.filter(|session| username(session) == Some(name)).collect())
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        Ok(put_new(&self.used, &id.to_owned(), until))
    }

    async fn insert_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        self.families.insert(family)
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        Ok(self.families.get(id))
    }

    async fn update_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        self.families.update(family)
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.families.remove(id))
    }

    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError> {
        Ok(self.families.of(username))
    }

    async fn remove_all(&self) -> Result<Removed, StoreError> {
        let families = self.families.remove_all();
        let ids: Vec<_> = self.sessions.iter().map(|(id, _)| id).collect();
        let mut sessions = 0;
        for batch in ids.chunks(BATCH) {
            // Cookies and links go with them.
            sessions += batch.iter().filter(|id| forget(&self.sessions, id.as_ref(), |_| true)).count() as u64;
            tokio::task::yield_now().await;
        }
        Ok(Removed { sessions, families })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// How many sessions are removed before others get their turn.
const BATCH: usize = 500;

/// Who is logged in.
fn username(session: &Session) -> Option<&str> {
    session.user().map(|user| user.username.as_str())
}

/// Puts what is not there yet; whether it was put. moka's `or_insert` will not do: of two at the same time it tells both that theirs was.
fn put_new<K, V>(map: &Cache<K, V>, key: &K, value: V) -> bool
where
    K: Clone + Eq + std::hash::Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let result = map.entry_by_ref(key).and_compute_with(|entry| match entry {
        Some(_) => Op::Nop,
        None => Op::Put(value),
    });
    matches!(result, CompResult::Inserted(_))
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

/// Tells moka how long to keep something.
struct KeepUntil<C>(C);

/// Something that is kept until a certain time.
trait Kept {
    fn keep_until(&self) -> Timestamp;
}

impl Kept for Arc<Cell> {
    fn keep_until(&self) -> Timestamp {
        self.session.read().keep_until
    }
}

impl Kept for Timestamp {
    fn keep_until(&self) -> Timestamp {
        *self
    }
}

impl<K, V: Kept, C: Clock> Expiry<K, V> for KeepUntil<C> {
    fn expire_after_create(&self, _: &K, value: &V, _: Instant) -> Option<Duration> {
        Some(value.keep_until().since(self.0.now()))
    }

    fn expire_after_update(&self, _: &K, value: &V, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(value.keep_until().since(self.0.now()))
    }
}
