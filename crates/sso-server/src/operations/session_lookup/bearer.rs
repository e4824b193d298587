//! Session lookup by a broker's bearer token.

use std::{borrow::Cow, sync::Arc, time::Duration};

use sso_core::{
    BearerToken,
    wire::{EndReason, Ended, User},
};

use crate::{
    brokers::Broker,
    error::{Error, Unavailable},
    server::{Server, task::Task},
    session::{Link, LinkKey, LinkState, Session},
};

/// An authenticated call of a broker, with its session.
#[derive(Clone, Debug)]
pub struct BrokerCall {
    /// The calling broker.
    pub broker: Arc<Broker>,
    /// The key of its link: broker and token.
    pub key: LinkKey,
    /// The link.
    pub link: Link,
    /// The session.
    pub session: Arc<Session>,
    /// Whether the user who is logged in may not use this broker. The broker then learns nothing, and can only log the
    /// user out.
    pub user_not_allowed: bool,
    /// The wait time that remains for the rest of the call.
    pub(crate) remaining: Duration,
}

impl BrokerCall {
    /// Fails if the user who is logged in may not use the broker.
    pub fn require_allowed(self) -> Result<Self, Error> {
        if self.user_not_allowed { Err(Error::UserNotAllowed) } else { Ok(self) }
    }

    /// The user who is logged in, with the attributes that the broker may see.
    pub fn user(&self) -> Result<Option<Cow<'_, User>>, Error> {
        match self.user_not_allowed {
            true => Err(Error::UserNotAllowed),
            false => Ok(self.session.user().map(|user| self.broker.sees(user))),
        }
    }
}

/// What a broker sees if nobody is logged in. Empty for a user who may not use the broker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoggedOutStatus {
    /// How the last login ended, if the link saw it.
    pub ended: Option<Ended>,
    /// The browser is remembered: the next attach logs it in again.
    pub resume: bool,
}

impl Server {
    /// Authenticates a broker's call by its `Authorization` header and finds its session. Costs one store lookup, one
    /// user lookup and two HMACs.
    ///
    /// `by_person`: whether a person caused the call; if so, it extends the login.
    pub async fn broker_call(&self, authorization: Option<&str>, by_person: bool) -> Result<BrokerCall, Error> {
        let task = self.task();
        let call = task.proven(authorization).await?;
        let (session, account) = task.validate_login(call.session).await?;
        let user_not_allowed = account.is_some_and(|account| !call.broker.allowed_users.allows(&account));
        if !user_not_allowed && by_person {
            task.touch(&session).await;
        }
        Ok(BrokerCall { session, user_not_allowed, remaining: task.remaining(), ..call })
    }

    /// What the broker sees if nobody is logged in.
    pub async fn logged_out_status(&self, call: &BrokerCall) -> Result<LoggedOutStatus, Unavailable> {
        self.task_with(call.remaining).logged_out_status(call).await
    }
}

impl Task<'_> {
    pub(crate) async fn logged_out_status(&self, call: &BrokerCall) -> Result<LoggedOutStatus, Unavailable> {
        let (session, mut status) = (&call.session, LoggedOutStatus::default());
        let (Some(end), Some(ended)) = (&session.last_end, session.ended(self.now())) else { return Ok(status) };
        let account = self.look_up(self.users.find(&end.username)).await?;
        if !account.is_some_and(|account| call.broker.allowed_users.allows(&account)) {
            return Ok(status);
        }
        if let Some(family) = end.family.as_deref().filter(|_| ended.reason == EndReason::Expired) {
            status.resume = self.family(family).await?.is_some();
        }
        status.ended = call.link.saw(end).then_some(ended);
        Ok(status)
    }

    /// An authenticated call without the account check. Only for a logout, which must not depend on the user directory.
    /// It does not set `user_not_allowed`.
    pub(crate) async fn proven(&self, authorization: Option<&str>) -> Result<BrokerCall, Error> {
        let bearer = authorization.and_then(BearerToken::from_authorization).ok_or(Error::NoBearer)?;
        let bearer = bearer.map_err(|_| Error::NotAttached)?;
        let broker = self.broker(&bearer.broker).await?.ok_or(Error::NotAttached)?;

        let key = LinkKey { broker: bearer.broker.clone(), token: bearer.token.clone() };
        let resolved = self.resolve(&key).await?.ok_or(Error::NotAttached)?;

        let now = self.now();
        let is_proven = broker.proves(&bearer, &resolved.link.code, now);
        if !is_proven || broker.is_guessable() {
            self.checksum_failures.check(&failure_key(&key), now)?;
        }
        if !is_proven {
            tracing::warn!(broker = %key.broker, token = ?key.token, "wrong bearer checksum");
            self.checksum_failures.failed(&failure_key(&key), now);
            return Err(Error::NotAttached);
        }
        check_link(self.link_state(&resolved))?;
        if resolved.link.php && resolved.called.is_none_or(|called| now.since(called) >= Link::CALLED_EVERY) {
            // A link in use is the last to make room for others.
            self.ask(self.store.called(&key, now)).await?;
        }
        let remaining = self.remaining();
        Ok(BrokerCall {
            broker,
            key,
            link: resolved.link,
            session: resolved.session,
            user_not_allowed: false,
            remaining,
        })
    }
}

/// Fails unless the link is good.
pub(crate) fn check_link(state: LinkState) -> Result<(), Error> {
    match state {
        LinkState::Good => Ok(()),
        LinkState::Superseded => Err(Error::Superseded),
        LinkState::Dead => Err(Error::NotAttached),
    }
}

/// The key that counts wrong checksums of a token.
pub(crate) fn failure_key(key: &LinkKey) -> String {
    format!("{}-{}", key.broker, key.token.as_str())
}
