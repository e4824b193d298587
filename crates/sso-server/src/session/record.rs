//! The record of a session: a browser's container, which may hold a [`Login`].
//!
//! The session is not its cookie: its id never leaves the server; a cookie's value points to it, and is replaced
//! freely; links (broker, token) point to it too. And a session is not its login: logins come and go in it, and it
//! outlives them.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sso_core::{
    base36, random,
    wire::{Ended, User},
};

use super::{AuthMethod, CookieHash, CookieValue, End, EndReason, Login, OldCookie};
use crate::util::clock::Timestamp;

/// The internal id of a session. It is in no cookie, response or log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SessionId(Arc<str>);

impl SessionId {
    fn generate() -> Self {
        Self(base36::exact(&random::bytes()).into())
    }

    /// For stores, and for keyed functions, whose results do not reveal it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for SessionId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// A keyed hash of a browser's stable headers; see [`Server::fingerprint`](crate::Server::fingerprint).
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// From a MAC over the browser's headers.
    pub fn new(mac: [u8; 32]) -> Self {
        Self(mac)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// A visitor's session, shared by all brokers with a link to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its internal id.
    pub id: SessionId,
    /// Counts its writes; an update of an older version is refused.
    pub version: u64,
    /// The hash of the current cookie value.
    pub cookie: CookieHash,
    /// Since when.
    pub cookie_since: Timestamp,
    /// The previous cookie value, which may still work if it was replaced because of its age.
    pub old_cookie: Option<OldCookie>,
    /// Rights changed where the browser's cookie could not be set (a login or logout by a broker's back end, an end):
    /// the value is replaced at the browser's next visit.
    pub renew_cookie: bool,
    /// A silent attach began the session, and no navigation has sent its cookie yet. Another page may have planted it,
    /// so only brokers that may start sessions silently can join it this way.
    pub begun_silently: bool,
    /// Counts logins and their ends. Links and logins store the count of their beginning; by it [a link
    /// knows](super::Link::state) whether a login is newer than itself.
    pub epoch: u64,
    /// The count since which links work; see [`destroy`](Self::destroy).
    pub links_since: u64,
    /// The fingerprint of its browser; `None` if it began without one.
    pub fingerprint: Option<Fingerprint>,
    /// The browser's name, to show to its user; see [`browser_name`](super::browser_name).
    pub browser: Option<String>,
    /// When it began.
    pub created: Timestamp,
    /// When a person last used it, to the precision of [`Policy::touch_every`](super::Policy).
    pub last_seen: Timestamp,
    /// The login, if a user is logged in.
    pub login: Option<Login>,
    /// How the last login ended. Most sessions have none.
    pub last_end: Option<Box<End>>,
    /// The data that brokers share. It ends with the login.
    pub data: Map<String, Value>,
    /// The last end was computed from the time, and no write has stored it yet.
    #[serde(skip)]
    pub end_is_unwritten: bool,
    /// When the login ends without further use, for [`Store::due`](crate::Store::due); [`NEVER`](Timestamp::NEVER)
    /// without a login or an end.
    pub ends: Timestamp,
    /// Until when the store must keep the record; `lifecycle.rs` computes it.
    pub keep_until: Timestamp,
}

impl Session {
    /// The maximum size of the data, as JSON, in bytes.
    pub const MAX_DATA: usize = 16 * 1024;

    /// A new anonymous session under this cookie.
    pub fn new(cookie: CookieHash, now: Timestamp) -> Self {
        Self {
            id: SessionId::generate(),
            version: 0,
            cookie,
            cookie_since: now,
            old_cookie: None,
            renew_cookie: false,
            begun_silently: false,
            epoch: 0,
            links_since: 0,
            fingerprint: None,
            browser: None,
            created: now,
            last_seen: now,
            login: None,
            last_end: None,
            data: Map::new(),
            end_is_unwritten: false,
            ends: Timestamp::NEVER,
            keep_until: now,
        }
    }

    /// Replaces the cookie's value because rights changed: older values stop working with this write. The last one
    /// stays known, to detect a login that was sent twice.
    pub fn replace_cookie(&mut self, cookie: CookieHash, now: Timestamp) {
        self.old_cookie = Some(OldCookie { hash: self.cookie, works_until: now });
        self.cookie = cookie;
        self.cookie_since = now;
        self.renew_cookie = false;
        self.begun_silently = false;
    }

    /// Replaces the cookie's value because of its age. `seen`, the value that the browser sent, works until the new one
    /// is seen.
    pub fn rotate_cookie(&mut self, cookie: CookieHash, seen: CookieHash, now: Timestamp) {
        self.replace_cookie(cookie, now);
        self.old_cookie = Some(OldCookie { hash: seen, works_until: Timestamp::NEVER });
    }

    /// The new value was seen: the old one works until `until` at most.
    pub fn confirm_cookie(&mut self, until: Timestamp) {
        self.old_cookie = self.old_cookie.map(|old| OldCookie { works_until: old.works_until.min(until), ..old });
    }

    /// All cookie values that may lead here; `lifecycle.rs` decides which of them still work.
    pub fn cookies(&self) -> impl Iterator<Item = CookieHash> + use<> {
        std::iter::once(self.cookie).chain(self.old_cookie.map(|old| old.hash))
    }

    /// The user who is logged in.
    pub fn user(&self) -> Option<&User> {
        self.login.as_ref().map(|login| &login.user)
    }

    /// Whether this user is logged in.
    pub fn is_of(&self, username: &str) -> bool {
        self.user().is_some_and(|user| user.username == username)
    }

    /// Whether a user is logged in who has not typed the password in this session.
    pub fn is_remembered(&self) -> bool {
        self.login.as_ref().is_some_and(Login::is_remembered)
    }

    /// The user who is logged in, or else the last one.
    pub fn last_user(&self) -> Option<&str> {
        let last = || self.last_end.as_ref().map(|end| end.username.as_str());
        self.user().map(|user| user.username.as_str()).or_else(last)
    }

    /// How the last login ended, if nobody is logged in. The caller must check who may see it.
    pub fn ended(&self, now: Timestamp) -> Option<Ended> {
        let end = self.last_end.as_ref().filter(|_| self.login.is_none())?;
        Some(Ended { reason: end.reason.to_wire(), n: end.epoch, seconds_ago: now.since(end.at).as_secs() })
    }

    /// The [`Family`](super::Family) that remembers the browser of the login, or of the last login unless a logout
    /// ended it.
    pub fn family(&self) -> Option<&str> {
        match &self.login {
            Some(login) => login.family.as_deref(),
            None => self.last_end.as_ref().and_then(|end| end.family.as_deref()),
        }
    }

    /// Logs a user in. Ends a login of another user. Confirms a login of the same user: it continues with new times and
    /// the new family. Data of an anonymous visitor stay.
    pub fn log_in(&mut self, mut login: Login, now: Timestamp) {
        match &self.login {
            Some(before) if before.user.username == login.user.username => {
                login.epoch = before.epoch;
                login.through.clone_from(&before.through);
            }
            before => {
                if before.is_some() {
                    self.end(EndReason::LoggedOut, now);
                }
                self.epoch += 1;
                login.epoch = self.epoch;
            }
        }
        self.login = Some(login);
        self.last_seen = now;
    }

    /// Notes that the user typed the password of `credential` again.
    pub fn confirm(&mut self, credential: [u8; 32], now: Timestamp) {
        if let Some(login) = &mut self.login {
            login.credential = credential;
            (login.auth_time, login.method) = (now, AuthMethod::Password);
        }
        self.last_seen = now;
    }

    /// Ends the login, if there is one, and removes the data. The session and its links stay, so that every broker sees
    /// an anonymous visitor, and the browser gets a new cookie at its next visit. A logout also drops the family, even
    /// that of an earlier login.
    pub fn end(&mut self, reason: EndReason, at: Timestamp) {
        self.data.clear();
        if let Some(login) = self.login.take() {
            self.epoch += 1;
            self.renew_cookie = true;
            self.last_end = Some(Box::new(End {
                reason,
                at,
                epoch: self.epoch,
                username: login.user.username,
                began: login.epoch,
                through: login.through,
                family: login.family,
            }));
        }
        if reason == EndReason::LoggedOut
            && let Some(end) = &mut self.last_end
        {
            end.family = None;
        }
    }

    /// Ends the login, the cookie and the links, which may be in the wrong hands. Only links of jasny/sso brokers stay,
    /// which cannot attach again: they lead to an anonymous session without a cookie.
    pub fn destroy(&mut self, reason: EndReason, now: Timestamp) {
        self.end(reason, now);
        self.epoch += 1;
        self.links_since = self.epoch;
        self.replace_cookie(CookieValue::generate().hash(), now);
        self.old_cookie = None;
        self.fingerprint = None;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn login(name: &str) -> Login {
        Login::new(User { username: name.into(), attributes: Map::new() }, [7; 32], at(1))
    }

    #[test]
    fn data_goes_with_its_login() {
        let mut session = Session::new(CookieValue::generate().hash(), at(1));
        session.data.insert("theme".into(), json!("forest"));
        session.log_in(login("jackie"), at(1));
        session.log_in(login("jackie"), at(1));
        assert_eq!(session.data["theme"], "forest");
        session.log_in(login("john"), at(1));
        assert!(session.data.is_empty());
        session.data.insert("theme".into(), json!("ocean"));
        session.end(EndReason::LoggedOut, at(2));
        assert!(session.data.is_empty() && session.user().is_none());
    }

    #[test]
    fn the_count_moves_at_a_login_and_at_an_end_and_not_at_a_confirmation() {
        let mut session = Session::new(CookieValue::generate().hash(), at(1));
        let mut counts = Vec::new();
        session.end(EndReason::LoggedOut, at(1));
        counts.push(session.epoch);
        for name in ["jackie", "jackie", "john"] {
            session.log_in(login(name), at(1));
            counts.push(session.epoch);
        }
        session.end(EndReason::Idle, at(1));
        session.end(EndReason::LoggedOut, at(1));
        counts.push(session.epoch);
        assert_eq!(counts, [0, 1, 1, 3, 4]);
        let end = session.last_end.unwrap();
        assert_eq!((end.epoch, end.began, end.username.as_str(), end.reason), (4, 3, "john", EndReason::Idle));
    }

    #[test]
    fn only_a_logout_forgets_how_the_browser_was_remembered() {
        let mut session = Session::new(CookieValue::generate().hash(), at(1));
        session.log_in(login("jackie").remembered("f".into(), at(0)), at(1));
        assert!(session.is_remembered());
        session.end(EndReason::Idle, at(2));
        assert_eq!(session.family(), Some("f"));
        session.end(EndReason::LoggedOut, at(2));
        assert_eq!(session.family(), None);
        session.log_in(login("jackie").remembered("f".into(), at(0)), at(3));
        session.end(EndReason::LoggedOut, at(4));
        assert_eq!(session.family(), None);
    }

    #[test]
    fn what_led_to_a_destroyed_session_leads_nowhere() {
        let cookie = CookieValue::generate().hash();
        let mut session = Session::new(cookie, at(1));
        session.log_in(login("jackie"), at(1));
        session.destroy(EndReason::FingerprintChanged, at(2));
        assert!(session.cookies().all(|known| known != cookie) && session.user().is_none());
        assert!(session.links_since > 1 && session.links_since == session.epoch);
    }
}
