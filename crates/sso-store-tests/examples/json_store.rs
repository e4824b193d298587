//! A store of one's own, outside `sso-server`: JSON texts by name, as a database with one table would keep them. `cargo
//! test` runs it through the contract.
//!
//! All of it is behind one lock, so that each call is one step; where a database has an index, this one looks at all
//! texts of a kind. The texts are what the records' serde derives make of them. They are worth protecting: who reads
//! them knows every link's code, and who writes them may log anybody in.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sso_server::{
    BrokerList, Server, Session, Store, UserList,
    clock::{Clock, SystemClock, Timestamp},
    session::{CookieHash, Family, Link, LinkKey, SessionId},
    store::{OtherLink, Removed, Resolved, StoreError, Unlink, note_touch, room_for, updated},
};

/// The store. Call [`tidy`](Self::tidy) now and then.
pub struct JsonStore {
    texts: Mutex<Texts>,
    clock: Box<dyn Clock>,
}

/// The texts by name, such as `session/…`.
#[derive(Default)]
struct Texts(BTreeMap<String, String>);

/// What is kept of a session, and of what leads to it besides its cookies.
#[derive(Serialize, Deserialize)]
struct Place {
    session: Session,
    links: Vec<LinkKey>,
}

#[derive(Serialize, Deserialize)]
struct Linked {
    link: Link,
    called: Option<Timestamp>,
}

fn session_name(id: &SessionId) -> String {
    format!("session/{}", id.as_str())
}

fn cookie_name(cookie: &CookieHash) -> String {
    format!("cookie/{:02x?}", cookie.as_bytes())
}

fn link_name(key: &LinkKey) -> String {
    format!("link/{}/{}", key.broker, key.token.as_str())
}

fn family_name(id: &str) -> String {
    format!("family/{id}")
}

impl Texts {
    fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.0.get(name).map(|text| read(text)).transpose()
    }

    fn put(&mut self, name: String, record: &impl Serialize) -> Result<(), StoreError> {
        let text = serde_json::to_string(record).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        self.0.insert(name, text);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// All texts of a kind, with their names.
    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a String)> {
        self.0.range(kind.to_owned()..).take_while(move |(name, _)| name.starts_with(kind))
    }

    /// All records of a kind. One that cannot be read belongs in the log; here nobody writes such.
    fn all<T: DeserializeOwned>(&self, kind: &str) -> Vec<T> {
        self.of(kind).filter_map(|(_, text)| read(text).ok()).collect()
    }

    fn place(&self, id: &SessionId) -> Result<Option<Place>, StoreError> {
        self.get(&session_name(id))
    }

    /// To which session a cookie leads.
    fn owner(&self, cookie: &CookieHash) -> Result<Option<SessionId>, StoreError> {
        self.get(&cookie_name(cookie))
    }

    /// Puts a place and its cookies, after those have gone that are the session's no more.
    fn put_place(&mut self, before: Option<&Session>, place: &Place) -> Result<(), StoreError> {
        for cookie in before.into_iter().flat_map(Session::cookies) {
            self.remove(&cookie_name(&cookie));
        }
        for cookie in place.session.cookies() {
            self.put(cookie_name(&cookie), &place.session.id)?;
        }
        self.put(session_name(&place.session.id), place)
    }

    fn put_link(&mut self, place: &mut Place, key: LinkKey, link: Link) -> Result<(), StoreError> {
        self.put(link_name(&key), &Linked { link, called: None })?;
        place.links.push(key);
        self.put(session_name(&place.session.id), place)
    }

    /// Cuts a link; whether it was there.
    fn cut(&mut self, key: &LinkKey) -> Result<bool, StoreError> {
        let Some(Linked { link, .. }) = self.get(&link_name(key))? else { return Ok(false) };
        if let Some(mut place) = self.place(&link.session)? {
            place.links.retain(|other| other != key);
            self.put(session_name(&link.session), &place)?;
        }
        Ok(self.remove(&link_name(key)))
    }

    /// Removes a session with all that leads to it.
    fn remove_place(&mut self, place: &Place) {
        for cookie in place.session.cookies() {
            self.remove(&cookie_name(&cookie));
        }
        for key in &place.links {
            self.remove(&link_name(key));
        }
        self.remove(&session_name(&place.session.id));
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    // A record may be some levels deeper than what serde_json reads by itself.
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    T::deserialize(&mut reader).map_err(|error| StoreError::Unavailable(error.to_string()))
}

impl JsonStore {
    /// An empty store.
    pub fn new(clock: impl Clock) -> Self {
        Self { texts: Mutex::default(), clock: Box::new(clock) }
    }

    /// Removes what is over.
    pub fn tidy(&self) {
        let (mut texts, now) = (self.texts(), self.clock.now());
        for place in texts.all::<Place>("session/").iter().filter(|place| place.session.keep_until <= now) {
            texts.remove_place(place);
        }
        for family in texts.all::<Family>("family/").iter().filter(|family| family.expires <= now) {
            texts.remove(&family_name(&family.id));
        }
        let is_over = |text: &str| read::<Timestamp>(text).is_ok_and(|until| until <= now);
        texts.0.retain(|name, text| !(name.starts_with("used/") && is_over(text)));
    }

    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self, is_meant: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        let sessions = self.texts().all("session/").into_iter().map(|Place { session, .. }| session);
        sessions.filter(is_meant).map(Arc::new).collect()
    }
}

#[async_trait]
impl Store for JsonStore {
    async fn insert(&self, session: Session, first: Option<(LinkKey, Link)>) -> Result<Arc<Session>, StoreError> {
        let mut texts = self.texts();
        if texts.place(&session.id)?.is_some() || texts.owner(&session.cookie)?.is_some() {
            return Err(StoreError::Conflict);
        }
        if first.as_ref().is_some_and(|(key, _)| texts.0.contains_key(&link_name(key))) {
            return Err(StoreError::Taken);
        }
        let mut place = Place { session, links: Vec::new() };
        texts.put_place(None, &place)?;
        if let Some((key, link)) = first {
            texts.put_link(&mut place, key, link)?;
        }
        Ok(Arc::new(place.session))
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        Ok(self.texts().place(id)?.map(|place| Arc::new(place.session)))
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        let texts = self.texts();
        let Some(id) = texts.owner(cookie)? else { return Ok(None) };
        Ok(texts.place(&id)?.map(|place| Arc::new(place.session)))
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        let texts = self.texts();
        let Some(Linked { link, called }) = texts.get(&link_name(key))? else { return Ok(None) };
        let place = texts.place(&link.session)?;
        Ok(place.map(|place| Resolved { link, called, session: Arc::new(place.session) }))
    }

    async fn update(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        let (mut texts, now) = (self.texts(), self.clock.now());
        let there = texts.place(&session.id)?.filter(|there| there.session.version == session.version);
        let Place { session: before, links } = there.ok_or(StoreError::Conflict)?;
        if texts.owner(&session.cookie)?.is_some_and(|owner| owner != session.id) {
            return Err(StoreError::Conflict);
        }
        let place = Place { session: updated(&before, session, now), links };
        texts.put_place(Some(&before), &place)?;
        Ok(Arc::new(place.session))
    }

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        let mut texts = self.texts();
        let there = texts.place(&used.id)?.filter(|there| there.session.epoch == used.epoch);
        let mut place = there.ok_or(StoreError::Conflict)?;
        note_touch(&mut place.session, used);
        texts.put(session_name(&used.id), &place)
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        let mut due = self.sessions(|session| session.ends <= by);
        due.sort_by_key(|session| session.ends);
        due.truncate(most);
        Ok(due)
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<(), StoreError> {
        let mut texts = self.texts();
        let there = texts.place(&link.session)?.filter(|there| there.session.epoch == link.epoch);
        let place = there.ok_or(StoreError::Conflict)?;
        if texts.0.contains_key(&link_name(&key)) {
            return Err(StoreError::Taken);
        }
        let mut others = Vec::new();
        for other in place.links.iter().filter(|other| other.broker == key.broker) {
            if let Some(Linked { link, called }) = texts.get(&link_name(other))? {
                others.push(OtherLink { key: other.clone(), made: link.at, called });
            }
        }
        for other in room_for(&link, others).ok_or(StoreError::NoRoom)? {
            texts.cut(&other)?;
        }
        let mut place = texts.place(&link.session)?.ok_or(StoreError::Conflict)?;
        texts.put_link(&mut place, key, link)
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        let mut texts = self.texts();
        let Some(Linked { link, called }) = texts.get(&link_name(key))? else { return Ok(()) };
        texts.put(link_name(key), &Linked { link, called: called.max(Some(at)) })
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        let mut texts = self.texts();
        let places = || texts.all::<Place>("session/").into_iter().flat_map(|place| place.links);
        let keys: Vec<_> = match which {
            Unlink::One(key) => vec![key.clone()],
            Unlink::Broker(broker) => places().filter(|key| key.broker == *broker).collect(),
            Unlink::All => places().collect(),
        };
        let mut count = 0;
        for key in &keys {
            count += u64::from(texts.cut(key)?);
        }
        Ok(count)
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        let texts = self.texts();
        let mut links = Vec::new();
        for key in texts.place(id)?.map(|place| place.links).unwrap_or_default() {
            if let Some(Linked { link, .. }) = texts.get(&link_name(&key))? {
                links.push((key, link));
            }
        }
        Ok(links)
    }

    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        Ok(self.sessions(|session| session.is_of(username)))
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        let (mut texts, name) = (self.texts(), format!("used/{id}"));
        let is_first = !texts.0.contains_key(&name);
        if is_first {
            texts.put(name, &until)?;
        }
        Ok(is_first)
    }

    async fn put_family(&self, mut family: Family) -> Result<Arc<Family>, StoreError> {
        let (mut texts, name) = (self.texts(), family_name(&family.id));
        if texts.get(&name)?.map_or(0, |there: Family| there.version) != family.version {
            return Err(StoreError::Conflict);
        }
        family.version += 1;
        texts.put(name, &family)?;
        Ok(Arc::new(family))
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        Ok(self.texts().get(&family_name(id))?.map(Arc::new))
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.texts().remove(&family_name(id)))
    }

    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError> {
        let families = self.texts().all::<Family>("family/").into_iter();
        Ok(families.filter(|family| family.username == username).map(Arc::new).collect())
    }

    async fn remove_all(&self) -> Result<Removed, StoreError> {
        let mut texts = self.texts();
        let [families, sessions] = ["family/", "session/"].map(|kind| texts.of(kind).count() as u64);
        texts.0.retain(|name, _| name.starts_with("used/"));
        Ok(Removed { sessions, families })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (brokers, users) = (BrokerList::from_iter([]), UserList::from_iter([]));
    let server = Server::builder("http://localhost:9000".parse()?, brokers, users).store(JsonStore::new(SystemClock));
    println!("{:?}", server.build()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sso_server::clock::ManualClock;
    use sso_store_tests::World;

    use super::*;

    async fn empty(clock: Arc<ManualClock>) -> JsonStore {
        JsonStore::new(clock)
    }

    sso_store_tests::contract!(json_store, crate::tests::empty, 64);

    #[tokio::test]
    async fn what_is_over_goes_and_nothing_else() {
        let world = World::of(empty).await;
        let (session, key) = (world.inserted().await, sso_store_tests::token_of("Alice"));
        world.linked(&key, &session).await;
        assert!(world.store.consume("one", session.keep_until).await.unwrap());
        world.store.tidy();
        assert_eq!(world.target(&key).await.as_ref(), Some(&session.id));
        world.clock.advance(Duration::from_secs(2 * 60 * 60));
        world.store.tidy();
        assert!(world.store.texts().0.is_empty());
    }
}
