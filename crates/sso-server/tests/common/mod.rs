//! A server to test: brokers of every kind, two users, a clock that is moved by hand, a store that counts and can fail.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod directory;
pub(crate) mod spy;

use std::{collections::HashSet, sync::Arc, time::Duration};

use sso_core::{
    AllowedOrigins, AttachRequest, BearerToken, BrowserHeaders, Checksum, ChecksumKey, Encoding, Mode, ReturnPages,
    Secret, Silent, Token, VerificationCode,
};
use sso_server::{
    Account, AllowedUsers, AttachOutcome, Broker, BrokerCall, BrokerList, Brokers, Credentials, Error, MemoryStore,
    Policy, Server, ServerBuilder, UserList, Users,
    clock::{Clock, ManualClock, SystemClock},
    session::{CookieValue, EndReason},
};

use spy::Spy;

/// The password of jackie and john.
pub(crate) const PASSWORD: &str = "jackie123";
/// PHP's `password_hash("jackie123", PASSWORD_BCRYPT, ["cost" => 4])`: quick to check.
pub(crate) const BCRYPT: &str = "$2y$04$NkmGAgLHXQQ8sUSW/IqGJ.FUI17yVmjx1/dlf6jCEwWUnTLcFjb4a";

/// Alice may call both services, Jsonp the second one only.
pub(crate) const API: &str = "https://api.example";
pub(crate) const OTHER_API: &str = "https://other-api.example";

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

/// What the nodes of a server have in common.
const SECRET: [u8; 32] = [7; 32];

/// A server and everything around it that a test looks at.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Spy,
}

/// A broker's token that was attached.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    pub(crate) broker: &'static str,
    pub(crate) token: Token,
    pub(crate) code: VerificationCode,
}

/// A browser that keeps the server's session cookie.
#[derive(Default)]
pub(crate) struct Browser {
    pub(crate) cookie: Option<CookieValue>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with("https://sso.example", |builder| builder)
    }

    /// With a policy of its own.
    pub(crate) fn living(policy: Policy) -> Self {
        Self::with("https://sso.example", |builder| builder.policy(policy))
    }

    pub(crate) fn with(url: &str, change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::of(url, brokers(), users(), change)
    }

    /// With users of its own.
    pub(crate) fn with_users(users: impl Users) -> Self {
        Self::of("https://sso.example", brokers(), users, |builder| builder)
    }

    /// With brokers of its own.
    pub(crate) fn with_brokers(brokers: impl Brokers) -> Self {
        Self::of("https://sso.example", brokers, users(), |builder| builder)
    }

    fn of(
        url: &str,
        brokers: impl Brokers,
        users: impl Users,
        change: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        // The clock starts at the system's now: the store in memory counts real durations from there.
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let store = Spy::new(MemoryStore::new(clock.clone()));
        let builder = Server::builder(url.parse().unwrap(), brokers, users).session_name("sso_session").secret(&SECRET);
        let server = change(builder.clock(clock.clone()).store(store.clone())).build().unwrap();
        Self { server, clock, store }
    }

    /// Another server on the same store.
    pub(crate) fn second_node(&self) -> Server {
        self.node_with(self.clock.clone())
    }

    /// The same with a clock of its own.
    pub(crate) fn node_with(&self, clock: Arc<ManualClock>) -> Server {
        let builder = Server::builder(self.server.public_url().clone(), brokers(), users());
        let builder = builder.session_name("sso_session").secret(&SECRET);
        builder.clock(clock).store(self.store.clone()).build().unwrap()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Attaches `token` by redirect.
    pub(crate) async fn try_attach(
        &self,
        browser: &mut Browser,
        broker: &'static str,
        token: &Token,
        prompt_login: bool,
    ) -> Result<Option<Attached>, Error> {
        let request = redirect_request(broker, token, key(broker).attach(token), prompt_login);
        let checked = self.server.check_attach(request, BrowserHeaders::default()).await.map_err(|e| e.error)?;
        let answer = self.server.attach(&checked, browser.cookie.as_ref()).await;
        browser.receive(answer.set_cookie);
        Ok(match answer.outcome? {
            AttachOutcome::Linked(code) => Some(Attached { broker, token: token.clone(), code }),
            AttachOutcome::LoginNeeded(_) => None,
        })
    }

    /// Attaches a new token.
    pub(crate) async fn attach(&self, browser: &mut Browser, broker: &'static str) -> Attached {
        self.try_attach(browser, broker, &Token::generate(), false).await.unwrap().unwrap()
    }

    /// A call of the broker with somebody behind it.
    pub(crate) async fn broker_call(&self, link: &Attached) -> Result<BrokerCall, Error> {
        self.server.broker_call(Some(&link.authorization()), true).await
    }

    /// What `info` answers: the user's name, if anyone is logged in.
    pub(crate) async fn info(&self, link: &Attached) -> Result<Option<String>, Error> {
        let call = self.broker_call(link).await?;
        Ok(call.user()?.map(|user| user.username.clone()))
    }

    /// The broker's back end logs out.
    pub(crate) async fn broker_log_out(&self, link: &Attached) -> Result<(), Error> {
        self.server.broker_log_out(Some(&link.authorization()), true).await.map(drop)
    }

    /// Who is logged in by this cookie.
    pub(crate) async fn user(&self, cookie: Option<&CookieValue>) -> Option<String> {
        let session = self.server.session_of(cookie).await.unwrap()?;
        session.user().map(|user| user.username.clone())
    }

    /// Why the last login ended in the session of this link.
    pub(crate) async fn end_of(&self, link: &Attached) -> Option<EndReason> {
        self.server
            .broker_call(Some(&link.authorization()), false)
            .await
            .unwrap()
            .session
            .last_end
            .as_ref()
            .map(|end| end.reason)
    }

    /// Logs in at the server's page.
    pub(crate) async fn log_in(&self, browser: &mut Browser, username: &str) {
        let visit = self.server.log_in(browser.cookie.as_ref(), &credentials(username)).await.unwrap();
        browser.receive(visit.set_cookie);
    }
}

impl Attached {
    pub(crate) fn authorization(&self) -> String {
        let id = self.broker.parse().unwrap();
        format!("Bearer {}", BearerToken::new(id, self.token.clone(), &self.code, &key(self.broker)).to_wire())
    }

    /// The same with a checksum that does not fit.
    pub(crate) fn wrong_authorization(&self) -> String {
        Self { code: VerificationCode::generate(), ..self.clone() }.authorization()
    }
}

impl Browser {
    pub(crate) fn receive(&mut self, cookie: Option<CookieValue>) {
        self.cookie = cookie.or(self.cookie.take());
    }
}

pub(crate) fn redirect_request(broker: &str, token: &Token, checksum: Checksum, prompt_login: bool) -> AttachRequest {
    let mode = Mode::Redirect(format!("https://{}.example/sso/return?state=s", broker.to_lowercase()));
    let (broker, token) = (broker.parse().unwrap(), token.clone());
    AttachRequest { broker, token, checksum, mode, prompt_login, max_age: None }
}

pub(crate) fn credentials(username: &str) -> Credentials {
    Credentials { username: username.into(), password: PASSWORD.into(), remember: false }
}

/// With the box ticked: the browser is to be remembered.
pub(crate) fn ticked(username: &str) -> Credentials {
    Credentials { remember: true, ..credentials(username) }
}

pub(crate) fn wrong_credentials(username: &str) -> Credentials {
    Credentials { password: "jackie124".into(), ..credentials(username) }
}

/// The secret of a broker: long, but for the one that is called Weak.
pub(crate) fn secret(broker: &str) -> Secret {
    Secret::new(if broker == "Weak" { "8iwzik1bwd".into() } else { broker.repeat(64) })
}

pub(crate) fn key(broker: &str) -> ChecksumKey {
    ChecksumKey::new(&secret(broker), if broker.starts_with("Php") { Encoding::Php } else { Encoding::Exact })
}

/// Alice may post passwords, Greg may not, Ajax and Jsonp attach silently, Php is a jasny/sso broker, Weak has a short
/// secret, Club and PhpClub let jackie and the staff in and are told full names only.
fn brokers() -> BrokerList {
    ["Alice", "Greg", "Ajax", "Jsonp", "Php", "Weak", "Club", "PhpClub"].into_iter().map(broker).collect()
}

fn broker(id: &str) -> Broker {
    let is_php = id.starts_with("Php");
    let origins = if is_php {
        AllowedOrigins::new(&[format!("{}.example", id.to_lowercase())], ReturnPages::Any)
    } else {
        let origin = format!("https://{}.example", id.to_lowercase());
        AllowedOrigins::new(&[origin], ReturnPages::Paths(vec!["/sso/return".into()]))
    };
    let encoding = if is_php { Encoding::Php } else { Encoding::Exact };
    let mut broker = Broker::new(id.parse().unwrap(), &secret(id), encoding, origins.unwrap());
    broker.password_login = matches!(id, "Alice" | "Club") || is_php;
    broker.silent_start = is_php;
    broker.audiences = match id {
        "Alice" => vec![API.into(), OTHER_API.into()],
        "Jsonp" => vec![OTHER_API.into()],
        "Club" => vec![API.into()],
        _ => Vec::new(),
    };
    if id.ends_with("Club") {
        let set = |name: &str| HashSet::from([name.to_owned()]);
        broker.allowed_users = AllowedUsers::Only { users: set("jackie"), groups: set("staff") };
        broker.attributes = Some(vec!["fullname".into()]);
    }
    broker.silent = match id {
        "Ajax" => Silent::Json,
        "Jsonp" | "Php" => Silent::Jsonp,
        _ => Silent::Off,
    };
    broker
}

fn users() -> UserList {
    ["jackie", "john"]
        .into_iter()
        .map(|name| Account::new(name, BCRYPT.parse().unwrap()).attribute("email", format!("{name}@example.com")))
        .collect()
}
