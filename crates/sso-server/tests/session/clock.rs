//! A clock that was ahead at a login and is set right: what it has written does not make anything last longer.

use std::{sync::Arc, time::Duration};

use sso_server::{
    Browser as Shown, Policy, Server, Store,
    clock::{CLOCK_SKEW, Clock, ManualClock, Timestamp},
    session::EndReason,
};

use crate::common::{Attached, Browser, HOUR, MINUTE, World, credentials, ticked};

/// What somebody may ask first after the clock was set right.
const QUESTIONS: [&str; 4] = ["script", "visit", "broker", "account"];

/// jackie logs in at a time that the clock should not have reached yet, and it is set right.
async fn logged_in_ahead(by: Duration) -> (World, Browser, Attached) {
    let world = World::new();
    let (mut browser, now) = (Browser::default(), world.clock.now());
    world.advance(by);
    world.log_in(&mut browser, "jackie").await;
    let alice = world.attach(&mut browser, "Alice").await;
    world.clock.set(now);
    (world, browser, alice)
}

/// Whether jackie is logged in, as far as this question shows. None of them is a use of the session but the visit.
async fn is_logged_in(world: &World, browser: &Browser, alice: &Attached, question: &str) -> bool {
    match question {
        "script" => world.user(browser.cookie.as_ref()).await.is_some(),
        "visit" => {
            let visit = world.server.visit(browser.cookie.as_ref()).await.unwrap();
            visit.is_some_and(|visit| visit.session.user().is_some())
        }
        "broker" => {
            let call = world.server.broker_call(Some(&alice.authorization()), false).await.unwrap();
            call.user().is_ok_and(|user| user.is_some())
        }
        _ => !world.server.sessions_of("jackie").await.unwrap().is_empty(),
    }
}

#[tokio::test]
async fn a_login_ends_when_nobody_has_used_it_since_the_clock_was_set_right() {
    for question in QUESTIONS {
        let (world, browser, alice) = logged_in_ahead(10 * HOUR).await;
        assert!(is_logged_in(&world, &browser, &alice, question).await, "{question}: it goes on");
        let policy = Policy::default();
        world.advance(policy.idle_timeout - MINUTE);
        assert!(is_logged_in(&world, &browser, &alice, "script").await, "{question}: its time is not up");
        world.advance(MINUTE + policy.touch_every + Duration::from_millis(1));
        assert!(!is_logged_in(&world, &browser, &alice, "script").await, "{question}");
        assert!(!is_logged_in(&world, &browser, &alice, "broker").await, "{question}");
    }
}

#[tokio::test]
async fn an_anonymous_session_is_kept_no_longer_than_any_other() {
    let world = World::new();
    let (mut browser, now) = (Browser::default(), world.clock.now());
    world.advance(10 * HOUR);
    world.attach(&mut browser, "Alice").await;
    world.clock.set(now);
    let cookie = browser.cookie.as_ref().unwrap();
    let kept = async || world.store.load(&cookie.hash()).await.unwrap().unwrap().keep_until;
    assert!(kept().await > now.after(10 * HOUR));
    assert!(world.user(Some(cookie)).await.is_none());
    assert!(kept().await <= now.after(2 * HOUR) && kept().await > now);
}

#[tokio::test]
async fn it_ends_after_its_absolute_lifetime_however_much_it_is_used() {
    let (world, mut browser, alice) = logged_in_ahead(10 * HOUR).await;
    for _ in 0..12 * 6 {
        let visit = world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap();
        assert!(visit.session.user().is_some(), "12 hours are not over");
        browser.receive(visit.set_cookie);
        world.advance(10 * MINUTE);
    }
    assert!(!is_logged_in(&world, &browser, &alice, "visit").await);
}

#[tokio::test]
async fn a_cookie_that_a_login_has_replaced_stays_dead() {
    let world = World::new();
    let (mut browser, now) = (Browser::default(), world.clock.now());
    let alice = world.attach(&mut browser, "Alice").await;
    world.info(&alice).await.unwrap();
    let planted = browser.cookie.clone();
    world.advance(10 * MINUTE);
    world.log_in(&mut browser, "jackie").await;
    world.clock.set(now);
    assert!(world.server.visit(planted.as_ref()).await.unwrap().is_none());
    assert!(world.server.visit(browser.cookie.as_ref()).await.unwrap().is_some());
}

#[tokio::test]
async fn nodes_whose_clocks_differ_a_little_write_no_more_than_others() {
    let (world, browser, alice) = logged_in_ahead(CLOCK_SKEW).await;
    let before = world.server.session_of(browser.cookie.as_ref()).await.unwrap().unwrap().version;
    for question in QUESTIONS {
        assert!(is_logged_in(&world, &browser, &alice, question).await);
    }
    let after = world.server.session_of(browser.cookie.as_ref()).await.unwrap().unwrap().version;
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_browser_is_not_remembered_for_longer() {
    let (world, day) = (World::new(), 24 * HOUR);
    let now = world.clock.now();
    world.advance(100 * day);
    world.server.log_in(Shown::default(), &ticked("jackie")).await.unwrap();
    world.clock.set(now);
    let visit = world.server.log_in(Shown::default(), &credentials("jackie")).await.unwrap();
    let account = world.server.account(&visit.session).await.unwrap().unwrap();
    assert_eq!(account.browsers.iter().map(|known| known.expires).collect::<Vec<_>>(), [now.after(30 * day)]);
    world.advance(31 * day);
    let visit = world.server.log_in(Shown::default(), &credentials("jackie")).await.unwrap();
    assert!(world.server.account(&visit.session).await.unwrap().unwrap().browsers.is_empty());
}

/// Who is logged in by this link, as a node says; and nobody is behind the call, or somebody is.
async fn seen_at(node: &Server, link: &Attached, by_person: bool) -> Option<String> {
    let call = node.broker_call(Some(&link.authorization()), by_person).await.unwrap();
    call.user().unwrap().map(|user| user.username.clone())
}

#[tokio::test]
async fn of_two_nodes_whose_clocks_differ_neither_ends_a_login_early_nor_undoes_an_end() {
    let ahead = CLOCK_SKEW;
    let policy = Policy::default();
    let world = World::new();
    let clock = Arc::new(ManualClock::at(world.clock.now().after(ahead)));
    let (here, there) = (world.server.clone(), world.node_with(clock.clone()));
    let advance = |by| {
        world.clock.advance(by);
        clock.advance(by);
    };
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let alice = world.attach(&mut browser, "Alice").await;
    // Used at either node, by turns.
    for n in 0..6 {
        advance(policy.idle_timeout - ahead);
        let node = if n % 2 == 0 { &there } else { &here };
        assert_eq!(
            seen_at(node, &alice, true).await.as_deref(),
            Some("jackie"),
            "{n}: not early by more than they differ"
        );
    }
    // Nobody uses it: the node that is ahead sees its end first, and the other one soon after.
    advance(policy.idle_timeout + policy.touch_every);
    assert_eq!(seen_at(&there, &alice, false).await, None);
    advance(ahead);
    assert_eq!(seen_at(&here, &alice, false).await, None);
    // Use, now at the one, now at the other, and a clock that is set back: it has ended.
    for (node, back) in [(&there, 0), (&here, 0), (&here, 30), (&there, 30)] {
        world.clock.set(Timestamp::from_millis(world.clock.now().as_millis() - back * 60_000));
        clock.set(Timestamp::from_millis(clock.now().as_millis() - back * 60_000));
        assert_eq!(seen_at(node, &alice, true).await, None);
        assert_eq!(world.end_of(&alice).await, Some(EndReason::Idle));
    }
}

#[tokio::test]
async fn what_one_node_has_ended_the_use_of_another_does_not_revive() {
    let world = World::new();
    // So far behind that by its clock the login goes on.
    let clock = Arc::new(ManualClock::at(world.clock.now()));
    let behind = world.node_with(clock);
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let alice = world.attach(&mut browser, "Alice").await;
    assert_eq!(seen_at(&behind, &alice, true).await.as_deref(), Some("jackie"));
    world.advance(HOUR);
    // A person's call writes the end.
    assert_eq!(seen_at(&world.server, &alice, true).await, None);
    assert_eq!(seen_at(&behind, &alice, true).await, None);
    assert_eq!(seen_at(&world.server, &alice, true).await, None);
}
