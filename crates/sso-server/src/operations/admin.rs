//! What an administrator sees and ends, for any user: for the commands `sso users` and `sso sessions`, or your own
//! program.

use sso_core::BrokerId;

use crate::{
    error::Unavailable,
    operations::account::OwnSession,
    server::{Server, ends::EndedCounts},
    session::EndReason,
    store::Unlink,
};

impl Server {
    /// The sessions in which a user is logged in.
    pub async fn sessions_of(&self, username: &str) -> Result<Vec<OwnSession>, Unavailable> {
        self.long_task().own_sessions(username, None).await
    }

    /// Ends the login in the session with this handle, if it is this user's, and forgets its browser. Returns whether
    /// it was found.
    pub async fn end_session(&self, username: &str, handle: &str) -> Result<bool, Unavailable> {
        let task = self.long_task();
        let sessions = task.sessions_of(username).await?;
        let Some(session) = sessions.iter().find(|session| task.session_handle(session) == handle) else {
            return Ok(false);
        };
        let ended = task.end_and_forget(session, EndReason::Revoked, |session| session.is_of(username)).await?;
        Ok(ended.is_some())
    }

    /// Ends all logins of a user and forgets all browsers that remember them. Brokers notice at their next call.
    pub async fn end_user(&self, username: &str) -> Result<EndedCounts, Unavailable> {
        self.long_task().end_all(username, None, EndReason::Revoked).await
    }

    /// Ends all sessions, cuts all links and forgets all browsers of all users: after restoring a backup, or a leak. It
    /// runs in bounded steps, so what begins meanwhile may stay. Access tokens remain valid until they expire.
    pub async fn end_everything(&self) -> Result<EndedCounts, Unavailable> {
        let removed = self.0.store.remove_all().await.map_err(Unavailable::because)?;
        tracing::info!(removed.sessions, removed.families, "everything was ended");
        Ok(EndedCounts { sessions: removed.sessions, browsers: removed.families })
    }

    /// Cuts all links of one broker, or of all brokers (`None`), in bounded steps. Bearer tokens of these links stop
    /// working, and brokers attach again. Nobody is logged out.
    pub async fn revoke_links(&self, broker: Option<&BrokerId>) -> Result<u64, Unavailable> {
        let which = broker.map_or(Unlink::All, |broker| Unlink::Broker(broker.clone()));
        self.0.store.unlink(&which).await.map_err(Unavailable::because)
    }
}
