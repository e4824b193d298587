//! How many logins a user may have at once: one too many ends the longest unused.

use std::sync::Arc;

use crate::{
    parts::{Parts, Unavailable},
    session::{EndReason, Session},
};

/// Ends the longest unused logins of this session's user where they are too many by now. Only those that began before
/// the login in this session: of two logins at once, with room for one, the later one stays, and not neither.
///
/// The login itself stands, whatever the store says: the next one makes up for it.
pub(crate) async fn make_room(parts: &Parts, session: &Session) {
    if let Err(Unavailable) = end_longest_unused(parts, session).await {
        tracing::warn!("logins that may be too many were left");
    }
}

async fn end_longest_unused(parts: &Parts, session: &Session) -> Result<(), Unavailable> {
    let Some(user) = session.user() else { return Ok(()) };
    let mut sessions = parts.sessions_of(&user.username).await?;
    let too_many = sessions.len().saturating_sub(parts.policy.max_sessions_per_user.get());
    if too_many == 0 {
        return Ok(());
    }
    let began = |session: &Session| (session.login.as_ref().map(|login| login.at), session.id.clone());
    let this = began(session);
    sessions.retain(|other| began(other) < this);
    sessions.sort_by_key(|other: &Arc<Session>| other.last_seen);
    for longest_unused in sessions.iter().take(too_many) {
        if session.family().is_some_and(|family| longest_unused.family() == Some(family)) {
            // Left by this very browser, before it lost its session's cookie: it stays remembered.
            parts.end(longest_unused, EndReason::TooMany, |session| session.is_of(&user.username)).await?;
        } else {
            // A remembered browser would log itself in again at its next visit, and end another login.
            parts.end_and_forget(longest_unused, &user.username, EndReason::TooMany).await?;
        }
    }
    Ok(())
}
