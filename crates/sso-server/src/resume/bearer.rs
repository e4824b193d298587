//! The session of a broker's call, by its bearer token.

use std::{borrow::Cow, sync::Arc};

use sso_core::{
    BearerToken,
    wire::{BearerErrorCode, User},
};

use crate::{
    brokers::Broker,
    parts::{Parts, Unavailable, unavailable},
    session::{Link, LinkKey, Session},
    standing::{self, Standing},
    store::StoreError,
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
    /// Whether somebody is logged in who may not use this broker: it is told nothing, and can only log them out.
    pub is_barred: bool,
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
    /// Somebody is logged in who may not use this broker.
    #[error("{}", BearerErrorCode::UserNotAllowed.message())]
    UserNotAllowed,
    /// Too many wrong checksums for this token.
    #[error("Too many failed attempts. Try again later.")]
    TooManyFailures {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// Store, users or brokers do not answer.
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
    /// The call, if its session is live: for what may be done whoever is logged in.
    pub fn live(self) -> Result<Self, ResumeError> {
        if self.ended { Err(ResumeError::SessionEnded) } else { Ok(self) }
    }

    /// The call, if its session is live and nobody is logged in who may not use the broker.
    pub fn admitted(self) -> Result<Self, ResumeError> {
        let live = self.live()?;
        if live.is_barred { Err(ResumeError::UserNotAllowed) } else { Ok(live) }
    }

    /// Who is logged in, as far as the broker is told. A jasny/sso broker is told "nobody" of an ended session: it never attaches again by
    /// itself, and would show an error page for as long as its cookie lives.
    pub fn user(&self) -> Result<Option<Cow<'_, User>>, ResumeError> {
        match (self.ended, self.broker.is_php()) {
            (false, _) if self.is_barred => Err(ResumeError::UserNotAllowed),
            (false, _) => Ok(self.session.user().map(|user| self.broker.sees(user))),
            (true, true) => Ok(None),
            (true, false) => Err(ResumeError::SessionEnded),
        }
    }
}

/// The live session that a broker's `Authorization` header leads to, at the price of one look-up in the store, one of the user, and two HMACs.
///
/// `by_person`: whether a person is behind the call, which then extends the session.
pub(crate) async fn by_bearer(parts: &Parts, header: Option<&str>, by_person: bool) -> Result<Resumed, ResumeError> {
    let resumed = judged(parts, proven(parts, header).await?).await?;
    if !resumed.ended && !resumed.is_barred && by_person {
        parts.touch(&resumed.session).await?;
    }
    Ok(resumed)
}

async fn judged(parts: &Parts, resumed: Resumed) -> Result<Resumed, Unavailable> {
    if resumed.ended {
        return Ok(resumed);
    }
    let Resumed { broker, key, session, .. } = resumed;
    let (session, ended, is_barred) = match standing::judge(parts, session).await? {
        Standing::Anonymous(session) => (session, false, false),
        Standing::Good(session, account) => (session, false, !broker.entry.admits(&account)),
        Standing::Ended(session) => (session, true, false),
    };
    Ok(Resumed { broker, key, session, ended, is_barred })
}

/// The same without a look at the account: enough for a logout, which must not wait for the users' side, and for nothing else. It does not
/// say who is barred.
pub(crate) async fn proven(parts: &Parts, header: Option<&str>) -> Result<Resumed, ResumeError> {
    let bearer = header.and_then(BearerToken::from_authorization).ok_or(ResumeError::NoBearer)?;
    let bearer = bearer.map_err(|_| ResumeError::NotAttached)?;
    let broker = parts.broker(&bearer.broker).await?.ok_or(ResumeError::NotAttached)?;

    let key = LinkKey { broker: bearer.broker.clone(), token: bearer.token.clone() };
    let resolved = parts.resolve(&key).await?.ok_or(ResumeError::NotAttached)?;

    let now = parts.now();
    let is_proven = broker.proves(&bearer, &resolved.link.code, now);
    if !is_proven || broker.is_guessable() {
        parts.checksum_failures.check(&failure_key(&key), now)?;
    }
    if !is_proven {
        tracing::warn!(broker = %key.broker, token = ?key.token, "wrong bearer checksum");
        parts.checksum_failures.failed(&failure_key(&key), now);
        return Err(ResumeError::NotAttached);
    }
    // A jasny/sso broker could not attach anew; its links end with their session.
    if !broker.is_php() && now >= resolved.link.at.after(parts.policy.link_lifetime) {
        return Err(ResumeError::NotAttached);
    }
    if broker.is_php() && resolved.called.is_none_or(|called| now.since(called) >= Link::CALLED_EVERY) {
        // So that it is not the one to make room.
        match parts.store.called(&key, now).await {
            Ok(()) | Err(StoreError::NotFound) => {}
            Err(error) => return Err(unavailable(error).into()),
        }
    }
    let state = parts.state(&resolved.session);
    if state.is_ended() {
        tracing::info!(broker = %key.broker, ?state, "a broker called for a session that has ended");
    }
    Ok(Resumed { broker, key, session: resolved.session, ended: state.is_ended(), is_barred: false })
}

/// Under which key the wrong checksums of a token are counted.
pub(crate) fn failure_key(key: &LinkKey) -> String {
    format!("{}-{}", key.broker, key.token.as_str())
}
