//! Logout: at the server's own pages and through a broker's back end. Both work while users cannot be looked up.

use sso_core::wire::Ended;

use crate::{
    error::{Error, Unavailable},
    operations::session_lookup::{BrokerCall, check_link},
    server::{Server, browser::Browser, task::Task},
    session::{CookieValue, EndReason, LinkState, Session},
};

impl Server {
    /// Logs out at the server's own page and forgets the browser. Returns a new cookie if the browser had a session.
    /// The caller must have checked that the request comes from a page of the server: a changed fingerprint destroys
    /// the session. A login that happens at the same time stays, since this browser's cookie was not its own.
    pub async fn log_out(&self, browser: impl Into<Browser>) -> Result<Option<CookieValue>, Unavailable> {
        let (task, browser) = (self.task(), Browser { navigates: true, ..browser.into() });
        if let Some(claims) = task.claims_of(&browser) {
            task.end_family(&claims.registered.sub, &claims.family, EndReason::LoggedOut).await?;
        }
        let Some(session) = task.unvalidated(&browser).await? else { return Ok(None) };
        task.log_out_of_family(&session).await?;
        let (cookie, now, epoch) = (CookieValue::generate(), task.now(), session.epoch);
        // Ended here, so that the cookie is replaced after it.
        let log_out = |session: &mut Session| {
            let is_meant = session.login.is_none() || session.epoch == epoch;
            session.end(EndReason::LoggedOut, now);
            session.replace_cookie(cookie.hash(), now);
            is_meant
        };
        let logged_out = task.end_and_forget(&session, EndReason::LoggedOut, log_out).await?;
        Ok(logged_out.map(|_| {
            tracing::info!("logged out");
            cookie
        }))
    }

    /// Logs out everywhere, through a broker's back end. `authorization` and `by_person` are as in
    /// [`broker_call`](Self::broker_call). Returns how the login that the broker saw ended. If that login had already
    /// ended, only the browser's remember-me token is removed.
    pub async fn broker_log_out(&self, authorization: Option<&str>, by_person: bool) -> Result<Option<Ended>, Error> {
        let task = self.task();
        let mut call = task.proven(authorization).await?;
        let is_logged_in = call.session.login.is_some();
        let is_theirs = is_logged_in || call.session.last_end.as_ref().is_none_or(|end| call.link.saw(end));
        if is_theirs {
            task.log_out_of_family(&call.session).await?;
            let (now, mut state) = (task.now(), LinkState::Good);
            // A login that happens meanwhile is invisible to this link.
            let is_meant = |session: &mut Session| {
                state = call.link.state(session, Some(now), &task.policy, now);
                session.renew_cookie = true;
                state == LinkState::Good
            };
            let logged_out = task.end_and_forget(&call.session, EndReason::LoggedOut, is_meant).await?;
            check_link(state)?;
            call = BrokerCall { session: logged_out.unwrap_or(call.session), ..call };
            tracing::info!(broker = %call.broker.id, "logged out through a broker");
        }
        if by_person {
            task.touch(&call.session).await;
        }
        if is_logged_in {
            return Ok(call.session.ended(task.now()));
        }
        // The broker learns nothing about a user who may not use it, and the logout still succeeds.
        Ok(task.logged_out_status(&call).await.unwrap_or_default().ended)
    }
}

impl Task<'_> {
    /// Logs out the other sessions of the same remember-me family.
    async fn log_out_of_family(&self, session: &Session) -> Result<(), Unavailable> {
        match (session.last_user(), session.family()) {
            (Some(username), Some(family)) => self.end_family(username, family, EndReason::LoggedOut).await,
            _ => Ok(()),
        }
    }
}
