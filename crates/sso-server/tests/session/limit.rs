//! How many logins a user may have at once, and what ends the one too many.

use std::{num::NonZeroUsize, time::Duration};

use sso_server::{
    AccountChange, Browser as Shown, Policy, Remember, Visit,
    core::wire,
    session::{CookieValue, EndReason},
};

use crate::common::{Attached, Browser, HOUR, World, credentials, ticked};

const SECOND: Duration = Duration::from_secs(1);

fn at_most(max: usize) -> World {
    World::living(Policy { max_sessions_per_user: NonZeroUsize::new(max).unwrap(), ..Policy::default() })
}

/// A login in a browser of its own, a second after the last one, attached at Alice.
async fn log_in(world: &World, username: &str) -> (Browser, Attached) {
    world.advance(SECOND);
    let mut browser = Browser::default();
    world.log_in(&mut browser, username).await;
    let alice = world.attach(&mut browser, "Alice").await;
    (browser, alice)
}

async fn is_in(world: &World, browser: &Browser) -> bool {
    world.user(browser.cookie.as_ref()).await.is_some()
}

#[tokio::test]
async fn threat_34_the_101st_login_ends_the_longest_unused_of_that_user() {
    let world = World::new();
    let (johns, _) = log_in(&world, "john").await;
    let mut browsers = Vec::new();
    for _ in 0..100 {
        browsers.push(log_in(&world, "jackie").await);
    }
    // The oldest is used, so the second is the longest unused.
    world.advance(30 * SECOND);
    assert_eq!(world.info(&browsers[0].1).await.unwrap().as_deref(), Some("jackie"));
    for (browser, _) in &browsers {
        assert!(is_in(&world, browser).await, "a hundred are not too many");
    }

    browsers.push(log_in(&world, "jackie").await);
    for (i, (browser, _)) in browsers.iter().enumerate() {
        assert_eq!(is_in(&world, browser).await, i != 1, "{i}");
    }
    assert!(is_in(&world, &johns).await, "and nobody else's");
    assert_eq!(world.info(&browsers[1].1).await, Ok(None));
    assert_eq!(world.end_of(&browsers[1].1).await, Some(EndReason::TooMany));
    assert_eq!(EndReason::TooMany.to_wire(), wire::EndReason::Revoked);
}

#[tokio::test]
async fn with_one_login_the_older_browser_is_out_at_its_next_visit_and_told() {
    let world = at_most(1);
    let (mut old, alice) = log_in(&world, "jackie").await;
    // To confirm it is no other login.
    world.log_in(&mut old, "jackie").await;
    assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"));

    let (new, _) = log_in(&world, "jackie").await;
    let visit = world.server.visit(old.cookie.as_ref()).await.unwrap().unwrap();
    assert!(visit.session.user().is_none() && visit.set_cookie.is_some(), "with another cookie");
    assert_eq!(visit.session.last_end.as_ref().unwrap().reason, EndReason::TooMany);
    old.receive(visit.set_cookie);
    assert!(is_in(&world, &new).await);
    // And the other way round.
    world.advance(SECOND);
    world.log_in(&mut old, "jackie").await;
    assert!(is_in(&world, &old).await && !is_in(&world, &new).await);
}

#[tokio::test]
async fn logins_through_brokers_and_of_remembered_browsers_count_too() {
    for max in [1, 2] {
        let world = at_most(max);
        let (first, _) = log_in(&world, "jackie").await;
        world.advance(SECOND);
        let mut second = Browser::default();
        let alice = world.attach(&mut second, "Alice").await;
        world.server.broker_log_in(&world.broker_call(&alice).await.unwrap(), &credentials("jackie")).await.unwrap();
        assert_eq!(is_in(&world, &first).await, max == 2);
        assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"));
    }
    for max in [1, 2] {
        let world = at_most(max);
        let browser = remembered(&world).await;
        world.advance(HOUR);
        let (other, _) = log_in(&world, "jackie").await;
        assert!(comes_back(&world, &browser).await.is_some(), "its login has expired, so it made no room");
        assert_eq!(is_in(&world, &other).await, max == 2);
    }
}

/// A browser in which the box was ticked: its cookie and its token.
async fn remembered(world: &World) -> Shown {
    world.advance(SECOND);
    let visit = world.server.log_in(None, &ticked("jackie")).await.unwrap();
    received(&Shown::default(), visit)
}

fn received(browser: &Shown, visit: Visit) -> Shown {
    let remember = match visit.remember {
        Remember::Set(token) => Some(token),
        Remember::Keep => browser.remember.clone(),
        Remember::Forget => None,
    };
    Shown { cookie: visit.set_cookie.or(browser.cookie.clone()), remember, ..browser.clone() }
}

/// Without its session's cookie; whether it is logged in again.
async fn comes_back(world: &World, browser: &Shown) -> Option<Shown> {
    world.advance(SECOND);
    let closed = Shown { cookie: None::<CookieValue>, ..browser.clone() };
    let visit = world.server.visit_with_remember_me(closed.clone()).await.unwrap()?;
    visit.session.user()?;
    Some(received(&closed, visit))
}

#[tokio::test]
async fn threat_34_a_remembered_browser_that_has_made_room_does_not_come_back_by_itself() {
    for max in [1, 2] {
        let world = at_most(max);
        let browser = remembered(&world).await;
        let (other, _) = log_in(&world, "jackie").await;
        assert_eq!(comes_back(&world, &browser).await.is_some(), max == 2);
        assert!(is_in(&world, &other).await, "which would have ended this one");
    }
}

#[tokio::test]
async fn a_remembered_browser_makes_room_for_itself_and_stays_remembered() {
    let world = at_most(1);
    let (first, _) = log_in(&world, "jackie").await;
    let mut browser = remembered(&world).await;
    assert!(!is_in(&world, &first).await);
    for _ in 0..3 {
        let before = browser.clone();
        browser = comes_back(&world, &browser).await.unwrap();
        assert_eq!(world.user(before.cookie.as_ref()).await, None, "what it left behind has ended");
        assert!(world.user(browser.cookie.as_ref()).await.is_some());
    }
}

#[tokio::test]
async fn of_logins_at_once_one_stays_and_the_next_makes_up_for_too_many() {
    let world = at_most(1);
    world.advance(SECOND);
    let logins: Vec<_> = (0..8)
        .map(|_| {
            let server = world.server.clone();
            tokio::spawn(async move { server.log_in(None, &credentials("jackie")).await.unwrap() })
        })
        .collect();
    let mut browsers = Vec::new();
    for login in logins {
        browsers.push(Browser { cookie: login.await.unwrap().set_cookie });
    }
    let mut there = 0;
    for browser in &browsers {
        there += usize::from(is_in(&world, browser).await);
    }
    assert!(there >= 1, "they have not ended one another");
    let (last, _) = log_in(&world, "jackie").await;
    for browser in &browsers {
        assert!(!is_in(&world, browser).await);
    }
    assert!(is_in(&world, &last).await);
}

/// Or two at once would end each other.
#[tokio::test]
async fn no_login_ends_one_that_began_later() {
    let world = at_most(1);
    let (server, clock, store) = (world.server.clone(), world.clock.clone(), world.store.clone());
    let (sender, later) = tokio::sync::oneshot::channel();
    world.store.before_next_of_user(async move {
        clock.advance(SECOND);
        // It has not made room yet.
        store.fail_only("of_user");
        let visit = server.log_in(None, &credentials("jackie")).await.unwrap();
        store.work_again();
        sender.send(Browser { cookie: visit.set_cookie }).unwrap_or_default();
    });
    let (first, _) = log_in(&world, "jackie").await;
    let later = later.await.unwrap();
    assert!(is_in(&world, &first).await && is_in(&world, &later).await);
    let (last, _) = log_in(&world, "jackie").await;
    assert!(!is_in(&world, &first).await && !is_in(&world, &later).await && is_in(&world, &last).await);
}

#[tokio::test]
async fn a_login_stands_where_no_room_can_be_made() {
    let world = at_most(1);
    let (old, _) = log_in(&world, "jackie").await;
    world.store.fail_only("of_user");
    let (new, _) = log_in(&world, "jackie").await;
    world.store.work_again();
    assert!(is_in(&world, &old).await && is_in(&world, &new).await);
    let (last, _) = log_in(&world, "jackie").await;
    assert!(!is_in(&world, &old).await && !is_in(&world, &new).await && is_in(&world, &last).await);
}

#[tokio::test]
async fn a_login_that_was_ended_makes_room_for_the_next() {
    let world = at_most(2);
    let ((one, _), (two, _)) = (log_in(&world, "jackie").await, log_in(&world, "jackie").await);
    let session = world.server.session_of(two.cookie.as_ref()).await.unwrap().unwrap();
    world.server.change_account(&session, &AccountChange::EndOthers).await.unwrap();
    assert!(!is_in(&world, &one).await);
    let (three, _) = log_in(&world, "jackie").await;
    assert!(is_in(&world, &two).await && is_in(&world, &three).await);
}
