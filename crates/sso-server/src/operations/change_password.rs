//! Another password, chosen by its user. Every other session of theirs ends, and no browser is remembered any more.

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

/// What a user types to get another password. `Debug` does not show it.
#[derive(Clone, Default)]
pub struct PasswordChange {
    /// The password until now.
    pub old: String,
    /// The new one.
    pub new: String,
    /// The new one again.
    pub again: String,
}

impl std::fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordChange(…)")
    }
}

impl Server {
    /// Changes the password of the user who is logged in. Their session goes on under the new one, with a new cookie;
    /// all their others end, and no browser is remembered any more.
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

        // Accounts and sessions are not changed at one instant, so this session first knows both passwords: whenever it
        // is judged, and wherever this stops, it is good.
        let (next, epoch) = (task.credential(&hash), session.epoch);
        let prepare = |session: &mut Session| {
            if let Some(login) = &mut session.login {
                login.next_credential = Some(Box::new(next));
            }
            session.epoch == epoch
        };
        let prepared = task.change(&session, prepare).await?.ok_or(Error::NotLoggedIn)?;
        // Whoever knew the password until now must not undo what an operator has set since because of just that.
        match task.look_up(task.users.set_password(username, Some(&account.password), &hash)).await? {
            SetOutcome::Set => {}
            SetOutcome::NoAccount => return Err(Error::NotLoggedIn),
            SetOutcome::ChangedMeanwhile => {
                tracing::warn!(username, "the password was changed meanwhile, and is not changed again");
                return Err(PasswordError::ChangedMeanwhile.into());
            }
        }
        // The password is another one from here on. What cannot be done now is made up for when those sessions are
        // judged.
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
