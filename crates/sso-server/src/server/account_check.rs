//! The standing of a login: whether its user may still be there, as the account is now. Judged wherever a session is
//! found, so that nothing has to be told to anybody: a node that missed a change, and a login that raced with it, are
//! judged like all others.

use std::sync::Arc;

use crate::{
    error::Unavailable,
    server::{Context, task::Task},
    session::{EndReason, Login, Session},
    users::{Account, PasswordHash},
};

/// How often a session is judged anew because somebody logged in or out, or confirmed the password, at that very
/// moment: each time both stores are asked again. Nobody does so again and again; a store that says so is out of order.
const ATTEMPTS: usize = 20;

impl Task<'_> {
    /// Judges the login of a session, and ends it if its user may not be there any more: the account is gone, disabled,
    /// or has another password.
    ///
    /// The session then, which tells its user as the account does now, and the account of who is logged in.
    pub(crate) async fn validate_login(
        &self,
        session: Arc<Session>,
    ) -> Result<(Arc<Session>, Option<Arc<Account>>), Unavailable> {
        let mut session = session;
        for _ in 0..ATTEMPTS {
            let Some(login) = &session.login else { return Ok((session, None)) };
            let username = &login.user.username;
            let mut verdict = self.verdict(login, self.look_up(self.users.find(username)).await?);
            if verdict.is_err() {
                // What is some seconds old ends nothing: another node may have changed the password and this login's
                // credential with it.
                verdict = self.verdict(login, self.look_up(self.users.find_now(username)).await?);
            }
            let reason = match verdict {
                Ok(account) => return Ok((present(session, &account), Some(account))),
                Err(reason) => reason,
            };
            self.forget(session.family()).await?;
            if let Some(ended) = self.end(&session, reason, |current| current.login == session.login).await? {
                return Ok((ended, None));
            }
            // Somebody logged in or out meanwhile, or confirmed the password.
            match self.session(&session.id).await? {
                Some(current) => session = current,
                None => {
                    let mut gone = Session::clone(&session);
                    gone.end(reason, self.now());
                    return Ok((Arc::new(gone), None));
                }
            }
        }
        Err(Unavailable::changes_all_the_time())
    }
}

impl Context {
    fn verdict(&self, login: &Login, account: Option<Arc<Account>>) -> Result<Arc<Account>, EndReason> {
        let account = account.ok_or(EndReason::UserGone)?;
        let current = self.credential(&account.password);
        let is_same = login.credential == current || login.next_credential.as_deref() == Some(&current);
        if is_same { Ok(account) } else { Err(EndReason::PasswordChanged) }
    }

    /// What a login and a remembered browser keep of the account's password: a keyed hash of its hash. With another
    /// password it is another one.
    pub(crate) fn credential(&self, password: &PasswordHash) -> [u8; 32] {
        self.remember_mac.mac(&["password\n", password.text()])
    }
}

/// The session with its user as the account is now: attributes may have changed since the login.
fn present(session: Arc<Session>, account: &Account) -> Arc<Session> {
    if session.user() == Some(&account.user) {
        return session;
    }
    let mut present = Session::clone(&session);
    if let Some(login) = &mut present.login {
        login.user.clone_from(&account.user);
    }
    Arc::new(present)
}
