//! What is kept of a session: the browser's container, in which a [`Login`] may live.
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

/// The internal name of a session. It is in no cookie, no answer and no log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SessionId(Arc<str>);

impl SessionId {
    fn generate() -> Self {
        Self(base36::exact(&random::bytes()).into())
    }

    /// For stores, and for keyed functions, whose results say nothing of it.
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

/// A keyed hash of what stays the same about a browser; see
/// [`Server::fingerprint`](crate::server::Server::fingerprint).
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

/// A visitor's session, shared by all brokers that are linked to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its internal name.
    pub id: SessionId,
    /// Counts its writes; an update of an older version is refused.
    pub version: u64,
    /// The cookie value that leads here.
    pub cookie: CookieHash,
    /// Since when.
    pub cookie_since: Timestamp,
    /// The value before it, which may still work if it was replaced because of its age.
    pub old_cookie: Option<OldCookie>,
    /// Rights changed where the browser's cookie could not be reached (a login or logout by a broker's back end, an
    /// end), so its value is replaced at the browser's next visit.
    pub renew_cookie: bool,
    /// A silent attach began it, and its cookie has not been seen in a navigation: another page may have planted it, so
    /// only brokers that may begin sessions silently join it so.
    pub begun_silently: bool,
    /// Counts logins and their ends. A link keeps the count at which it was made, and so does a login; by that
    /// [a link knows](super::Link::state) whether a login is younger than itself.
    pub epoch: u64,
    /// The count since which links work; see [`destroy`](Self::destroy).
    pub links_since: u64,
    /// The browser that it is tied to; `None` when it began without that.
    pub fingerprint: Option<Fingerprint>,
    /// What the browser calls itself, to be shown to its user; see [`browser_name`](super::family::browser_name).
    pub browser: Option<String>,
    /// When it began.
    pub created: Timestamp,
    /// When a person was last behind a request; coarse by [`Policy::touch_every`](super::Policy).
    pub last_seen: Timestamp,
    /// Who is logged in, if anyone.
    pub login: Option<Login>,
    /// How the last login ended. Most sessions have none.
    pub last_end: Option<Box<End>>,
    /// What the brokers share; gone with the login.
    pub data: Map<String, Value>,
    /// The last end followed from the time alone, and no write has noted it yet.
    #[serde(skip)]
    pub end_is_unwritten: bool,
    /// When the login ends if nobody uses it any more, by which a store [finds](crate::store::Store::due) those that
    /// are over; [`NEVER`](Timestamp::NEVER) where there is none, or it has no end.
    pub ends: Timestamp,
    /// Until when the store must keep the record; `lifecycle.rs` computes it.
    pub keep_until: Timestamp,
}

impl Session {
    /// The size of the data, as JSON, in bytes.
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

    /// Replaces the cookie's value because rights changed: the old ones are dead from the same write on. The last one
    /// is still known, to see that a login was sent twice.
    pub fn replace_cookie(&mut self, cookie: CookieHash, now: Timestamp) {
        self.old_cookie = Some(OldCookie { hash: self.cookie, works_until: now });
        self.cookie = cookie;
        self.cookie_since = now;
        self.renew_cookie = false;
        self.begun_silently = false;
    }

    /// Replaces it because of its age. `seen`, the value that the browser showed, works until the new one is seen.
    pub fn rotate_cookie(&mut self, cookie: CookieHash, seen: CookieHash, now: Timestamp) {
        self.replace_cookie(cookie, now);
        self.old_cookie = Some(OldCookie { hash: seen, works_until: Timestamp::NEVER });
    }

    /// The new value was seen: the old one works until then and no longer.
    pub fn confirm_cookie(&mut self, until: Timestamp) {
        self.old_cookie = self.old_cookie.map(|old| OldCookie { works_until: old.works_until.min(until), ..old });
    }

    /// All values that may lead here; `lifecycle.rs` says which of them still do.
    pub fn cookies(&self) -> impl Iterator<Item = CookieHash> + use<> {
        std::iter::once(self.cookie).chain(self.old_cookie.map(|old| old.hash))
    }

    /// Who is logged in.
    pub fn user(&self) -> Option<&User> {
        self.login.as_ref().map(|login| &login.user)
    }

    /// Whether this user is logged in.
    pub fn is_of(&self, username: &str) -> bool {
        self.user().is_some_and(|user| user.username == username)
    }

    /// Whether somebody is logged in without having typed the password in this session.
    pub fn is_remembered(&self) -> bool {
        self.login.as_ref().is_some_and(Login::is_remembered)
    }

    /// Who is logged in, or else who was last.
    pub fn last_user(&self) -> Option<&str> {
        let last = || self.last_end.as_ref().map(|end| end.username.as_str());
        self.user().map(|user| user.username.as_str()).or_else(last)
    }

    /// How the last login ended, if nobody is logged in: as those are told who may know of it.
    pub fn ended(&self, now: Timestamp) -> Option<Ended> {
        let end = self.last_end.as_ref().filter(|_| self.login.is_none())?;
        Some(Ended { reason: end.reason.to_wire(), n: end.epoch, seconds_ago: now.since(end.at).as_secs() })
    }

    /// The [`Family`](super::Family) by which the browser of the login is remembered; where it has ended other than by
    /// a logout, of that one.
    pub fn family(&self) -> Option<&str> {
        match &self.login {
            Some(login) => login.family.as_deref(),
            None => self.last_end.as_ref().and_then(|end| end.family.as_deref()),
        }
    }

    /// Logs somebody in. A login of another user ends with it; one of the same user is confirmed: it goes on, with new
    /// times and the new way to remember its browser. What an anonymous visitor chose stays.
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

    /// The user typed the password that `credential` was made from, again.
    pub fn confirm(&mut self, credential: [u8; 32], now: Timestamp) {
        if let Some(login) = &mut self.login {
            login.credential = credential;
            (login.auth_time, login.method) = (now, AuthMethod::Password);
        }
        self.last_seen = now;
    }

    /// Ends the login, if there is one: no user, no data. The session and its links stay, so that every broker sees an
    /// anonymous visitor, and the browser gets another cookie at its next visit. A logout has the browser forgotten,
    /// also that of an earlier login.
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

    /// Ends all that leads here, for cookie and links may be in the wrong hands. Only the links of jasny/sso brokers
    /// stay, which cannot attach anew: they lead to an anonymous session that has no cookie.
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
