//! The store in this process's memory: fast, and gone with the process.
//!
//! Records have numbers, and one index has all that leads to them, in order. One lock guards both, so that they agree
//! at every instant. It is held for some look-ups at a time, and never while anything is waited for.

use std::{
    collections::BTreeSet,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::{RwLock, RwLockWriteGuard};
use slab::Slab;

use super::{OtherLink, Removed, Resolved, Store, StoreError, Unlink, note_touch, room_for, updated};
use crate::{
    session::{CookieHash, Family, Link, LinkKey, Session, SessionId},
    util::clock::{Clock, Timestamp},
};

/// Sessions in memory. What is over by its `keep_until` goes with one of the next writes.
///
/// Sessions in which somebody is logged in are never thrown out for lack of room. The others are bounded in number: the
/// longest unused make room.
pub struct MemoryStore {
    state: RwLock<Tables>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Tables {
    records: Slab<Record>,
    /// Names are here as hashes: their texts are kept once, in the records.
    index: BTreeSet<(By, i64, u32)>,
    /// Its hashes cannot be foreseen, for strangers choose names.
    hasher: RandomState,
    /// How many records are in the index by their last use, and how many may be.
    anonymous: usize,
    max_anonymous: usize,
    /// Counts the writes. The uses of sessions are in order by it, for a clock may be set back.
    writes: i64,
}

enum Record {
    Session(Place),
    Family(Arc<Family>),
    UsedId(String, Timestamp),
}

struct Place {
    session: Arc<Session>,
    links: Vec<StoredLink>,
    /// The number of the write that used it last.
    used: i64,
}

struct StoredLink {
    key: LinkKey,
    link: Link,
    called: Option<Timestamp>,
}

/// What one record is found by, or all of a user.
#[derive(PartialEq, Hash)]
enum Name<'a> {
    Session(&'a SessionId),
    Cookie(CookieHash),
    Link(&'a LinkKey),
    Family(&'a str),
    UsedId(&'a str),
    User(&'a str),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Name,
    LoginEnd,
    /// Of sessions that may make room.
    LastUse,
    KeepUntil,
}

impl Record {
    fn place(&self) -> Option<&Place> {
        if let Self::Session(place) = self { Some(place) } else { None }
    }

    fn family(&self) -> Option<&Arc<Family>> {
        if let Self::Family(family) = self { Some(family) } else { None }
    }

    fn names(&self) -> Vec<Name<'_>> {
        match self {
            Self::Session(Place { session, links, .. }) => {
                let user = session.user().map(|user| Name::User(&user.username));
                let links = links.iter().map(|linked| Name::Link(&linked.key));
                let names = session.cookies().map(Name::Cookie).chain(user).chain(links);
                names.chain([Name::Session(&session.id)]).collect()
            }
            Self::Family(family) => vec![Name::Family(&family.id), Name::User(&family.username)],
            Self::UsedId(id, _) => vec![Name::UsedId(id)],
        }
    }

    /// Its entries in the index.
    fn entries(&self, hasher: &RandomState) -> Vec<(By, i64)> {
        let names = self.names();
        let mut entries: Vec<_> = names.iter().map(|name| (By::Name, hasher.hash_one(name).cast_signed())).collect();
        match self {
            Self::Session(Place { session, used, .. }) => {
                entries.push((By::KeepUntil, session.keep_until.as_millis()));
                if session.ends != Timestamp::NEVER {
                    entries.push((By::LoginEnd, session.ends.as_millis()));
                }
                // A later logout has to find a remembered browser by its session.
                if session.login.is_none() && session.family().is_none() {
                    entries.push((By::LastUse, *used));
                }
            }
            Self::Family(family) => entries.push((By::KeepUntil, family.expires.as_millis())),
            Self::UsedId(_, until) => entries.push((By::KeepUntil, until.as_millis())),
        }
        entries
    }
}

impl Tables {
    fn range(&self, by: By, from: i64, to: i64) -> impl Iterator<Item = (usize, &Record)> {
        let numbers = self.index.range((by, from, 0)..=(by, to, u32::MAX)).map(|(_, _, number)| *number as usize);
        numbers.filter_map(|number| Some((number, self.records.get(number)?)))
    }

    fn all(&self, name: &Name<'_>) -> impl Iterator<Item = (usize, &Record)> {
        let hash = self.hasher.hash_one(name).cast_signed();
        self.range(By::Name, hash, hash).filter(move |(_, record)| record.names().contains(name))
    }

    /// The number of the record. It is a conflict if there is none.
    fn number(&self, name: &Name<'_>) -> Result<usize, StoreError> {
        self.all(name).next().map(|(number, _)| number).ok_or(StoreError::Conflict)
    }

    fn places(&self, name: &Name<'_>) -> impl Iterator<Item = &Place> {
        self.all(name).filter_map(|(_, record)| record.place())
    }

    fn sessions(&self, name: &Name<'_>) -> impl Iterator<Item = Arc<Session>> {
        self.places(name).map(|place| place.session.clone())
    }

    fn families(&self, name: &Name<'_>) -> impl Iterator<Item = Arc<Family>> {
        self.all(name).filter_map(|(_, record)| record.family()).cloned()
    }

    /// Adds a record. It is a conflict if one of its names is another's.
    fn insert(&mut self, record: Record) -> Result<(), StoreError> {
        if record.names().iter().any(|name| !matches!(name, Name::User(_)) && self.number(name).is_ok()) {
            return Err(StoreError::Conflict);
        }
        let number = self.records.insert(record);
        self.reindex(number, &[]);
        Ok(())
    }

    /// Changes a session or its links.
    fn change<T>(
        &mut self,
        number: usize,
        change: impl FnOnce(&mut Place) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let before = self.entries(number);
        let Some(Record::Session(place)) = self.records.get_mut(number) else { return Err(StoreError::Conflict) };
        let answer = change(place);
        self.reindex(number, &before);
        answer
    }

    /// Removes a record; whether it was there.
    fn remove(&mut self, number: usize) -> bool {
        let before = self.entries(number);
        let was_there = self.records.try_remove(number).is_some();
        self.reindex(number, &before);
        was_there
    }

    /// Removes the first of these; whether there was one.
    fn remove_first(&mut self, by: By, to: i64) -> bool {
        let first = self.range(by, i64::MIN, to).next().map(|(number, _)| number);
        first.is_some_and(|number| self.remove(number))
    }

    fn entries(&self, number: usize) -> Vec<(By, i64)> {
        self.records.get(number).map(|record| record.entries(&self.hasher)).unwrap_or_default()
    }

    /// Has the index follow a record, of which it has the entries of before, and sessions make room.
    fn reindex(&mut self, number: usize, before: &[(By, i64)]) {
        let after = self.entries(number);
        for (by, value) in before.iter().filter(|entry| !after.contains(entry)) {
            self.index.remove(&(*by, *value, number as u32));
            self.anonymous -= usize::from(*by == By::LastUse);
        }
        for (by, value) in after.iter().filter(|entry| !before.contains(entry)) {
            self.index.insert((*by, *value, number as u32));
            self.anonymous += usize::from(*by == By::LastUse);
        }
        while self.anonymous > self.max_anonymous && self.remove_first(By::LastUse, i64::MAX) {}
    }
}

impl MemoryStore {
    /// How many sessions without a user there may be, unless told otherwise: about 100 MB of them.
    pub const MAX_ANONYMOUS: usize = 100_000;

    /// An empty store. The clock tells when records may go.
    pub fn new(clock: impl Clock) -> Self {
        Self::bounded(clock, Self::MAX_ANONYMOUS)
    }

    /// The same with room for so many sessions without a user, at least one.
    pub fn bounded(clock: impl Clock, max_anonymous: usize) -> Self {
        let state = Tables { max_anonymous: max_anonymous.max(1), ..Tables::default() };
        Self { state: RwLock::new(state), clock: Arc::new(clock) }
    }

    /// Locks the state for a change. What is over goes first, some at a time so that nobody waits long.
    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        let (now, mut state) = (self.clock.now().as_millis(), self.state.write());
        state.writes += 1;
        let _over = (0..100).take_while(|_| state.remove_first(By::KeepUntil, now)).count();
        state
    }

    /// Does it for every record, between which others get their turn; the sum.
    async fn each(&self, change: impl Fn(&mut Tables, usize) -> u64 + Send + Sync) -> u64 {
        let numbers: Vec<_> = self.state.read().records.iter().map(|(number, _)| number).collect();
        let mut sum = 0;
        for number in numbers {
            sum += change(&mut self.write(), number);
            tokio::task::consume_budget().await;
        }
        sum
    }

    async fn remove_each(&self, is_meant: fn(&Record) -> bool) -> u64 {
        let is_there = |state: &Tables, number| state.records.get(number).is_some_and(is_meant);
        self.each(|state, number| (is_there(state, number) && state.remove(number)).into()).await
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert(&self, session: Session, first: Option<(LinkKey, Link)>) -> Result<Arc<Session>, StoreError> {
        let session = Arc::new(session);
        let links: Vec<_> = first.into_iter().map(|(key, link)| StoredLink { key, link, called: None }).collect();
        let state = &mut *self.write();
        if links.iter().any(|linked| state.number(&Name::Link(&linked.key)).is_ok()) {
            return Err(StoreError::Taken);
        }
        state.insert(Record::Session(Place { session: session.clone(), links, used: state.writes }))?;
        Ok(session)
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        Ok(self.state.read().sessions(&Name::Session(id)).next())
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        Ok(self.state.read().sessions(&Name::Cookie(*cookie)).next())
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        let (state, name) = (self.state.read(), Name::Link(key));
        let found = state.places(&name).find_map(|place| {
            let linked = place.links.iter().find(|linked| linked.key == *key)?;
            Some(Resolved { link: linked.link.clone(), session: place.session.clone(), called: linked.called })
        });
        Ok(found)
    }

    async fn update(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        let (now, state) = (self.clock.now(), &mut *self.write());
        let number = state.number(&Name::Session(&session.id))?;
        let is_taken = state.number(&Name::Cookie(session.cookie)).is_ok_and(|owner| owner != number);
        let used = state.writes;
        state.change(number, |place| {
            if place.session.version != session.version || is_taken {
                return Err(StoreError::Conflict);
            }
            (place.session, place.used) = (Arc::new(updated(&place.session, session, now)), used);
            Ok(place.session.clone())
        })
    }

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        let state = &mut *self.write();
        let write = state.writes;
        state.change(state.number(&Name::Session(&used.id))?, |place| {
            if place.session.epoch != used.epoch {
                return Err(StoreError::Conflict);
            }
            note_touch(Arc::make_mut(&mut place.session), used);
            place.used = write;
            Ok(())
        })
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        let state = self.state.read();
        let due = state.range(By::LoginEnd, i64::MIN, by.as_millis()).take(most);
        Ok(due.filter_map(|(_, record)| record.place()).map(|place| place.session.clone()).collect())
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<(), StoreError> {
        let state = &mut *self.write();
        let is_taken = state.number(&Name::Link(&key)).is_ok();
        state.change(state.number(&Name::Session(&link.session))?, |place| {
            if place.session.epoch != link.epoch {
                return Err(StoreError::Conflict);
            }
            if is_taken {
                return Err(StoreError::Taken);
            }
            let other = |StoredLink { key, link, called }: &StoredLink| OtherLink {
                key: key.clone(),
                made: link.at,
                called: *called,
            };
            let others = place.links.iter().filter(|other| other.key.broker == key.broker).map(other);
            let going = room_for(&link, others.collect()).ok_or(StoreError::NoRoom)?;
            place.links.retain(|other| !going.contains(&other.key));
            place.links.reserve_exact(1);
            place.links.push(StoredLink { key, link, called: None });
            Ok(())
        })
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        let state = &mut *self.write();
        let record = state.number(&Name::Link(key)).ok().and_then(|number| state.records.get_mut(number));
        if let Some(Record::Session(place)) = record {
            for linked in place.links.iter_mut().filter(|linked| linked.key == *key) {
                linked.called = linked.called.max(Some(at));
            }
        }
        Ok(())
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        let is_meant = |linked: &mut StoredLink| match which {
            Unlink::One(key) => linked.key == *key,
            Unlink::Broker(id) => linked.key.broker == *id,
            Unlink::All => true,
        };
        let cut = |place: &mut Place| Ok(place.links.extract_if(.., is_meant).count() as u64);
        if let Unlink::One(key) = which {
            let state = &mut *self.write();
            return Ok(state.number(&Name::Link(key)).and_then(|number| state.change(number, cut)).unwrap_or_default());
        }
        Ok(self.each(|state, number| state.change(number, cut).unwrap_or_default()).await)
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        let (state, name) = (self.state.read(), Name::Session(id));
        let links = state.places(&name).flat_map(|place| &place.links);
        Ok(links.map(|linked| (linked.key.clone(), linked.link.clone())).collect())
    }

    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        Ok(self.state.read().sessions(&Name::User(username)).collect())
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        Ok(self.write().insert(Record::UsedId(id.to_owned(), until)).is_ok())
    }

    async fn put_family(&self, mut family: Family) -> Result<Arc<Family>, StoreError> {
        let state = &mut *self.write();
        let there = state.families(&Name::Family(&family.id)).next();
        if there.map_or(0, |there| there.version) != family.version {
            return Err(StoreError::Conflict);
        }
        if let Ok(number) = state.number(&Name::Family(&family.id)) {
            state.remove(number);
        }
        family.version += 1;
        let family = Arc::new(family);
        state.insert(Record::Family(family.clone())).map(|()| family)
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        Ok(self.state.read().families(&Name::Family(id)).next())
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        let state = &mut *self.write();
        Ok(state.number(&Name::Family(id)).is_ok_and(|number| state.remove(number)))
    }

    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError> {
        Ok(self.state.read().families(&Name::User(username)).collect())
    }

    async fn remove_all(&self) -> Result<Removed, StoreError> {
        let families = self.remove_each(|record| matches!(record, Record::Family(_))).await;
        let sessions = self.remove_each(|record| matches!(record, Record::Session(_))).await;
        Ok(Removed { sessions, families })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("records", &self.state.read().records.len()).finish_non_exhaustive()
    }
}
