//! Session lookup by the browser's cookie.

use std::sync::Arc;

use crate::{
    error::Unavailable,
    server::{
        Server,
        browser::{Browser, Remember, Visit},
        task::Task,
    },
    session::{CookieValue, EndReason, Fingerprint, Policy, Renewal, Session, lifecycle},
};

impl Server {
    /// The session of a browser on a page visit. It extends the login and may renew the cookie.
    pub async fn visit(&self, browser: impl Into<Browser>) -> Result<Option<Visit>, Unavailable> {
        let (task, browser) = (self.task(), browser.into());
        match task.by_cookie(&browser).await? {
            Some(session) => task.used(session, &browser).await,
            None => Ok(None),
        }
    }

    /// The session of a browser, without extending it or renewing its cookie: for requests by scripts. The first
    /// request with a new cookie still starts the old cookie's grace period.
    pub async fn session_of(&self, browser: impl Into<Browser>) -> Result<Option<Arc<Session>>, Unavailable> {
        let (task, browser) = (self.task(), browser.into());
        let Some(session) = task.by_cookie(&browser).await? else { return Ok(None) };
        let visit = task.renewed(session, &browser, false).await?;
        Ok(visit.map(|visit| visit.session))
    }

    /// The fingerprint of a browser, from headers that it sends with every request. `None` without a `User-Agent`.
    /// Version numbers are ignored, so an update logs nobody out. So is the IP address, which changes in use.
    pub fn fingerprint(&self, user_agent: Option<&str>, accept_language: Option<&str>) -> Option<Fingerprint> {
        // `Chrome/141.0` is `Chrome`, and words with digits in them (`10.0`, `TP1A.220624`) are versions, too.
        let words = user_agent?.split([' ', ';', '(', ')', ',']).map(|word| word.split('/').next().unwrap_or_default());
        let product: Vec<_> = words.filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect();
        // The first language only, without its region: people add and reorder the others.
        let language = accept_language.unwrap_or_default().split([',', ';', '-']).next().unwrap_or_default().trim();
        Some(Fingerprint::new(self.0.fingerprint_key.mac(&[&product.join(" "), "\n", language])))
    }
}

impl Task<'_> {
    /// The session of a browser. Renews nothing and sets no cookie. If a navigation's fingerprint is not the session's,
    /// the session is destroyed; other requests just find no session. If the account no longer allows the login, the
    /// login ends.
    pub(crate) async fn by_cookie(&self, browser: &Browser) -> Result<Option<Arc<Session>>, Unavailable> {
        let Some(session) = self.unvalidated(browser).await? else { return Ok(None) };
        Ok(Some(self.validate_login(session).await?.0))
    }

    /// The same without the account check. Only for a logout, which must not depend on the user directory.
    pub(crate) async fn unvalidated(&self, browser: &Browser) -> Result<Option<Arc<Session>>, Unavailable> {
        let Some(cookie) = browser.cookie.as_ref().map(CookieValue::hash) else { return Ok(None) };
        let Some(session) = self.load(&cookie).await? else { return Ok(None) };
        if !lifecycle::accepts(&session, cookie, self.now()) {
            return Ok(None);
        }
        let reason = match (session.fingerprint, browser.fingerprint) {
            _ if !self.policy.fingerprint => None,
            (Some(tied), Some(shown)) if tied != shown => Some(EndReason::FingerprintChanged),
            (Some(_), None) => Some(EndReason::FingerprintMissing),
            _ => None,
        };
        let Some(reason) = reason else { return Ok(Some(session)) };
        if !browser.navigates {
            tracing::info!(?reason, "a request that is no navigation finds no session");
            return Ok(None);
        }
        // A login meanwhile has tied the session to another browser, with another cookie.
        let is_same = |current: &mut Session| {
            lifecycle::accepts(current, cookie, self.now()) && current.fingerprint == session.fingerprint
        };
        // The family too: links end with the session, so a logout at a broker could not find the family any more.
        self.end_and_forget(&session, reason, is_same).await?;
        Ok(None)
    }

    /// Notes the use of this session by its browser. The caller must send the new cookie: the old one may already be
    /// dead.
    pub(crate) async fn used(&self, session: Arc<Session>, browser: &Browser) -> Result<Option<Visit>, Unavailable> {
        let visit = self.renewed(session, browser, true).await?;
        if let Some(visit) = &visit {
            self.touch(&visit.session).await;
        }
        Ok(visit)
    }

    /// Renews the browser's cookie if it is due. Without `by_visit` the answer can set no cookie, and this only notes
    /// that a new one has arrived.
    async fn renewed(
        &self,
        session: Arc<Session>,
        browser: &Browser,
        by_visit: bool,
    ) -> Result<Option<Visit>, Unavailable> {
        let Some(shown) = browser.cookie.as_ref().map(CookieValue::hash) else { return Ok(None) };
        let now = self.now();
        let may = |renewal| if by_visit { renewal != Renewal::Keep } else { renewal == Renewal::Confirm };
        if !may(lifecycle::renewal(&session, &self.policy, shown, now)) {
            return Ok(Some(Visit::unchanged(session)));
        }
        let (value, mut due, mut was_faster) = (CookieValue::generate(), Renewal::Keep, false);
        let renew = |session: &mut Session| {
            // Decided again on each newer record: another tab, a login or a logout may have been faster. Then this
            // browser gets no cookie from here.
            due = lifecycle::renewal(session, &self.policy, shown, now);
            was_faster = !lifecycle::accepts(session, shown, now) || !may(due);
            if was_faster {
                return false;
            }
            if by_visit {
                session.last_seen = lifecycle::use_at(session, now);
            }
            match due {
                Renewal::Keep => {}
                Renewal::Confirm => session.confirm_cookie(now.after(Policy::RENEWAL_GRACE)),
                Renewal::Rotate => session.rotate_cookie(value.hash(), shown, now),
                Renewal::Replace => session.replace_cookie(value.hash(), now),
            }
            true
        };
        Ok(match self.change(&session, renew).await? {
            Some(session) => {
                let set_cookie = matches!(due, Renewal::Rotate | Renewal::Replace).then_some(value);
                Some(Visit { session, set_cookie, remember: Remember::Keep })
            }
            // The faster answer carries the new cookie. This request still came in time with the old one.
            None => was_faster.then(|| Visit::unchanged(session)),
        })
    }

    /// The session whose cookie this was until rights changed a moment ago: the browser sent it before it received the
    /// new one. Only for a request that proves the password again (a double click on "Log in"), or to avoid starting a
    /// second session, whose cookie would replace the new one.
    pub(crate) async fn just_replaced(&self, browser: &Browser) -> Result<Option<Arc<Session>>, Unavailable> {
        let Some(cookie) = browser.cookie.as_ref().map(CookieValue::hash) else { return Ok(None) };
        let session = self.load(&cookie).await?;
        Ok(session.filter(|session| {
            session.fingerprint == browser.fingerprint && self.now().since(session.cookie_since) < Policy::RENEWAL_GRACE
        }))
    }
}
