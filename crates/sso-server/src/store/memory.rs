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
use parking_lot::RwLock;
use slab::Slab;

use super::{OtherLink, Removed, Resolved, Store, StoreError, Unlink, note_touch, room_for, updated};
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
    records: Slab<Record>,
    /// Names are here as hashes: their texts are kept once, in the records.
    index: BTreeSet<(By, i64, u32)>,
    /// How many records are in the index by their last use, and how many uses there were.
    anonymous: usize,
    uses: i64,
    /// Its hashes cannot be foreseen, for strangers choose names.
    hasher: RandomState,
}

enum Record {
    Session(Place),
    Family(Arc<Family>),
    UsedId(String, Timestamp),
}

struct Place {
    session: Arc<Session>,
    links: Vec<Linked>,
    used: i64,
}

struct Linked {
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

    fn links_mut(&mut self) -> Option<&mut Vec<Linked>> {
        if let Self::Session(place) = self { Some(&mut place.links) } else { None }
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
                std::iter::once(Name::Session(&session.id)).chain(names).collect()
            }
            Self::Family(family) => vec![Name::Family(&family.id), Name::User(&family.username)],
            Self::UsedId(id, _) => vec![Name::UsedId(id)],
        }
    }

    /// Where it is in the index.
    fn places(&self, hasher: &RandomState) -> Vec<(By, i64)> {
        let mut places: Vec<_> =
            self.names().iter().map(|name| (By::Name, hasher.hash_one(name).cast_signed())).collect();
        let keep_until = match self {
            Self::Session(Place { session, used, .. }) => {
                if session.ends != Timestamp::NEVER {
                    places.push((By::LoginEnd, session.ends.as_millis()));
                }
                // A later logout has to find a remembered browser by its session.
                if session.login.is_none() && session.family().is_none() {
                    places.push((By::LastUse, *used));
                }
                session.keep_until
            }
            Self::Family(family) => family.expires,
            Self::UsedId(_, until) => *until,
        };
        places.push((By::KeepUntil, keep_until.as_millis()));
        places
    }
}

impl State {
    fn range(&self, by: By, from: i64, to: i64) -> impl Iterator<Item = (u32, &Record)> {
        let numbers = self.index.range((by, from, 0)..=(by, to, u32::MAX)).map(|(_, _, number)| *number);
        numbers.filter_map(|number| Some((number, self.records.get(number as usize)?)))
    }

    fn all(&self, name: &Name<'_>) -> impl Iterator<Item = (u32, &Record)> {
        let hash = self.hasher.hash_one(name).cast_signed();
        self.range(By::Name, hash, hash).filter(move |(_, record)| record.names().contains(name))
    }

    fn find(&self, name: &Name<'_>) -> Option<u32> {
        self.all(name).next().map(|(number, _)| number)
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
        if record.names().iter().any(|name| !matches!(name, Name::User(_)) && self.find(name).is_some()) {
            return Err(StoreError::Conflict);
        }
        let places = record.places(&self.hasher);
        let number = self.records.insert(record) as u32;
        self.reindex(number, &[], &places);
        Ok(())
    }

    fn insert_session(&mut self, session: Arc<Session>, links: Vec<Linked>) -> Result<(), StoreError> {
        self.uses += 1;
        self.insert(Record::Session(Place { session, links, used: self.uses }))
    }

    /// Changes a session or its links. `change` is told the number of this use.
    fn change<T>(
        &mut self,
        session: Option<u32>,
        change: impl FnOnce(&mut Place, i64) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let number = session.ok_or(StoreError::Conflict)?;
        let record = self.records.get_mut(number as usize).ok_or(StoreError::Conflict)?;
        let before = record.places(&self.hasher);
        let Record::Session(place) = record else { return Err(StoreError::Conflict) };
        self.uses += 1;
        let answer = change(place, self.uses);
        let after = record.places(&self.hasher);
        self.reindex(number, &before, &after);
        answer
    }

    /// Cuts the links of a session that are meant; how many.
    fn cut(&mut self, session: Option<u32>, is_meant: impl Fn(&LinkKey) -> bool) -> u64 {
        let cut = |place: &mut Place, _| Ok(place.links.extract_if(.., |linked| is_meant(&linked.key)).count() as u64);
        self.change(session, cut).unwrap_or_default()
    }

    /// Removes a record; whether it was there.
    fn remove(&mut self, number: u32) -> bool {
        let Some(record) = self.records.try_remove(number as usize) else { return false };
        self.reindex(number, &record.places(&self.hasher), &[]);
        true
    }

    fn remove_first(&mut self, by: By, to: i64) -> bool {
        let first = self.range(by, i64::MIN, to).next().map(|(number, _)| number);
        first.is_some_and(|number| self.remove(number))
    }

    fn reindex(&mut self, number: u32, before: &[(By, i64)], after: &[(By, i64)]) {
        for (by, value) in before.iter().filter(|place| !after.contains(place)) {
            self.index.remove(&(*by, *value, number));
            self.anonymous -= usize::from(*by == By::LastUse);
        }
        for (by, value) in after.iter().filter(|place| !before.contains(place)) {
            self.index.insert((*by, *value, number));
            self.anonymous += usize::from(*by == By::LastUse);
        }
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
        Self { state: RwLock::default(), max_anonymous: max_anonymous.max(1), clock: Arc::new(clock) }
    }

    /// Changes the state, and lets go what is over, some at a time so that nobody waits long, or too much.
    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.write();
        let answer = change(&mut state);
        let now = self.clock.now().as_millis();
        let _over = (0..100).take_while(|_| state.remove_first(By::KeepUntil, now)).count();
        while state.anonymous > self.max_anonymous && state.remove_first(By::LastUse, i64::MAX) {}
        answer
    }

    /// Does it for every record, some at a time, between which others get their turn; the sum.
    async fn each(&self, change: impl Fn(&mut State, u32) -> u64 + Send + Sync) -> u64 {
        let numbers: Vec<_> = self.state.read().records.iter().map(|(number, _)| number as u32).collect();
        let mut sum = 0;
        for batch in numbers.chunks(500) {
            sum += self.write(|state| batch.iter().map(|number| change(state, *number)).sum::<u64>());
            tokio::task::yield_now().await;
        }
        sum
    }

    async fn remove_each(&self, is_meant: fn(&Record) -> bool) -> u64 {
        let is_there = |state: &State, number| state.records.get(number as usize).is_some_and(is_meant);
        self.each(|state, number| (is_there(state, number) && state.remove(number)).into()).await
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert(&self, session: Session, first: Option<(LinkKey, Link)>) -> Result<Arc<Session>, StoreError> {
        let session = Arc::new(session);
        let links: Vec<_> = first.into_iter().map(|(key, link)| Linked { key, link, called: None }).collect();
        self.write(|state| {
            if links.iter().any(|linked| state.find(&Name::Link(&linked.key)).is_some()) {
                return Err(StoreError::Taken);
            }
            state.insert_session(session.clone(), links)
        })?;
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
        let now = self.clock.now();
        self.write(|state| {
            let number = state.find(&Name::Session(&session.id));
            let is_taken = state.find(&Name::Cookie(session.cookie)).is_some_and(|owner| Some(owner) != number);
            state.change(number, |place, used| {
                let current = &place.session;
                if current.version != session.version || is_taken {
                    return Err(StoreError::Conflict);
                }
                (place.session, place.used) = (Arc::new(updated(current, session, now)), used);
                Ok(place.session.clone())
            })
        })
    }

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        self.write(|state| {
            state.change(state.find(&Name::Session(&used.id)), |place, number| {
                if place.session.epoch != used.epoch {
                    return Err(StoreError::Conflict);
                }
                note_touch(Arc::make_mut(&mut place.session), used);
                place.used = number;
                Ok(())
            })
        })
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        let state = self.state.read();
        let due = state.range(By::LoginEnd, i64::MIN, by.as_millis()).take(most);
        Ok(due.filter_map(|(_, record)| record.place()).map(|place| place.session.clone()).collect())
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<(), StoreError> {
        self.write(|state| {
            let (session, owner) = (state.find(&Name::Session(&link.session)), state.find(&Name::Link(&key)));
            state.change(session, |place, _| {
                if place.session.epoch != link.epoch {
                    return Err(StoreError::Conflict);
                }
                if owner.is_some() {
                    return Err(StoreError::Taken);
                }
                let others = place.links.iter().filter(|other| other.key.broker == key.broker);
                let others = others.map(|Linked { key, link, called }| OtherLink {
                    key: key.clone(),
                    made: link.at,
                    called: *called,
                });
                let going = room_for(&link, others.collect()).ok_or(StoreError::NoRoom)?;
                place.links.retain(|other| !going.contains(&other.key));
                place.links.reserve_exact(1);
                place.links.push(Linked { key, link, called: None });
                Ok(())
            })
        })
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        self.write(|state| {
            let found = state.find(&Name::Link(key)).and_then(|number| state.records.get_mut(number as usize));
            let links = found.and_then(Record::links_mut).into_iter().flatten();
            for linked in links.filter(|linked| linked.key == *key) {
                linked.called = linked.called.max(Some(at));
            }
        });
        Ok(())
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        Ok(match which {
            Unlink::One(key) => self.write(|state| state.cut(state.find(&Name::Link(key)), |other| other == key)),
            Unlink::Broker(id) => self.each(|state, number| state.cut(Some(number), |key| key.broker == *id)).await,
            Unlink::All => self.each(|state, number| state.cut(Some(number), |_| true)).await,
        })
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
        Ok(self.write(|state| state.insert(Record::UsedId(id.to_owned(), until))).is_ok())
    }

    async fn put_family(&self, mut family: Family) -> Result<Arc<Family>, StoreError> {
        self.write(|state| {
            let number = state.find(&Name::Family(&family.id));
            let there = state.families(&Name::Family(&family.id)).next();
            if there.map_or(0, |there| there.version) != family.version {
                return Err(StoreError::Conflict);
            }
            family.version += 1;
            let family = Arc::new(family);
            if let Some(number) = number {
                state.remove(number);
            }
            state.insert(Record::Family(family.clone())).map(|()| family)
        })
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        Ok(self.state.read().families(&Name::Family(id)).next())
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.write(|state| state.find(&Name::Family(id)).is_some_and(|number| state.remove(number))))
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
