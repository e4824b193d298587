//! Which session is this? By the browser's cookie (`browser`), or by a broker's bearer token (`bearer`). And how much is left of its login.

mod bearer;
mod browser;

use std::sync::Arc;

use sso_core::wire::SessionStatus;

use crate::{
    clock::Timestamp,
    parts::{Parts, Unavailable},
    session::{Session, lifecycle},
};

pub use bearer::{ResumeError, Resumed, Told};
pub(crate) use bearer::{by_bearer, check_link, failure_key, proven, told};
pub use browser::{Browser, Visit};
pub(crate) use browser::{asked, by_cookie, come_back, fingerprint, just_replaced, unjudged, used, visit};

/// What is left of the login in a session.
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
        auth_time: session.login.as_ref().map(|login| login.auth_time.as_secs()),
        ended: None,
    }
}

/// What its last end was, for who may know of it.
pub(crate) fn ended(parts: &Parts, session: &Session) -> Option<sso_core::wire::Ended> {
    let end = session.last_end.as_ref().filter(|_| session.login.is_none())?;
    let seconds_ago = parts.now().since(end.at).as_secs();
    Some(sso_core::wire::Ended { reason: end.reason.told(), n: end.epoch, seconds_ago })
}

/// Extends a login because its user asked for that.
pub(crate) async fn keep_alive(parts: &Parts, session: &Arc<Session>) -> Result<SessionStatus, Unavailable> {
    let used = parts.touch_now(session).await?;
    // Of a login since then the caller is told at the next call, if it may see that one.
    let epoch = |session: &Session| session.login.as_ref().map(|login| login.epoch);
    let is_other = used.login.is_some() && epoch(&used) != epoch(session);
    Ok(status(parts, if is_other { session } else { &used }))
}
