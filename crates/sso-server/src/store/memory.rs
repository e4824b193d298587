//! The store in this process's memory: fast, and gone with the process.

mod anonymous;
mod cell;
mod families;
mod index;

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
use parking_lot::Mutex;

use cell::{Cell, Linked, Phase, State, Ways};
use families::Families;

use super::{
    LinkOutcome, Removed, Resolved, Store, StoreError, Unlink, last_use,
    room::{self, Other},
};
use crate::{
    clock::{Clock, Timestamp},
    session::{CookieHash, Family, Link, LinkKey, Session, SessionId},
};

/// Sessions in memory. moka drops each record some time after its `keep_until`; whether a session is gone is never moka's decision.
///
/// Sessions in which somebody is logged in are never thrown out for lack of room. The others are bounded in number: the longest unused make room.
pub struct MemoryStore {
    /// Owns the sessions. What leads to one goes when it is dropped from here.
    sessions: Cache<SessionId, Arc<Cell>>,
    ways: Arc<Ways>,
    families: Families,
    /// One-time ids, until when they are remembered.
    used: Cache<String, Timestamp>,
    clock: Arc<dyn Clock>,
    /// One changes at a time what leads where; readers do not wait for it. No cell's lock is held when this one is taken, or when `sessions` is used.
    turn: Mutex<()>,
}

impl MemoryStore {
    /// How many sessions without a user there may be, unless told otherwise: about 200 MB of them.
    pub const MAX_ANONYMOUS: usize = 100_000;

    /// An empty store. The clock tells when records may go.
    pub fn new(clock: impl Clock) -> Self {
        Self::bounded(clock, Self::MAX_ANONYMOUS)
    }

    /// The same with room for so many sessions without a user, at least one.
    pub fn bounded(clock: impl Clock, max_anonymous: usize) -> Self {
        let (clock, ways): (Arc<dyn Clock>, _) = (Arc::new(clock), Arc::new(Ways::new(max_anonymous)));
        let lost = ways.clone();
        let sessions = Cache::builder()
            .expire_after(KeepUntil(clock.clone()))
            .eviction_listener(move |_: Arc<SessionId>, cell: Arc<Cell>, cause| {
                // The same cell is put again when its time changes: that is no loss.
                if cause != RemovalCause::Replaced {
                    lost.let_go(&cell);
                }
            })
            .build();
        let used = Cache::builder().expire_after(KeepUntil(clock.clone())).build();
        Self { sessions, ways, families: Families::new(clock.clone()), used, clock, turn: Mutex::default() }
    }

    /// Has moka ask anew how long to keep the cell, unless it was dropped meanwhile.
    fn keep(&self, id: &SessionId, cell: &Arc<Cell>) {
        self.sessions.entry_by_ref(id).and_compute_with(|entry| match entry {
            Some(entry) if Arc::ptr_eq(entry.value(), cell) => Op::Put(cell.clone()),
            _ => Op::Nop,
        });
    }

    /// Has the longest unused sessions without a user go, until they are few enough.
    fn make_room(&self) {
        while let Some(cell) = self.ways.anonymous.surplus() {
            // Nobody logs in to it meanwhile: that would take a turn.
            self.ways.let_go(&cell);
            let id = cell.0.read().session.id.clone();
            self.sessions.invalidate(&id);
        }
    }

    /// Puts a new session, with its first link. For who has the turn.
    fn put(&self, session: Session, link: Option<(LinkKey, Link)>) -> Result<Arc<Session>, StoreError> {
        let (id, cookie) = (session.id.clone(), session.cookie);
        if self.sessions.contains_key(&id) || self.is_taken(&cookie, None) {
            return Err(StoreError::Conflict);
        }
        let session = Arc::new(session);
        let cell = Cell::new(session.clone());
        self.ways.cookies.insert(cookie, cell.clone());
        self.sessions.insert(id.clone(), cell.clone());
        {
            let mut state = cell.0.write();
            // Unless its time was over before it came.
            if state.phase == Phase::Coming {
                if let Some((key, link)) = link {
                    self.ways.links.insert(key.clone(), Linked::new(link, cell.clone()));
                    state.links.push(key);
                }
                state.phase = Phase::There;
                self.ways.users.add(username(&session), &id);
                self.ways.end_moved(Timestamp::NEVER, session.ends, &id);
                self.ways.renew(&cell, &mut state);
            }
        }
        self.make_room();
        Ok(session)
    }

    /// Whether the token has a link.
    fn has_link(&self, key: &LinkKey) -> bool {
        self.ways.links.get(key).is_some_and(|linked| Self::look_at(&linked).is_some())
    }

    /// Whether the cookie leads to another cell than this one.
    fn is_taken(&self, cookie: &CookieHash, but: Option<&Arc<Cell>>) -> bool {
        let owner = self.ways.cookies.get(cookie).filter(|owner| but.is_none_or(|but| !Arc::ptr_eq(owner, but)));
        owner.is_some_and(|owner| owner.session().is_some())
    }

    /// The link and its session, at one instant; `None` if the link was cut while it was looked at.
    fn look_at(linked: &Linked) -> Option<Resolved> {
        let state = linked.cell.0.read();
        let resolved =
            || Resolved { link: linked.link.clone(), session: state.session.clone(), called: linked.called() };
        (!linked.is_dead(&state)).then(resolved)
    }

    /// Cuts a link; whether it was there.
    fn cut(&self, key: &LinkKey, linked: &Linked) -> bool {
        let mut state = linked.cell.0.write();
        state.links.retain(|other| other != key);
        self.ways.cut(&linked.cell, key)
    }

    /// Cuts all links whose keys are meant, whosever they are.
    fn cut_all(&self, is_meant: impl Fn(&LinkKey) -> bool) -> u64 {
        let _turn = self.turn.lock();
        let links: Vec<_> = self.ways.links.iter().filter(|(key, _)| is_meant(key)).collect();
        links.iter().filter(|(key, linked)| self.cut(key, linked)).count() as u64
    }

    /// Which links of this session make room for a new one; `None`: none may.
    fn room(&self, cell: &Arc<Cell>, state: &State, key: &LinkKey, new: &Link) -> Option<Vec<LinkKey>> {
        let others = state.links.iter().filter(|other| other.broker == key.broker && *other != key);
        let others = others.filter_map(|key| {
            // It may lead to another session since.
            let linked = self.ways.links.get(key).filter(|linked| Arc::ptr_eq(&linked.cell, cell))?;
            Some(Other { key: key.clone(), made: linked.link.at, called: linked.called() })
        });
        room::made_for(new, others.collect())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        let _turn = self.turn.lock();
        self.put(session, None)
    }

    async fn insert_linked(&self, session: Session, key: LinkKey, link: Link) -> Result<LinkOutcome, StoreError> {
        let _turn = self.turn.lock();
        if self.has_link(&key) {
            return Ok(LinkOutcome::Taken);
        }
        self.put(session, Some((key, link)))?;
        Ok(LinkOutcome::Linked)
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        Ok(self.sessions.get(id).and_then(|cell| cell.session()))
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        let session = self.ways.cookies.get(cookie).and_then(|cell| cell.session());
        // It may have lost the cookie since the map was asked.
        Ok(session.filter(|session| session.cookies().any(|known| known == *cookie)))
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        let Some(linked) = self.ways.links.get(key) else { return Ok(None) };
        if let Some(resolved) = Self::look_at(&linked) {
            return Ok(Some(resolved));
        }
        // It was cut, or is on its way to another session.
        let _turn = self.turn.lock();
        Ok(self.ways.links.get(key).and_then(|linked| Self::look_at(&linked)))
    }

    async fn update(&self, mut session: Session) -> Result<Arc<Session>, StoreError> {
        let _turn = self.turn.lock();
        let cell = self.sessions.get(&session.id).ok_or(StoreError::NotFound)?;
        let updated = {
            let mut state = cell.0.write();
            let current = state.session.clone();
            if state.phase != Phase::There {
                return Err(StoreError::NotFound);
            }
            if current.version != session.version || self.is_taken(&session.cookie, Some(&cell)) {
                return Err(StoreError::Conflict);
            }
            self.ways.cookies.insert(session.cookie, cell.clone());
            for lost in current.cookies().filter(|known| session.cookies().all(|kept| kept != *known)) {
                self.ways.cookies.invalidate(&lost);
            }
            session.version += 1;
            session.last_seen = last_use(current.last_seen, session.last_seen, self.clock.now());
            // Another login, or none, has times of its own.
            if session.epoch == current.epoch {
                session.keep_until = session.keep_until.max(current.keep_until);
                if current.last_seen == session.last_seen {
                    session.ends = session.ends.max(current.ends);
                }
            }
            self.ways.end_moved(current.ends, session.ends, &session.id);
            self.ways.users.moved(username(&current), username(&session), &session.id);
            state.session = Arc::new(session);
            self.ways.renew(&cell, &mut state);
            state.session.clone()
        };
        self.keep(&updated.id, &cell);
        self.make_room();
        Ok(updated)
    }

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        let cell = self.sessions.get(&used.id).ok_or(StoreError::NotFound)?;
        {
            let mut state = cell.0.write();
            if state.phase != Phase::There {
                return Err(StoreError::NotFound);
            }
            if state.session.epoch != used.epoch {
                return Err(StoreError::Conflict);
            }
            let session = Arc::make_mut(&mut state.session);
            session.last_seen = session.last_seen.max(used.last_seen);
            session.keep_until = session.keep_until.max(used.keep_until);
            let ends = session.ends.max(used.ends);
            self.ways.end_moved(session.ends, ends, &used.id);
            session.ends = ends;
            self.ways.renew(&cell, &mut state);
        }
        self.keep(&used.id, &cell);
        Ok(())
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<LinkOutcome, StoreError> {
        let _turn = self.turn.lock();
        let cell = self.sessions.get(&link.session).ok_or(StoreError::NotFound)?;
        let session = cell.session().ok_or(StoreError::NotFound)?;
        if session.epoch != link.epoch {
            return Err(StoreError::Conflict);
        }
        if self.has_link(&key) {
            return Ok(LinkOutcome::Taken);
        }
        let going = self.room(&cell, &cell.0.read(), &key, &link);
        let Some(going) = going else { return Ok(LinkOutcome::NoRoom) };
        let mut state = cell.0.write();
        // Its time may have come since.
        if state.phase != Phase::There {
            return Err(StoreError::NotFound);
        }
        self.ways.links.insert(key.clone(), Linked::new(link, cell.clone()));
        for other in &going {
            self.ways.cut(&cell, other);
        }
        state.links.retain(|other| !going.contains(other));
        state.links.push(key);
        Ok(LinkOutcome::Linked)
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        let due: Vec<_> =
            self.ways.ends.lock().iter().take_while(|(ends, _)| *ends <= by).take(most).cloned().collect();
        Ok(due.iter().filter_map(|(_, id)| self.sessions.get(id)?.session()).collect())
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        let linked = self.ways.links.get(key).ok_or(StoreError::NotFound)?;
        let state = linked.cell.0.read();
        if linked.is_dead(&state) {
            return Err(StoreError::NotFound);
        }
        linked.note_call(at);
        Ok(())
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        Ok(match which {
            Unlink::One(key) => {
                let _turn = self.turn.lock();
                u64::from(self.ways.links.get(key).is_some_and(|linked| self.cut(key, &linked)))
            }
            Unlink::Broker(broker) => self.cut_all(|key| key.broker == *broker),
            Unlink::All => self.cut_all(|_| true),
        })
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        let Some(cell) = self.sessions.get(id) else { return Ok(Vec::new()) };
        let state = cell.0.read();
        let leads_here = |key: &LinkKey| {
            let linked = self.ways.links.get(key).filter(|linked| Arc::ptr_eq(&linked.cell, &cell))?;
            (!linked.is_dead(&state)).then(|| (key.clone(), linked.link.clone()))
        };
        Ok(state.links.iter().filter_map(leads_here).collect())
    }

    async fn of_user(&self, name: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        let cells = self.ways.users.of(name).into_iter().filter_map(|id| self.sessions.get(&id));
        let sessions = cells.filter_map(|cell| cell.session());
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

    /// Here nothing is sealed.
    async fn remove_unreadable(&self, _username: &str) -> Result<Removed, StoreError> {
        Ok(Removed::default())
    }

    async fn remove_all(&self) -> Result<Removed, StoreError> {
        let families = self.families.remove_all();
        let cells: Vec<_> = self.sessions.iter().collect();
        let mut sessions = 0;
        for batch in cells.chunks(BATCH) {
            for (id, cell) in batch {
                let _turn = self.turn.lock();
                // Cookies and links go with it.
                self.ways.let_go(cell);
                sessions += u64::from(self.sessions.remove(&**id).is_some());
            }
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
        self.0.read().session.keep_until
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
