//! Checks whether the account still allows a login. Every session lookup runs this check, so no change has to be
//! broadcast: it also catches a node that missed a change, and a login that raced with it.

use std::sync::Arc;

use crate::{
    error::Unavailable,
    server::{Context, task::Task},
    session::{EndReason, Login, Session},
    users::{Account, PasswordHash},
};

/// Maximum validations of one session. Each retry means that a login, a logout or a password confirmation ran at the
/// same time. Reaching it means the store is broken.
const ATTEMPTS: usize = 20;

impl Task<'_> {
    /// Validates the login of a session, and ends it if the account is gone, disabled, or has another password.
    ///
    /// Returns the session with its user as in the account now, and the account of the user who is logged in.
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
                // A cached answer must not end a login: another node may have changed the password and this login's
                // credential.
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
            // A login, a logout or a password confirmation happened meanwhile.
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

    /// What a login and a remembered browser keep of the account's password: a keyed hash of its hash. It changes with
    /// the password.
    pub(crate) fn credential(&self, password: &PasswordHash) -> [u8; 32] {
        self.remember_mac.mac(&["password\n", password.text()])
    }
}

/// The session with its user as in the account now: attributes may have changed since the login.
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
