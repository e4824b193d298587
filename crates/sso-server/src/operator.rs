//! What an operator sees and ends, of whom they like: the commands `sso users` and `sso sessions`, or a program of your own.

use crate::{
    account::{self, Ended, OwnSession},
    parts::{Parts, Unavailable, unavailable},
    session::EndReason,
};

/// Where a user is logged in.
pub(crate) async fn sessions_of(parts: &Parts, username: &str) -> Result<Vec<OwnSession>, Unavailable> {
    account::sessions(parts, username, None).await
}

/// Ends one session of a user, whose browser is not remembered any more; whether it was there.
pub(crate) async fn end_session(parts: &Parts, username: &str, handle: &str) -> Result<bool, Unavailable> {
    let sessions = parts.sessions_of(username).await?;
    match sessions.iter().find(|session| account::session_handle(parts, session) == handle) {
        Some(session) => parts.end_and_forget(session, username, EndReason::Revoked).await,
        None => Ok(false),
    }
}

/// Ends all sessions of a user, and forgets all their browsers.
pub(crate) async fn end_user(parts: &Parts, username: &str) -> Result<Ended, Unavailable> {
    account::end_all(parts, username, None, EndReason::Revoked).await
}

/// Ends everything, of everybody. What is begun while this runs may stay.
pub(crate) async fn end_everything(parts: &Parts) -> Result<Ended, Unavailable> {
    let removed = parts.store.remove_all().await.map_err(unavailable)?;
    tracing::info!(removed.sessions, removed.families, "everything was ended");
    Ok(Ended { sessions: removed.sessions, browsers: removed.families })
}
