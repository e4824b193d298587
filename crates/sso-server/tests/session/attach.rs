//! What an attach that comes to nothing leaves behind: a browser whose cookie still works.

use sso_core::{AttachRequest, BrowserHeaders, Mode, Token};
use sso_server::{AttachOutcome, CheckedAttach, Error, core::AttachError};

use crate::common::{Attached, Browser, World, credentials, key};

/// A browser whose cookie is to be renewed at its next visit: a broker's back end logged jackie in.
async fn renewal_due(world: &World) -> (Browser, Attached) {
    let mut browser = Browser::default();
    let link = world.attach(&mut browser, "Alice").await;
    world.server.broker_log_in(&world.broker_call(&link).await.unwrap(), &credentials("jackie")).await.unwrap();
    (browser, link)
}

async fn user(world: &World, browser: &Browser) -> Option<String> {
    let visit = world.server.visit(browser.cookie.as_ref()).await.unwrap()?;
    visit.session.user().map(|user| user.username.clone())
}

#[tokio::test]
async fn a_good_attach_renews_the_cookie_that_is_due() {
    let world = World::new();
    let (mut browser, _) = renewal_due(&world).await;
    let before = browser.cookie.clone();
    world.attach(&mut browser, "Greg").await;
    assert_ne!(browser.cookie.as_ref().unwrap().expose(), before.as_ref().unwrap().expose());
    assert_eq!(user(&world, &browser).await.as_deref(), Some("jackie"));
    assert!(world.server.visit(before.as_ref()).await.unwrap().is_none(), "the old value is dead");
}

#[tokio::test]
async fn a_refused_attach_does_not_cost_the_browser_its_session() {
    let world = World::new();
    let (mut browser, _) = renewal_due(&world).await;
    let taken = world.attach(&mut Browser::default(), "Greg").await;
    let refused = world.try_attach(&mut browser, "Greg", &taken.token, false).await;
    assert_eq!(refused.unwrap_err(), AttachError::AlreadyAttached.into());
    assert_eq!(user(&world, &browser).await.as_deref(), Some("jackie"));
}

#[tokio::test]
async fn asking_for_a_login_does_not_cost_the_browser_its_session() {
    let world = World::new();
    let (mut browser, alice) = renewal_due(&world).await;
    world.broker_log_out(&alice).await.unwrap();
    // The visitor comes to log in again, which may take a while; the browser's cookie still leads to this session.
    assert!(world.try_attach(&mut browser, "Greg", &Token::generate(), true).await.unwrap().is_none());
    let session = world.broker_call(&alice).await.unwrap().session.id.clone();
    world.log_in(&mut browser, "jackie").await;
    let anew = world.attach(&mut browser, "Alice").await;
    assert_eq!(world.broker_call(&anew).await.unwrap().session.id, session);
    assert_eq!(world.info(&anew).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn an_attach_that_the_store_fails_does_not_cost_the_browser_its_session() {
    let world = World::new();
    let (mut browser, _) = renewal_due(&world).await;
    let token = Token::generate();
    for call in ["load", "link", "update"] {
        world.store.fail_only(call);
        let failed = world.try_attach(&mut browser, "Greg", &token, false).await;
        assert!(matches!(failed, Err(Error::Unavailable(_))), "{call}");
        world.store.work_again();
    }
    assert!(world.try_attach(&mut browser, "Greg", &token, false).await.unwrap().is_some());
    assert_eq!(user(&world, &browser).await.as_deref(), Some("jackie"));
}

#[tokio::test]
async fn a_silent_attach_joins_and_changes_no_cookie() {
    let world = World::new();
    let (browser, alice) = renewal_due(&world).await;
    let silent = |cookie| {
        let token = Token::generate();
        let checksum = key("Ajax").attach(&token);
        let id = "Ajax".parse().unwrap();
        let request =
            AttachRequest { broker: id, token, checksum, mode: Mode::Json, prompt_login: false, max_age: None };
        let world = &world;
        async move {
            let headers = BrowserHeaders { origin: Some("https://ajax.example"), ..Default::default() };
            let checked: CheckedAttach = world.server.check_attach(request, headers).await.unwrap();
            let answer = world.server.attach(&checked, cookie).await;
            assert!(answer.set_cookie.is_none());
            let AttachOutcome::Linked(code) = answer.outcome? else { panic!("a silent attach asks for no login") };
            Ok::<_, Error>(Attached { broker: "Ajax", token: checked.request.token, code })
        }
    };
    let link = silent(browser.cookie.as_ref()).await.unwrap();
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
    world.store.calls();
    assert_eq!(silent(None).await.unwrap_err(), AttachError::NoSession.into());
    assert_eq!(world.store.calls(), [""; 0], "no session was started");
    assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"));
}
