//! What a call costs, what extends a session, and when it is over.

use std::time::Duration;

use sso_server::{Policy, core::Token, resume::ResumeError};

use crate::common::{Browser, HOUR, MINUTE, World, credentials};

/// Touches may make a session end this much late.
const SLACK: Duration = Duration::from_secs(30);

#[tokio::test]
async fn info_costs_one_look_up() {
    let world = World::new();
    let link = world.attach(&mut Browser::default(), "Alice").await;
    world.advance(SLACK - Duration::from_millis(1));
    world.store.calls();
    for _ in 0..3 {
        assert_eq!(world.info(&link).await, Ok(None));
        assert_eq!(world.store.calls(), ["resolve"]);
    }
}

#[tokio::test]
async fn use_is_written_down_at_most_once_per_touch_every() {
    let world = World::new();
    let link = world.attach(&mut Browser::default(), "Alice").await;
    world.store.calls();
    for _ in 0..3 {
        world.advance(SLACK);
        for expected in [["resolve", "touch"].as_slice(), &["resolve"], &["resolve"]] {
            world.info(&link).await.unwrap();
            assert_eq!(world.store.calls(), expected);
        }
    }
}

#[tokio::test]
async fn a_call_without_a_person_never_extends_the_session() {
    let world = World::new();
    let link = world.attach(&mut Browser::default(), "Alice").await;
    world.store.calls();
    for _ in 0..20 {
        world.advance(MINUTE);
        world.server.resume(Some(&link.authorization()), false).await.unwrap().live().unwrap();
        assert_eq!(world.store.calls(), ["resolve"]);
    }
    world.advance(MINUTE);
    assert_eq!(world.info(&link).await, Err(ResumeError::SessionEnded));
}

#[tokio::test]
async fn a_call_with_a_person_extends_the_session_for_every_broker() {
    let world = World::new();
    let mut browser = Browser::default();
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    for _ in 0..10 {
        world.advance(19 * MINUTE);
        assert_eq!(world.info(&alice).await, Ok(None));
    }
    assert_eq!(world.info(&greg).await, Ok(None));
}

#[tokio::test]
async fn an_idle_session_ends_for_bearer_and_cookie() {
    let world = World::new();
    let mut browser = Browser::default();
    let link = world.attach(&mut browser, "Alice").await;
    world.log_in(&mut browser, "jackie").await;
    world.advance(20 * MINUTE + SLACK - Duration::from_millis(1));
    let resumed = world.server.resume(Some(&link.authorization()), false).await.unwrap();
    assert_eq!(resumed.user().unwrap().unwrap().username, "jackie");
    world.advance(Duration::from_millis(1));
    assert_eq!(world.info(&link).await, Err(ResumeError::SessionEnded));
    assert!(world.server.visit(browser.cookie.as_ref()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_login_ends_absolutely_however_busy_it_is() {
    let world = World::new();
    let mut browser = Browser::default();
    let link = world.attach(&mut browser, "Alice").await;
    world.log_in(&mut browser, "jackie").await;
    for _ in 0..(12 * 60 - 1) {
        world.advance(MINUTE);
        assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
    }
    world.advance(MINUTE);
    assert_eq!(world.info(&link).await, Err(ResumeError::SessionEnded));
    assert!(world.server.visit(browser.cookie.as_ref()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_ended_session_is_nobody_to_a_php_broker_and_its_login_revives_it() {
    let world = World::new();
    let mut browser = Browser::default();
    let (php, alice) = (world.attach(&mut browser, "Php").await, world.attach(&mut browser, "Alice").await);
    world.log_in(&mut browser, "jackie").await;
    world.advance(HOUR);
    assert_eq!(world.info(&php).await, Ok(None));
    assert_eq!(world.info(&alice).await, Err(ResumeError::SessionEnded));

    let resumed = world.resume(&php).await.unwrap();
    assert!(resumed.ended && resumed.clone().live().is_err());
    let user = world.server.broker_log_in(&resumed, &credentials("jackie")).await.unwrap();
    assert_eq!(user.username, "jackie");
    for link in [&php, &alice] {
        assert_eq!(world.info(link).await.unwrap().as_deref(), Some("jackie"));
    }
}

#[tokio::test]
async fn logging_out_of_an_ended_session_is_fine_and_writes_nothing() {
    let world = World::new();
    let mut browser = Browser::default();
    let link = world.attach(&mut browser, "Alice").await;
    world.log_in(&mut browser, "jackie").await;
    world.advance(HOUR);
    assert!(world.resume(&link).await.unwrap().ended);
    world.store.calls();
    assert_eq!(world.broker_log_out(&link).await, Ok(()));
    assert_eq!(world.store.calls(), ["resolve"]);
    assert_eq!(world.info(&link).await, Err(ResumeError::SessionEnded));
}

#[tokio::test]
async fn php_brokers_keep_an_anonymous_session_for_an_hour() {
    let world = World::new();
    let (php, alice) =
        (world.attach(&mut Browser::default(), "Php").await, world.attach(&mut Browser::default(), "Alice").await);
    world.advance(59 * MINUTE);
    assert!(!world.server.resume(Some(&php.authorization()), false).await.unwrap().ended);
    assert!(world.server.resume(Some(&alice.authorization()), false).await.unwrap().ended);
    world.advance(2 * MINUTE);
    assert!(world.server.resume(Some(&php.authorization()), false).await.unwrap().ended);
}

#[tokio::test]
async fn a_link_ends_by_itself_and_a_new_token_helps() {
    let world = World::living(Policy { link_lifetime: HOUR, regenerate_every: 2 * HOUR, ..Policy::default() });
    let mut browser = Browser::default();
    let link = world.attach(&mut browser, "Alice").await;
    for _ in 0..59 {
        world.advance(MINUTE);
        assert_eq!(world.info(&link).await, Ok(None));
    }
    world.advance(MINUTE);
    assert_eq!(world.info(&link).await, Err(ResumeError::NotAttached));
    // The session is as it was.
    let cookie = browser.cookie.clone().unwrap();
    let new = world.attach(&mut browser, "Alice").await;
    assert_eq!(world.info(&new).await, Ok(None));
    assert_eq!(browser.cookie.unwrap().expose(), cookie.expose());
}

#[tokio::test]
async fn a_browser_of_an_ended_session_gets_a_new_one() {
    let world = World::new();
    let mut browser = Browser::default();
    let token = Token::generate();
    let old = world.try_attach(&mut browser, "Alice", &token, false).await.unwrap().unwrap();
    let cookie = browser.cookie.clone().unwrap();
    world.advance(HOUR);
    // Even with the same token: one that is on an ended session counts as free.
    let new = world.try_attach(&mut browser, "Alice", &token, false).await.unwrap().unwrap();
    assert_ne!(browser.cookie.as_ref().unwrap().expose(), cookie.expose());
    assert_eq!(world.info(&new).await, Ok(None));
    assert_eq!(world.info(&old).await, Err(ResumeError::NotAttached), "the code of the old session is dead");
}
