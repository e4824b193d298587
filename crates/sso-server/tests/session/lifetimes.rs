//! What a call costs, what extends a login, and when it and its session are over.

use std::time::Duration;

use sso_server::{
    Error::{self, NotAttached, Superseded},
    Policy, Store,
    clock::Clock,
    core::{AttachError, Token},
    session::{EndReason, Link},
};

use crate::common::{Browser, HOUR, MINUTE, World, credentials};

/// Touches may make a login end this much late.
const SLACK: Duration = Duration::from_secs(30);

#[tokio::test]
async fn info_costs_one_look_up() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let link = world.attach(&mut browser, "Alice").await;
    world.info(&link).await.unwrap();
    world.advance(SLACK - Duration::from_millis(1));
    world.store.calls();
    for _ in 0..3 {
        assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
        assert_eq!(world.store.calls(), ["resolve"]);
    }
}

#[tokio::test]
async fn use_is_written_down_at_most_once_per_touch_every_and_the_first_time() {
    let world = World::new();
    let link = world.attach(&mut Browser::default(), "Alice").await;
    world.store.calls();
    // The first use is noted a millisecond after the beginning.
    for wait in [Duration::ZERO, SLACK + Duration::from_millis(1), SLACK, SLACK] {
        world.advance(wait);
        for expected in [["resolve", "touch"].as_slice(), &["resolve"], &["resolve"]] {
            world.info(&link).await.unwrap();
            assert_eq!(world.store.calls(), expected);
        }
    }
}

/// A database that can only be read for a while says who is logged in all the same.
#[tokio::test]
async fn a_use_that_cannot_be_written_fails_nothing_and_the_next_one_is() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let link = world.attach(&mut browser, "Alice").await;
    world.info(&link).await.unwrap();
    world.advance(MINUTE);
    world.store.fail_only("touch");
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
    let visit = world.server.visit(browser.cookie.as_ref()).await.unwrap();
    assert!(visit.is_some_and(|visit| visit.session.user().is_some()));
    world.store.work_again();
    world.store.calls();
    world.info(&link).await.unwrap();
    world.info(&link).await.unwrap();
    assert_eq!(world.store.calls(), ["resolve", "touch", "resolve"]);
}

#[tokio::test]
async fn a_call_without_a_person_never_extends_a_login() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let link = world.attach(&mut browser, "Alice").await;
    world.info(&link).await.unwrap();
    world.store.calls();
    for _ in 0..20 {
        world.advance(MINUTE);
        let call = world.server.broker_call(Some(&link.authorization()), false).await.unwrap();
        assert!(call.session.user().is_some());
        assert_eq!(world.store.calls(), ["resolve"]);
    }
    world.advance(MINUTE);
    assert_eq!(world.info(&link).await, Ok(None));
}

#[tokio::test]
async fn a_call_with_a_person_extends_the_login_for_every_broker() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    for _ in 0..10 {
        world.advance(19 * MINUTE);
        assert!(world.info(&alice).await.unwrap().is_some());
    }
    assert!(world.info(&greg).await.unwrap().is_some());
}

#[tokio::test]
async fn an_idle_login_ends_for_bearer_and_cookie_and_its_session_goes_on() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let link = world.attach(&mut browser, "Alice").await;
    world.advance(20 * MINUTE + SLACK - Duration::from_millis(1));
    let call = world.server.broker_call(Some(&link.authorization()), false).await.unwrap();
    assert_eq!(call.user().unwrap().unwrap().username, "jackie");
    world.store.calls();
    // A session's first use is a millisecond after its beginning.
    world.advance(Duration::from_millis(2));
    let call = world.server.broker_call(Some(&link.authorization()), false).await.unwrap();
    assert_eq!((call.user(), world.store.calls().as_slice()), (Ok(None), ["resolve"].as_slice()), "nothing is written");
    assert_eq!(world.end_of(&link).await, Some(EndReason::Idle));
    // At the browser's next visit, which gets another cookie.
    let visit = world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap();
    assert!(visit.session.user().is_none() && visit.set_cookie.is_some());
    assert_eq!(visit.session.id, call.session.id);
}

#[tokio::test]
async fn a_login_ends_absolutely_however_busy_it_is() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let link = world.attach(&mut browser, "Alice").await;
    for _ in 0..(12 * 60 - 1) {
        world.advance(MINUTE);
        assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
    }
    world.advance(MINUTE);
    assert_eq!(world.info(&link).await, Ok(None));
    assert_eq!(world.end_of(&link).await, Some(EndReason::Absolute));
}

#[tokio::test]
async fn what_has_ended_is_not_revived_by_use_nor_by_a_clock_that_is_set_back() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    let now = world.clock.now();
    world.advance(HOUR);
    for link in [&alice, &greg] {
        assert_eq!(world.info(link).await, Ok(None), "this call is use of the session, and is written");
    }
    world.clock.set(now);
    for link in [&alice, &greg] {
        assert_eq!(world.info(link).await, Ok(None));
        assert_eq!(world.end_of(link).await, Some(EndReason::Idle));
    }
}

#[tokio::test]
async fn a_php_broker_logs_in_again_after_an_end_and_others_attach_anew() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (php, alice) = (world.attach(&mut browser, "Php").await, world.attach(&mut browser, "Alice").await);
    world.advance(HOUR);
    for link in [&php, &alice] {
        assert_eq!(world.info(link).await, Ok(None));
    }
    let call = world.broker_call(&php).await.unwrap();
    let user = world.server.broker_log_in(&call, &credentials("jackie")).await.unwrap();
    assert_eq!(user.username, "jackie");
    assert_eq!(world.info(&php).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(world.info(&alice).await, Err(Superseded));
    let visit = world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap();
    browser.receive(visit.set_cookie);
    let anew = world.attach(&mut browser, "Alice").await;
    assert_eq!(world.info(&anew).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn logging_out_after_an_end_is_fine() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let link = world.attach(&mut browser, "Alice").await;
    world.advance(HOUR);
    assert_eq!(world.broker_log_out(&link).await, Ok(()));
    assert_eq!(world.info(&link).await, Ok(None));
    assert_eq!(world.end_of(&link).await, Some(EndReason::Idle), "that was how it ended");
}

#[tokio::test]
async fn a_session_stays_an_hour_after_its_last_use_and_ten_minutes_where_it_never_was_used() {
    let world = World::new();
    let (used, unused) =
        (world.attach(&mut Browser::default(), "Alice").await, world.attach(&mut Browser::default(), "Alice").await);
    world.info(&used).await.unwrap();
    let look = async |link| {
        world.server.broker_call(Some(&crate::common::Attached::authorization(link)), false).await.map(drop)
    };
    world.advance(10 * MINUTE - SLACK);
    assert_eq!((look(&used).await, look(&unused).await), (Ok(()), Ok(())));
    world.advance(SLACK);
    assert_eq!((look(&used).await, look(&unused).await), (Ok(()), Err(NotAttached)));
    world.advance(50 * MINUTE);
    assert_eq!(look(&used).await, Ok(()));
    world.advance(2 * SLACK);
    assert_eq!(look(&used).await, Err(NotAttached));
}

#[tokio::test]
async fn a_php_link_ends_two_hours_after_its_last_call() {
    let world = World::living(Policy { idle_timeout: 12 * HOUR, ..Policy::default() });
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (php, alice) = (world.attach(&mut browser, "Php").await, world.attach(&mut browser, "Alice").await);
    for _ in 0..3 {
        world.advance(HOUR);
        assert!(world.info(&php).await.unwrap().is_some());
    }
    world.advance(Link::PHP_LIFETIME);
    assert_eq!(world.info(&php).await, Err(NotAttached));
    assert!(world.info(&alice).await.unwrap().is_some());
    // The same token can be attached again: one that is dead counts as free.
    let again = world.try_attach(&mut browser, "Php", &php.token, false).await.unwrap().unwrap();
    assert!(world.info(&again).await.unwrap().is_some());
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
    assert_eq!(world.info(&link).await, Err(Error::NotAttached));
    // The session is as it was.
    let cookie = browser.cookie.clone().unwrap();
    let new = world.attach(&mut browser, "Alice").await;
    assert_eq!(world.info(&new).await, Ok(None));
    assert_eq!(browser.cookie.unwrap().expose(), cookie.expose());
}

#[tokio::test]
async fn a_browser_whose_session_is_gone_gets_a_new_one() {
    let world = World::new();
    let mut browser = Browser::default();
    let token = Token::generate();
    let old = world.try_attach(&mut browser, "Alice", &token, false).await.unwrap().unwrap();
    let cookie = browser.cookie.clone().unwrap();
    let other = world.try_attach(&mut Browser::default(), "Alice", &token, false).await;
    assert_eq!(other.unwrap_err(), AttachError::AlreadyAttached.into());
    world.advance(HOUR);
    // Even with the same token.
    let new = world.try_attach(&mut browser, "Alice", &token, false).await.unwrap().unwrap();
    assert_ne!(browser.cookie.as_ref().unwrap().expose(), cookie.expose());
    assert_eq!(world.info(&new).await, Ok(None));
    assert_eq!(world.info(&old).await, Err(Error::NotAttached), "the code of the old session is dead");
}

#[tokio::test]
async fn a_login_whose_time_is_up_is_settled_once_by_whichever_node() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let link = world.attach(&mut browser, "Alice").await;
    let changes = serde_json::json!({ "theme": "forest" });
    let call = world.broker_call(&link).await.unwrap();
    world.server.merge_data(&call, changes.as_object().unwrap()).await.unwrap();
    let stored = async || world.store.get(&call.session.id).await.unwrap().unwrap();
    let other = world.second_node();
    assert_eq!(world.server.settle_due().await, Ok(0));
    world.advance(19 * MINUTE);
    world.info(&link).await.unwrap();
    world.advance(19 * MINUTE);
    assert_eq!(world.server.settle_due().await, Ok(0), "it was used meanwhile");
    assert!(stored().await.login.is_some());

    world.advance(2 * MINUTE);
    let before = stored().await.version;
    let settled = tokio::join!(world.server.settle_due(), other.settle_due());
    assert!(settled.0.unwrap().max(settled.1.unwrap()) == 1);
    let after = stored().await;
    assert!(after.login.is_none() && after.data.is_empty() && after.version == before + 1);
    assert_eq!(after.last_end.as_ref().unwrap().reason, EndReason::Idle);
    assert_eq!(world.server.settle_due().await, Ok(0));
    assert_eq!(world.info(&link).await, Ok(None));
}

#[tokio::test]
async fn a_session_that_cannot_be_settled_keeps_no_other_from_it() {
    let world = World::new();
    for _ in 0..2 {
        world.log_in(&mut Browser::default(), "jackie").await;
    }
    world.advance(HOUR);
    let due = async || world.store.due(world.clock.now(), 9).await.unwrap().len();
    assert_eq!(due().await, 2);
    world.store.fail_once("update");
    assert!(world.server.settle_due().await.is_err());
    assert_eq!(due().await, 1, "the other one");
    assert_eq!(world.server.settle_due().await, Ok(1));
    assert_eq!(due().await, 0);
}

#[tokio::test]
async fn logins_under_a_longer_timeout_than_before_are_found_by_their_new_end() {
    let world = World::living(Policy {
        idle_timeout: 10 * MINUTE,
        warn_before: MINUTE,
        form_timeout: MINUTE,
        ..Policy::default()
    });
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let longer = world.node_with(world.clock.clone());
    world.advance(15 * MINUTE);
    // This node has the default of 20 minutes, and looks at it once.
    assert_eq!(longer.settle_due().await, Ok(1));
    assert_eq!(longer.settle_due().await, Ok(0));
    assert!(longer.visit(browser.cookie.as_ref()).await.unwrap().unwrap().session.user().is_some());
}
