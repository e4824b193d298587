//! The store in this process's memory: fast, and gone with the process.
//!
//! One lock guards all of it, so that what leads where is true at every instant. It is held for some look-ups at a
//! time, and never while anything is waited for.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::RwLock;

use super::{
    LinkOutcome, Removed, Resolved, Store, StoreError, Unlink, last_use,
    room::{self, Other},
};
use crate::{
    clock::{Clock, Timestamp},
    session::{CookieHash, Family, Link, LinkKey, Session, SessionId},
};

/// Sessions in memory. What is over by its `keep_until` goes with one of the next writes.
///
/// Sessions in which somebody is logged in are never thrown out for lack of room. The others are bounded in number: the
/// longest unused make room.
pub struct MemoryStore {
    state: RwLock<State>,
    max_anonymous: usize,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<SessionId, Place>,
    /// To which session each cookie leads.
    cookies: HashMap<CookieHash, SessionId>,
    links: HashMap<LinkKey, Linked>,
    /// The sessions by who is logged in.
    users: BTreeSet<(String, SessionId)>,
    /// Those in which somebody is, by when that ends.
    ends: BTreeSet<(Timestamp, SessionId)>,
    /// Those that may make room, in the order of their last use.
    anonymous: BTreeMap<u64, SessionId>,
    next_use: u64,
    families: HashMap<String, Arc<Family>>,
    /// The families by whom they remember.
    remembered: BTreeSet<(String, String)>,
    used_ids: HashSet<String>,
    /// When all of these may go.
    expiry: BTreeSet<(Timestamp, Kept)>,
}

/// A session, and what leads to it besides its cookies.
struct Place {
    session: Arc<Session>,
    links: Vec<LinkKey>,
    /// Where it is among the anonymous ones, if it is one.
    used: Option<u64>,
}

struct Linked {
    link: Link,
    called: Option<Timestamp>,
}

/// What goes when its time is over.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    Session(SessionId),
    Family(String),
    UsedId(String),
}

/// How many records that are over a write removes: it keeps nobody waiting, and there are never as many writes as
/// records.
const AT_ONCE: usize = 100;

/// How many sessions are removed before others get their turn.
const BATCH: usize = 500;

impl MemoryStore {
    /// How many sessions without a user there may be, unless told otherwise: about 100 MB of them.
    pub const MAX_ANONYMOUS: usize = 100_000;

    /// An empty store. The clock tells when records may go.
    pub fn new(clock: impl Clock) -> Self {
        Self::bounded(clock, Self::MAX_ANONYMOUS)
    }

    /// The same with room for so many sessions without a user, at least one.
    pub fn bounded(clock: impl Clock, max_anonymous: usize) -> Self {
        Self { state: RwLock::default(), max_anonymous: max_anonymous.max(1), clock: Arc::new(clock) }
    }

    /// Changes the state, and lets go what is over or too much.
    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.write();
        let answer = change(&mut state);
        state.let_go(self.clock.now(), self.max_anonymous);
        answer
    }
}

impl State {
    fn session(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.sessions.get(id).map(|place| place.session.clone())
    }

    /// Whether the cookie leads to another session than this one.
    fn is_taken(&self, cookie: &CookieHash, but: &SessionId) -> bool {
        self.cookies.get(cookie).is_some_and(|owner| owner != but)
    }

    /// Puts a session in its place, with all by which it is found.
    fn file(&mut self, session: Arc<Session>, links: Vec<LinkKey>) {
        let id = &session.id;
        for cookie in session.cookies() {
            self.cookies.entry(cookie).or_insert_with(|| id.clone());
        }
        if let Some(user) = session.user() {
            self.users.insert((user.username.clone(), id.clone()));
        }
        self.file_times(&session);
        // Nobody is logged in, and no later logout has to find a remembered browser.
        let used = (session.login.is_none() && session.family().is_none()).then(|| {
            self.next_use += 1;
            self.anonymous.insert(self.next_use, id.clone());
            self.next_use
        });
        self.sessions.insert(session.id.clone(), Place { session, links, used });
    }

    fn file_times(&mut self, session: &Session) {
        if session.ends != Timestamp::NEVER {
            self.ends.insert((session.ends, session.id.clone()));
        }
        if session.keep_until != Timestamp::NEVER {
            self.expiry.insert((session.keep_until, Kept::Session(session.id.clone())));
        }
    }

    fn unfile_times(&mut self, session: &Session) {
        self.ends.remove(&(session.ends, session.id.clone()));
        self.expiry.remove(&(session.keep_until, Kept::Session(session.id.clone())));
    }

    /// Takes a session from its place. Its links lead to it still.
    fn unfile(&mut self, id: &SessionId) -> Option<Place> {
        let place = self.sessions.remove(id)?;
        let session = &place.session;
        for cookie in session.cookies() {
            if self.cookies.get(&cookie) == Some(id) {
                self.cookies.remove(&cookie);
            }
        }
        if let Some(user) = session.user() {
            self.users.remove(&(user.username.clone(), id.clone()));
        }
        if let Some(used) = place.used {
            self.anonymous.remove(&used);
        }
        self.unfile_times(session);
        Some(place)
    }

    /// Removes a session with all that leads to it; whether it was there.
    fn remove(&mut self, id: &SessionId) -> bool {
        let Some(place) = self.unfile(id) else { return false };
        for key in &place.links {
            self.links.remove(key);
        }
        true
    }

    /// Links a token, whose session is there.
    fn put_link(&mut self, key: LinkKey, link: Link) {
        if let Some(place) = self.sessions.get_mut(&link.session) {
            place.links.push(key.clone());
        }
        self.links.insert(key, Linked { link, called: None });
    }

    /// Cuts a link; whether it was there.
    fn cut(&mut self, key: &LinkKey) -> bool {
        let Some(linked) = self.links.remove(key) else { return false };
        if let Some(place) = self.sessions.get_mut(&linked.link.session) {
            place.links.retain(|other| other != key);
        }
        true
    }

    /// Cuts those links that are meant.
    fn cut_all(&mut self, is_meant: impl Fn(&LinkKey) -> bool) -> u64 {
        let keys: Vec<_> = self.links.keys().filter(|key| is_meant(key)).cloned().collect();
        keys.iter().filter(|key| self.cut(key)).count() as u64
    }

    /// Which links of a session make room for a new one; `None`: none may.
    fn room(&self, place: &Place, key: &LinkKey, new: &Link) -> Option<Vec<LinkKey>> {
        let others = place.links.iter().filter(|other| other.broker == key.broker);
        let others = others.filter_map(|key| {
            let Linked { link, called } = self.links.get(key)?;
            Some(Other { key: key.clone(), made: link.at, called: *called })
        });
        room::made_for(new, others.collect())
    }

    fn put_family(&mut self, family: Arc<Family>) {
        self.remembered.insert((family.username.clone(), family.id.clone()));
        self.expiry.insert((family.expires, Kept::Family(family.id.clone())));
        self.families.insert(family.id.clone(), family);
    }

    /// Removes a family; whether it was there.
    fn remove_family(&mut self, id: &str) -> bool {
        let Some(family) = self.families.remove(id) else { return false };
        self.remembered.remove(&(family.username.clone(), id.to_owned()));
        self.expiry.remove(&(family.expires, Kept::Family(id.to_owned())));
        true
    }

    fn let_go(&mut self, now: Timestamp, max_anonymous: usize) {
        for _ in 0..AT_ONCE {
            if self.expiry.first().is_none_or(|(at, _)| *at > now) {
                break;
            }
            match self.expiry.pop_first() {
                Some((_, Kept::Session(id))) => self.remove(&id),
                Some((_, Kept::Family(id))) => self.remove_family(&id),
                Some((_, Kept::UsedId(id))) => self.used_ids.remove(&id),
                None => break,
            };
        }
        while self.anonymous.len() > max_anonymous
            && let Some((_, id)) = self.anonymous.pop_first()
        {
            self.remove(&id);
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        self.write(|state| {
            if state.sessions.contains_key(&session.id) || state.is_taken(&session.cookie, &session.id) {
                return Err(StoreError::Conflict);
            }
            let session = Arc::new(session);
            state.file(session.clone(), Vec::new());
            Ok(session)
        })
    }

    async fn insert_linked(&self, session: Session, key: LinkKey, link: Link) -> Result<LinkOutcome, StoreError> {
        self.write(|state| {
            if state.sessions.contains_key(&session.id) || state.is_taken(&session.cookie, &session.id) {
                return Err(StoreError::Conflict);
            }
            if state.links.contains_key(&key) {
                return Ok(LinkOutcome::Taken);
            }
            state.file(Arc::new(session), Vec::new());
            state.put_link(key, link);
            Ok(LinkOutcome::Linked)
        })
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        Ok(self.state.read().session(id))
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        let state = self.state.read();
        Ok(state.cookies.get(cookie).and_then(|id| state.session(id)))
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        let state = self.state.read();
        let Some(Linked { link, called }) = state.links.get(key) else { return Ok(None) };
        let session = state.session(&link.session);
        Ok(session.map(|session| Resolved { link: link.clone(), session, called: *called }))
    }

    async fn update(&self, mut session: Session) -> Result<Arc<Session>, StoreError> {
        let now = self.clock.now();
        self.write(|state| {
            let current = state.session(&session.id).ok_or(StoreError::NotFound)?;
            if current.version != session.version || state.is_taken(&session.cookie, &session.id) {
                return Err(StoreError::Conflict);
            }
            session.version += 1;
            session.last_seen = last_use(current.last_seen, session.last_seen, now);
            // Another login, or none, has times of its own.
            if session.epoch == current.epoch {
                session.keep_until = session.keep_until.max(current.keep_until);
                if current.last_seen == session.last_seen {
                    session.ends = session.ends.max(current.ends);
                }
            }
            let session = Arc::new(session);
            let links = state.unfile(&session.id).map(|place| place.links).unwrap_or_default();
            state.file(session.clone(), links);
            Ok(session)
        })
    }

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        self.write(|state| {
            let current = state.session(&used.id).ok_or(StoreError::NotFound)?;
            if current.epoch != used.epoch {
                return Err(StoreError::Conflict);
            }
            let links = state.unfile(&used.id).map(|place| place.links).unwrap_or_default();
            let mut session = Arc::unwrap_or_clone(current);
            session.last_seen = session.last_seen.max(used.last_seen);
            session.ends = session.ends.max(used.ends);
            session.keep_until = session.keep_until.max(used.keep_until);
            state.file(Arc::new(session), links);
            Ok(())
        })
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        let state = self.state.read();
        let due = state.ends.iter().take_while(|(ends, _)| *ends <= by).take(most);
        Ok(due.filter_map(|(_, id)| state.session(id)).collect())
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<LinkOutcome, StoreError> {
        self.write(|state| {
            let place = state.sessions.get(&link.session).ok_or(StoreError::NotFound)?;
            if place.session.epoch != link.epoch {
                return Err(StoreError::Conflict);
            }
            if state.links.contains_key(&key) {
                return Ok(LinkOutcome::Taken);
            }
            let Some(going) = state.room(place, &key, &link) else { return Ok(LinkOutcome::NoRoom) };
            for other in &going {
                state.cut(other);
            }
            state.put_link(key, link);
            Ok(LinkOutcome::Linked)
        })
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        self.write(|state| {
            let linked = state.links.get_mut(key).ok_or(StoreError::NotFound)?;
            linked.called = linked.called.max(Some(at));
            Ok(())
        })
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        Ok(self.write(|state| match which {
            Unlink::One(key) => u64::from(state.cut(key)),
            Unlink::Broker(broker) => state.cut_all(|key| key.broker == *broker),
            Unlink::All => state.cut_all(|_| true),
        }))
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        let state = self.state.read();
        let keys = state.sessions.get(id).map(|place| place.links.as_slice()).unwrap_or_default();
        Ok(keys.iter().filter_map(|key| Some((key.clone(), state.links.get(key)?.link.clone()))).collect())
    }

    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        let state = self.state.read();
        let theirs = state.users.range((username.to_owned(), SessionId::from(String::new()))..);
        let theirs = theirs.take_while(|(name, _)| name == username);
        Ok(theirs.filter_map(|(_, id)| state.session(id)).collect())
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        Ok(self.write(|state| {
            let is_first = state.used_ids.insert(id.to_owned());
            if is_first {
                state.expiry.insert((until, Kept::UsedId(id.to_owned())));
            }
            is_first
        }))
    }

    async fn insert_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        self.write(|state| {
            if state.families.contains_key(&family.id) {
                return Err(StoreError::Conflict);
            }
            let family = Arc::new(family);
            state.put_family(family.clone());
            Ok(family)
        })
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        Ok(self.state.read().families.get(id).cloned())
    }

    async fn update_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        self.write(|state| {
            let current = state.families.get(&family.id).ok_or(StoreError::NotFound)?;
            if current.version != family.version {
                return Err(StoreError::Conflict);
            }
            let next = Arc::new(Family { version: family.version + 1, ..family });
            state.remove_family(&next.id);
            state.put_family(next.clone());
            Ok(next)
        })
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.write(|state| state.remove_family(id)))
    }

    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError> {
        let state = self.state.read();
        let theirs = state.remembered.range((username.to_owned(), String::new())..);
        let theirs = theirs.take_while(|(name, _)| name == username);
        Ok(theirs.filter_map(|(_, id)| state.families.get(id).cloned()).collect())
    }

    /// Here nothing is sealed.
    async fn remove_unreadable(&self, _username: &str) -> Result<Removed, StoreError> {
        Ok(Removed::default())
    }

    async fn remove_all(&self) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        let families: Vec<_> = self.state.read().families.keys().cloned().collect();
        for batch in families.chunks(BATCH) {
            removed.families += self.write(|state| batch.iter().filter(|id| state.remove_family(id)).count() as u64);
            tokio::task::yield_now().await;
        }
        let sessions: Vec<_> = self.state.read().sessions.keys().cloned().collect();
        for batch in sessions.chunks(BATCH) {
            removed.sessions += self.write(|state| batch.iter().filter(|id| state.remove(id)).count() as u64);
            tokio::task::yield_now().await;
        }
        Ok(removed)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sessions", &self.state.read().sessions.len()).finish_non_exhaustive()
    }
}
