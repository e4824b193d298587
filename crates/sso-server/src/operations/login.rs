//! Login: at the server's own pages and through a broker's back end.

use std::{fmt, sync::Arc};

use sso_core::wire::User;

use crate::{
    error::{Error, Unavailable},
    operations::session_lookup::{BrokerCall, check_link, failure_key},
    server::{
        Server,
        browser::{Browser, Remember, Visit},
        task::Task,
    },
    session::{CookieValue, LinkState, Login, Session, lifecycle},
    users::{Account, username::canonical},
};

/// A name and a password as they were typed.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
    /// Whether "remember me" is ticked. Only the server's own page remembers the browser, and only if the policy allows
    /// it.
    pub remember: bool,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?}, …)", self.username)
    }
}

impl Server {
    /// Logs in at the server's own page. The write that logs the user in also replaces the cookie's value, so a planted
    /// cookie is worthless. The browser's earlier remember-me token is forgotten, even if the box is not ticked.
    pub async fn log_in(&self, browser: impl Into<Browser>, credentials: &Credentials) -> Result<Visit, Error> {
        let (task, browser) = (self.task(), browser.into());
        let is_known = task.is_known_in(&browser, &credentials.username).await?;
        let account = task.authenticate(credentials, is_known, None).await?;
        let username = &account.user.username;
        let session = match task.by_cookie(&browser).await? {
            Some(session) => Some(session),
            None => match task.just_replaced(&browser).await? {
                // Two sessions would begin, but the browser could keep only one of the cookies.
                Some(session) if session.login.is_some() && !session.is_of(username) => {
                    return Err(Error::LoggedInMeanwhile);
                }
                replaced => replaced.filter(|session| session.is_of(username)),
            },
        };
        let cookie = match browser.cookie.as_ref().filter(|_| session.is_some()) {
            // A form that is sent twice gets the same cookie: the browser may receive the answers in any order.
            Some(shown) => CookieValue::from_mac(task.remember_mac.mac(&["login\n", shown.expose(), "\n", username])),
            None => CookieValue::generate(),
        };
        let session = match session {
            Some(session) => session,
            None => task.start(&browser).await?,
        };
        task.forget_browser(&browser).await?;
        let (family, remember) = if credentials.remember && task.tokens.remember_me {
            let (family, token) = task.remember(&browser, &account).await?;
            (Some(family.id.clone()), Remember::Set(token))
        } else {
            (None, if browser.remember.is_some() { Remember::Forget } else { Remember::Keep })
        };

        let (now, mut former) = (task.now(), None);
        let login = Login { family: family.clone(), ..task.login_of(&account) };
        let shown = browser.cookie.as_ref().map(CookieValue::hash);
        let mut log_in = |session: &mut Session, cookie: &CookieValue| {
            let is_others = session.user().is_some_and(|user| user.username != *username);
            if is_others && !shown.is_some_and(|shown| lifecycle::accepts(session, shown, now)) {
                return false;
            }
            former = session.family().map(str::to_owned);
            session.log_in(login.clone(), now);
            if session.cookie != cookie.hash() {
                session.replace_cookie(cookie.hash(), now);
            }
            browser.tie(session);
            true
        };
        let logged_in = async {
            let logged_in = task.change(&session, |session| log_in(session, &cookie)).await?;
            if logged_in.is_some() || task.session(&session.id).await?.is_some() {
                return Ok(logged_in.map(|session| (session, cookie)));
            }
            // The session was anonymous and made room for others, or it expired. The form's other copy may do the same,
            // with a session of its own.
            let (session, cookie) = (task.start(&browser).await?, CookieValue::generate());
            let logged_in = task.change(&session, |session| log_in(session, &cookie)).await?;
            Ok::<_, Unavailable>(logged_in.map(|session| (session, cookie)))
        };
        let logged_in = logged_in.await;
        let Ok(Some((session, cookie))) = logged_in else {
            task.forget(family.as_deref()).await?;
            return Err(logged_in.err().map_or(Error::LoggedInMeanwhile, Error::from));
        };
        task.forget(former.as_deref()).await?;
        tracing::info!(username, "logged in");
        task.make_room(&session).await;
        Ok(Visit { session, set_cookie: Some(cookie), remember })
    }

    /// Logs in through a broker's back end, which cannot set the browser's cookie. The cookie's value is replaced at
    /// the browser's next visit.
    pub async fn broker_log_in(&self, call: &BrokerCall, credentials: &Credentials) -> Result<User, Error> {
        let (task, broker) = (self.task_with(call.remaining), &call.broker);
        if !broker.password_login {
            return Err(Error::PasswordLoginOff);
        }
        let link = format!("link {}", failure_key(&call.key));
        let is_known = is_known_to(&call.session, &credentials.username);
        let account = task.authenticate(credentials, is_known, Some(&link)).await?;
        let username = &account.user.username;
        if !broker.allowed_users.allows(&account) {
            tracing::warn!(broker = %broker.id, username, "may not use this broker");
            return Err(Error::MayNotEnter);
        }
        let login = Login { through: Some(call.link.code.clone()), ..task.login_of(&account) };
        let (now, mut former, mut state) = (login.at, None, LinkState::Good);
        let log_in = |session: &mut Session| {
            state = call.link.state(session, Some(now), &task.policy, now);
            if state != LinkState::Good {
                return false;
            }
            // The browser stays remembered for its user.
            let is_theirs = session.last_user() == Some(username);
            let known = session.family().map(str::to_owned);
            let (family, forgotten) = if is_theirs { (known, None) } else { (None, known) };
            former = forgotten;
            session.log_in(Login { family, ..login.clone() }, now);
            session.renew_cookie = true;
            true
        };
        let logged_in = task.change(&call.session, log_in).await?;
        check_link(state)?;
        let session = logged_in.ok_or(Error::NotAttached)?;
        task.forget(former.as_deref()).await?;
        tracing::info!(broker = %broker.id, username, "logged in through a broker");
        task.make_room(&session).await;
        Ok(broker.sees(&account.user).into_owned())
    }
}

impl Task<'_> {
    /// The account with these credentials. Failures count by user name and by `link`, the caller's key. `is_known`:
    /// this user has logged in from there before. Failures of known callers count apart from those of strangers, so
    /// that strangers cannot make the user wait (OWASP's device cookies). All known callers of a user share one count:
    /// someone who knew an earlier password may hold many old sessions and tokens.
    pub(crate) async fn authenticate(
        &self,
        credentials: &Credentials,
        is_known: bool,
        link: Option<&str>,
    ) -> Result<Arc<Account>, Error> {
        // The key is the same for every typed form of the name.
        let by_user = format!("{} {}", if is_known { "known user" } else { "user" }, canonical(&credentials.username));
        let keys = || [Some(by_user.as_str()), link].into_iter().flatten();

        // Before the password queue, so that a slow directory does not hold it up.
        let account = self.find(&credentials.username).await?;
        // Checked only after the wait in the queue: guesses sent at once cannot all pass the rate limit.
        let turn = self.passwords.turn().await.ok_or_else(password_queue_full)?;
        let now = self.now();
        keys().try_for_each(|key| self.login_failures.check(key, now))?;
        for key in keys() {
            // With a single node the slot is always free.
            if let Some(slot) = self.login_failures.slot(key, now)
                && !self.ask(self.store.consume(&slot.id, slot.until)).await?
            {
                return Err(self.login_failures.taken(key, &slot, now).into());
            }
        }

        let hash = account.as_ref().map(|account| account.password.clone());
        // An unknown name may be a password typed into the wrong field, so it is not logged.
        let known = account.as_ref().map(|account| account.user.username.clone());
        let matches = turn.verify(hash, &credentials.password).await;
        match account.filter(|_| matches) {
            Some(account) => {
                keys().for_each(|key| self.login_failures.succeeded(key));
                Ok(account)
            }
            None => {
                tracing::warn!(username = known, "login failed");
                keys().for_each(|key| self.login_failures.failed(key, now));
                Err(Error::InvalidCredentials)
            }
        }
    }

    /// The account for a typed name: the exact match first, then the canonical form.
    async fn find(&self, typed: &str) -> Result<Option<Arc<Account>>, Unavailable> {
        let exact = self.look_up(self.users.find_now(typed)).await?;
        let name = canonical(typed);
        if name == typed {
            return Ok(exact);
        }
        // Always looked up, so that the response time does not reveal the first result.
        let other = self.look_up(self.users.find_now(&name)).await?;
        Ok(exact.or(other))
    }

    /// Whether this user has logged in from this browser before, according to its session, even an ended one, or its
    /// remember-me token.
    async fn is_known_in(&self, browser: &Browser, username: &str) -> Result<bool, Unavailable> {
        if self.was_remembered_for(browser, username) {
            return Ok(true);
        }
        let Some(cookie) = browser.cookie.as_ref().map(CookieValue::hash) else { return Ok(false) };
        let session = self.load(&cookie).await?;
        let session = session.filter(|session| lifecycle::accepts(session, cookie, self.now()));
        Ok(session.is_some_and(|session| is_known_to(&session, username)))
    }

    fn login_of(&self, account: &Account) -> Login {
        Login::new(account.user.clone(), self.credential(&account.password), self.now())
    }
}

/// Only a few passwords are checked at once, and this one waited too long in the queue.
pub(crate) fn password_queue_full() -> Unavailable {
    Unavailable::because("too many passwords are checked already")
}

/// Whether this user was the last to log in to the session. A destroyed session proves nothing: its cookie may be
/// stolen.
fn is_known_to(session: &Session, username: &str) -> bool {
    let was_stolen = session.login.is_none() && session.last_end.as_ref().is_some_and(|end| end.reason.is_theft());
    session.last_user().is_some_and(|last| !was_stolen && canonical(last) == canonical(username))
}
