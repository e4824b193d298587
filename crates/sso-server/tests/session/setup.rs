//! What a server refuses to be built from, and which brokers it refuses to serve.

use sso_core::{BrowserHeaders, Token};
use sso_server::{
    AccountChange, BrokerList, BuildError, PasswordChange, Policy, Server, UserList,
    core::{AttachError, is_loopback},
};
use std::time::Duration;

use crate::common::{Browser, World, credentials, key, redirect_request};

fn build(url: &str, policy: Policy) -> Result<Server, BuildError> {
    Server::builder(url.parse().unwrap(), BrokerList::default(), UserList::default()).policy(policy).build()
}

#[test]
fn the_public_url_is_https_or_on_the_loopback_and_bare() {
    for good in [
        "https://sso.example",
        "https://sso.example:8443/",
        "http://localhost:8000",
        "http://sso.localhost:8000/",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
    ] {
        assert!(build(good, Policy::default()).is_ok(), "{good}");
    }
    for bad in [
        "http://sso.example",
        "http://notlocalhost",
        "http://localhost.evil.example",
        "http://10.0.0.1",
        "http://0.0.0.0:8000",
        "ftp://localhost",
        "https://sso.example/path",
        "https://sso.example/?q",
        "https://sso.example/#f",
        "https://user@sso.example/",
        "https://:password@sso.example/",
    ] {
        assert!(matches!(build(bad, Policy::default()), Err(BuildError::PublicUrl(_))), "{bad}");
    }
}

#[test]
fn lifetimes_fit_together() {
    let day = Duration::from_secs(24 * 60 * 60);
    let error = |policy| match build("https://sso.example", policy) {
        Err(BuildError::Policy(error)) => Some(error.to_string()),
        Ok(_) => None,
        Err(other) => panic!("{other}"),
    };
    let policy = Policy::default;
    assert_eq!(
        error(Policy { idle_timeout: day, ..policy() }),
        Some("idle_timeout must not be longer than absolute_lifetime".into())
    );
    assert_eq!(
        error(Policy { idle_timeout: Duration::ZERO, ..policy() }),
        Some("idle_timeout must be at least one second".into())
    );
    let short = Duration::from_secs(60);
    let rule = "must be shorter than idle_timeout";
    assert_eq!(error(Policy { idle_timeout: short, ..policy() }), Some(format!("warn_before {rule}")));
    let warned = Policy { idle_timeout: short, warn_before: short / 2, ..policy() };
    assert_eq!(error(warned.clone()), Some(format!("form_timeout {rule}")));
    let zero = Some("form_timeout must be longer than zero".into());
    assert_eq!(error(Policy { form_timeout: Duration::ZERO, ..warned.clone() }), zero);
    assert_eq!(error(Policy { form_timeout: short / 2, ..warned }), None);
    assert_eq!(error(Policy { idle_timeout: day, absolute_lifetime: day, ..policy() }), None);
    assert_eq!(error(Policy { idle_timeout: day, never_expire: true, ..policy() }), None);
}

#[test]
fn the_loopback_is_known_by_its_names() {
    let on = |url: &str| is_loopback(&url.parse().unwrap());
    assert!(on("http://localhost") && on("http://a.b.localhost") && on("http://127.9.9.9") && on("http://[::1]"));
    assert!(!on("http://localhost.example") && !on("http://192.168.0.1") && !on("http://[::2]") && !on("data:x"));
}

#[tokio::test]
async fn a_weak_secret_disables_a_broker_unless_all_is_on_the_loopback() {
    for (url, expected) in [
        ("https://sso.example", Err(AttachError::UnknownBroker.into())),
        ("http://localhost:8000", Ok(true)),
        ("https://sso.localhost", Ok(true)),
    ] {
        let world = World::with(url, |builder| builder);
        let weak = world.try_attach(&mut Browser::default(), "Weak", &Token::generate(), false).await;
        assert_eq!(weak.map(|link| link.is_some()), expected, "{url}");
        let strong = world.try_attach(&mut Browser::default(), "Alice", &Token::generate(), false).await;
        assert!(strong.is_ok(), "{url}");
    }
}

#[tokio::test]
async fn debug_gives_nothing_away() {
    let world = World::new();
    let mut browser = Browser::default();
    let link = world.attach(&mut browser, "Alice").await;
    let cookie = browser.cookie.clone().unwrap();
    let text = format!("{:?} {:?} {:?}", world.server, world.broker_call(&link).await.unwrap(), browser.cookie);
    for secret in [link.token.as_str(), link.code.as_str(), cookie.expose(), "AliceAlice"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains("Alice"));
}

#[tokio::test]
async fn every_task_can_be_spawned() {
    fn can_be_spawned(_: impl Future<Output: Send> + Send) {}
    let world = World::new();
    let (server, mut browser) = (&world.server, Browser::default());
    let link = world.attach(&mut browser, "Alice").await;
    let (call, authorization) = (world.broker_call(&link).await.unwrap(), link.authorization());
    let (session, credentials) = (&call.session, &credentials("jackie"));
    let request = redirect_request("Alice", &link.token, key("Alice").attach(&link.token), false);
    let checked = server.check_attach(request.clone(), BrowserHeaders::default()).await.unwrap();
    can_be_spawned(server.check_attach(request, BrowserHeaders::default()));
    can_be_spawned(server.attach(&checked, None));
    can_be_spawned(server.visit(None));
    can_be_spawned(server.session_of(None));
    can_be_spawned(server.visit_with_remember_me(None));
    can_be_spawned(server.keep_alive(session));
    can_be_spawned(server.log_in(None, credentials));
    can_be_spawned(server.log_out(None));
    can_be_spawned(server.account(session));
    can_be_spawned(server.change_account(session, &AccountChange::EndOthers));
    can_be_spawned(server.confirm_password(None, credentials));
    can_be_spawned(server.change_password(None, &PasswordChange::default()));
    can_be_spawned(server.broker_call(Some(&authorization), true));
    can_be_spawned(server.logged_out_status(&call));
    can_be_spawned(server.broker_log_in(&call, credentials));
    can_be_spawned(server.broker_log_out(Some(&authorization), true));
    can_be_spawned(server.merge_data(&call, &serde_json::Map::new()));
    can_be_spawned(server.introspect("Alice", b"", ""));
    can_be_spawned(server.end_user("jackie"));
    can_be_spawned(server.end_everything());
    can_be_spawned(server.clone().settle_forever());
}
