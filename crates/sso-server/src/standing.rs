//! The standing of a login: whether its user may still be there, as the account is now. Judged wherever a session is found, so that nothing
//! has to be told to anybody: a node that missed a change, and a login that raced with it, are judged like all others.

use std::sync::Arc;

use crate::{
    parts::{Parts, Unavailable, changes_all_the_time},
    session::{EndReason, Login, Session},
    users::{Account, PasswordHash, UsersUnavailable},
};

/// How often a session is judged anew because somebody logged in or out, or confirmed the password, at that very moment: each time both stores are
/// asked again. Nobody does so again and again; a store that says so is out of order.
const ATTEMPTS: usize = 20;

/// What a session is once its user was looked up.
pub(crate) enum Standing {
    /// Nobody is logged in (any more).
    Anonymous(Arc<Session>),
    /// The account of who is logged in. The session tells its user as the account does now.
    Good(Arc<Session>, Arc<Account>),
}

impl Standing {
    pub(crate) fn session(self) -> Arc<Session> {
        match self {
            Self::Anonymous(session) | Self::Good(session, _) => session,
        }
    }
}

/// Judges the login of a session, and ends it if its user may not be there any more: the account is gone, disabled, or has another password.
pub(crate) async fn judge(parts: &Parts, session: Arc<Session>) -> Result<Standing, Unavailable> {
    let mut session = session;
    for _ in 0..ATTEMPTS {
        let Some(login) = &session.login else { return Ok(Standing::Anonymous(session)) };
        let mut verdict = verdict(parts, login, parts.users.find(&login.user.username).await)?;
        if verdict.is_err() {
            // What is some seconds old ends nothing: another node may have changed the password and this login's credential with it.
            verdict = self::verdict(parts, login, parts.users.find_now(&login.user.username).await)?;
        }
        let reason = match verdict {
            Ok(account) => return Ok(Standing::Good(present(session, &account), account)),
            Err(reason) => reason,
        };
        parts.forget(session.family()).await?;
        let same_login = |current: &Session| current.login == session.login;
        if let Some(ended) = parts.end(&session, reason, same_login).await? {
            return Ok(Standing::Anonymous(ended));
        }
        // Somebody logged in or out meanwhile, or confirmed the password.
        match parts.session(&session.id).await? {
            Some(current) => session = current,
            None => {
                let mut gone = Session::clone(&session);
                gone.end(reason, parts.now());
                return Ok(Standing::Anonymous(Arc::new(gone)));
            }
        }
    }
    Err(changes_all_the_time())
}

fn verdict(
    parts: &Parts,
    login: &Login,
    account: Result<Option<Arc<Account>>, UsersUnavailable>,
) -> Result<Result<Arc<Account>, EndReason>, Unavailable> {
    let Some(account) = account.map_err(users_unavailable)? else { return Ok(Err(EndReason::UserGone)) };
    let current = credential(parts, &account);
    let is_same = login.credential == current || login.next_credential == Some(current);
    Ok(if is_same { Ok(account) } else { Err(EndReason::PasswordChanged) })
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

/// What a login and a remembered browser keep of the account's password: a keyed hash of its hash. With another password it is another one.
pub(crate) fn credential(parts: &Parts, account: &Account) -> [u8; 32] {
    credential_of(parts, &account.password)
}

/// The same of a password that no account has yet.
pub(crate) fn credential_of(parts: &Parts, password: &PasswordHash) -> [u8; 32] {
    parts.remember_mac.mac(&["password\n", password.text()])
}

/// Logs what the users' side said and keeps it from the visitor.
pub(crate) fn users_unavailable(error: UsersUnavailable) -> Unavailable {
    tracing::error!(%error, "cannot look up a user");
    Unavailable
}
