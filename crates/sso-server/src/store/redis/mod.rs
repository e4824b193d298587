//! The store in Redis: one primary that several servers share.
//!
//! # What it needs
//!
//! Redis 6.2 or later with `appendonly yes`, `appendfsync always` and `maxmemory-policy noeviction`. (With `everysec` Redis puts its writes
//! off while the disk is busy, and a kill of Redis loses what it had acknowledged.) One primary, which may have replicas and be replaced by Sentinel or by a managed failover
//! behind one address; a failover loses what had not reached the replica, so set `min-replicas-to-write`. Not Redis Cluster: resolving (broker,
//! token) to its session is one round trip, and the two lie in different slots there.
//!
//! # Keys
//!
//! Each begins with the namespace, `sso` unless the URL names another (`redis://…/0?namespace=shop`); names are keyed hashes, and records are sealed, see [`StoreKeys`]. Each has a time to live.
//!
//! | key | what |
//! |---|---|
//! | `session:NAME` | hash: `sealed`, `version`, `epoch`, `seen`, `keep`, and the names `cookie`, `old`, `user` |
//! | `cookie:NAME` | the session's name |
//! | `link:BROKER:NAME` | hash: `sealed`, `session`, `called` |
//! | `links:SESSION` | sorted set: the links that lead to the session, by when they were made |
//! | `form` | the form of the records, so that it is told once that older ones, which had other keys, are left to expire |
//! | `user:NAME` | sorted set: the sessions of a user, by when they may go |
//! | `ends` | sorted set: the sessions in which somebody is logged in, by when that ends |
//! | `family:NAME` | hash: `sealed`, `version`, `user` |
//! | `families:USER` | sorted set: the families of a user, by when they may go |
//! | `ping` | written to see whether that works |
//! | `keys` | sealed: whether the store was filled with these keys |
//! | `j:ID` | a used id: the nonce of the call that used it up |
//!
//! Each operation is one script (`scripts/*.lua`), which Redis runs as one step. Only [`Unlink::Broker`], [`Unlink::All`] and
//! [`remove_all`](Store::remove_all) go in batches: what is made meanwhile may stay. What failed with [`StoreError::Unavailable`] may have happened nevertheless.
//!
//! A script that got no answer is run once more, on a new connection. So each may run twice: what it finds to be written already by this very call, it
//! leaves, and says that it was done. (What removes says then that there was nothing.)

mod connection;
mod families;
mod lists;
mod parameters;
mod scripts;
mod shared;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use sso_core::random;
use tokio::sync::OnceCell;

use connection::{Connection, Reply};
use parameters::Parameters;
use scripts::Scripts;

use super::{LinkOutcome, Removed, Resolved, Store, StoreError, StoreKeys, Unlink, keys::Kind, room::noted};
use crate::{
    clock::{Clock, Timestamp},
    session::{CookieHash, Family, Link, LinkKey, Policy, Session, SessionId},
};

/// The URL is not that of a Redis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the URL of a Redis: {0}")]
pub struct InvalidRedisUrl(String);

/// Sessions in Redis. See the [module](self).
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
    /// The store at `redis://…` or `rediss://…`. Redis need not be there yet. `?namespace=shop` at the end does what
    /// [`namespaced`](Self::namespaced) does; `?sslrootcert=FILE` names the authorities that may vouch for its certificate, in PEM, in place of
    /// those that this machine trusts.
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

    /// Has all keys begin with this in place of `sso`: several stores in one Redis. Other characters than letters and digits are left out.
    #[must_use]
    pub fn namespaced(self, namespace: &str) -> Self {
        Self { namespace: namespace.chars().filter(char::is_ascii_alphanumeric).collect(), ..self }
    }

    /// Whether these are the keys that Redis was filled with: other ones would find nothing, and log everybody out. With other keys every call fails.
    /// Asked of Redis once, when it is first there.
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

    async fn run(&self, script: &redis::Script, args: &[&[u8]]) -> Result<Reply, StoreError> {
        self.check_keys().await?;
        let now = self.clock.now().as_millis().to_string();
        let common = [self.namespace.as_bytes(), now.as_bytes()];
        self.connection.run(script, &[&common, args].concat()).await
    }

    /// Runs a script that writes a session.
    async fn write(
        &self,
        script: &redis::Script,
        session: &Session,
        made_from: Option<u64>,
        more: &[&[u8]],
    ) -> Result<Reply, StoreError> {
        let name = self.keys.session(&session.id);
        let sealed = self.keys.seal_session(&name, session)?;
        let old = session.old_cookie.map(|old| self.keys.cookie(&old.hash)).unwrap_or_default();
        let user = session.user().map(|user| self.keys.user(&user.username)).unwrap_or_default();
        let numbers = [session.version, session.epoch, made_from.unwrap_or_default()].map(|n| n.to_string());
        let [version, epoch, made_from] = &numbers;
        let [seen, keep] = [session.last_seen, session.keep_until].map(text);
        let ends = ends(session);
        let cookie = self.keys.cookie(&session.cookie);
        let latest = text(self.clock.now().after(Policy::CLOCK_SKEW));
        let args: [&[u8]; 12] = [
            name.as_bytes(),
            version.as_bytes(),
            &sealed,
            seen.as_bytes(),
            keep.as_bytes(),
            epoch.as_bytes(),
            cookie.as_bytes(),
            old.as_bytes(),
            user.as_bytes(),
            made_from.as_bytes(),
            latest.as_bytes(),
            ends.as_bytes(),
        ];
        self.run(script, &[&args, more].concat()).await
    }

    /// A session from its name, its record and the times beside it.
    fn session(&self, name: &[u8], sealed: &[u8], seen: &[u8], keep: &[u8]) -> Result<Arc<Session>, StoreError> {
        let mut session = self.keys.open_session(utf8(name)?, sealed)?;
        (session.last_seen, session.keep_until) = (instant(seen)?, instant(keep)?);
        Ok(Arc::new(session))
    }

    /// A session from a whole answer.
    fn found(&self, reply: &[Vec<u8>]) -> Result<Option<Arc<Session>>, StoreError> {
        match reply {
            [] => Ok(None),
            [_, name, sealed, seen, keep] => self.session(name, sealed, seen, keep).map(Some),
            _ => Err(unexpected()),
        }
    }

    /// The name of a link, with its broker's in front.
    fn link_names(&self, key: &LinkKey) -> (String, String) {
        let name = self.keys.link(key);
        (format!("{}:{name}", self.keys.broker(&key.broker)), name)
    }

    /// Runs a script for the names of all keys of a kind that begin so, some hundreds at a time; the sum of its answers.
    async fn for_all(&self, kind: &str, of: &str, script: &redis::Script) -> Result<u64, StoreError> {
        let prefix = format!("{}:{kind}", self.namespace);
        let (mut cursor, mut count) = (0, 0);
        loop {
            let (next, keys) = self.connection.scan(cursor, &format!("{prefix}{of}*")).await?;
            let names: Vec<_> = keys.iter().filter_map(|key| key.strip_prefix(&prefix)).map(str::as_bytes).collect();
            if !names.is_empty() {
                count += number(&self.run(script, &names).await?)?;
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
    async fn insert(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        done(&self.write(&self.scripts.insert, &session, None, &[]).await?)?;
        Ok(Arc::new(session))
    }

    async fn insert_linked(&self, session: Session, key: LinkKey, link: Link) -> Result<LinkOutcome, StoreError> {
        let (full, name) = self.link_names(&key);
        let (sealed, made) = (self.keys.seal_link(&name, &key, &link)?, text(link.at));
        let link = [full.as_bytes(), &sealed, made.as_bytes()];
        let reply = self.write(&self.scripts.insert, &session, None, &link).await?;
        if reply.first().is_some_and(|word| word == b"taken") {
            return Ok(LinkOutcome::Taken);
        }
        done(&reply).map(|()| LinkOutcome::Linked)
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        let name = self.keys.session(id);
        self.found(&self.run(&self.scripts.get, &[name.as_bytes()]).await?)
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        let name = self.keys.cookie(cookie);
        self.found(&self.run(&self.scripts.load, &[name.as_bytes()]).await?)
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        let (full, name) = self.link_names(key);
        let reply = self.run(&self.scripts.resolve, &[full.as_bytes()]).await?;
        let Some((called, found)) = reply.split_last() else { return Ok(None) };
        let (Some(session), Some(sealed)) = (self.found(found)?, found.first()) else { return Err(unexpected()) };
        let (_, link) = self.keys.open_link(&name, sealed)?;
        Resolved::sealed(link, session, noted(instant(called)?.as_millis())).map(Some)
    }

    async fn update(&self, mut session: Session) -> Result<Arc<Session>, StoreError> {
        let made_from = session.version;
        session.version += 1;
        let reply = self.write(&self.scripts.update, &session, Some(made_from), &[]).await?;
        done(&reply)?;
        let [_, seen, keep] = reply.as_slice() else { return Err(unexpected()) };
        (session.last_seen, session.keep_until) = (instant(seen)?, instant(keep)?);
        Ok(Arc::new(session))
    }

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        let (name, [seen, keep]) = (self.keys.session(&used.id), [used.last_seen, used.keep_until].map(text));
        let (epoch, ends) = (used.epoch.to_string(), ends(used));
        let args = [name.as_bytes(), seen.as_bytes(), keep.as_bytes(), epoch.as_bytes(), ends.as_bytes()];
        done(&self.run(&self.scripts.touch, &args).await?)
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        self.sessions_due(by, most).await
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<LinkOutcome, StoreError> {
        let (full, name) = self.link_names(&key);
        let session = self.keys.session(&link.session);
        let sealed = self.keys.seal_link(&name, &key, &link)?;
        let php: &[u8] = if link.php { b"1" } else { b"0" };
        let (made, most, epoch) = (text(link.at), Link::MAX_PER_BROKER.to_string(), link.epoch.to_string());
        let unused = Link::UNUSED.as_millis().to_string();
        let args = [
            full.as_bytes(),
            session.as_bytes(),
            &sealed,
            php,
            made.as_bytes(),
            epoch.as_bytes(),
            most.as_bytes(),
            unused.as_bytes(),
        ];
        let reply = self.run(&self.scripts.link, &args).await?;
        match reply.first().map(Vec::as_slice) {
            Some(b"linked") => Ok(LinkOutcome::Linked),
            Some(b"taken") => Ok(LinkOutcome::Taken),
            Some(b"no room") => Ok(LinkOutcome::NoRoom),
            _ => Err(refusal(&reply)),
        }
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        let (full, _) = self.link_names(key);
        done(&self.run(&self.scripts.called, &[full.as_bytes(), text(at).as_bytes()]).await?)
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        match which {
            Unlink::One(key) => {
                let (full, _) = self.link_names(key);
                number(&self.run(&self.scripts.unlink, &[full.as_bytes()]).await?)
            }
            Unlink::Broker(broker) => {
                let of = format!("{}:", self.keys.broker(broker));
                self.for_all("link:", &of, &self.scripts.unlink).await
            }
            Unlink::All => self.for_all("link:", "", &self.scripts.unlink).await,
        }
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        Ok(self.links_of_session(&self.keys.session(id)).await?.readable)
    }

    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        Ok(self.sessions_of(&self.keys.user(username)).await?.of_user(username))
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        let (name, nonce, until) = (self.keys.used(id), random::bytes(), text(until));
        let args = [name.as_bytes(), &nonce[..], until.as_bytes()];
        let reply = self.run(&self.scripts.consume, &args).await?;
        match reply.first().map(Vec::as_slice) {
            Some(b"won") => Ok(true),
            Some(b"lost") => Ok(false),
            _ => Err(unexpected()),
        }
    }

    async fn insert_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        self.put_family(family, None).await
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        self.get_family(id).await
    }

    async fn update_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        let version = family.version;
        self.put_family(Family { version: version + 1, ..family }, Some(version)).await
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        let name = self.keys.family(id);
        Ok(number(&self.run(&self.scripts.remove_families, &[name.as_bytes()]).await?)? == 1)
    }

    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError> {
        Ok(self.families_of_user(&self.keys.user(username)).await?.of_user(username))
    }

    async fn remove_unreadable(&self, username: &str) -> Result<Removed, StoreError> {
        self.remove_unreadable_of(&self.keys.user(username)).await
    }

    async fn remove_all(&self) -> Result<Removed, StoreError> {
        // First what could begin new sessions.
        let families = self.for_all("family:", "", &self.scripts.remove_families).await?;
        let sessions = self.for_all("session:", "", &self.scripts.remove_sessions).await?;
        Ok(Removed { sessions, families })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.check_keys().await?;
        self.connection.ping(&format!("{}:ping", self.namespace)).await
    }
}

/// When a session's login ends, if it does.
fn ends(session: &Session) -> String {
    if session.ends == Timestamp::NEVER { String::new() } else { text(session.ends) }
}

fn text(instant: Timestamp) -> String {
    instant.as_millis().to_string()
}

fn utf8(bytes: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(bytes).map_err(|_| unexpected())
}

fn instant(bytes: &[u8]) -> Result<Timestamp, StoreError> {
    utf8(bytes)?.parse().map(Timestamp::from_millis).map_err(|_| unexpected())
}

fn number(reply: &[Vec<u8>]) -> Result<u64, StoreError> {
    let [count] = reply else { return Err(unexpected()) };
    utf8(count)?.parse().map_err(|_| unexpected())
}

/// Whether a script did what it was asked for.
fn done(reply: &[Vec<u8>]) -> Result<(), StoreError> {
    if reply.first().is_some_and(|word| word == b"done") { Ok(()) } else { Err(refusal(reply)) }
}

fn refusal(reply: &[Vec<u8>]) -> StoreError {
    match reply.first().map(Vec::as_slice) {
        Some(b"gone") => StoreError::NotFound,
        Some(b"conflict") => StoreError::Conflict,
        _ => unexpected(),
    }
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
