//! What an operator sees and ends, of whom they like: the commands `sso users` and `sso sessions`, or a program of your
//! own.

use sso_core::BrokerId;

use crate::{
    error::Unavailable,
    operations::account::OwnSession,
    server::{Server, ends::EndedCounts},
    session::EndReason,
    store::Unlink,
};

impl Server {
    /// Where a user is logged in.
    pub async fn sessions_of(&self, username: &str) -> Result<Vec<OwnSession>, Unavailable> {
        self.long_task().own_sessions(username, None).await
    }

    /// Ends the login in the session of this handle, if it is this user's, and forgets its browser; whether it was
    /// there.
    pub async fn end_session(&self, username: &str, handle: &str) -> Result<bool, Unavailable> {
        let task = self.long_task();
        let sessions = task.sessions_of(username).await?;
        let Some(session) = sessions.iter().find(|session| task.session_handle(session) == handle) else {
            return Ok(false);
        };
        let ended = task.end_and_forget(session, EndReason::Revoked, |session| session.is_of(username)).await?;
        Ok(ended.is_some())
    }

    /// Ends all logins of a user and forgets all browsers that remember them. Their brokers are told at the next call.
    pub async fn end_user(&self, username: &str) -> Result<EndedCounts, Unavailable> {
        self.long_task().end_all(username, None, EndReason::Revoked).await
    }

    /// Ends all sessions, cuts all links and forgets all browsers, of everybody: what one does after a restored backup,
    /// or a leak. It goes in steps, each of which the store itself bounds; what is begun meanwhile may stay. Access
    /// tokens go on until their time is up.
    pub async fn end_everything(&self) -> Result<EndedCounts, Unavailable> {
        let removed = self.0.store.remove_all().await.map_err(Unavailable::because)?;
        tracing::info!(removed.sessions, removed.families, "everything was ended");
        Ok(EndedCounts { sessions: removed.sessions, browsers: removed.families })
    }

    /// Cuts all links of one broker, or of all (`None`), in such steps: every bearer token made from them is dead, and
    /// brokers attach their visitors anew. Nobody is logged out.
    pub async fn revoke_links(&self, broker: Option<&BrokerId>) -> Result<u64, Unavailable> {
        let which = broker.map_or(Unlink::All, |broker| Unlink::Broker(broker.clone()));
        self.0.store.unlink(&which).await.map_err(Unavailable::because)
    }
}
