//! Password change by the user. All other sessions of the user end, and no browser stays remembered.

use crate::{
    error::{Error, PasswordError, Unavailable},
    operations::login::{Credentials, password_queue_full},
    server::{
        Server,
        browser::{Browser, Remember, Visit},
    },
    session::{CookieValue, EndReason, Session},
    users::{
        SetOutcome,
        password_policy::{ContextWords, check_length},
        username::nfc,
    },
};

/// The fields of a password change. `Debug` does not show them.
#[derive(Clone, Default)]
pub struct PasswordChange {
    /// The current password.
    pub old: String,
    /// The new password.
    pub new: String,
    /// The new password, repeated.
    pub again: String,
}

impl std::fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordChange(…)")
    }
}

impl Server {
    /// Changes the password of the user who is logged in. The session continues with a new cookie. All other sessions
    /// of the user end, and no browser stays remembered.
    pub async fn change_password(&self, browser: impl Into<Browser>, change: &PasswordChange) -> Result<Visit, Error> {
        let (task, browser) = (self.task(), browser.into());
        let session = task.by_cookie(&browser).await?.ok_or(Error::NotLoggedIn)?;
        let user = session.user().ok_or(Error::NotLoggedIn)?;
        let username = user.username.as_str();
        if !task.look_up(task.users.can_set_password(username)).await? {
            return Err(PasswordError::CannotChange.into());
        }
        if change.new != change.again {
            return Err(PasswordError::NotRepeated.into());
        }
        check_length(&change.new).map_err(PasswordError::Policy)?;
        let credentials =
            Credentials { username: username.to_owned(), password: change.old.clone(), ..Credentials::default() };
        let account = task.authenticate(&credentials, true, None).await?;
        if nfc(&change.new) == nfc(&change.old) {
            return Err(PasswordError::Unchanged.into());
        }
        let own = ContextWords::new(user, &task.public_url);
        task.passwords
            .validate(&change.new, own)
            .await
            .ok_or_else(password_queue_full)?
            .map_err(PasswordError::Policy)?;
        let turn = task.passwords.turn().await.ok_or_else(password_queue_full)?;
        let hash = turn.hash(&change.new).await.map_err(Unavailable::because)?;

        // Account and session cannot change in one step. So the session first accepts both passwords: it is valid at
        // every point where this may stop.
        let (next, epoch) = (task.credential(&hash), session.epoch);
        let prepare = |session: &mut Session| {
            if let Some(login) = &mut session.login {
                login.next_credential = Some(Box::new(next));
            }
            session.epoch == epoch
        };
        let prepared = task.change(&session, prepare).await?.ok_or(Error::NotLoggedIn)?;
        // Someone who knows the old password must not undo what an administrator has set because of that.
        match task.look_up(task.users.set_password(username, Some(&account.password), &hash)).await? {
            SetOutcome::Set => {}
            SetOutcome::NoAccount => return Err(Error::NotLoggedIn),
            SetOutcome::ChangedMeanwhile => {
                tracing::warn!(username, "the password was changed meanwhile, and is not changed again");
                return Err(PasswordError::ChangedMeanwhile.into());
            }
        }
        // From here on the new password is in effect. Anything that fails now happens when those sessions are next
        // validated.
        let (cookie, now) = (CookieValue::generate(), task.now());
        let renew = |session: &mut Session| {
            session.confirm(next, now);
            if let Some(login) = &mut session.login {
                (login.next_credential, login.family) = (None, None);
            }
            session.replace_cookie(cookie.hash(), now);
            session.epoch == epoch
        };
        let (session, set_cookie) = match task.change(&prepared, renew).await {
            Ok(Some(session)) => (session, Some(cookie)),
            _ => (prepared, None),
        };
        tracing::info!(username, "changed the password");
        if task.end_all(username, Some(&session), EndReason::PasswordChanged).await.is_err() {
            tracing::error!(username, "the user's other sessions end only at their next use");
        }
        Ok(Visit { session, set_cookie, remember: Remember::Forget })
    }
}
