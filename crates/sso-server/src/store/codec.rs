//! Records as sealed bytes, for stores outside this process. The text is JSON of private mirrors: the records themselves cannot be written out.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sso_core::{BrokerId, wire::User};
use zeroize::Zeroizing;

use super::{
    StoreError,
    keys::{Kind, StoreKeys},
};
use crate::{
    clock::Timestamp,
    session::{
        CookieHash, DestroyReason, Family, Fingerprint, Link, LinkKey, OldCookie, OldToken, Session, SessionId,
        SignedIn,
    },
};

type Millis = i64;

/// A session but its version and the times that a touch moves: those are the store's to keep beside it.
#[derive(Serialize, Deserialize)]
struct SessionText {
    id: String,
    version: u64,
    cookie: [u8; 32],
    cookie_since: Millis,
    old_cookie: Option<([u8; 32], Millis)>,
    renew_cookie: bool,
    begun_silently: bool,
    epoch: u64,
    fingerprint: Option<[u8; 32]>,
    browser: Option<String>,
    family: Option<String>,
    created: Millis,
    destroyed: Option<(Reason, Millis)>,
    last_seen: Millis,
    signed_in: Option<SignedInText>,
    last_user: Option<String>,
    data: Map<String, Value>,
    serves_php: bool,
    keep_until: Millis,
}

#[derive(Serialize, Deserialize)]
struct SignedInText {
    username: String,
    attributes: Map<String, Value>,
    /// These two are not there in what an older version wrote.
    credential: Option<[u8; 32]>,
    next_credential: Option<[u8; 32]>,
    at: Millis,
    password_at: Option<Millis>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Reason {
    FingerprintChanged,
    FingerprintMissing,
    NoExpiry,
    NeverInitiated,
    RememberTokenReused,
    UserGone,
    PasswordChanged,
    /// Also what a newer version may have written, beside which this one runs while nodes are replaced: ended is ended.
    #[serde(other)]
    Revoked,
}

#[derive(Serialize, Deserialize)]
struct LinkText {
    broker: BrokerId,
    token: String,
    session: String,
    code: String,
    at: Millis,
    heals: bool,
}

#[derive(Serialize, Deserialize)]
struct FamilyText {
    id: String,
    version: u64,
    username: String,
    jti: String,
    issued: Millis,
    old: Option<(String, Millis, Option<Millis>)>,
    password: [u8; 32],
    browser: String,
    created: Millis,
    last_used: Millis,
    expires: Millis,
}

/// Sealing of whole records, each for its place in the store.
impl StoreKeys {
    pub(super) fn seal_session(&self, name: &str, session: &Session) -> Result<Vec<u8>, StoreError> {
        self.seal_text(Kind::Session, name, &SessionText::from(session))
    }

    pub(super) fn open_session(&self, name: &str, sealed: &[u8]) -> Result<Session, StoreError> {
        self.open_text::<SessionText>(Kind::Session, name, sealed).map(Session::from)
    }

    pub(super) fn seal_link(&self, name: &str, key: &LinkKey, link: &Link) -> Result<Vec<u8>, StoreError> {
        let text = LinkText {
            broker: key.broker.clone(),
            token: key.token.as_str().to_owned(),
            session: link.session.as_str().to_owned(),
            code: link.code.as_str().to_owned(),
            at: link.at.as_millis(),
            heals: link.heals,
        };
        self.seal_text(Kind::Link, name, &text)
    }

    pub(super) fn open_link(&self, name: &str, sealed: &[u8]) -> Result<(LinkKey, Link), StoreError> {
        let text: LinkText = self.open_text(Kind::Link, name, sealed)?;
        let token = text.token.parse().map_err(|_| unreadable("link"))?;
        let code = text.code.parse().map_err(|_| unreadable("link"))?;
        let session = SessionId::stored(text.session);
        let link = Link { session, code, at: Timestamp::from_millis(text.at), heals: text.heals };
        Ok((LinkKey { broker: text.broker, token }, link))
    }

    pub(super) fn seal_family(&self, name: &str, family: &Family) -> Result<Vec<u8>, StoreError> {
        self.seal_text(Kind::Family, name, &FamilyText::from(family))
    }

    pub(super) fn open_family(&self, name: &str, sealed: &[u8]) -> Result<Family, StoreError> {
        self.open_text::<FamilyText>(Kind::Family, name, sealed).map(Family::from)
    }

    pub(crate) fn seal_text(&self, kind: Kind, name: &str, text: &impl Serialize) -> Result<Vec<u8>, StoreError> {
        let text = serde_json::to_vec(text).map(Zeroizing::new).map_err(|_| unreadable("new"))?;
        self.seal(kind, name, &text)
    }

    pub(crate) fn open_text<T: DeserializeOwned>(
        &self,
        kind: Kind,
        name: &str,
        sealed: &[u8],
    ) -> Result<T, StoreError> {
        let text = self.open(kind, name, sealed)?;
        let mut reader = serde_json::Deserializer::from_slice(&text);
        // What it is made of was limited when it came; a record is some levels deeper, and must be readable all the same.
        reader.disable_recursion_limit();
        let read = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        // The error's own text might show what it could not read.
        read.map_err(|_| unreadable("stored"))
    }
}

fn unreadable(what: &str) -> StoreError {
    StoreError::Unavailable(format!("a {what} record cannot be read by this version of the server"))
}

impl From<&Session> for SessionText {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.as_str().to_owned(),
            version: session.version,
            cookie: *session.cookie.as_bytes(),
            cookie_since: session.cookie_since.as_millis(),
            old_cookie: session.old_cookie.map(|old| (*old.hash.as_bytes(), old.works_until.as_millis())),
            renew_cookie: session.renew_cookie,
            begun_silently: session.begun_silently,
            epoch: session.epoch,
            fingerprint: session.fingerprint.map(|print| *print.as_bytes()),
            browser: session.browser.clone(),
            family: session.family.clone(),
            created: session.created.as_millis(),
            destroyed: session.destroyed.map(|(reason, at)| (reason.into(), at.as_millis())),
            last_seen: session.last_seen.as_millis(),
            signed_in: session.signed_in.as_ref().map(|signed_in| SignedInText {
                username: signed_in.user.username.clone(),
                attributes: signed_in.user.attributes.clone(),
                credential: signed_in.credential,
                next_credential: signed_in.next_credential,
                at: signed_in.at.as_millis(),
                password_at: signed_in.password_at.map(Timestamp::as_millis),
            }),
            last_user: session.last_user.clone(),
            data: session.data.clone(),
            serves_php: session.serves_php,
            keep_until: session.keep_until.as_millis(),
        }
    }
}

impl From<SessionText> for Session {
    fn from(text: SessionText) -> Self {
        let old_cookie =
            |(hash, until)| OldCookie { hash: CookieHash::stored(hash), works_until: Timestamp::from_millis(until) };
        Self {
            id: SessionId::stored(text.id),
            version: text.version,
            cookie: CookieHash::stored(text.cookie),
            cookie_since: Timestamp::from_millis(text.cookie_since),
            old_cookie: text.old_cookie.map(old_cookie),
            renew_cookie: text.renew_cookie,
            begun_silently: text.begun_silently,
            epoch: text.epoch,
            fingerprint: text.fingerprint.map(Fingerprint::new),
            browser: text.browser,
            family: text.family,
            created: Timestamp::from_millis(text.created),
            destroyed: text.destroyed.map(|(reason, at)| (reason.into(), Timestamp::from_millis(at))),
            last_seen: Timestamp::from_millis(text.last_seen),
            signed_in: text.signed_in.map(|text| SignedIn {
                user: User { username: text.username, attributes: text.attributes },
                credential: text.credential,
                next_credential: text.next_credential,
                at: Timestamp::from_millis(text.at),
                password_at: text.password_at.map(Timestamp::from_millis),
            }),
            last_user: text.last_user,
            data: text.data,
            serves_php: text.serves_php,
            keep_until: Timestamp::from_millis(text.keep_until),
        }
    }
}

impl From<&Family> for FamilyText {
    fn from(family: &Family) -> Self {
        let old =
            |old: &OldToken| (old.jti.clone(), old.replaced.as_millis(), old.successor_seen.map(Timestamp::as_millis));
        Self {
            id: family.id.clone(),
            version: family.version,
            username: family.username.clone(),
            jti: family.jti.clone(),
            issued: family.issued.as_millis(),
            old: family.old.as_ref().map(old),
            password: family.password,
            browser: family.browser.clone(),
            created: family.created.as_millis(),
            last_used: family.last_used.as_millis(),
            expires: family.expires.as_millis(),
        }
    }
}

impl From<FamilyText> for Family {
    fn from(text: FamilyText) -> Self {
        let old = |(jti, replaced, seen): (_, _, Option<Millis>)| OldToken {
            jti,
            replaced: Timestamp::from_millis(replaced),
            successor_seen: seen.map(Timestamp::from_millis),
        };
        Self {
            id: text.id,
            version: text.version,
            username: text.username,
            jti: text.jti,
            issued: Timestamp::from_millis(text.issued),
            old: text.old.map(old),
            password: text.password,
            browser: text.browser,
            created: Timestamp::from_millis(text.created),
            last_used: Timestamp::from_millis(text.last_used),
            expires: Timestamp::from_millis(text.expires),
        }
    }
}

/// The two lists must name the same reasons: what was written stays readable when the record's own names change.
macro_rules! reasons {
    ($($name:ident),*) => {
        impl From<DestroyReason> for Reason {
            fn from(reason: DestroyReason) -> Self {
                match reason { $(DestroyReason::$name => Self::$name),* }
            }
        }
        impl From<Reason> for DestroyReason {
            fn from(reason: Reason) -> Self {
                match reason { $(Reason::$name => Self::$name),* }
            }
        }
    };
}
reasons!(
    FingerprintChanged,
    FingerprintMissing,
    NoExpiry,
    NeverInitiated,
    Revoked,
    RememberTokenReused,
    UserGone,
    PasswordChanged
);

#[cfg(test)]
mod tests;
