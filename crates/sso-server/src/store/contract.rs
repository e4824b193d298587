//! The contract of a store as a trait; its rules are in the text of the [module](super).

use std::sync::Arc;

use async_trait::async_trait;
use sso_core::BrokerId;

use crate::{
    session::{CookieHash, Family, Link, LinkKey, Session, SessionId},
    util::clock::Timestamp,
};

/// Why a store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// What the call was made from is not there any more, or what it would put is there already.
    #[error("the record was changed by somebody else")]
    Conflict,
    /// The token has a link already.
    #[error("the token has a link already")]
    Taken,
    /// The session has too many links at this broker, none of which may go.
    #[error("the session has too many links at this broker")]
    NoRoom,
    /// The store was filled with other keys; with these nothing in it can be found or read.
    #[error("the store was filled with another key than store_key")]
    WrongKeys,
    /// The store does not answer, and may have done it; the text is for the log.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// A link and the session that it leads to, read at one instant.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The link.
    pub link: Link,
    /// Its session.
    pub session: Arc<Session>,
    /// When its broker last called with it, as far as that was [noted](Store::called).
    pub called: Option<Timestamp>,
}

impl Resolved {
    /// The link and the session that the store has for it: it must be the very one that was sealed into the link. Who
    /// can write to the store, but has no key, could name another.
    #[cfg(any(feature = "redis", feature = "sql"))]
    pub(crate) fn sealed(link: Link, session: Arc<Session>, called: Option<Timestamp>) -> Result<Self, StoreError> {
        if link.session == session.id {
            Ok(Self { link, session, called })
        } else {
            Err(StoreError::Unavailable("a link leads to another session than it was made for".into()))
        }
    }
}

/// Which links to cut.
#[derive(Clone, Debug)]
pub enum Unlink {
    /// This one.
    One(LinkKey),
    /// All of one broker.
    Broker(BrokerId),
    /// All.
    All,
}

/// How much [`Store::remove_all`] or [`Store::remove_unreadable`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Sessions; their links went with them.
    pub sessions: u64,
    /// Families.
    pub families: u64,
}

/// Keeps sessions, links and families. See the [contract](crate::store).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Keeps a new session, and with it its first link, if it comes with one.
    ///
    /// [`Conflict`](StoreError::Conflict) if its id or its cookie is there already, [`Taken`](StoreError::Taken) if the
    /// link's token is.
    async fn insert(&self, session: Session, first: Option<(LinkKey, Link)>) -> Result<Arc<Session>, StoreError>;

    /// The session of this id.
    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError>;

    /// The session that this cookie leads to, as its current or its [old](crate::session::OldCookie) one; whether that
    /// still works is not the store's to judge.
    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError>;

    /// The link of a broker's token, and its session: in one round trip, for every broker call makes it.
    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError>;

    /// Replaces the record of the same id and version; the version then grows by one. A cookie that is not [among the
    /// session's](Session::cookies) any more leads nowhere from the same instant on. For a touch may have come between,
    /// `last_seen` keeps the later value, and so do `keep_until` and `ends` if the [count](Session::epoch) is the same:
    /// another login, or none, has times of its own. But where the `last_seen` that is there lies in the future,
    /// further than [clocks differ](crate::util::clock::CLOCK_SKEW), all three are replaced.
    /// [`updated`](super::updated) says the same.
    ///
    /// [`Conflict`](StoreError::Conflict) if its version is another, or the new cookie is taken.
    async fn update(&self, session: Session) -> Result<Arc<Session>, StoreError>;

    /// Notes the times of a session that was used: `last_seen`, `ends` and `keep_until`. It never moves one back, and
    /// changes nothing else, not even the version; see [`note_touch`](super::note_touch). Sessions that are read
    /// afterwards may have the `ends` of before: only [`due`](Self::due) goes by it.
    ///
    /// [`Conflict`](StoreError::Conflict) if its [count](Session::epoch) is another: what has ended is not revived.
    async fn touch(&self, used: &Session) -> Result<(), StoreError>;

    /// The sessions whose logins [end](Session::ends) at `by` or before: at most `most`, the earliest first. An
    /// unreadable one is found only once.
    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError>;

    /// Links a token to a session, if it has no link. The session's other links at this broker
    /// [make room](super::room_for), by [`Link::at`] and by their calls; the present is that of the new one.
    ///
    /// [`Conflict`](StoreError::Conflict) if the session's [count](Session::epoch) is another than the link's: somebody
    /// has logged in or out since it was read. Else [`Taken`](StoreError::Taken) or [`NoRoom`](StoreError::NoRoom).
    async fn link(&self, key: LinkKey, link: Link) -> Result<(), StoreError>;

    /// Notes that the link's broker called with it at `at`, if the link is there; never moves a time back.
    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError>;

    /// Cuts links; how many. Those of a broker, and all, not at one instant but in steps, as
    /// [`remove_all`](Self::remove_all) does.
    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError>;

    /// The links that lead to this session.
    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError>;

    /// The sessions whose record says that this user is logged in, in no particular order.
    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError>;

    /// Uses up a one-time id (a token's `jti`): `true` for exactly one caller, everywhere. It is remembered at least
    /// until `until`, when whatever it is in has expired, and then forgotten.
    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError>;

    /// Puts the next version of a family, in place of the version that it has, which is 0 for a new one; the version
    /// then grows by one. Its user stays the same.
    ///
    /// [`Conflict`](StoreError::Conflict) if the version that is there is another.
    async fn put_family(&self, family: Family) -> Result<Arc<Family>, StoreError>;

    /// The family of this id.
    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError>;

    /// Removes a family; whether it was there.
    async fn remove_family(&self, id: &str) -> Result<bool, StoreError>;

    /// The families that remember this user, in no particular order.
    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError>;

    /// Removes the families and sessions of this user that cannot be read, with the cookies and links of the latter;
    /// how many. What cannot be read here may be read elsewhere, or with another key: nobody is to stay logged in by it
    /// when the user's sessions are ended. A store that seals nothing has none.
    async fn remove_unreadable(&self, _username: &str) -> Result<Removed, StoreError> {
        Ok(Removed::default())
    }

    /// Removes all families, then all sessions with their cookies and links; how many. Used ids stay used.
    ///
    /// Not at one instant but in steps, between which others get their turn: what was there before the call is gone
    /// after it, what is made meanwhile may be. An error may come when some of it is gone.
    async fn remove_all(&self) -> Result<Removed, StoreError>;

    /// Whether the store answers, and can be written to.
    async fn ping(&self) -> Result<(), StoreError>;
}
