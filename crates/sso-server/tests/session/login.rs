//! Logins and logouts, and what becomes of the browser's cookie (threat: session fixation).

use sso_server::{
    Error::{self, Superseded},
    session::{CookieValue, EndReason},
};

use crate::common::{Browser, World, credentials, wrong_credentials};

#[tokio::test]
async fn a_login_replaces_the_cookie_in_the_same_write() {
    let world = World::new();
    let mut browser = Browser::default();
    let link = world.attach(&mut browser, "Alice").await;
    let planted = browser.cookie.clone().unwrap();
    world.store.calls();
    world.log_in(&mut browser, "jackie").await;
    assert_eq!(world.store.calls(), ["load", "load", "update", "of_user"], "one write");
    assert_ne!(browser.cookie.as_ref().unwrap().expose(), planted.expose());
    assert!(world.server.visit(Some(&planted)).await.unwrap().is_none());
    let visit = world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap();
    assert_eq!(visit.session.user().unwrap().username, "jackie");
    assert_eq!(world.info(&link).await, Err(Superseded), "nor is what was attached before");
}

#[tokio::test]
async fn a_failed_login_changes_nothing() {
    let world = World::new();
    let mut browser = Browser::default();
    world.attach(&mut browser, "Alice").await;
    world.store.calls();
    let wrong = world.server.log_in(browser.cookie.as_ref(), &wrong_credentials("jackie")).await;
    assert_eq!(wrong.unwrap_err(), Error::InvalidCredentials);
    assert_eq!(world.store.calls(), ["load"], "who it may be is asked, and nothing written");
    assert!(world.server.visit(browser.cookie.as_ref()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_cookie_that_the_server_did_not_make_is_never_taken_over() {
    let world = World::new();
    let planted = CookieValue::generate();
    let mut browser = Browser { cookie: Some(planted.clone()) };
    world.attach(&mut browser, "Alice").await;
    assert_ne!(browser.cookie.as_ref().unwrap().expose(), planted.expose());
    browser.cookie = Some(planted.clone());
    world.log_in(&mut browser, "jackie").await;
    assert_ne!(browser.cookie.unwrap().expose(), planted.expose());
    assert!(world.server.visit(Some(&planted)).await.unwrap().is_none());
}

#[tokio::test]
async fn unknown_user_and_wrong_password_are_one_error() {
    let world = World::new();
    for bad in [wrong_credentials("jackie"), credentials("nobody"), wrong_credentials("nobody"), credentials("Jackie")]
    {
        let error = world.server.log_in(None, &bad).await.unwrap_err();
        assert_eq!(error, Error::InvalidCredentials);
        assert_eq!(error.to_string(), "Invalid credentials");
    }
    assert!(world.server.log_in(None, &credentials("jackie")).await.is_ok());
}

#[tokio::test]
async fn a_login_through_a_broker_renews_the_cookie_at_the_next_visit() {
    let world = World::new();
    let mut browser = Browser::default();
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    let planted = browser.cookie.clone().unwrap();
    let call = world.broker_call(&alice).await.unwrap();
    let user = world.server.broker_log_in(&call, &credentials("jackie")).await.unwrap();
    assert_eq!(user.attributes["email"], "jackie@example.com");
    assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"), "the link that made the login sees it");
    assert_eq!(world.info(&greg).await, Err(Superseded));

    let visit = world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap();
    assert_eq!(visit.session.user().unwrap().username, "jackie");
    browser.receive(visit.set_cookie);
    assert_ne!(browser.cookie.as_ref().unwrap().expose(), planted.expose());
    assert!(world.server.visit(Some(&planted)).await.unwrap().is_none());
    // Once is enough.
    assert!(world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap().set_cookie.is_none());
}

#[tokio::test]
async fn only_a_broker_that_may_can_log_users_in() {
    let world = World::new();
    let mut browser = Browser::default();
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    let refused = world.server.broker_log_in(&world.broker_call(&greg).await.unwrap(), &credentials("jackie")).await;
    assert_eq!(refused.unwrap_err(), Error::PasswordLoginOff);
    assert_eq!(world.info(&greg).await, Ok(None));
    let allowed = world.server.broker_log_in(&world.broker_call(&alice).await.unwrap(), &credentials("jackie")).await;
    assert!(allowed.is_ok());
}

#[tokio::test]
async fn a_logout_at_the_server_is_for_all_brokers_and_replaces_the_cookie() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    let before = browser.cookie.clone().unwrap();
    browser.receive(world.server.log_out(browser.cookie.as_ref()).await.unwrap());
    assert!(world.server.visit(Some(&before)).await.unwrap().is_none());
    assert!(world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap().session.user().is_none());
    for link in [&alice, &greg] {
        assert_eq!(world.info(link).await, Ok(None));
    }
    assert_eq!(world.end_of(&greg).await, Some(EndReason::LoggedOut));
    // The session stays: the next login is in it.
    let session = world.broker_call(&greg).await.unwrap().session.id.clone();
    world.log_in(&mut browser, "jackie").await;
    let anew = world.attach(&mut browser, "Greg").await;
    assert_eq!(world.broker_call(&anew).await.unwrap().session.id, session);
    assert_eq!(world.info(&anew).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn a_logout_without_a_session_gives_no_cookie() {
    let world = World::new();
    assert!(world.server.log_out(None).await.unwrap().is_none());
    assert!(world.server.log_out(Some(&CookieValue::generate())).await.unwrap().is_none());
    let mut browser = Browser::default();
    world.attach(&mut browser, "Alice").await;
    assert!(world.server.log_out(browser.cookie.as_ref()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_bearer_copied_before_the_login_is_dead_after_a_login_at_the_server() {
    let world = World::new();
    let mut browser = Browser::default();
    let copied = world.attach(&mut browser, "Alice").await;
    world.log_in(&mut browser, "jackie").await;
    let new = world.attach(&mut browser, "Alice").await;
    assert_eq!(world.info(&copied).await, Err(Superseded));
    assert_eq!(world.info(&new).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn a_brokers_login_that_another_login_overtakes_is_told_so() {
    let world = World::new();
    let mut browser = Browser::default();
    let (alice, php) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Php").await);
    let (overtaken, faster) = (world.broker_call(&alice).await.unwrap(), world.broker_call(&php).await.unwrap());
    world.server.broker_log_in(&faster, &credentials("john")).await.unwrap();
    assert_eq!(world.server.broker_log_in(&overtaken, &credentials("jackie")).await, Err(Superseded));
    assert_eq!(world.info(&php).await.unwrap().as_deref(), Some("john"));
}

#[tokio::test]
async fn a_logout_ends_no_login_that_comes_in_between() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (node, shown) = (world.second_node(), browser.cookie.clone());
    let (told, cookie) = tokio::sync::oneshot::channel();
    world.store.before_next_update(async move {
        let _ = told.send(node.log_in(shown.as_ref(), &credentials("john")).await.unwrap().set_cookie);
    });
    assert!(world.server.log_out(browser.cookie.as_ref()).await.unwrap().is_none(), "no cookie of theirs");
    browser.receive(cookie.await.unwrap());
    assert_eq!(world.user(browser.cookie.as_ref()).await.as_deref(), Some("john"));
    assert!(world.server.log_out(browser.cookie.as_ref()).await.unwrap().is_some());
    assert_eq!(world.user(browser.cookie.as_ref()).await, None);
}
