//! The face of the crate: what a server can be asked to do.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use sso_core::{
    AttachRequest, BrokerId, BrowserHeaders,
    wire::{AccessToken, Ended, SessionStatus, User},
};
use url::Url;

use crate::{
    access::{self, AccessError, IntrospectError, Introspection},
    account::{self, Account, AccountChange, AccountError, OwnSession},
    attach::{self, AttachAnswer, CheckedAttach, RefusedAttach},
    brokers::Brokers,
    builder::ServerBuilder,
    change_password::{self, PasswordChange, PasswordError},
    data::{self, DataError},
    form::{self, FormRefusal, TimeLimit},
    login::{self, Credentials, LoginError},
    operator,
    parts::{Parts, Unavailable, unavailable},
    remember,
    resume::{self, Browser, ResumeError, Resumed, Told, Visit},
    session::{CookieValue, Fingerprint, Session},
    standing,
    store::{Unlink, patiently},
    users::{SetOutcome, Users},
};

/// A server. Cheap to clone: clones are the same server.
#[derive(Clone)]
pub struct Server(pub(crate) Arc<Parts>);

impl Server {
    /// Begins to build a server.
    ///
    /// `public_url`: how browsers see it. Brokers and users come from lists, closures, or something of your own.
    pub fn builder(public_url: Url, brokers: impl Brokers, users: impl Users) -> ServerBuilder {
        ServerBuilder::new(public_url, Box::new(brokers), Box::new(users))
    }

    /// The name of the session cookie, without a prefix.
    pub fn session_name(&self) -> &str {
        &self.0.session_name
    }

    /// How browsers see this server.
    pub fn public_url(&self) -> &Url {
        &self.0.public_url
    }

    /// A name for the login in this session, which no other login has and which leads nowhere: what was made for the
    /// login, such as a link, is bound by it.
    pub fn login_name(&self, session: &Session) -> String {
        access::handle(&self.0, session)
    }

    /// The token for a page of a form (`login`, `profile/2`), served now to the browser that holds `binding`: a cookie's value.
    pub fn form_token(&self, page: &str, binding: &str) -> String {
        form::token(&self.0, page, binding)
    }

    /// Judges the token that came with a page of a form.
    pub fn check_form(&self, page: &str, binding: &str, token: &str, limit: TimeLimit) -> Result<(), FormRefusal> {
        form::check(&self.0, page, binding, token, limit)
    }

    /// Checks an attach request, in the protocol's order.
    pub async fn check_attach(
        &self,
        request: AttachRequest,
        headers: BrowserHeaders<'_>,
    ) -> Result<CheckedAttach, RefusedAttach> {
        patiently(attach::check(&self.0, request, headers)).await
    }

    /// Links the token of a checked request to the session of this browser.
    pub async fn attach(&self, request: &CheckedAttach, browser: impl Into<Browser>) -> AttachAnswer {
        patiently(attach::attach(&self.0, request, &browser.into())).await
    }

    /// Whether a page of this origin may read the JSON of the broker's silent attach (CORS).
    pub async fn allows_cors(&self, broker: &BrokerId, origin: &str) -> bool {
        matches!(self.0.broker(broker).await, Ok(Some(broker)) if broker.allows_cors(origin))
    }

    /// The session of the browser with this cookie, on a page visit: it extends the login, and may renew the cookie.
    pub async fn visit(&self, browser: impl Into<Browser>) -> Result<Option<Visit>, Unavailable> {
        patiently(resume::visit(&self.0, &browser.into())).await
    }

    /// The session of a browser, without extending it or renewing its cookie: for scripts that ask by themselves.
    pub async fn session_of(&self, browser: impl Into<Browser>) -> Result<Option<Arc<Session>>, Unavailable> {
        patiently(resume::asked(&self.0, &browser.into())).await
    }

    /// What stays the same about a browser, from the headers that it sends with every request. Without a `User-Agent` there is
    /// nothing to tell it by. Version numbers are left out: an update logs nobody out. The address does not count: it changes on the way.
    pub fn fingerprint(&self, user_agent: Option<&str>, accept_language: Option<&str>) -> Option<Fingerprint> {
        resume::fingerprint(&self.0, user_agent, accept_language)
    }

    /// What is left of the login in a session. Asking does not extend it.
    pub fn status(&self, session: &Session) -> SessionStatus {
        resume::status(&self.0, session)
    }

    /// How the last login of a session ended, if nobody is logged in.
    pub fn ended(&self, session: &Session) -> Option<Ended> {
        resume::ended(&self.0, session)
    }

    /// What a broker is told of that.
    pub async fn told(&self, resumed: &Resumed) -> Result<Told, Unavailable> {
        patiently(resume::told(&self.0, resumed)).await
    }

    /// Extends a login, because its user asked for that.
    pub async fn keep_alive(&self, session: &Arc<Session>) -> Result<SessionStatus, Unavailable> {
        patiently(resume::keep_alive(&self.0, session)).await
    }

    /// Logs in at the server's own page; the browser gets a new cookie.
    pub async fn log_in(&self, browser: impl Into<Browser>, credentials: &Credentials) -> Result<Visit, LoginError> {
        patiently(login::at_server(&self.0, &browser.into(), credentials, false)).await
    }

    /// The same with the box ticked: the browser is remembered, if that is allowed here.
    pub async fn log_in_and_remember(
        &self,
        browser: impl Into<Browser>,
        credentials: &Credentials,
    ) -> Result<Visit, LoginError> {
        patiently(login::at_server(&self.0, &browser.into(), credentials, true)).await
    }

    /// How long browsers are remembered here; `None`: they are not.
    pub fn remembers_for(&self) -> Option<Duration> {
        self.0.tokens.remember_me.then_some(self.0.tokens.remember_lifetime)
    }

    /// The visit of a browser to a page that logs in: a [`visit`](Self::visit), but where nobody is logged in, the user of a remembered browser is.
    pub async fn come_back(&self, browser: impl Into<Browser>) -> Result<Option<Visit>, Unavailable> {
        patiently(resume::come_back(&self.0, &browser.into())).await
    }

    /// Logs out at the server's own page, and forgets the browser; it gets a new cookie if it had a session. Works also while users cannot be
    /// looked up. The caller has made sure that a page of the server asks for it: with another fingerprint the session is destroyed, too.
    pub async fn log_out(&self, browser: impl Into<Browser>) -> Result<Option<CookieValue>, Unavailable> {
        let browser = Browser { navigates: true, ..browser.into() };
        let task = async {
            remember::log_out(&self.0, &browser).await?;
            match resume::unjudged(&self.0, &browser).await? {
                Some(session) => login::out_at_server(&self.0, &session).await.map(Some),
                None => Ok(None),
            }
        };
        patiently(task).await
    }

    /// What the account page shows to the user of this session; `None` if nobody is logged in.
    pub async fn account(&self, session: &Session) -> Result<Option<Account>, Unavailable> {
        patiently(account::overview(&self.0, session)).await
    }

    /// Ends sessions of the user of this session, or forgets browsers. Refused if the password was not typed in it
    /// [recently](account::RECENT_PASSWORD).
    pub async fn change_account(&self, session: &Session, change: &AccountChange) -> Result<(), AccountError> {
        patiently(account::change(&self.0, session, change)).await
    }

    /// Takes the password again of the user who is logged in; the browser gets a new cookie.
    pub async fn confirm_password(
        &self,
        browser: impl Into<Browser>,
        credentials: &Credentials,
    ) -> Result<Visit, LoginError> {
        patiently(account::confirm(&self.0, &browser.into(), credentials)).await
    }

    /// Changes the password of the user who is logged in. Their session goes on, with a new cookie; all their others end, and no browser is
    /// remembered any more.
    pub async fn change_password(
        &self,
        browser: impl Into<Browser>,
        change: &PasswordChange,
    ) -> Result<Visit, PasswordError> {
        patiently(change_password::by_user(&self.0, &browser.into(), change)).await
    }

    /// The session that a broker's `Authorization` header leads to. `by_person`: somebody is behind the call, so it extends the login.
    pub async fn resume(&self, authorization: Option<&str>, by_person: bool) -> Result<Resumed, ResumeError> {
        patiently(resume::by_bearer(&self.0, authorization, by_person)).await
    }

    /// Logs in through a broker's back end.
    pub async fn broker_log_in(&self, resumed: &Resumed, credentials: &Credentials) -> Result<User, LoginError> {
        patiently(login::through_broker(&self.0, resumed, credentials)).await
    }

    /// Logs out through a broker's back end: everywhere. Works also while users cannot be looked up. `authorization` and `by_person` are as for
    /// [`resume`](Self::resume). How the login that the broker saw ended.
    pub async fn broker_log_out(
        &self,
        authorization: Option<&str>,
        by_person: bool,
    ) -> Result<Option<Ended>, ResumeError> {
        patiently(login::out_through_broker(&self.0, authorization, by_person)).await
    }

    /// Merges values into the session's data, for a broker, and returns all of it.
    pub async fn merge_data(
        &self,
        resumed: &Resumed,
        changes: &Map<String, Value>,
    ) -> Result<Map<String, Value>, DataError> {
        patiently(data::merge(&self.0, resumed, changes)).await
    }

    /// The user of this name as their account is now, past any cache: for a page that shows what was just saved, at
    /// whatever node. `None`: there is no such account.
    pub async fn user_now(&self, username: &str) -> Result<Option<User>, Unavailable> {
        let account = patiently(self.0.users.find_now(username)).await.map_err(standing::users_unavailable)?;
        Ok(account.map(|account| account.user.clone()))
    }

    /// Whether something can be kept with the account of this name.
    pub async fn can_set_attributes(&self, username: &str) -> Result<bool, Unavailable> {
        patiently(self.0.users.can_set_attributes(username)).await.map_err(standing::users_unavailable)
    }

    /// Keeps what a page of the server has of a user with their account, as one attribute, if what is there now is as
    /// `expected` (`None`: there is none). A broker is told of it if its `attributes` say so.
    pub async fn set_attribute(
        &self,
        username: &str,
        name: &str,
        expected: Option<&Value>,
        value: &Value,
    ) -> Result<SetOutcome, Unavailable> {
        let set = self.0.users.set_attribute(username, name, expected, value);
        patiently(set).await.map_err(standing::users_unavailable)
    }

    /// A token for calls to another service in the name of the session's user: to `audience`, or to the first of the broker's.
    pub fn access_token(&self, resumed: &Resumed, audience: Option<&str>) -> Result<AccessToken, AccessError> {
        access::issue(&self.0, resumed, audience)
    }

    /// What is known of an access token, for the broker with this id and secret.
    pub async fn introspect(&self, id: &str, secret: &[u8], token: &str) -> Result<Introspection, IntrospectError> {
        patiently(access::introspect(&self.0, id, secret, token)).await
    }

    /// The public keys by which access tokens are verified, as JSON Web Key Set (RFC 7517).
    pub fn jwks(&self) -> impl serde::Serialize + use<> {
        access::jwks(&self.0)
    }

    /// Cuts all links of one broker, or of all (`None`): every bearer token made from them is dead, and brokers attach
    /// their visitors anew. Nobody is logged out.
    pub async fn revoke_links(&self, broker: Option<&BrokerId>) -> Result<u64, Unavailable> {
        let which = broker.map_or(Unlink::All, |broker| Unlink::Broker(broker.clone()));
        self.0.store.unlink(&which).await.map_err(unavailable)
    }

    /// Where a user is logged in, for an operator.
    pub async fn sessions_of(&self, username: &str) -> Result<Vec<OwnSession>, Unavailable> {
        operator::sessions_of(&self.0, username).await
    }

    /// Ends the login in the session of this handle, if it is this user's, and forgets its browser; whether it was there.
    pub async fn end_session(&self, username: &str, handle: &str) -> Result<bool, Unavailable> {
        operator::end_session(&self.0, username, handle).await
    }

    /// Ends all logins of a user and forgets all browsers that remember them. Their brokers are told at the next call.
    pub async fn end_user(&self, username: &str) -> Result<account::Ended, Unavailable> {
        operator::end_user(&self.0, username).await
    }

    /// Ends all sessions, cuts all links and forgets all browsers, of everybody: what one does after a restored backup, or a leak. It goes in
    /// steps; what is begun meanwhile may stay. Access tokens go on until their time is up.
    pub async fn end_everything(&self) -> Result<account::Ended, Unavailable> {
        operator::end_everything(&self.0).await
    }

    /// Writes down, every second and without end, which logins are over by their time, so that their data go and the log tells of each once. Reads
    /// know it without. Every node does so: spawn it once in each. What fails is in the log, and is tried again.
    pub async fn settle(self) {
        let mut every_second = tokio::time::interval(Duration::from_secs(1));
        every_second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every_second.tick().await;
            while self.settle_due().await.is_ok_and(|settled| settled > 0) {}
        }
    }

    /// One step of it: how many logins were found to be over.
    pub async fn settle_due(&self) -> Result<usize, Unavailable> {
        self.0.settle_due().await
    }

    /// Whether the store answers, and what finds users.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        self.0.store.ping().await.map_err(unavailable)?;
        self.0.users.ping().await.map_err(standing::users_unavailable)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("public_url", &self.0.public_url.as_str()).finish_non_exhaustive()
    }
}
