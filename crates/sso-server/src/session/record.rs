//! What is kept of a session.
//!
//! The session is not its cookie: its id never leaves the server; a cookie's value points to it, and is
//! replaced freely; links (broker, token) point to it too, and hold the verification code.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use sso_core::{BrokerId, Token, VerificationCode, base36, random, wire::User};

use super::{CookieHash, OldCookie};
use crate::clock::Timestamp;

/// The internal name of a session. It is in no cookie, no answer and no log.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Arc<str>);

impl SessionId {
    fn generate() -> Self {
        Self(base36::exact(&random::bytes()).into())
    }

    /// Read back from a store.
    pub(crate) fn stored(text: String) -> Self {
        Self(text.into())
    }

    /// For keyed functions, whose results say nothing of it, and for stores that seal it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// A keyed hash of what stays the same about a browser; see [`Browser`](crate::resume::Browser).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// From a MAC over the browser's headers.
    pub fn new(mac: [u8; 32]) -> Self {
        Self(mac)
    }

    /// For stores, which seal it.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// Why a session was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestroyReason {
    /// Its cookie came from another browser than it began in.
    FingerprintChanged,
    /// Its cookie came without the headers that tell the browser.
    FingerprintMissing,
    /// The record does not say until when it is to be kept: it was not written by this server.
    NoExpiry,
    /// The record does not say when it began.
    NeverInitiated,
    /// Its user ended it from another session, or who runs the server did.
    Revoked,
    /// A remember-me token of its family was used a second time: somebody has a copy.
    RememberTokenReused,
    /// Its user's account is gone, or disabled.
    UserGone,
    /// Its user has another password than at the login.
    PasswordChanged,
}

/// A visitor's session, shared by all brokers that are linked to it.
#[derive(Clone, Debug)]
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
    /// Rights changed where the browser's cookie could not be reached (a broker's back end logged the user in or out), so its
    /// value is replaced at the browser's next visit.
    pub renew_cookie: bool,
    /// A silent attach began it, and its cookie has not been seen in a navigation: another page may have planted it, so only
    /// brokers that may begin sessions silently join it so.
    pub begun_silently: bool,
    /// Counts logins and logouts, so that what was begun under one user is not finished under another.
    pub epoch: u64,
    /// The browser that it is tied to; `None` when it began without that.
    pub fingerprint: Option<Fingerprint>,
    /// What the browser calls itself, to be shown to its user; see [`browser_name`](super::family::browser_name).
    pub browser: Option<String>,
    /// The [`Family`](super::Family) by which its browser is remembered.
    pub family: Option<String>,
    /// When it began.
    pub created: Timestamp,
    /// It was ended before its time, and why.
    pub destroyed: Option<(DestroyReason, Timestamp)>,
    /// When a person was last behind a request; coarse by [`Policy::touch_every`](super::Policy).
    pub last_seen: Timestamp,
    /// Who is logged in, if anyone.
    pub signed_in: Option<SignedIn>,
    /// Who was logged in last, also after the logout.
    pub last_user: Option<String>,
    /// What the brokers share; wiped at logout and when another user logs in.
    pub data: Map<String, Value>,
    /// A jasny/sso broker is linked to it, which would be lost if it ended early.
    pub serves_php: bool,
    /// Until when the store must keep the record; see [`lifecycle::keep_until`](super::lifecycle::keep_until).
    pub keep_until: Timestamp,
}

/// A login.
#[derive(Clone, PartialEq)]
pub struct SignedIn {
    /// Who, as the account was then. What is true now, `standing` finds.
    pub user: User,
    /// A keyed hash of the account's password hash: with another password the login is over. `None`: begun by a version of this server
    /// that did not note it.
    pub credential: Option<[u8; 32]>,
    /// Its user is changing the password in this very session: the one that is good from that change on.
    pub next_credential: Option<[u8; 32]>,
    /// Since when; the absolute lifetime counts from here.
    pub at: Timestamp,
    /// When the password was last typed; `None` if the browser was remembered and it never was.
    pub password_at: Option<Timestamp>,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn")
            .field("user", &self.user)
            .field("at", &self.at)
            .field("password_at", &self.password_at)
            .finish_non_exhaustive()
    }
}

impl Session {
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
            fingerprint: None,
            browser: None,
            family: None,
            created: now,
            destroyed: None,
            last_seen: now,
            signed_in: None,
            last_user: None,
            data: Map::new(),
            serves_php: false,
            keep_until: now,
        }
    }

    /// Replaces the cookie's value because rights changed: the old ones are dead from the same write on. The last one is still known, for
    /// [`resume`](crate::resume) to see that a login was sent twice.
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

    /// All values that may lead here; [`lifecycle`](super::lifecycle::accepts) says which of them still does.
    pub fn cookies(&self) -> impl Iterator<Item = CookieHash> + use<> {
        std::iter::once(self.cookie).chain(self.old_cookie.map(|old| old.hash))
    }

    /// Who is logged in.
    pub fn user(&self) -> Option<&User> {
        self.signed_in.as_ref().map(|signed_in| &signed_in.user)
    }

    /// Logs `user` in, who typed the password that `credential` was made from. The data of another user goes; what an anonymous visitor
    /// chose stays.
    pub fn sign_in(&mut self, user: User, credential: [u8; 32], now: Timestamp) {
        if self.belonged_to_another(&user.username) {
            self.data.clear();
            self.family = None;
        }
        self.last_user = Some(user.username.clone());
        self.epoch += 1;
        self.signed_in = Some(SignedIn {
            user,
            credential: Some(credential),
            next_credential: None,
            at: now,
            password_at: Some(now),
        });
        self.last_seen = now;
    }

    /// Logs `user` in, whose browser is remembered by this [`Family`](super::Family).
    pub fn sign_in_remembered(&mut self, user: User, credential: [u8; 32], now: Timestamp, family: String) {
        self.sign_in(user, credential, now);
        self.signed_in = self.signed_in.take().map(|signed_in| SignedIn { password_at: None, ..signed_in });
        self.family = Some(family);
    }

    /// Whether somebody is logged in without having typed the password since.
    pub fn is_remembered(&self) -> bool {
        self.signed_in.as_ref().is_some_and(|signed_in| signed_in.password_at.is_none())
    }

    /// Whether the last login was that of another user: of somebody else at the same browser, who may have kept tokens of it.
    pub fn belonged_to_another(&self, username: &str) -> bool {
        self.last_user.as_deref().is_some_and(|last| last != username)
    }

    /// Logs out: no user, no data. The record and its links stay, so that every broker sees an anonymous visitor.
    pub fn sign_out(&mut self) {
        self.epoch += 1;
        self.signed_in = None;
        self.family = None;
        self.data.clear();
    }
}

/// Where a link is found: whose token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinkKey {
    /// The broker.
    pub broker: BrokerId,
    /// Its token.
    pub token: Token,
}

/// What a broker's token is linked to.
#[derive(Clone, Debug)]
pub struct Link {
    /// The session.
    pub session: SessionId,
    /// Sent to the browser's broker once; in every bearer checksum since.
    pub code: VerificationCode,
    /// When it was made.
    pub at: Timestamp,
    /// Whether its broker attaches anew by itself when it is cut.
    pub heals: bool,
}

impl Link {
    /// A session has at most so many links at one broker, for anyone can attach token after token to a session of their own. A browser needs
    /// one, and some more while tabs attach at the same time.
    pub const MAX_PER_BROKER: usize = 20;
    /// Where their broker cannot attach anew, a call with one is written down at most this often.
    pub const CALLED_EVERY: Duration = Duration::from_secs(5 * 60);
    /// There, one that was used makes room only so long after that: an hour, by what is written down.
    pub const UNUSED: Duration = Duration::from_secs(60 * 60 + 5 * 60);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::session::CookieValue;

    fn user(name: &str) -> User {
        User { username: name.into(), attributes: Map::new() }
    }

    #[test]
    fn data_stays_with_its_user() {
        let now = Timestamp::from_millis(1);
        let mut session = Session::new(CookieValue::generate().hash(), now);
        session.data.insert("theme".into(), json!("forest"));
        session.sign_in(user("jackie"), [7; 32], now);
        session.sign_in(user("jackie"), [7; 32], now);
        assert_eq!(session.data["theme"], "forest");
        session.sign_in(user("john"), [7; 32], now);
        assert!(session.data.is_empty());
        session.data.insert("theme".into(), json!("ocean"));
        session.sign_out();
        assert!(session.data.is_empty() && session.user().is_none());
    }

    #[test]
    fn a_session_knows_how_its_login_came_about() {
        let now = Timestamp::from_millis(1);
        let mut session = Session::new(CookieValue::generate().hash(), now);
        assert!(!session.is_remembered());
        session.sign_in_remembered(user("jackie"), [7; 32], now, "f".into());
        assert!(session.is_remembered() && session.family.as_deref() == Some("f"));
        session.sign_in(user("jackie"), [7; 32], now);
        assert!(!session.is_remembered() && session.family.is_some(), "the password was typed");
        session.sign_in(user("john"), [7; 32], now);
        assert_eq!(session.family, None, "it remembers another user");
        session.sign_in_remembered(user("john"), [7; 32], now, "f".into());
        session.sign_out();
        assert!(!session.is_remembered() && session.family.is_none());
    }
}
