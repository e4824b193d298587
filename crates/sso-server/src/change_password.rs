//! Another password, chosen by its user. Every other session of theirs ends, and no browser is remembered any more.

use crate::{
    account,
    login::{self, Credentials, LoginError},
    parts::{ChangeError, Parts, Unavailable},
    remember::Remember,
    resume::{self, Browser, Visit},
    session::{AuthMethod, CookieValue, EndReason, Session},
    standing,
    users::{
        SetOutcome,
        name::nfc,
        new_password::{OwnWords, UnfitPassword, check_length},
    },
    words,
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

/// Why the password is the same as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Passwords are changed where the users come from.
    #[error("Passwords cannot be changed here")]
    CannotChange,
    /// Nobody is logged in (any more).
    #[error("Nobody is logged in")]
    NotLoggedIn,
    /// The two new ones differ.
    #[error("The two new passwords are not the same.")]
    NotRepeated,
    /// The new one is not fit.
    #[error(transparent)]
    Unfit(#[from] UnfitPassword),
    /// It is the old one.
    #[error("The new password is the same as the current one.")]
    Unchanged,
    /// The old one is wrong.
    #[error("The current password is incorrect.")]
    InvalidCredentials,
    /// It is another one by now than the old one that was typed: an operator set it, or the user did elsewhere.
    #[error("The password was changed elsewhere in the meantime. This change was not made.")]
    ChangedMeanwhile,
    /// Too many failures of this user.
    #[error("Too many failed attempts. Try again in {}.", words::limit(*retry_after))]
    TooManyFailures {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// Users or store do not answer.
    #[error("The server is temporarily unavailable. Try again later.")]
    Unavailable,
}

impl From<Unavailable> for PasswordError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl From<LoginError> for PasswordError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::TooManyFailures { retry_after } => Self::TooManyFailures { retry_after },
            LoginError::Unavailable => Self::Unavailable,
            LoginError::NoSession => Self::NotLoggedIn,
            LoginError::InvalidCredentials | LoginError::NotAllowed | LoginError::UserNotAllowed => {
                Self::InvalidCredentials
            }
        }
    }
}

impl From<ChangeError> for PasswordError {
    fn from(error: ChangeError) -> Self {
        LoginError::from(error).into()
    }
}

/// Changes the password of the user who is logged in. This session goes on under the new one, with another cookie.
pub(crate) async fn by_user(parts: &Parts, browser: &Browser, change: &PasswordChange) -> Result<Visit, PasswordError> {
    let session = resume::by_cookie(parts, browser).await?.ok_or(PasswordError::NotLoggedIn)?;
    let user = session.user().cloned().ok_or(PasswordError::NotLoggedIn)?;
    let username = user.username.clone();
    if !parts.users.can_set_password(&username).await.map_err(standing::users_unavailable)? {
        return Err(PasswordError::CannotChange);
    }
    if change.new != change.again {
        return Err(PasswordError::NotRepeated);
    }
    check_length(&change.new)?;
    let credentials = Credentials { username: username.clone(), password: change.old.clone() };
    let account = login::authenticate(parts, &credentials, true, None).await?;
    if nfc(&change.new) == nfc(&change.old) {
        return Err(PasswordError::Unchanged);
    }
    let own = OwnWords::new(&user, &parts.public_url);
    parts.passwords.judge(&change.new, own).await.ok_or(PasswordError::Unavailable)??;
    let turn = parts.passwords.turn().await.ok_or(PasswordError::Unavailable)?;
    let hash = turn.hash(&change.new).await.map_err(|error| {
        tracing::error!(%error, "cannot hash a new password");
        PasswordError::Unavailable
    })?;

    // Accounts and sessions are not changed at one instant, so this session first knows both passwords: whenever it is judged, and
    // wherever this stops, it is good.
    let next = standing::credential_of(parts, &hash);
    let epoch = session.epoch;
    let same_login = |session: &Session| session.epoch == epoch;
    let prepared = parts.change(&session, |session| {
        if let Some(login) = &mut session.login {
            login.next_credential = Some(next);
        }
        same_login(session)
    });
    let session = prepared.await?;
    // Whoever knew the password until now must not undo what an operator has set since because of just that.
    let outcome = parts.users.set_password(&username, Some(&account.password), &hash).await;
    match outcome.map_err(standing::users_unavailable)? {
        SetOutcome::Set => {}
        SetOutcome::NoAccount => return Err(PasswordError::NotLoggedIn),
        SetOutcome::ChangedMeanwhile => {
            tracing::warn!(username, "the password was changed meanwhile, and is not changed again");
            return Err(PasswordError::ChangedMeanwhile);
        }
    }
    // The password is another one from here on. What cannot be done now is made up for when those sessions are judged.
    let (cookie, now) = (CookieValue::generate(), parts.now());
    let renewed = parts.change(&session, |session| {
        if let Some(login) = &mut session.login {
            (login.credential, login.next_credential) = (next, None);
            (login.auth_time, login.method) = (now, AuthMethod::Password);
            login.family = None;
        }
        session.last_seen = now;
        session.replace_cookie(cookie.hash(), now);
        same_login(session)
    });
    let (session, set_cookie) = match renewed.await {
        Ok(session) => (session, Some(cookie)),
        Err(_) => (session, None),
    };
    tracing::info!(username, "changed the password");
    if account::end_all(parts, &username, Some(&session), EndReason::PasswordChanged).await.is_err() {
        tracing::error!(username, "the user's other sessions end only at their next use");
    }
    Ok(Visit { session, set_cookie, remember: Remember::Forget })
}
