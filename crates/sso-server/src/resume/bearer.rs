//! The session of a broker's call, by its bearer token.

use std::{borrow::Cow, sync::Arc};

use sso_core::{
    BearerToken,
    wire::{BearerErrorCode, EndReason, Ended, User},
};

use crate::{
    brokers::Broker,
    parts::{Parts, Unavailable, unavailable},
    session::{Link, LinkKey, LinkState, Session},
    standing::{self, Standing},
    store::StoreError,
    throttle::TooEarly,
};

/// A broker's call, proven, and the session it is for.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// Who calls.
    pub broker: Arc<Broker>,
    /// With which token.
    pub key: LinkKey,
    /// What that is linked to.
    pub link: Link,
    /// The session.
    pub session: Arc<Session>,
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
    /// Somebody has logged in since the link was made: it does not see that login, and its broker attaches anew.
    #[error("{}", BearerErrorCode::Superseded.message())]
    Superseded,
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
    /// The call, if nobody is logged in who may not use the broker.
    pub fn admitted(self) -> Result<Self, ResumeError> {
        if self.is_barred { Err(ResumeError::UserNotAllowed) } else { Ok(self) }
    }

    /// Who is logged in, as far as the broker is told.
    pub fn user(&self) -> Result<Option<Cow<'_, User>>, ResumeError> {
        match self.is_barred {
            true => Err(ResumeError::UserNotAllowed),
            false => Ok(self.session.user().map(|user| self.broker.sees(user))),
        }
    }
}

/// The session that a broker's `Authorization` header leads to, at the price of one look-up in the store, one of the user, and two HMACs.
///
/// `by_person`: whether a person is behind the call, which then extends the login.
pub(crate) async fn by_bearer(parts: &Parts, header: Option<&str>, by_person: bool) -> Result<Resumed, ResumeError> {
    let Resumed { broker, key, link, session, .. } = proven(parts, header).await?;
    let (session, is_barred) = match standing::judge(parts, session).await? {
        Standing::Anonymous(session) => (session, false),
        Standing::Good(session, account) => (session, !broker.entry.admits(&account)),
    };
    if !is_barred && by_person {
        parts.touch(&session).await?;
    }
    Ok(Resumed { broker, key, link, session, is_barred })
}

/// What a broker is told that sees nobody logged in, of a user who may use it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// How the last login ended, if the link saw it.
    pub ended: Option<Ended>,
    /// The browser is remembered: a new attach logs it in again.
    pub resume: bool,
}

/// See [`Told`].
pub(crate) async fn told(parts: &Parts, resumed: &Resumed) -> Result<Told, Unavailable> {
    let (session, mut told) = (&resumed.session, Told::default());
    let (Some(end), Some(ended)) = (&session.last_end, super::ended(parts, session)) else { return Ok(told) };
    let account = parts.users.find(&end.username).await.map_err(standing::users_unavailable)?;
    if !account.is_some_and(|account| resumed.broker.entry.admits(&account)) {
        return Ok(told);
    }
    if let Some(family) = end.family.as_deref().filter(|_| ended.reason == EndReason::Expired) {
        let family = parts.store.family(family).await.map_err(unavailable)?;
        told.resume = family.is_some_and(|family| parts.now() < family.expires);
    }
    told.ended = resumed.link.saw(end).then_some(ended);
    Ok(told)
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
    check_link(parts.link_state(&resolved))?;
    if resolved.link.php && resolved.called.is_none_or(|called| now.since(called) >= Link::CALLED_EVERY) {
        // So that it is not the one to make room.
        match parts.store.called(&key, now).await {
            Ok(()) | Err(StoreError::NotFound) => {}
            Err(error) => return Err(unavailable(error).into()),
        }
    }
    Ok(Resumed { broker, key, link: resolved.link, session: resolved.session, is_barred: false })
}

/// Whether a link in this state is honoured.
pub(crate) fn check_link(state: LinkState) -> Result<(), ResumeError> {
    match state {
        LinkState::Good => Ok(()),
        LinkState::Superseded => Err(ResumeError::Superseded),
        LinkState::Dead => Err(ResumeError::NotAttached),
    }
}

/// Under which key the wrong checksums of a token are counted.
pub(crate) fn failure_key(key: &LinkKey) -> String {
    format!("{}-{}", key.broker, key.token.as_str())
}
