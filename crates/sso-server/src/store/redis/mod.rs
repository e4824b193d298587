//! The store in Redis: one primary that several servers share.
//!
//! # Scripts that run again
//!
//! Where the answer to a script was lost, the script runs once more, and finds by the record that it has run before.
//! Two cases differ from the contract. A link or a session that was removed between the two runs is made again. A
//! family that somebody replaced between them is a conflict, though it was written.
//!
//! # Keys
//!
//! Each begins with the namespace, `sso` unless the URL names another (`redis://…/0?namespace=shop`); names are keyed
//! hashes, and records are sealed, see [`StoreKeys`]. Each has a time to live.
//!
//! | key | what |
//! |---|---|
//! | `session:NAME` | hash: `sealed`, `version`, `epoch`, `seen`, `keep`, and the names `cookie`, `old`, `user` |
//! | `cookie:NAME` | the session's name |
//! | `link:BROKER:NAME` | hash: `sealed`, `session`, `called` |
//! | `links:SESSION` | sorted set: the links that lead to the session, by when they were made |
//! | `form` | the form of the records, so that it is logged only once that older ones are left to expire |
//! | `user:NAME` | sorted set: the sessions of a user, by when they may go |
//! | `ends` | sorted set: the sessions in which somebody is logged in, by when that ends |
//! | `family:NAME` | hash: `sealed`, `version`, `user` |
//! | `families:USER` | sorted set: the families of a user, by when they may go |
//! | `ping` | written to see whether that works |
//! | `keys` | sealed: whether the store was filled with these keys |
//! | `j:ID` | a used id: the nonce of the call that used it up |
//!
//! Each operation is one script (`scripts/*.lua`), which Redis runs as one step. Only [`Unlink::Broker`],
//! [`Unlink::All`] and [`remove_all`](Store::remove_all) go in batches: what is made meanwhile may stay. What failed
//! with [`StoreError::Unavailable`] may have happened nevertheless.
//!
//! A script that got no answer is run once more, on a new connection. So each may run twice: what it finds to be
//! written already by this very call, it leaves, and says that it was done. (What removes says then that there was
//! nothing.)

mod connection;
mod parameters;
mod scripts;
mod shared;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use redis::{FromRedisValue, Script, ToRedisArgs};
use sso_core::random;
use tokio::sync::OnceCell;

use connection::Connection;
use parameters::Parameters;
use scripts::Scripts;

use super::{
    Removed, Resolved, Store, StoreError, StoreKeys, Unlink, keys::Kind, partial_list::PartialList, rules::noted,
};
use crate::{
    session::{CookieHash, Family, Link, LinkKey, Session, SessionId},
    util::clock::{CLOCK_SKEW, Clock, Timestamp},
};

/// The URL is not that of a Redis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the URL of a Redis: {0}")]
pub struct InvalidRedisUrl(String);

/// Sessions in Redis.
///
/// # Requirements
///
/// Redis 6.2 or later with `appendonly yes`, `appendfsync always` and `maxmemory-policy noeviction`. (With `everysec`
/// Redis puts its writes off while the disk is busy, and a kill of Redis loses what it had acknowledged.) One primary,
/// which may have replicas and be replaced by Sentinel or by a managed failover behind one address; a failover loses
/// what had not reached the replica, so set `min-replicas-to-write`. Not Redis Cluster: resolving (broker, token) to
/// its session is one round trip, and the two lie in different slots there.
pub struct RedisStore {
    connection: Connection,
    scripts: Scripts,
    keys: StoreKeys,
    clock: Arc<dyn Clock>,
    namespace: String,
    /// Set when the keys were found to be the store's.
    checked: OnceCell<()>,
}

impl RedisStore {
    /// The store at `redis://…` or `rediss://…`. Redis need not be there yet. `?namespace=shop` at the end has all keys
    /// begin with that in place of `sso`: several stores in one Redis. `?sslrootcert=FILE` names the authorities that
    /// may vouch for its certificate, in PEM, in place of those that this machine trusts.
    pub fn open(url: &str, keys: StoreKeys, clock: impl Clock) -> Result<Self, InvalidRedisUrl> {
        let parameters = Parameters::of(url)?;
        // The error's text does not repeat the URL, which may hold a password.
        let connection = Connection::open(url, parameters.root_certificates()?);
        Ok(Self {
            connection: connection.map_err(|error| InvalidRedisUrl(error.to_string()))?,
            scripts: Scripts::new(),
            keys,
            clock: Arc::new(clock),
            namespace: parameters.namespace,
            checked: OnceCell::new(),
        })
    }

    /// Whether these are the keys that Redis was filled with: other ones would find nothing, and log everybody out.
    /// With other keys every call fails. Asked of Redis once, when it is first there.
    pub async fn check_keys(&self) -> Result<(), StoreError> {
        let check = async {
            // Its place is not a keyed hash, so that other keys find it and fail to open it.
            let place = "keys";
            let sealed = self.keys.seal(Kind::Setting, place, b"sso")?;
            let key = format!("{}:{place}", self.namespace);
            let known = self.connection.lasting(&key).await?;
            let is_new = known.is_none();
            let found = match known {
                Some(found) => found,
                None => self.connection.put_first(&key, &sealed).await?,
            };
            self.keys.check(place, &found)?;
            self.tell_of_older_records(is_new).await?;
            // The key that sealed it may be given up when all else that it sealed is gone.
            if self.keys.is_current(&found) { Ok(()) } else { self.connection.put(&key, &sealed).await }
        };
        self.checked.get_or_try_init(|| check).await.map(|_| ())
    }

    /// Version 0.1 kept sessions in another form, and under other keys.
    async fn tell_of_older_records(&self, store_is_new: bool) -> Result<(), StoreError> {
        let key = format!("{}:form", self.namespace);
        if self.connection.lasting(&key).await?.is_none() {
            self.connection.put_first(&key, b"2").await?;
            if !store_is_new {
                tracing::warn!(
                    "sessions and remembered browsers of version 0.1 are left behind: all users log in again"
                );
            }
        }
        Ok(())
    }

    async fn run<T: FromRedisValue>(&self, script: &Script, args: impl ToRedisArgs + Send) -> Result<T, StoreError> {
        self.check_keys().await?;
        let mut call = script.arg(&self.namespace);
        call.arg(self.clock.now().as_millis()).arg(args);
        T::from_redis_value(self.connection.run(&call).await?).map_err(|_| unexpected())
    }

    /// Runs a script that writes, and says so or why not.
    async fn write(&self, script: &Script, args: impl ToRedisArgs + Send) -> Result<(), StoreError> {
        match self.run::<String>(script, args).await?.as_str() {
            "done" => Ok(()),
            "conflict" => Err(StoreError::Conflict),
            "taken" => Err(StoreError::Taken),
            "no room" => Err(StoreError::NoRoom),
            _ => Err(unexpected()),
        }
    }

    /// What scripts that write a session are given of it.
    fn written(&self, session: &Session) -> Result<impl ToRedisArgs + Send + use<>, StoreError> {
        let name = self.keys.session(&session.id);
        let sealed = self.keys.seal_text(Kind::Session, &name, session)?;
        let (seen, keep) = (session.last_seen.as_millis(), session.keep_until.as_millis());
        let old = session.old_cookie.map(|old| self.keys.cookie(&old.hash)).unwrap_or_default();
        let user = session.user().map(|user| self.keys.user(&user.username)).unwrap_or_default();
        let cookie = self.keys.cookie(&session.cookie);
        Ok((name, session.version, sealed, seen, keep, session.epoch, cookie, old, user, ends(session)))
    }

    fn session(&self, (name, sealed, seen, keep): &SealedSession) -> Result<Arc<Session>, StoreError> {
        let session = self.keys.open_text(Kind::Session, name, sealed)?;
        Ok(Arc::new(Session { last_seen: instant(seen)?, keep_until: instant(keep)?, ..session }))
    }

    fn sessions(&self, found: Vec<SealedSession>) -> PartialList<Arc<Session>> {
        PartialList::of(Kind::Session, found.into_iter().map(|found| (found.0.clone(), self.session(&found))))
    }

    /// Those of a list whose field is this owner.
    async fn list(&self, list: &str, kind: Kind, field: &str, owner: &str) -> Result<Vec<SealedSession>, StoreError> {
        self.run(&self.scripts.list, (list, kind.label(), field, owner)).await
    }

    async fn sessions_of(&self, user: &str) -> Result<PartialList<Arc<Session>>, StoreError> {
        Ok(self.sessions(self.list("user", Kind::Session, "user", user).await?))
    }

    async fn remembered(&self, user: &str) -> Result<PartialList<Arc<Family>>, StoreError> {
        let found = self.list("families", Kind::Family, "user", user).await?;
        let open = |(name, sealed, ..): SealedSession| {
            let family = self.keys.open_text(Kind::Family, &name, &sealed).map(Arc::new);
            (name, family)
        };
        Ok(PartialList::of(Kind::Family, found.into_iter().map(open)))
    }

    /// Removes those of a kind that have these names; how many were there.
    async fn remove(&self, kind: Kind, names: impl ToRedisArgs + Send) -> Result<u64, StoreError> {
        self.run(&self.scripts.remove, (kind.label(), names)).await
    }

    /// The name of a link, with its broker's in front.
    fn link_names(&self, key: &LinkKey) -> (String, String) {
        let name = self.keys.link(key);
        (format!("{}:{name}", self.keys.broker(&key.broker)), name)
    }

    /// Removes all of a kind whose names begin so, some hundreds at a time; how many.
    async fn remove_each(&self, kind: Kind, of: &str) -> Result<u64, StoreError> {
        let prefix = format!("{}:{}:", self.namespace, kind.label());
        let (mut cursor, mut count) = (0, 0);
        loop {
            let (next, keys) = self.connection.scan(cursor, &format!("{prefix}{of}*")).await?;
            let names: Vec<_> = keys.iter().filter_map(|key| key.strip_prefix(&prefix)).collect();
            if !names.is_empty() {
                count += self.remove(kind, names).await?;
            }
            if next == 0 {
                return Ok(count);
            }
            cursor = next;
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn insert(&self, session: Session, first: Option<(LinkKey, Link)>) -> Result<Arc<Session>, StoreError> {
        let first = first.map(|(key, link)| {
            let (full, name) = self.link_names(&key);
            let sealed = self.keys.seal_text(Kind::Link, &name, &(key, &link))?;
            Ok((full, sealed, link.at.as_millis()))
        });
        let args = (self.written(&session)?, first.transpose()?);
        self.write(&self.scripts.insert, args).await.map(|()| Arc::new(session))
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        let found: Option<SealedSession> = self.run(&self.scripts.get, self.keys.session(id)).await?;
        found.map(|found| self.session(&found)).transpose()
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        let found: Option<SealedSession> = self.run(&self.scripts.load, self.keys.cookie(cookie)).await?;
        found.map(|found| self.session(&found)).transpose()
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        let (full, name) = self.link_names(key);
        let found: Option<(Vec<u8>, i64, SealedSession)> = self.run(&self.scripts.resolve, full).await?;
        let Some((sealed, called, session)) = found else { return Ok(None) };
        let (_, link): (LinkKey, _) = self.keys.open_text(Kind::Link, &name, &sealed)?;
        Resolved::sealed(link, self.session(&session)?, noted(called)).map(Some)
    }

    async fn update(&self, mut session: Session) -> Result<Arc<Session>, StoreError> {
        session.version += 1;
        let latest = self.clock.now().after(CLOCK_SKEW).as_millis();
        let times: Option<[i64; 2]> = self.run(&self.scripts.update, (self.written(&session)?, latest)).await?;
        let [seen, keep] = times.ok_or(StoreError::Conflict)?.map(Timestamp::from_millis);
        Ok(Arc::new(Session { last_seen: seen, keep_until: keep, ..session }))
    }

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        let (seen, keep) = (used.last_seen.as_millis(), used.keep_until.as_millis());
        let args = (self.keys.session(&used.id), seen, keep, used.epoch, ends(used));
        self.write(&self.scripts.touch, args).await
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        let mut unreadable = Vec::new();
        loop {
            let found = self.run(&self.scripts.due, (by.as_millis(), most, unreadable)).await?;
            let due = self.sessions(found);
            if due.unreadable.is_empty() {
                return Ok(due.readable);
            }
            unreadable = due.unreadable;
        }
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<(), StoreError> {
        let (full, name) = self.link_names(&key);
        let sealed = self.keys.seal_text(Kind::Link, &name, &(key, &link))?;
        let (most, unused) = (Link::MAX_PER_BROKER, i64::try_from(Link::UNUSED.as_millis()).unwrap_or(i64::MAX));
        let session = self.keys.session(&link.session);
        let args = (full, session, sealed, u8::from(link.php), link.at.as_millis(), link.epoch, most, unused);
        self.write(&self.scripts.link, args).await
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        self.run(&self.scripts.called, (self.link_names(key).0, at.as_millis())).await
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        match which {
            Unlink::One(key) => self.remove(Kind::Link, self.link_names(key).0).await,
            Unlink::Broker(broker) => self.remove_each(Kind::Link, &format!("{}:", self.keys.broker(broker))).await,
            Unlink::All => self.remove_each(Kind::Link, "").await,
        }
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        let found = self.list("links", Kind::Link, "session", &self.keys.session(id)).await?;
        let open = |(full, sealed, ..): SealedSession| {
            let (_, name) = full.split_once(':').unwrap_or_default();
            let link = self.keys.open_text(Kind::Link, name, &sealed);
            (full, link)
        };
        Ok(PartialList::of(Kind::Link, found.into_iter().map(open)).readable)
    }

    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        Ok(self.sessions_of(&self.keys.user(username)).await?.of_user(username))
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        self.run(&self.scripts.consume, (self.keys.used(id), &random::bytes(), until.as_millis())).await
    }

    async fn put_family(&self, mut family: Family) -> Result<Arc<Family>, StoreError> {
        family.version += 1;
        let (name, user) = (self.keys.family(&family.id), self.keys.user(&family.username));
        let sealed = self.keys.seal_text(Kind::Family, &name, &family)?;
        let args = (name, family.version, sealed, user, family.expires.as_millis());
        self.write(&self.scripts.put_family, args).await.map(|()| Arc::new(family))
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        let name = self.keys.family(id);
        let sealed: Option<Vec<u8>> = self.run(&self.scripts.family, &name).await?;
        sealed.map(|sealed| self.keys.open_text(Kind::Family, &name, &sealed).map(Arc::new)).transpose()
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.remove(Kind::Family, self.keys.family(id)).await? == 1)
    }

    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError> {
        Ok(self.remembered(&self.keys.user(username)).await?.of_user(username))
    }

    async fn remove_unreadable(&self, username: &str) -> Result<Removed, StoreError> {
        let (user, mut removed) = (self.keys.user(username), Removed::default());
        // First what could begin new sessions.
        for name in self.remembered(&user).await?.unreadable {
            removed.families += self.remove(Kind::Family, name).await?;
        }
        for name in self.sessions_of(&user).await?.unreadable {
            removed.sessions += self.remove(Kind::Session, name).await?;
        }
        Ok(removed)
    }

    async fn remove_all(&self) -> Result<Removed, StoreError> {
        // First what could begin new sessions.
        let families = self.remove_each(Kind::Family, "").await?;
        let sessions = self.remove_each(Kind::Session, "").await?;
        Ok(Removed { sessions, families })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.check_keys().await?;
        self.connection.ping(&format!("{}:ping", self.namespace)).await
    }
}

/// What scripts find: the name, the record, and of a session the times that override the record's.
type SealedSession = (String, Vec<u8>, Vec<u8>, Vec<u8>);

/// When a session's login ends, if it does.
fn ends(session: &Session) -> String {
    if session.ends == Timestamp::NEVER { String::new() } else { session.ends.as_millis().to_string() }
}

fn instant(text: &[u8]) -> Result<Timestamp, StoreError> {
    let millis = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    millis.map(Timestamp::from_millis).ok_or_else(unexpected)
}

/// Somebody else wrote into this Redis.
fn unexpected() -> StoreError {
    StoreError::Unavailable("Redis holds something that this server did not write".into())
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
