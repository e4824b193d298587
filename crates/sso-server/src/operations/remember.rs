//! Remember me: a browser whose user ticked the box is logged in again when its session is gone, without the password.
//!
//! The browser holds a token; the store holds its [`Family`]: all tokens that replaced one another since that login.
//! Each use replaces the token. So a copied token is used a second time sooner or later, which ends the family and its
//! sessions (token families with reuse detection, RFC 9700 section 4.14.2). A token is worthless once its family is
//! gone: after a logout anywhere, a password change, or the user's own request.
//!
//! ```text
//!   current ── used ──> replaced ── used within 60 s, and 10 s after its successor was seen ──> the same successor
//!                           └────── used later ──> the family and its sessions end
//! ```

use std::{sync::Arc, time::Duration};

use sso_jwt::{Expected, Registered, RememberClaims};

use crate::{
    error::Unavailable,
    server::{
        Context, Server,
        browser::{Browser, Remember, RememberToken, Visit},
        sessions::ATTEMPTS,
        task::Task,
    },
    session::{CookieValue, EndReason, Family, Login, OldToken, Session, TokenState},
    users::{Account, username::canonical},
};

impl Server {
    /// How long browsers are remembered; `None` if they are not.
    pub fn remembers_for(&self) -> Option<Duration> {
        self.0.tokens.remember_me.then_some(self.0.tokens.remember_lifetime)
    }

    /// A [`visit`](Self::visit) to a page that also logs in the user of a remembered browser if nobody is logged in.
    pub async fn visit_with_remember_me(&self, browser: impl Into<Browser>) -> Result<Option<Visit>, Unavailable> {
        let (task, browser) = (self.task(), browser.into());
        let found = task.by_cookie(&browser).await?;
        match (task.restore_login(&browser, found.as_deref()).await?, found) {
            (None, Some(session)) => task.used(session, &browser).await,
            (came_back, _) => Ok(came_back),
        }
    }
}

impl Task<'_> {
    /// Remembers the browser of a login in progress: creates a family and its first token.
    pub(crate) async fn remember(
        &self,
        browser: &Browser,
        account: &Account,
    ) -> Result<(Arc<Family>, RememberToken), Unavailable> {
        let (name, credential) = (browser.name.clone().unwrap_or_default(), self.credential(&account.password));
        let family = Family::new(&account.user.username, credential, name, self.now(), &self.tokens);
        let family = self.ask(self.store.put_family(family)).await?;
        let token = self.token_of(&family)?;
        Ok((family, token))
    }

    /// Removes the family that the browser's token names. Called at every login with a password.
    pub(crate) async fn forget_browser(&self, browser: &Browser) -> Result<(), Unavailable> {
        self.forget(self.claims_of(browser).as_ref().map(|claims| claims.family.as_str())).await
    }

    /// Logs in the user of a remembered browser if nobody is logged in. `found` is the browser's session; otherwise it
    /// stays unchanged.
    pub(crate) async fn restore_login(
        &self,
        browser: &Browser,
        found: Option<&Session>,
    ) -> Result<Option<Visit>, Unavailable> {
        let Some(claims) = self.claims_of(browser) else { return Ok(None) };
        if let Some(session) = found {
            // A login or a logout came since, at a broker, which cannot see the browser's token. So the token is
            // outdated, and may be another user's.
            let is_of_before = session.last_user().is_some() && session.family() != Some(&claims.family);
            if is_of_before {
                self.forget(Some(&claims.family)).await?;
            } else if session.family().is_some() {
                self.note_successor(&claims).await?;
            }
            if is_of_before || session.user().is_some() {
                return Ok(None);
            }
        }
        let Some((family, account)) = self.replace(&claims).await? else { return Ok(None) };
        let Some((session, cookie)) = self.enter(browser, &family, &account).await? else { return Ok(None) };
        // A logout that came in between has removed the family and must not be undone.
        if self.ask(self.store.family(&family.id)).await?.is_none() {
            self.end(&session, EndReason::LoggedOut, |session| session.family() == Some(&family.id)).await?;
            return Ok(None);
        }
        tracing::info!(username = %family.username, "a remembered browser was logged in");
        let remember = Remember::Set(self.token_of(&family)?);
        Ok(Some(Visit { session, set_cookie: Some(cookie), remember }))
    }

    /// Notes that the browser has received its newest token: the previous one now expires within seconds.
    async fn note_successor(&self, claims: &RememberClaims) -> Result<(), Unavailable> {
        let Some(family) = self.ask(self.store.family(&claims.family)).await? else { return Ok(()) };
        let Some(old) = &family.old else { return Ok(()) };
        if claims.registered.jti == family.jti && old.successor_seen.is_none() {
            let old = Some(OldToken { successor_seen: Some(self.now()), ..old.clone() });
            // If another tab was faster, it noted the same.
            let _noted = self.write(self.store.put_family(Family { old, ..Family::clone(&family) })).await?;
        }
        Ok(())
    }

    /// Replaces the token. Returns the same successor if the token has just been replaced, and `None` if it is not
    /// valid.
    async fn replace(&self, claims: &RememberClaims) -> Result<Option<(Arc<Family>, Arc<Account>)>, Unavailable> {
        for _ in 0..ATTEMPTS {
            let Some(family) = self.family(&claims.family).await? else { return Ok(None) };
            let account = self.look_up(self.users.find_now(&family.username)).await?;
            let account = account.filter(|account| self.credential(&account.password) == family.password);
            let Some(account) = account else {
                tracing::info!("a remembered browser's user is gone or has another password");
                self.forget(Some(&family.id)).await?;
                return Ok(None);
            };
            match family.state(&claims.registered.jti, self.now()) {
                TokenState::JustReplaced => return Ok(Some((family, account))),
                TokenState::Reused => {
                    // Used by the user or a thief; which of them holds the newer token is unknown.
                    tracing::warn!(username = %family.username, "a remember-me token was used again: its family ends");
                    self.end_family(&family.username, &family.id, EndReason::RememberTokenReused).await?;
                    return Ok(None);
                }
                TokenState::Current => {}
            }
            // If another tab was faster, its successor is also ours.
            let renewed = family.renewed(self.now(), &self.tokens);
            if let Ok(family) = self.write(self.store.put_family(renewed)).await? {
                return Ok(Some((family, account)));
            }
        }
        Err(Unavailable::changes_all_the_time())
    }

    /// Logs the user in to the browser's anonymous session or to a new one. All tabs that return with the same token
    /// get the same session and the same cookie.
    async fn enter(
        &self,
        browser: &Browser,
        family: &Family,
        account: &Account,
    ) -> Result<Option<(Arc<Session>, CookieValue)>, Unavailable> {
        let cookie = CookieValue::from_mac(self.remember_mac.mac(&["session\n", &family.jti]));
        let returned = Browser { cookie: Some(cookie.clone()), ..browser.clone() };
        let of_family = |session: Arc<Session>| {
            let is_of_family = session.user().is_some() && session.family() == Some(&family.id);
            is_of_family.then(|| (session, cookie.clone()))
        };
        if let Some(session) = self.by_cookie(&returned).await? {
            return Ok(of_family(session));
        }
        let session = match self.by_cookie(browser).await? {
            Some(session) => session,
            None => self.start(browser).await?,
        };
        let now = self.now();
        let login = Login::new(account.user.clone(), self.credential(&account.password), now);
        let login = login.remembered(family.id.clone(), family.created);
        let mut tries = 0;
        let log_in = |session: &mut Session| {
            tries += 1;
            // A login happened meanwhile, with a password or in another tab. Or the cookie is taken, which no retry
            // would change.
            if session.user().is_some() || tries > 5 {
                return false;
            }
            session.log_in(login.clone(), now);
            session.replace_cookie(cookie.hash(), now);
            browser.tie(session);
            true
        };
        match self.change(&session, log_in).await? {
            Some(session) => {
                self.make_room(&session).await;
                Ok(Some((session, cookie)))
            }
            // Another tab was faster: its session is also ours.
            None => Ok(self.by_cookie(&returned).await?.and_then(of_family)),
        }
    }
}

impl Context {
    /// The claims of the browser's token, if this server signed it.
    pub(crate) fn claims_of(&self, browser: &Browser) -> Option<RememberClaims> {
        let (token, origin) = (browser.remember.as_ref()?, self.origin());
        let expected = Expected { issuer: &origin, audience: &origin, now: self.now().as_secs() };
        self.remember_keys.current().verify(token.expose(), &expected).ok()
    }

    /// Whether the browser's token was made for this user. Its family may already be removed.
    pub(crate) fn was_remembered_for(&self, browser: &Browser, username: &str) -> bool {
        self.claims_of(browser).is_some_and(|claims| canonical(&claims.registered.sub) == canonical(username))
    }

    /// The family's current token. Signing it again gives the same claims, so a browser that lost it gets it back.
    fn token_of(&self, family: &Family) -> Result<RememberToken, Unavailable> {
        let origin = self.origin();
        let registered = Registered {
            iss: origin.clone(),
            sub: family.username.clone(),
            aud: origin,
            iat: family.issued.as_secs(),
            nbf: family.issued.as_secs(),
            exp: family.expires.as_secs(),
            jti: family.jti.clone(),
        };
        let claims = RememberClaims { registered, family: family.id.clone() };
        let token = self.remember_keys.current().sign(&claims, self.now().as_secs());
        token.map(RememberToken::made).map_err(Unavailable::because)
    }
}
