//! The face of the crate: builds a server from its parts, and does what it can be asked to do.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use sso_core::{
    AttachRequest, BrokerId, BrowserHeaders, FormKey, base36,
    checksum::MacKey,
    is_loopback,
    jwt::{Algorithm, InvalidKeys, KeySet, SharedKeys},
    random,
    wire::{AccessToken, SessionStatus, User},
};
use url::Url;

use crate::{
    access::{self, AccessError, IntrospectError, Introspection},
    account::{self, Account, AccountChange, AccountError, Ended, OwnSession},
    attach::{self, AttachAnswer, CheckedAttach, RefusedAttach},
    brokers::Brokers,
    change_password::{self, PasswordChange, PasswordError},
    clock::{Clock, SystemClock},
    data::{self, DataError},
    form::{self, FormRefusal, TimeLimit},
    login::{self, Credentials, LoginError},
    operator,
    parts::{Parts, Unavailable, unavailable},
    remember,
    resume::{self, Browser, ResumeError, Resumed, Visit},
    session::{CookieValue, Fingerprint, Policy, Session, TokenPolicy, policy::InvalidPolicy},
    standing,
    store::{Bounded, MemoryStore, Store, Unlink, patiently},
    throttle::Throttle,
    users::{
        PasswordHash, Users,
        password::{HashingFailed, Passwords},
    },
};

/// A server. Cheap to clone: clones are the same server.
#[derive(Clone)]
pub struct Server(Arc<Parts>);

/// What a server is built from; see [`Server::builder`].
pub struct ServerBuilder {
    public_url: Url,
    brokers: Box<dyn Brokers>,
    users: Box<dyn Users>,
    store: Option<Box<dyn Store>>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    tokens: TokenPolicy,
    secret: Vec<u8>,
    session_name: Option<String>,
    access_keys: Option<SharedKeys>,
    remember_keys: Option<SharedKeys>,
}

/// Why a server cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The public URL is not one.
    #[error("public_url must be https://… (or http://… on the loopback) without path, query and user: `{0}`")]
    PublicUrl(Url),
    /// The lifetimes contradict each other.
    #[error(transparent)]
    Policy(#[from] InvalidPolicy),
    /// Not even one password could be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// Not even new keys for tokens could be made.
    #[error(transparent)]
    Keys(#[from] InvalidKeys),
}

impl Server {
    /// Begins to build a server.
    ///
    /// `public_url`: how browsers see it. Brokers and users come from lists, closures, or something of your own.
    pub fn builder(public_url: Url, brokers: impl Brokers, users: impl Users) -> ServerBuilder {
        ServerBuilder {
            public_url,
            brokers: Box::new(brokers),
            users: Box::new(users),
            store: None,
            clock: Arc::new(SystemClock),
            policy: Policy::default(),
            tokens: TokenPolicy::default(),
            secret: random::bytes().to_vec(),
            session_name: None,
            access_keys: None,
            remember_keys: None,
        }
    }

    /// The name of the session cookie, without a prefix.
    pub fn session_name(&self) -> &str {
        &self.0.session_name
    }

    /// How browsers see this server.
    pub fn public_url(&self) -> &Url {
        &self.0.public_url
    }

    /// How long tokens live, and whether users can be remembered.
    pub fn tokens(&self) -> &TokenPolicy {
        &self.0.tokens
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

    /// The session of the browser with this cookie, on a page visit: it extends the session, and may renew the cookie.
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

    /// What is left of a session. Asking does not extend it.
    pub fn status(&self, session: &Session) -> SessionStatus {
        resume::status(&self.0, session)
    }

    /// Extends a session, because its user asked for that.
    pub async fn keep_alive(&self, session: &Session) -> Result<SessionStatus, ResumeError> {
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
    /// looked up.
    pub async fn log_out(&self, browser: impl Into<Browser>) -> Result<Option<CookieValue>, Unavailable> {
        let browser = browser.into();
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

    /// The session that a broker's `Authorization` header leads to. `by_person`: somebody is behind the call, so it extends the session.
    pub async fn resume(&self, authorization: Option<&str>, by_person: bool) -> Result<Resumed, ResumeError> {
        patiently(resume::by_bearer(&self.0, authorization, by_person)).await
    }

    /// Logs in through a broker's back end.
    pub async fn broker_log_in(&self, resumed: &Resumed, credentials: &Credentials) -> Result<User, LoginError> {
        patiently(login::through_broker(&self.0, resumed, credentials)).await
    }

    /// Logs out through a broker's back end: everywhere. Works also while users cannot be looked up. `authorization` and `by_person` are as for
    /// [`resume`](Self::resume).
    pub async fn broker_log_out(&self, authorization: Option<&str>, by_person: bool) -> Result<(), ResumeError> {
        patiently(login::out_through_broker(&self.0, authorization, by_person)).await
    }

    /// Merges values into the session's data, for a broker, and returns all of it.
    pub async fn merge_data(
        &self,
        resumed: &Resumed,
        changes: &Map<String, Value>,
    ) -> Result<Map<String, Value>, DataError> {
        patiently(data::merge_through_broker(&self.0, resumed, changes)).await
    }

    /// The same for a page of the server itself, with the session that its visitor was found to have. Refused if somebody logged in
    /// or out since.
    pub async fn merge_own_data(
        &self,
        session: &Arc<Session>,
        changes: &Map<String, Value>,
    ) -> Result<Map<String, Value>, DataError> {
        patiently(data::merge(&self.0, session, changes)).await
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

    /// Ends the session of this handle, if it is this user's, and forgets its browser; whether it was there.
    pub async fn end_session(&self, username: &str, handle: &str) -> Result<bool, Unavailable> {
        operator::end_session(&self.0, username, handle).await
    }

    /// Ends all sessions of a user and forgets all browsers that remember them. Their brokers are told at the next call.
    pub async fn end_user(&self, username: &str) -> Result<Ended, Unavailable> {
        operator::end_user(&self.0, username).await
    }

    /// Sets a user's password, ends all their sessions, and forgets all browsers that remember them. `false`: there is no such user, or
    /// they are disabled.
    pub async fn set_password(&self, username: &str, password: &PasswordHash) -> Result<bool, Unavailable> {
        operator::set_password(&self.0, username, password).await
    }

    /// Ends all sessions, cuts all links and forgets all browsers, of everybody: what one does after a restored backup, or a leak. It goes in
    /// steps; what is begun meanwhile may stay. Access tokens go on until their time is up.
    pub async fn end_everything(&self) -> Result<Ended, Unavailable> {
        operator::end_everything(&self.0).await
    }

    /// Whether the store answers, and what finds users.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        self.0.store.ping().await.map_err(unavailable)?;
        self.0.users.ping().await.map_err(standing::users_unavailable)
    }

    /// Whether this session is live at the present instant.
    pub fn is_live(&self, session: &Session) -> bool {
        !self.0.is_ended(session)
    }
}

impl ServerBuilder {
    /// Where sessions are kept (default: in memory).
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// What tells the time (default: the machine).
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How long sessions live.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How long tokens live, and whether users can be remembered.
    #[must_use]
    pub fn tokens(mut self, tokens: TokenPolicy) -> Self {
        self.tokens = tokens;
        self
    }

    /// The secret behind form tokens, fingerprints, and what has no setting of its own: the keys of tokens and the name of the session cookie
    /// (default: random, as long as the server lives). At least 256 random bits. Nodes that serve one site need the same, and so does the same server after a restart.
    #[must_use]
    pub fn secret(mut self, secret: &[u8]) -> Self {
        self.secret = secret.to_vec();
        self
    }

    /// The name of the session cookie (default: made from the secret and the public URL). Two servers on one host that share name, secret and
    /// store share one sign-on; cookies ignore ports, so others must not have the same name.
    #[must_use]
    pub fn session_name(mut self, name: impl Into<String>) -> Self {
        self.session_name = Some(name.into());
        self
    }

    /// The keys of access tokens (default: an Ed25519 key made from the secret).
    #[must_use]
    pub fn access_keys(mut self, keys: SharedKeys) -> Self {
        self.access_keys = Some(keys);
        self
    }

    /// The keys of remember-me tokens, which never leave the server (default: an HS256 key made from the secret).
    #[must_use]
    pub fn remember_keys(mut self, keys: SharedKeys) -> Self {
        self.remember_keys = Some(keys);
        self
    }

    /// Checks the settings and puts the parts together.
    pub fn build(self) -> Result<Server, BuildError> {
        check_public_url(&self.public_url)?;
        self.policy.check()?;
        self.tokens.check()?;
        if self.policy.never_expire {
            tracing::warn!("sessions never expire: fit for internal applications in a trusted network only");
        }
        let secret = MacKey::new(&self.secret);
        let keys = |given: Option<SharedKeys>, algorithm, purpose: &str| match given {
            Some(keys) => Ok(keys),
            None => KeySet::derived(algorithm, &secret.mac(&["token keys: ", purpose])).map(SharedKeys::new),
        };
        let session_name = self.session_name.unwrap_or_else(|| {
            // Not the same for servers at other ports of this host, which cookies do not tell apart.
            format!("sso_{:.8}", base36::exact(&secret.mac(&["session name: ", self.public_url.as_str()])))
        });
        let store = self.store.unwrap_or_else(|| Box::new(MemoryStore::new(self.clock.clone())));
        Ok(Server(Arc::new(Parts {
            public_url: self.public_url,
            brokers: self.brokers,
            users: self.users,
            store: Box::new(Bounded::new(store)),
            clock: self.clock,
            policy: self.policy,
            tokens: self.tokens,
            passwords: Passwords::new()?,
            login_failures: Throttle::new(5, Duration::from_secs(30)),
            checksum_failures: Throttle::new(10, Duration::from_secs(60)),
            form_key: FormKey::new(&self.secret),
            session_name,
            access_keys: keys(self.access_keys, Algorithm::EdDsa, "access")?,
            remember_keys: keys(self.remember_keys, Algorithm::Hs256, "remember")?,
            remember_mac: secret.derive("remember me"),
            fingerprint_key: secret.derive("fingerprint"),
            handle_key: secret.derive("session handle"),
        })))
    }
}

/// Whether a server can have this public URL: https anywhere, plain http on the loopback only, and nothing but an origin.
pub fn check_public_url(url: &Url) -> Result<(), BuildError> {
    let has_user = !url.username().is_empty() || url.password().is_some();
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !has_user;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    if is_bare && is_safe { Ok(()) } else { Err(BuildError::PublicUrl(url.clone())) }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("public_url", &self.0.public_url.as_str()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("public_url", &self.public_url.as_str()).finish_non_exhaustive()
    }
}
