//! Remember me: tokens that replace one another, what ends them, and what a copied one is worth.

mod ends;

use std::time::Duration;

use sso_server::{
    AttachOutcome, Browser, Error, Remember, RememberToken, Visit,
    core::{AttachError, AttachRequest, BrowserHeaders, Token},
    jwt::{Algorithm, Key, KeySet, Registered, RememberClaims, SharedKeys},
    session::CookieValue,
};

use crate::common::{self, Attached, HOUR, MINUTE, World, credentials, key, redirect_request, ticked};

const SECOND: Duration = Duration::from_secs(1);

/// A browser that keeps both cookies.
#[derive(Clone, Default)]
struct Jar {
    session: Option<CookieValue>,
    token: Option<RememberToken>,
}

impl Jar {
    fn shown(&self) -> Browser {
        Browser { cookie: self.session.clone(), remember: self.token.clone(), ..Browser::default() }
    }

    fn receive(&mut self, session: Option<CookieValue>, remember: Remember) {
        self.session = session.or(self.session.take());
        match remember {
            Remember::Keep => {}
            Remember::Set(token) => self.token = Some(token),
            Remember::Forget => self.token = None,
        }
    }

    /// Comes back to a page that logs in; whose user is logged in then.
    async fn visit_with_remember_me(&mut self, world: &World) -> Option<Visit> {
        let visit = world.server.visit_with_remember_me(self.shown()).await.unwrap()?;
        self.receive(visit.set_cookie.clone(), visit.remember.clone());
        visit.session.user().is_some().then_some(visit)
    }

    async fn attach(&mut self, world: &World, broker: &'static str) -> Attached {
        self.attach_with(world, broker, false).await
    }

    async fn attach_with(&mut self, world: &World, broker: &'static str, prompt_login: bool) -> Attached {
        let token = Token::generate();
        let request: AttachRequest = redirect_request(broker, &token, key(broker).attach(&token), prompt_login);
        let checked = world.server.check_attach(request, BrowserHeaders::default()).await.unwrap();
        let answer = world.server.attach(&checked, self.shown()).await;
        self.receive(answer.set_cookie, answer.remember);
        let AttachOutcome::Linked(code) = answer.outcome.unwrap() else { panic!("no login was asked for") };
        Attached { broker, token, code }
    }
}

/// A browser in which jackie has logged in with the box ticked.
async fn remembered(world: &World) -> Jar {
    let visit = world.server.log_in(None, &ticked("jackie")).await.unwrap();
    assert!(!visit.session.is_remembered(), "the password was typed");
    let mut jar = Jar::default();
    jar.receive(visit.set_cookie, visit.remember);
    assert!(jar.token.is_some());
    jar
}

#[tokio::test]
async fn a_remembered_browser_comes_back_without_a_password() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    let first = jar.token.clone();
    jar.session = None;
    let visit = jar.visit_with_remember_me(&world).await.unwrap();
    assert_eq!(visit.session.user().unwrap().username, "jackie");
    assert!(visit.session.is_remembered());
    assert_ne!(jar.token, first, "each use replaces the token");
    assert!(world.server.visit(jar.session.as_ref()).await.unwrap().is_some(), "the cookie leads to the session");

    // The twin: without the box nobody is remembered, and an older memory goes.
    let plain = world.server.log_in(jar.shown(), &credentials("jackie")).await.unwrap();
    assert_eq!(plain.remember, Remember::Forget);
    jar.session = None;
    assert!(jar.visit_with_remember_me(&world).await.is_none());
}

#[tokio::test]
async fn an_attach_logs_a_remembered_browser_in_at_all_brokers() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    // The session expires by itself; brokers attach anew.
    let old = jar.attach(&world, "Alice").await;
    world.advance(HOUR);
    assert_eq!(world.info(&old).await, Ok(None));
    let (alice, greg) = (jar.attach(&world, "Alice").await, jar.attach(&world, "Greg").await);
    for link in [&alice, &greg] {
        assert_eq!(world.info(link).await.unwrap().as_deref(), Some("jackie"));
    }
    // Logged out at one, and the browser is not logged in again at the next attach (threat 21).
    world.broker_log_out(&greg).await.unwrap();
    let again = jar.attach(&world, "Alice").await;
    assert_eq!(world.info(&again).await.unwrap(), None);
}

#[tokio::test]
async fn being_remembered_is_a_login_on_the_way_that_kills_older_links() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    // An attacker's session and token, planted before.
    let mut planted = Jar::default();
    let copied = planted.attach(&world, "Alice").await;
    jar.session = planted.session;
    let asked = jar.attach_with(&world, "Alice", true).await;
    assert_eq!(world.info(&asked).await.unwrap().as_deref(), Some("jackie"));
    assert_ne!(world.info(&copied).await.ok().flatten().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn a_store_that_conflicts_without_end_is_given_up() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    jar.session = None;
    world.store.conflict_without_end("put_family");
    assert!(world.server.visit_with_remember_me(jar.shown()).await.is_err());
    world.store.work_again();
    assert!(jar.visit_with_remember_me(&world).await.is_some(), "the token is as good as before");
}

#[tokio::test]
async fn an_anonymous_session_is_no_obstacle() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    jar.session = None;
    let token = jar.token.take();
    let link = jar.attach(&world, "Alice").await;
    assert_eq!(world.info(&link).await.unwrap(), None);
    let planted = jar.session.clone();
    jar.token = token;
    assert!(jar.visit_with_remember_me(&world).await.is_some());
    assert_eq!(world.info(&link).await, Err(Error::Superseded), "nor does a token of before see the login");
    let anew = jar.attach(&world, "Alice").await;
    assert_eq!(world.info(&anew).await.unwrap().as_deref(), Some("jackie"));
    assert!(world.server.visit(planted.as_ref()).await.unwrap().is_none(), "its old cookie is dead");
}

#[tokio::test]
async fn tabs_that_come_back_together_share_one_session() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    jar.session = None;
    let server = &world.server;
    let tabs: Vec<_> = (0..10)
        .map(|_| {
            let (server, shown) = (server.clone(), jar.shown());
            tokio::spawn(async move { server.visit_with_remember_me(shown).await.unwrap().unwrap() })
        })
        .collect();
    let mut visits = Vec::new();
    for tab in tabs {
        visits.push(tab.await.unwrap());
    }
    let first = &visits[0];
    for visit in &visits {
        assert_eq!(visit.session.id, first.session.id);
        assert_eq!(visit.remember, first.remember);
        assert_eq!(visit.set_cookie.as_ref().unwrap().expose(), first.set_cookie.as_ref().unwrap().expose());
    }
    // So does one whose answer was lost, for a minute.
    world.advance(MINUTE - SECOND);
    let late = jar.clone().visit_with_remember_me(&world).await.unwrap();
    assert_eq!((&late.session.id, &late.remember), (&first.session.id, &first.remember));
}

#[tokio::test]
async fn a_login_at_a_php_broker_after_an_expiry_does_not_lose_the_browser() {
    for (username, logs_out) in [("jackie", true), ("jackie", false), ("john", false)] {
        let world = World::new();
        let mut jar = remembered(&world).await;
        let php = jar.attach(&world, "Php").await;
        world.advance(HOUR);
        let call = world.broker_call(&php).await.unwrap();
        assert!(call.session.user().is_none());
        world.server.broker_log_in(&call, &credentials(username)).await.unwrap();
        if logs_out {
            world.broker_log_out(&php).await.unwrap();
        }
        jar.session = None;
        // Not after a logout (threat 21), nor after somebody else has logged in.
        assert_eq!(
            jar.visit_with_remember_me(&world).await.is_some(),
            username == "jackie" && !logs_out,
            "{username} {logs_out}"
        );
    }
}

#[tokio::test]
async fn an_attach_that_fails_still_gives_the_new_token_to_who_came_back() {
    let world = World::new();
    let taken = world.attach(&mut common::Browser::default(), "Alice").await;
    let mut jar = remembered(&world).await;
    jar.session = None;
    let request = redirect_request("Alice", &taken.token, key("Alice").attach(&taken.token), false);
    let checked = world.server.check_attach(request, BrowserHeaders::default()).await.unwrap();
    let answer = world.server.attach(&checked, jar.shown()).await;
    assert_eq!(answer.outcome.unwrap_err(), AttachError::AlreadyAttached.into());
    jar.receive(answer.set_cookie, answer.remember);
    // Later than the old token would have been taken for a tab's.
    world.advance(5 * MINUTE);
    assert_eq!(jar.visit_with_remember_me(&world).await.unwrap().session.user().unwrap().username, "jackie");
    jar.session = None;
    assert!(jar.visit_with_remember_me(&world).await.is_some());
}

#[tokio::test]
async fn only_the_servers_own_tokens_count() {
    let keys = SharedKeys::new(KeySet::new(vec![Key::hs256("k", &[7; 32]).unwrap()]).unwrap());
    let world = World::with("https://sso.example", |builder| builder.remember_keys(keys.clone()));
    let jar = remembered(&world).await;
    let good = jar.token.clone().unwrap();
    let now =
        i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let registered = Registered::new("https://sso.example", "john", "https://sso.example", now, HOUR);
    let invented = RememberClaims { registered, family: "nobody's".into() };
    let other = KeySet::generate(Algorithm::Hs256, 0).unwrap();
    for text in [
        // Signed as it should be, but of no family; with another key; altered.
        keys.current().sign(&invented, now).unwrap(),
        other.sign(&invented, now).unwrap(),
        format!("{}x", good.expose()),
        good.expose().replace('.', ""),
    ] {
        let mut forged = Jar { session: None, token: Some(text.parse().unwrap()) };
        assert!(forged.visit_with_remember_me(&world).await.is_none(), "{text}");
    }
    assert!("a b".parse::<RememberToken>().is_err());
    assert!(Jar { session: None, token: Some(good) }.visit_with_remember_me(&world).await.is_some());
}
