//! What ends a browser's being remembered: logouts, another password, a copied token, and time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sso_server::{
    Account, Browser, Error, Store,
    clock::{Clock, Timestamp},
    session::Family,
};

use crate::common::{HOUR, MINUTE, PASSWORD, World, credentials, ticked};

use super::{Jar, SECOND, remembered};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn a_copied_token_that_is_used_later_ends_the_family_and_its_sessions() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    let mut thief = Jar { session: None, ..jar.clone() };
    let other = remembered(&world).await;
    jar.session = None;
    let link = jar.attach(&world, "Alice").await;
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
    world.advance(MINUTE);
    assert!(thief.visit_with_remember_me(&world).await.is_none());
    assert_eq!(world.info(&link).await, Err(Error::NotAttached), "the family's session is over");
    jar.session = None;
    assert!(jar.visit_with_remember_me(&world).await.is_none(), "its newest token, too");
    // Another browser of the same user is another family.
    assert!(Jar { session: None, ..other }.visit_with_remember_me(&world).await.is_some());
}

#[tokio::test]
async fn once_the_successor_is_seen_the_old_token_has_ten_seconds() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    jar.session = None;
    let old = jar.clone();
    jar.visit_with_remember_me(&world).await.unwrap();
    // The browser navigates with its session and the new token.
    jar.visit_with_remember_me(&world).await.unwrap();
    world.advance(9 * SECOND);
    assert!(old.clone().visit_with_remember_me(&world).await.is_some());
    world.advance(SECOND);
    assert!(old.clone().visit_with_remember_me(&world).await.is_none(), "reuse");
    jar.session = None;
    assert!(jar.visit_with_remember_me(&world).await.is_none());
}

#[tokio::test]
async fn logouts_anywhere_forget_the_browser() {
    let world = World::new();
    // At the server, with a session or without one.
    for keep in [true, false] {
        let mut jar = remembered(&world).await;
        if !keep {
            jar.session = None;
        }
        world.server.log_out(jar.shown()).await.unwrap();
        jar.session = None;
        assert!(jar.visit_with_remember_me(&world).await.is_none());
    }
    // At a broker, with a live session or an expired one.
    for wait in [Duration::ZERO, HOUR] {
        let mut jar = remembered(&world).await;
        let link = jar.attach(&world, "Greg").await;
        world.advance(wait);
        world.broker_log_out(&link).await.unwrap();
        jar.session = None;
        assert!(jar.visit_with_remember_me(&world).await.is_none());
    }
}

#[tokio::test]
async fn a_logout_logs_out_all_that_came_back_with_the_token() {
    // At the server with the session, at the server with the token alone, at a broker with a live session or an expired
    // one.
    for (session, waits) in [(Some(true), false), (Some(false), false), (None, false), (None, true)] {
        let world = World::new();
        let mut jar = remembered(&world).await;
        let other = remembered(&world).await;
        let greg = jar.attach(&world, "Greg").await;
        if waits {
            world.advance(HOUR);
        }
        let mut copy = Jar { session: None, ..jar.clone() };
        let alice = copy.attach(&world, "Alice").await;
        assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"));
        match session {
            Some(keep) => {
                jar.session = jar.session.filter(|_| keep);
                world.server.log_out(jar.shown()).await.unwrap();
            }
            None => world.broker_log_out(&greg).await.unwrap(),
        }
        assert_eq!(world.info(&alice).await, Ok(None), "{session:?} {waits}");
        // Another browser of the user is not meant.
        assert!(Jar { session: None, ..other }.visit_with_remember_me(&world).await.is_some());
    }
}

/// A logout could not find it: the links of the brokers end with the session.
#[tokio::test]
async fn a_browser_whose_session_was_destroyed_is_forgotten() {
    for is_another in [true, false] {
        let world = World::new();
        let fingerprint = |name: &str| world.server.fingerprint(Some(name), None);
        let tied = Browser { fingerprint: fingerprint("Firefox"), ..Browser::default() };
        let visit = world.server.log_in(tied, &ticked("jackie")).await.unwrap();
        let mut jar = Jar::default();
        jar.receive(visit.set_cookie, visit.remember);
        let name = if is_another { "Chrome" } else { "Firefox" };
        let shown = Browser { fingerprint: fingerprint(name), navigates: true, ..jar.shown() };
        assert_eq!(world.server.session_of(shown).await.unwrap().is_none(), is_another);
        jar.session = None;
        assert_eq!(jar.visit_with_remember_me(&world).await.is_none(), is_another);
    }
}

#[tokio::test]
async fn another_password_forgets_every_browser() {
    let changed = Arc::new(AtomicBool::new(false));
    let hashes: [sso_server::PasswordHash; 2] =
        std::array::from_fn(|_| sso_server::PasswordHash::new(PASSWORD).unwrap());
    let users = {
        let changed = changed.clone();
        move |name: &str| Some(Account::new(name, hashes[usize::from(changed.load(Ordering::SeqCst))].clone()))
    };
    let world = World::with_users(users);
    let mut jar = remembered(&world).await;
    jar.session = None;
    assert!(jar.visit_with_remember_me(&world).await.is_some());
    changed.store(true, Ordering::SeqCst);
    jar.session = None;
    assert!(jar.visit_with_remember_me(&world).await.is_none());
    changed.store(false, Ordering::SeqCst);
    assert!(jar.visit_with_remember_me(&world).await.is_none(), "the family is gone");
}

#[tokio::test]
async fn thirty_days_without_use_are_the_end() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    for _ in 0..3 {
        world.advance(29 * DAY);
        jar.session = None;
        assert!(jar.visit_with_remember_me(&world).await.is_some());
    }
    world.advance(30 * DAY);
    jar.session = None;
    assert!(jar.visit_with_remember_me(&world).await.is_none());
}

#[tokio::test]
async fn a_login_or_logout_through_a_broker_ends_what_the_browser_was_remembered_by() {
    for log_out in [true, false] {
        let world = World::new();
        let mut jar = remembered(&world).await;
        // Jackie's session is gone, and john logs in through Alice's own form, where the browser's token is not seen.
        jar.session = None;
        let token = jar.token.take();
        let link = jar.attach(&world, "Alice").await;
        let call = world.broker_call(&link).await.unwrap();
        world.server.broker_log_in(&call, &credentials("john")).await.unwrap();
        if log_out {
            world.broker_log_out(&link).await.unwrap();
        }
        jar.token = token;
        let visit = world.server.visit_with_remember_me(jar.shown()).await.unwrap();
        let user = visit.and_then(|visit| visit.session.user().map(|user| user.username.clone()));
        assert_eq!(user.as_deref(), if log_out { None } else { Some("john") });
        jar.session = None;
        assert!(jar.visit_with_remember_me(&world).await.is_none(), "jackie's family is gone");
    }
}

#[tokio::test]
async fn threat_33_a_browser_that_comes_back_again_and_again_needs_the_password_after_180_days() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    for day in (20..180).step_by(20) {
        world.advance(20 * DAY);
        jar.session = None;
        assert!(jar.visit_with_remember_me(&world).await.is_some(), "day {day}");
    }
    world.advance(20 * DAY);
    jar.session = None;
    assert!(jar.visit_with_remember_me(&world).await.is_none());
    // Its twin: the password begins a new time.
    let visit = world.server.log_in(Browser::default(), &ticked("jackie")).await.unwrap();
    jar.receive(visit.set_cookie, visit.remember);
    world.advance(20 * DAY);
    jar.session = None;
    assert!(jar.visit_with_remember_me(&world).await.is_some());
}

#[tokio::test]
async fn threat_33_a_family_of_before_the_limit_ends_by_it() {
    for (days, works) in [(9, true), (11, false)] {
        let world = World::new();
        let mut jar = remembered(&world).await;
        // As an earlier version has left it: begun 170 days ago, and good for 30 days more.
        let family = world.store.families_of("jackie").await.unwrap().remove(0);
        let begun = world.clock.now().as_millis() - (170 * DAY).as_millis() as i64;
        let family = Family { created: Timestamp::from_millis(begun), ..(*family).clone() };
        world.store.put_family(family).await.unwrap();
        world.advance(days * DAY);
        jar.session = None;
        assert_eq!(jar.visit_with_remember_me(&world).await.is_some(), works, "after {days} days");
    }
}

/// The login forgets what the browser was remembered by, and the tab that comes back by it finds that gone.
#[tokio::test]
async fn a_tab_that_comes_back_ends_no_login_that_comes_in_between() {
    let world = World::new();
    let mut jar = remembered(&world).await;
    jar.session = None;
    let (node, other_tab) = (world.second_node(), jar.shown());
    let (told, cookie) = tokio::sync::oneshot::channel();
    world.store.before_next_of_user(async move {
        let session = node.visit_with_remember_me(other_tab.clone()).await.unwrap().unwrap().set_cookie;
        let browser = Browser { cookie: session, ..other_tab };
        let _ = told.send(node.log_in(browser, &credentials("jackie")).await.unwrap().set_cookie);
    });
    assert!(jar.visit_with_remember_me(&world).await.is_none(), "its own login is over");
    let cookie = cookie.await.unwrap();
    assert_eq!(world.user(cookie.as_ref()).await.as_deref(), Some("jackie"), "the other one goes on");
}
