//! Which session is this? By the browser's cookie (`browser`), or by a broker's bearer token (`bearer`). And how much
//! is left of its login.

mod bearer;
mod browser;

use std::sync::Arc;

use sso_core::wire::SessionStatus;

use crate::{
    error::Unavailable,
    server::Server,
    session::{Session, lifecycle},
    util::clock::Timestamp,
};

pub use bearer::{BrokerCall, LoggedOutStatus};
pub(crate) use bearer::{check_link, failure_key};

impl Server {
    /// What is left of the login in a session, or how the last one ended: for who may know of it. Asking does not
    /// extend it.
    pub fn status(&self, session: &Session) -> SessionStatus {
        let (policy, now) = (&self.0.policy, self.0.now());
        let left = |end: Timestamp| (end != Timestamp::NEVER).then(|| end.since(now).as_secs());
        let (idle, absolute) = (lifecycle::idle_end(session, policy), lifecycle::absolute_end(session, policy));
        SessionStatus {
            authenticated: session.user().is_some(),
            username: session.user().map(|user| user.username.clone()),
            expires_in: left(idle.min(absolute)),
            idle_expires_in: left(idle),
            absolute_expires_in: left(absolute),
            warn_before: policy.warn_before.as_secs(),
            auth_time: session.login.as_ref().map(|login| login.auth_time.as_secs()),
            ended: session.ended(now),
        }
    }

    /// Extends a login, because its user asked for that.
    pub async fn keep_alive(&self, session: &Arc<Session>) -> Result<SessionStatus, Unavailable> {
        let used = self.task().touch_now(session).await?;
        // Of a login since then the caller is told at the next call, if it may see that one.
        let epoch = |session: &Session| session.login.as_ref().map(|login| login.epoch);
        let is_other = used.login.is_some() && epoch(&used) != epoch(session);
        Ok(self.status(if is_other { session } else { &used }))
    }
}
