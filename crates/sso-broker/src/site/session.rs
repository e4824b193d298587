//! The visitor's shared session, as a handler uses it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value};
use sso_core::{
    BearerToken, SentBy,
    wire::{ACTIVITY_HEADER, ACTIVITY_NONE, AccessToken, SessionStatus},
};

use super::{
    answer::Answer,
    cookies::Kept,
    error::{FormRefused, LogoutRefused},
    pages::Problem,
    request::Request,
    sent_form,
    sso::Sso,
    store::Store,
};
use crate::{Body, Broker, Client, EndReason, Info, LocalPath, Method, RequestError, TokenStore, User};

/// The session that this visitor shares with all brokers, for handlers that change it.
///
/// ```
/// # use actix_web::{HttpResponse, Responder, error::Error, web::Form};
/// # use sso_broker::SsoSession;
/// #[derive(serde::Deserialize)]
/// struct LogoutForm { token: String }
///
/// async fn logout(session: SsoSession, form: Form<LogoutForm>) -> Result<impl Responder, Error> {
///     session.check_logout("logout", &form.token).await?;
///     session.logout().await?;
///     Ok(HttpResponse::SeeOther().insert_header(("Location", "/")).finish())
/// }
/// ```
///
/// Errors that are returned as here are answered by the middleware: as a page for people, as JSON for scripts. Those
/// that a new attach helps make it, where the request is the visit of a page.
#[derive(Clone)]
pub struct SsoSession {
    scope: Arc<Scope>,
    client: Client,
}

/// What belongs to one request.
struct Scope {
    sso: Sso,
    request: Request,
    /// Made when it is first needed: most requests are for assets. Never locked over an `await`.
    store: Mutex<Option<Store>>,
    /// Who is logged in, once the server was asked.
    asked: Mutex<Option<Info>>,
    taken: Mutex<Taken>,
    /// See [`sent_form`].
    form: Vec<u8>,
}

/// What is good once, as it was taken in this request: an extractor that runs twice gets the same both times. Otherwise
/// the second one would send a visitor away whose attach was refused, again and again.
#[derive(Debug, Default)]
struct Taken {
    failure: Option<Option<String>>,
    has_arrived: Option<bool>,
    ended: Option<Option<(EndReason, u64)>>,
}

/// Nothing panics while it is locked; if it did, what is there would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a request is begun.
impl Sso {
    /// Begins a request. `form`: its body, if it is one that [`keeps_form`](Self::keeps_form) names, else nothing.
    ///
    /// # Errors
    ///
    /// The answer to give in the application's place: to what asks for the cookies to be deleted, and, while one of
    /// ours comes twice with different values, to every page and every call by script.
    pub fn begin(&self, request: Request, form: Vec<u8>) -> Result<SsoSession, Answer> {
        self.begin_in(request, form, None)
    }

    /// The same, with the entries of the framework's session where tokens are kept there.
    pub(crate) fn begin_in(
        &self,
        request: Request,
        form: Vec<u8>,
        entries: Option<BTreeMap<String, String>>,
    ) -> Result<SsoSession, Answer> {
        if let Some(answer) = self.answer_in_place(&request) {
            return Err(answer);
        }
        let no_activity = |who: &str| who.eq_ignore_ascii_case(ACTIVITY_NONE);
        let is_passive = request.header(ACTIVITY_HEADER).is_some_and(no_activity)
            || request.is_prefetch()
            || request.is_head()
            || request.is_embedded();
        let client = self.broker.client();
        let client = if is_passive { client.passively() } else { client.clone() };
        let store = Mutex::new(entries.map(Store::of_entries));
        let (asked, taken) = (Mutex::default(), Mutex::default());
        let scope = Scope { sso: self.clone(), request, store, asked, taken, form };
        Ok(SsoSession { scope: Arc::new(scope), client })
    }
}

impl SsoSession {
    /// Logs in with a password typed at this broker. The server must trust the broker with that; better is a link to
    /// `/sso/login`.
    pub async fn login(&self, username: &str, password: &str) -> Result<User, RequestError> {
        let user = self.client.login(&self.bearer()?, username, password).await?;
        *lock(&self.scope.asked) = Some(Info { user: Some(user.clone()), ..Info::default() });
        Ok(user)
    }

    /// Logs out, at all brokers. Who has no token, or one that serves no more, is not logged out, for the browser may
    /// be logged in all the same, or remembered: people are asked, once they are attached.
    pub async fn logout(&self) -> Result<(), LogoutRefused> {
        *lock(&self.scope.asked) = None;
        match self.client.logout(&self.bearer()?).await {
            Ok(Some(n)) => self.with_store(|store| self.broker().knows_of(store, n)),
            Ok(None) | Err(RequestError::SessionEnded) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The user who is logged in, asked anew.
    pub async fn info(&self) -> Result<Option<User>, RequestError> {
        Ok(self.who().await?.user)
    }

    /// The same, and if nobody is, how the last login ended.
    pub(super) async fn who(&self) -> Result<Info, RequestError> {
        let info = self.honoured(self.client.info(&self.bearer()?).await)?;
        if info.user.is_some() {
            self.with_store(|store| self.broker().note(store, |notes| notes.again.resumed = 0));
        }
        *lock(&self.scope.asked) = Some(info.clone());
        Ok(info)
    }

    /// How the last login ended, once. HEAD sees it and leaves it there.
    pub(super) fn take_ended(&self, info: &Info) -> Option<(EndReason, u64)> {
        let (reason, n) = info.ended?;
        let is_read = !self.http_request().is_head();
        let take = |store: &mut dyn TokenStore| match is_read {
            true => self.broker().take_ended(store, reason, n).map(|reason| (reason, n)),
            false => self.broker().is_news(store, n).then_some((reason, n)),
        };
        *lock(&self.scope.taken).ended.get_or_insert_with(|| self.with_store(take))
    }

    /// Why the last attach failed, once.
    pub(super) fn failure(&self) -> Option<String> {
        lock(&self.scope.taken).failure.get_or_insert_with(|| self.take(Broker::take_failure)).clone()
    }

    /// Whether the visitor has just come back from an attach, once.
    pub(super) fn has_arrived(&self) -> bool {
        *lock(&self.scope.taken).has_arrived.get_or_insert_with(|| self.take(Broker::take_arrived))
    }

    /// What is left of the login. Asking does not extend it.
    pub async fn status(&self) -> Result<SessionStatus, RequestError> {
        self.client.session(&self.bearer()?).await
    }

    /// Extends the login, for a person who asks for it. What is left of it then.
    pub async fn keepalive(&self) -> Result<SessionStatus, RequestError> {
        self.client.keepalive(&self.bearer()?).await
    }

    /// The same session for calls without a person behind them, which do not extend the login.
    ///
    /// So are all calls made for a request that has the header `SSO-Activity: none`, as your page's polling script
    /// should send it, for the prefetch of a page, for HEAD, and for what another site's page asks for by itself.
    pub fn passively(&self) -> Self {
        Self { client: self.client.passively(), ..self.clone() }
    }

    /// The data that all brokers share in this session. Any of them may have written them.
    pub async fn data(&self) -> Result<Map<String, Value>, RequestError> {
        self.honoured(self.client.data(&self.bearer()?).await)
    }

    /// Sets one of the shared data; `null` removes it. Returns all of them.
    pub async fn set_data(&self, key: &str, value: impl Into<Value>) -> Result<Map<String, Value>, RequestError> {
        self.merge_data(Map::from_iter([(key.to_owned(), value.into())])).await
    }

    /// Sets several of them. Returns all of them.
    pub async fn merge_data(&self, changes: Map<String, Value>) -> Result<Map<String, Value>, RequestError> {
        self.honoured(self.client.merge_data(&self.bearer()?, changes).await)
    }

    /// A token for calls of this site's back end to another service in the visitor's name, as in
    /// [`Client::access_token`](crate::Client::access_token). It is good for some minutes: not for a page, and not to
    /// be kept.
    ///
    /// ```
    /// # use actix_web::error::ErrorInternalServerError;
    /// # use sso_broker::SsoSession;
    /// async fn orders(session: SsoSession) -> actix_web::Result<String> {
    ///     let token = session.access_token(None).await?; // for the first of its audiences
    ///     let url = "https://api.example.com/orders".parse().map_err(ErrorInternalServerError)?;
    ///     let json = session.broker().client().get_from_service(&url, &token).await?;
    ///     Ok(json.unwrap_or_default().to_string())
    /// }
    /// ```
    pub async fn access_token(&self, audience: Option<&str>) -> Result<AccessToken, RequestError> {
        self.honoured(self.client.access_token(&self.bearer()?, audience).await)
    }

    /// Any call of the server's API, as in [`Client::request`](crate::Client::request).
    pub async fn request(&self, method: Method, path: &str, body: Body) -> Result<Option<Value>, RequestError> {
        self.honoured(self.client.request(&self.bearer()?, method, path, body).await)
    }

    /// A good answer honours the token: the next failure may be made good again.
    fn honoured<T>(&self, result: Result<T, RequestError>) -> Result<T, RequestError> {
        if matches!(result, Ok(_) | Err(RequestError::UserNotAllowed)) {
            self.with_store(|store| self.broker().honoured(store));
        }
        result
    }

    /// The token to put into the form named `form`. It outlives new attaches: a tab that was opened before can still
    /// send its form. If somebody is logged in, as far as this request has asked (a [`Visitor`](crate::Visitor) has),
    /// it is good only while that user is.
    ///
    /// In an answer to another site's POST it is empty, and good for nothing, unless the visitor's cookie came with it:
    /// a new cookie would take that one's place in the browser, and the forms of all open tabs would be refused.
    pub fn form_token(&self, form: &str) -> String {
        let is_foreign = !self.http_request().is_safe() && self.sent_by() == SentBy::Other;
        let asked = lock(&self.scope.asked).clone();
        let user = asked.as_ref().and_then(|info| Some(info.user.as_ref()?.username.as_str()));
        self.with_store(|store| match is_foreign && !self.broker().has_served_forms(store) {
            true => String::new(),
            false => self.broker().form_token(store, form, user),
        })
    }

    /// Checks that a form was served to this visitor with this token, was sent by a page of this site, and, if it was
    /// on a user's page, that this user is logged in now: the server is asked, unless this request has asked before.
    pub async fn check_form(&self, form: &str, token: &str) -> Result<(), FormRefused> {
        // A program that says nothing of its pages (curl) has only the token.
        if self.sent_by() == SentBy::Other {
            return Err(FormRefused::Forged);
        }
        let user = self.with_store(|store| self.broker().form_user(store, form, token));
        let Some(served_to) = user.map_err(|_| FormRefused::Forged)? else { return Ok(()) };
        let asked = lock(&self.scope.asked).clone();
        let info = match asked {
            Some(info) => info,
            None => self.who().await?,
        };
        match info.user {
            Some(user) if user.username == served_to => Ok(()),
            Some(_) => Err(RequestError::Superseded.into()),
            None => Err(RequestError::SessionEnded.into()),
        }
    }

    /// The same for a logout: where it cannot be known whether this visitor asked for it, they are asked, and not left
    /// logged in at a page that refuses. Where nobody is logged in any more, or the server cannot say who is, the token
    /// is enough.
    pub async fn check_logout(&self, form: &str, token: &str) -> Result<(), LogoutRefused> {
        match self.check_form(form, token).await {
            Err(FormRefused::Request(RequestError::SessionEnded | RequestError::Unreachable(_))) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Whether the visitor has a token. The server may still have forgotten it.
    pub fn is_attached(&self) -> bool {
        self.with_store(|store| self.broker().is_attached(store))
    }

    /// Forgets the visitor's token here; the session itself goes on.
    pub fn clear(&self) {
        self.with_store(|store| self.broker().clear(store));
    }

    /// The broker.
    pub fn broker(&self) -> &Broker {
        &self.scope.sso.broker
    }

    /// The site that is served.
    pub fn sso(&self) -> &Sso {
        &self.scope.sso
    }

    /// The request.
    pub fn http_request(&self) -> &Request {
        &self.scope.request
    }

    /// What this request changes in its visitor's cookies, as headers for its answer: `Set-Cookie` is to be appended,
    /// another header to be replaced. Empty if nothing changed, or tokens are not kept in cookies.
    pub fn header_changes(&self) -> Vec<(&'static str, String)> {
        let cookies: Vec<_> = lock(&self.scope.store).iter().flat_map(Store::set_cookies).collect();
        // What sets a visitor's cookie is for this visitor, whatever the application says of caches.
        let no_store = (!cookies.is_empty()).then(|| ("cache-control", "no-store".to_owned()));
        cookies.into_iter().map(|cookie| ("set-cookie", cookie)).chain(no_store).collect()
    }

    /// What it changes in the framework's session: by key, `None` is a removal.
    #[cfg(feature = "actix")]
    pub(crate) fn entry_changes(&self) -> Vec<(String, Option<String>)> {
        lock(&self.scope.store).iter().flat_map(Store::entry_changes).collect()
    }

    /// A page for a problem of this visitor's, with what they sent, if that was a form.
    pub(super) fn page(&self, problem: Problem) -> Answer {
        let problem = Problem { fields: sent_form::fields(&self.scope.form), ..problem };
        let answer = Answer::html(problem.kind.status(), self.sso().pages.problem(&problem));
        match problem.leave {
            // Under `no-referrer` the form would not say where it comes from.
            Some(_) => answer.with("referrer-policy", "same-origin"),
            None => answer,
        }
    }

    /// The page that this request asks for.
    pub(super) fn wanted(&self) -> LocalPath {
        self.broker().local_path(self.http_request().path_and_query()).unwrap_or_else(LocalPath::root)
    }

    /// Works on the visitor's store. Short and without waiting, so that it is never locked twice.
    pub(super) fn with_store<T>(&self, work: impl FnOnce(&mut dyn TokenStore) -> T) -> T {
        let Scope { sso, request, .. } = &*self.scope;
        let mut store = lock(&self.scope.store);
        work(store.get_or_insert_with(|| Store::new(&sso.storage, request, sso.is_https())).tokens())
    }

    /// The same for what is good once. HEAD sees it and leaves it there: nobody reads that answer.
    pub(super) fn take<T>(&self, take: impl FnOnce(&Broker, &mut dyn TokenStore) -> T) -> T {
        let is_read = !self.http_request().is_head();
        self.with_store(
            |store| if is_read { take(self.broker(), store) } else { take(self.broker(), &mut Kept(store)) },
        )
    }

    fn sent_by(&self) -> SentBy {
        self.http_request().sent_by(self.broker().public_url())
    }

    fn bearer(&self) -> Result<BearerToken, RequestError> {
        self.with_store(|store| self.broker().bearer(store)).ok_or(RequestError::NotAttached)
    }
}
