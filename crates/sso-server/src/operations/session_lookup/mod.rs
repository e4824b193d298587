//! Session lookup: by the browser's cookie (`browser`) or by a broker's bearer token (`bearer`). Also the remaining
//! time of a login.

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
    /// The remaining time of a session's login, or how the last login ended. The caller must check who may see it.
    /// Calling it does not extend the login.
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

    /// Extends a login at its user's request.
    pub async fn keep_alive(&self, session: &Arc<Session>) -> Result<SessionStatus, Unavailable> {
        let used = self.task().touch_now(session).await?;
        // The next call reports a newer login, if the caller may see it.
        let epoch = |session: &Session| session.login.as_ref().map(|login| login.epoch);
        let is_other = used.login.is_some() && epoch(&used) != epoch(session);
        Ok(self.status(if is_other { session } else { &used }))
    }
}
