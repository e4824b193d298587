//! Which session is this? By the browser's cookie, or by a broker's bearer token.

use std::sync::Arc;

use sso_core::{
    BearerToken,
    wire::{BearerErrorCode, User},
};

use crate::{
    brokers::Broker,
    parts::{ChangeError, Parts, Unavailable, unavailable},
    session::{CookieValue, LinkKey, Session},
    throttle::TooEarly,
};

/// A broker's call, proven, and the session it is for.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// Who calls.
    pub broker: Arc<Broker>,
    /// For which link.
    pub key: LinkKey,
    /// The session; it may have ended, for brokers that must not see that.
    pub session: Arc<Session>,
    /// Whether the session has ended.
    pub ended: bool,
}

/// Why a broker's call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// There is no `Authorization: Bearer …`.
    #[error("Broker didn't use bearer authentication")]
    NoBearer,
    /// Malformed, unknown broker, not attached, or wrong checksum: the caller is not told which.
    #[error("{}", BearerErrorCode::NotAttached.message())]
    NotAttached,
    /// The session it was linked to is over.
    #[error("{}", BearerErrorCode::SessionEnded.message())]
    SessionEnded,
    /// Too many wrong checksums for this token.
    #[error("Too many failed attempts. Try again later.")]
    TooManyFailures {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// The store does not answer.
    #[error("The server is temporarily unavailable. Try again later.")]
    Unavailable,
}

impl From<Unavailable> for ResumeError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl From<TooEarly> for ResumeError {
    fn from(TooEarly { retry_after }: TooEarly) -> Self {
        Self::TooManyFailures { retry_after }
    }
}

impl Resumed {
    /// The call, if its session is live.
    pub fn live(self) -> Result<Self, ResumeError> {
        if self.ended { Err(ResumeError::SessionEnded) } else { Ok(self) }
    }

    /// Who is logged in. A jasny/sso broker is told "nobody" of an ended session: it never attaches again by itself, and
    /// would show an error page for as long as its cookie lives.
    pub fn user(&self) -> Result<Option<&User>, ResumeError> {
        match (self.ended, self.broker.is_php()) {
            (false, _) => Ok(self.session.user()),
            (true, true) => Ok(None),
            (true, false) => Err(ResumeError::SessionEnded),
        }
    }
}

/// A browser's session, and the cookie to set if it got another one.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The session, live.
    pub session: Arc<Session>,
    /// The new value of the browser's cookie.
    pub set_cookie: Option<CookieValue>,
}

/// The live session that a broker's `Authorization` header leads to, at the price of one look-up and one HMAC.
///
/// `by_person`: whether a person is behind the call, which then extends the session.
pub(crate) async fn by_bearer(parts: &Parts, header: Option<&str>, by_person: bool) -> Result<Resumed, ResumeError> {
    let resumed = proven(parts, header).await?;
    if !resumed.ended && by_person {
        parts.touch(&resumed.session).await?;
    }
    Ok(resumed)
}

async fn proven(parts: &Parts, header: Option<&str>) -> Result<Resumed, ResumeError> {
    let bearer = header.and_then(BearerToken::from_authorization).ok_or(ResumeError::NoBearer)?;
    let bearer = bearer.map_err(|_| ResumeError::NotAttached)?;
    let broker = parts.broker(&bearer.broker).await?.ok_or(ResumeError::NotAttached)?;

    let key = LinkKey { broker: bearer.broker.clone(), token: bearer.token.clone() };
    let resolved = parts.store.resolve(&key).await.map_err(unavailable)?.ok_or(ResumeError::NotAttached)?;

    let failures = failure_key(&key);
    let now = parts.now();
    let is_proven = bearer.is_proven(&resolved.link.code, &broker.key);
    if !is_proven || broker.is_guessable() {
        parts.checksum_failures.check(&failures, now)?;
    }
    if !is_proven {
        tracing::warn!(broker = %key.broker, token = ?key.token, "wrong bearer checksum");
        parts.checksum_failures.failed(&failures, now);
        return Err(ResumeError::NotAttached);
    }
    // A jasny/sso broker could not attach anew; its links end with their session.
    if !broker.is_php() && now >= resolved.link.at.after(parts.policy.link_lifetime) {
        return Err(ResumeError::NotAttached);
    }
    let ended = parts.ended(&resolved.session).is_some();
    Ok(Resumed { broker, key, session: resolved.session, ended })
}

/// Under which key the wrong checksums of a token are counted.
pub(crate) fn failure_key(key: &LinkKey) -> String {
    format!("{}-{}", key.broker, key.token.as_str())
}

/// The live session of a browser's cookie, as it is: nothing is changed and no cookie is set.
pub(crate) async fn by_cookie(
    parts: &Parts,
    cookie: Option<&CookieValue>,
) -> Result<Option<Arc<Session>>, Unavailable> {
    let Some(cookie) = cookie else { return Ok(None) };
    let session = parts.store.load(&cookie.hash()).await.map_err(unavailable)?;
    Ok(session.filter(|session| match parts.ended(session) {
        None => true,
        Some(reason) => {
            tracing::info!(?reason, "a browser came back to a session that has ended");
            false
        }
    }))
}

/// A browser's visit by itself (a navigation): its session is in use, and its cookie is renewed if that is due.
pub(crate) async fn visit(parts: &Parts, cookie: Option<&CookieValue>) -> Result<Option<Visit>, Unavailable> {
    match by_cookie(parts, cookie).await? {
        Some(session) => used(parts, session).await,
        None => Ok(None),
    }
}

/// Notes that the browser of this session was here. A new cookie must be sent: the old one is dead.
pub(crate) async fn used(parts: &Parts, session: Arc<Session>) -> Result<Option<Visit>, Unavailable> {
    if !session.renew_cookie && !session.begun_silently {
        parts.touch(&session).await?;
        return Ok(Some(Visit { session, set_cookie: None }));
    }
    let value = CookieValue::generate();
    let (seen, now) = (session.cookie, parts.now());
    let renewed = parts.change(&session, |session| {
        session.renew_cookie = false;
        session.begun_silently = false;
        session.last_seen = now;
        let still_ours = session.cookie == seen;
        session.cookie = value.hash();
        still_ours
    });
    match renewed.await {
        Ok(session) => Ok(Some(Visit { session, set_cookie: Some(value) })),
        // Another tab was faster, and its answer carries the new cookie; this request came with the old one in time.
        Err(ChangeError::Abandoned) => Ok(Some(Visit { session, set_cookie: None })),
        Err(ChangeError::Ended) => Ok(None),
        Err(ChangeError::Unavailable(error)) => Err(error),
    }
}
