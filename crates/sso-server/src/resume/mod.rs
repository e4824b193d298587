//! Which session is this? By the browser's cookie (`browser`), or by a broker's bearer token (`bearer`). And how much is left of it.

mod bearer;
mod browser;

use sso_core::wire::SessionStatus;

use crate::{
    clock::Timestamp,
    parts::{Parts, unavailable},
    session::{Session, lifecycle},
    store::StoreError,
};

pub use bearer::{ResumeError, Resumed};
pub(crate) use bearer::{by_bearer, failure_key, proven};
pub use browser::{Browser, Visit};
pub(crate) use browser::{asked, begin, by_cookie, come_back, fingerprint, just_logged_in, unjudged, used, visit};

/// What is left of a session.
pub(crate) fn status(parts: &Parts, session: &Session) -> SessionStatus {
    let now = parts.now();
    let left = |end: Timestamp| (end != Timestamp::NEVER).then(|| end.since(now).as_secs());
    let idle = lifecycle::idle_end(session, &parts.policy);
    let absolute = lifecycle::absolute_end(session, &parts.policy);
    SessionStatus {
        authenticated: session.user().is_some(),
        username: session.user().map(|user| user.username.clone()),
        expires_in: left(idle.min(absolute)),
        idle_expires_in: left(idle),
        absolute_expires_in: left(absolute),
        warn_before: parts.policy.warn_before.as_secs(),
    }
}

/// Extends a session because its user asked for that.
pub(crate) async fn keep_alive(parts: &Parts, session: &Session) -> Result<SessionStatus, ResumeError> {
    let used = Session { last_seen: parts.now(), ..session.clone() };
    let keep_until = lifecycle::keep_until(&used, &parts.policy);
    match parts.store.touch(&session.id, used.last_seen, keep_until).await {
        Ok(()) => Ok(status(parts, &used)),
        Err(StoreError::NotFound) => Err(ResumeError::SessionEnded),
        Err(error) => Err(unavailable(error).into()),
    }
}
