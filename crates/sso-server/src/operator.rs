//! What an operator sees and ends, of whom they like: the commands `sso users` and `sso sessions`, or a program of your own.

use crate::{
    account::{self, OwnSession},
    parts::{Parts, Unavailable},
    remember,
};

/// How much was ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Sessions in which somebody was logged in.
    pub sessions: u64,
    /// Browsers that were remembered.
    pub browsers: u64,
}

/// Where a user is logged in.
pub(crate) async fn sessions_of(parts: &Parts, username: &str) -> Result<Vec<OwnSession>, Unavailable> {
    account::sessions(parts, username, None).await
}

/// Ends one session of a user, whose browser is not remembered any more; whether it was there.
pub(crate) async fn end_session(parts: &Parts, username: &str, handle: &str) -> Result<bool, Unavailable> {
    let sessions = account::live(parts, username).await?;
    match sessions.iter().find(|session| account::session_handle(parts, session) == handle) {
        Some(session) => account::revoke(parts, session, username).await,
        None => Ok(false),
    }
}

/// Ends all sessions of a user, and forgets all their browsers.
pub(crate) async fn end_user(parts: &Parts, username: &str) -> Result<Ended, Unavailable> {
    let mut ended = Ended::default();
    // First what could begin new ones.
    for family in account::families(parts, username).await? {
        remember::remove(parts, Some(&family.id)).await?;
        ended.browsers += 1;
    }
    for session in account::live(parts, username).await? {
        ended.sessions += u64::from(account::revoke(parts, &session, username).await?);
    }
    Ok(ended)
}
