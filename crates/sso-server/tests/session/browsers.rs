//! Whose browser is it? One browser after the other user, a login sent twice, a cookie in another browser, a cookie
//! that grows old.

use std::time::Duration;

use sso_server::{
    Browser as Shown,
    Error::{LoggedInMeanwhile, NotAttached, Superseded},
    Policy, Store,
    session::{CookieValue, Fingerprint},
};

use crate::common::{Browser, HOUR, MINUTE, World, credentials, ticked};

#[tokio::test]
async fn tokens_from_before_do_not_follow_the_next_user_of_the_browser() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "john").await;
    let (greg, php) = (world.attach(&mut browser, "Greg").await, world.attach(&mut browser, "Php").await);
    world.log_in(&mut browser, "john").await;
    assert_eq!(world.info(&greg).await.unwrap().as_deref(), Some("john"), "the same login was confirmed");
    // Over john's login, and after a logout.
    for logs_out in [false, true] {
        if logs_out {
            browser.receive(world.server.log_out(browser.cookie.as_ref()).await.unwrap());
            assert_eq!(world.info(&greg).await, Ok(None));
        }
        world.log_in(&mut browser, "jackie").await;
        assert_eq!(world.info(&greg).await, Err(Superseded), "john may have copied it");
    }
    let anew = world.attach(&mut browser, "Greg").await;
    assert_eq!(world.info(&anew).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(
        world.info(&php).await.unwrap().as_deref(),
        Some("jackie"),
        "a broker that cannot attach anew keeps its own"
    );
}

#[tokio::test]
async fn a_login_sent_twice_is_one_session() {
    let world = World::new();
    let mut browser = Browser::default();
    world.attach(&mut browser, "Alice").await;
    let before = browser.cookie.clone();
    world.log_in(&mut browser, "jackie").await;
    let greg = world.attach(&mut browser, "Greg").await;
    // The second click was sent with the cookie that the first one replaced.
    let second = world.server.log_in(before.as_ref(), &credentials("jackie")).await.unwrap();
    let [first, second] = [browser.cookie.clone(), second.set_cookie].map(|cookie| cookie.unwrap().hash());
    assert_eq!(first, second, "whichever answer the browser takes");
    assert_eq!(world.user(browser.cookie.as_ref()).await.as_deref(), Some("jackie"));
    world.server.log_out(browser.cookie.as_ref()).await.unwrap();
    assert_eq!(world.info(&greg).await, Ok(None), "so one logout ends it");

    // The dead cookie opens nothing without the password, nor for somebody else, nor later.
    world.log_in(&mut browser, "jackie").await;
    assert!(world.server.visit(before.as_ref()).await.unwrap().is_none());
    world.advance(MINUTE);
    let late = world.server.log_in(before.as_ref(), &credentials("jackie")).await.unwrap();
    let session = world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap().session;
    assert_ne!(late.session.id, session.id);
}

#[tokio::test]
async fn of_two_login_forms_in_flight_the_second_users_is_refused() {
    let world = World::new();
    let mut browser = Browser::default();
    world.attach(&mut browser, "Alice").await;
    let before = browser.cookie.clone();
    world.log_in(&mut browser, "jackie").await;
    // John's form was sent with the cookie that jackie's login replaced.
    let second = world.server.log_in(before.as_ref(), &credentials("john")).await;
    assert_eq!(second.unwrap_err(), LoggedInMeanwhile);
    assert_eq!(world.user(browser.cookie.as_ref()).await.as_deref(), Some("jackie"));
    assert!(world.server.sessions_of("john").await.unwrap().is_empty(), "no second session was begun");
    // Sent again, it comes with the cookie of now, and ends her login.
    world.log_in(&mut browser, "john").await;
    assert_eq!(world.user(browser.cookie.as_ref()).await.as_deref(), Some("john"));
    assert!(world.server.sessions_of("jackie").await.unwrap().is_empty());
}

#[tokio::test]
async fn of_two_login_forms_at_the_same_instant_one_users_is_refused() {
    for others in [true, false] {
        let world = World::new();
        let mut browser = Browser::default();
        world.attach(&mut browser, "Alice").await;
        let (server, before) = (world.server.clone(), browser.cookie.clone());
        let first = if others { "jackie" } else { "john" };
        world.store.before_next_update(async move {
            server.log_in(before.as_ref(), &credentials(first)).await.unwrap();
        });
        let second = world.server.log_in(browser.cookie.as_ref(), &ticked("john")).await;
        assert_eq!(second.err(), others.then_some(LoggedInMeanwhile));
        assert_eq!(world.server.sessions_of("john").await.unwrap().len(), usize::from(!others));
        assert_eq!(world.server.sessions_of("jackie").await.unwrap().len(), usize::from(others));
        let remembered = world.store.families_of("john").await.unwrap();
        assert_eq!(remembered.len(), usize::from(!others), "who was refused is not remembered");
    }
}

fn in_browser(cookie: &CookieValue, fingerprint: Option<Fingerprint>) -> Shown {
    Shown { cookie: Some(cookie.clone()), fingerprint, navigates: true, ..Default::default() }
}

#[tokio::test]
async fn a_cookie_in_another_browser_ends_the_session() {
    for (policy, survives) in [(Policy::default(), false), (Policy { fingerprint: false, ..Policy::default() }, true)] {
        for stolen_by in [Some("Other/1.0"), None] {
            let world = World::living(policy.clone());
            let print = |agent: Option<&str>| world.server.fingerprint(agent, Some("en-GB,en;q=0.5"));
            let own =
                Shown { cookie: None, fingerprint: print(Some("Mozilla/5.0 (X11; rv:140.0)")), ..Default::default() };
            let visit = world.server.log_in(own.clone(), &credentials("jackie")).await.unwrap();
            let cookie = visit.set_cookie.unwrap();

            // An update changes numbers only.
            let updated = print(Some("Mozilla/5.0 (X11; rv:141.2)"));
            assert!(world.server.visit(in_browser(&cookie, updated)).await.unwrap().is_some());
            let stolen = world.server.visit(in_browser(&cookie, print(stolen_by))).await.unwrap();
            assert_eq!(stolen.is_some(), survives);
            // Neither of the two has it any more: nobody knows which one is the thief.
            let owner = world.server.visit(in_browser(&cookie, own.fingerprint)).await.unwrap();
            assert_eq!(owner.is_some(), survives);
        }
    }
}

#[tokio::test]
async fn a_request_that_is_no_navigation_ends_nothing() {
    let world = World::new();
    let print = |language| world.server.fingerprint(Some("Own/1"), Some(language));
    let own = Shown { fingerprint: print("en"), ..Default::default() };
    let cookie = world.server.log_in(own, &credentials("jackie")).await.unwrap().set_cookie.unwrap();
    let by_script = |language| Shown { navigates: false, ..in_browser(&cookie, print(language)) };
    assert!(world.server.session_of(by_script("xx")).await.unwrap().is_none(), "answered as nobody");
    assert!(world.server.visit(by_script("xx")).await.unwrap().is_none());
    let session = world.server.session_of(by_script("en")).await.unwrap().unwrap();
    assert_eq!(session.user().unwrap().username, "jackie", "nothing has ended");
    // Its twin: a person navigates with the cookie in another browser.
    assert!(world.server.visit(in_browser(&cookie, print("xx"))).await.unwrap().is_none());
    assert!(world.server.session_of(by_script("en")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_logout_in_another_browser_ends_the_session() {
    let world = World::new();
    let print = |agent| world.server.fingerprint(Some(agent), None);
    let own = Shown { fingerprint: print("Own/1"), ..Default::default() };
    let cookie = world.server.log_in(own, &credentials("jackie")).await.unwrap().set_cookie.unwrap();
    let other = Shown { navigates: false, ..in_browser(&cookie, print("Other/1")) };
    assert!(world.server.log_out(other).await.unwrap().is_none());
    assert!(world.server.visit(in_browser(&cookie, print("Own/1"))).await.unwrap().is_none());
}

#[tokio::test]
async fn a_cookie_is_replaced_by_age_without_logging_anyone_out() {
    let world = World::living(Policy { idle_timeout: 2 * HOUR, ..Policy::default() });
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let alice = world.attach(&mut browser, "Alice").await;
    let first = browser.cookie.clone().unwrap();
    let visit = async |cookie: &CookieValue| world.server.visit(Some(cookie)).await.unwrap();

    world.advance(Policy::default().regenerate_every);
    let lost = visit(&first).await.unwrap().set_cookie.expect("a new value");
    assert!(visit(&first).await.unwrap().set_cookie.is_none(), "another tab at the same time goes on with the old one");
    // The answer never arrived; the browser comes back with the old value.
    world.advance(MINUTE);
    let second = visit(&first).await.unwrap().set_cookie.expect("another new value");
    assert!(visit(&lost).await.is_none(), "the one that was lost is dead");

    assert!(visit(&second).await.is_some(), "seen");
    assert!(visit(&first).await.is_some(), "a request that was on its way");
    world.advance(Policy::RENEWAL_GRACE);
    assert!(visit(&first).await.is_none());
    assert!(visit(&second).await.unwrap().session.user().is_some());
    assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"), "links survive");
}

#[tokio::test]
async fn a_destroyed_session_does_not_come_back_to_who_had_its_cookie_or_its_tokens() {
    let world = World::new();
    let print = |agent: &'static str| world.server.fingerprint(Some(agent), None);
    let mut browser = Browser::default();
    let (php, alice) = (world.attach(&mut browser, "Php").await, world.attach(&mut browser, "Alice").await);
    let own = in_browser(browser.cookie.as_ref().unwrap(), print("Own/1"));
    let visit = world.server.log_in(own.clone(), &credentials("jackie")).await.unwrap();
    let cookie = visit.set_cookie.unwrap();
    assert!(world.server.visit(in_browser(&cookie, print("Thief/1"))).await.unwrap().is_none());
    assert_eq!(world.info(&php).await, Ok(None));
    assert_eq!(world.info(&alice).await, Err(NotAttached));

    // The one broker that cannot attach anew logs its visitor in again.
    world.server.broker_log_in(&world.broker_call(&php).await.unwrap(), &credentials("jackie")).await.unwrap();
    assert_eq!(world.info(&php).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(world.info(&alice).await, Err(NotAttached), "a token of before is dead");
    for fingerprint in [own.fingerprint, print("Thief/1"), None] {
        assert!(world.server.visit(in_browser(&cookie, fingerprint)).await.unwrap().is_none(), "and so is the cookie");
    }
}

#[tokio::test]
async fn a_page_that_asks_by_script_shows_the_new_cookie_too() {
    let world = World::living(Policy { idle_timeout: 2 * HOUR, ..Policy::default() });
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let first = browser.cookie.clone().unwrap();
    world.advance(Policy::default().regenerate_every);
    let second = world.server.visit(Some(&first)).await.unwrap().unwrap().set_cookie.unwrap();
    assert!(world.server.session_of(Some(&second)).await.unwrap().is_some());
    world.advance(Policy::RENEWAL_GRACE);
    assert!(world.server.visit(Some(&first)).await.unwrap().is_none(), "its grace is over");
    assert!(world.server.session_of(Some(&second)).await.unwrap().is_some());
}

#[tokio::test]
async fn the_status_tells_what_is_left_and_only_keepalive_extends_it() {
    let world = World::living(Policy { touch_every: Duration::ZERO, ..Policy::default() });
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let alice = world.attach(&mut browser, "Alice").await;
    world.advance(MINUTE);
    let session = world.server.session_of(browser.cookie.as_ref()).await.unwrap().unwrap();
    let status = world.server.status(&session);
    assert_eq!((status.authenticated, status.username.as_deref()), (true, Some("jackie")));
    assert_eq!((status.idle_expires_in, status.absolute_expires_in), (Some(19 * 60), Some(12 * 3600 - 60)));
    assert_eq!((status.expires_in, status.warn_before), (Some(19 * 60), 120));

    for _ in 0..5 {
        world.advance(MINUTE);
        let asked = world.server.broker_call(Some(&alice.authorization()), false).await.unwrap();
        world.server.status(&asked.session);
    }
    let asked = world.server.broker_call(Some(&alice.authorization()), false).await.unwrap();
    assert_eq!(world.server.status(&asked.session).expires_in, Some(14 * 60), "asking extends nothing");
    assert_eq!(world.server.keep_alive(&asked.session).await.unwrap().expires_in, Some(20 * 60));
    let asked = world.server.broker_call(Some(&alice.authorization()), false).await.unwrap();
    assert_eq!(world.server.status(&asked.session).idle_expires_in, Some(20 * 60));

    let forever = World::living(Policy { never_expire: true, ..Policy::default() });
    forever.log_in(&mut browser, "jackie").await;
    let session = forever.server.session_of(browser.cookie.as_ref()).await.unwrap().unwrap();
    assert_eq!(forever.server.status(&session).expires_in, None);
}

#[tokio::test]
async fn brokers_of_both_kinds_stay_in_one_session_after_its_end() {
    let world = World::new();
    let mut browser = Browser::default();
    let php = world.attach(&mut browser, "Php").await;
    world.attach(&mut browser, "Alice").await;
    world.log_in(&mut browser, "jackie").await;
    world.advance(HOUR);
    // A login at the server is in the same session.
    world.log_in(&mut browser, "jackie").await;
    assert_eq!(world.info(&php).await.unwrap().as_deref(), Some("jackie"));
    world.advance(HOUR);
    // So is one through the form of the one that cannot attach anew.
    world.server.broker_log_in(&world.broker_call(&php).await.unwrap(), &credentials("jackie")).await.unwrap();
    let alice = world.attach(&mut browser, "Alice").await;
    assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn of_visits_at_once_one_gets_a_new_cookie_and_it_works() {
    for through_broker in [false, true] {
        let world = World::new();
        let mut browser = Browser::default();
        world.log_in(&mut browser, "jackie").await;
        let php = world.attach(&mut browser, "Php").await;
        let old = browser.cookie.clone().unwrap();
        if through_broker {
            // The old value dies at the next visit.
            let call = world.broker_call(&php).await.unwrap();
            world.server.broker_log_in(&call, &credentials("jackie")).await.unwrap();
        } else {
            // The old value works until the new one is seen.
            world.advance(Policy::default().regenerate_every);
        }
        let (faster, (told, new)) = (world.second_node(), tokio::sync::oneshot::channel());
        let shown = old.clone();
        world.store.before_next_update(async move {
            let _ = told.send(faster.visit(Some(&shown)).await.unwrap().unwrap().set_cookie);
        });
        let slower = world.server.visit(Some(&old)).await.unwrap().expect("it came with the old one in time");
        assert!(slower.set_cookie.is_none() && slower.session.user().is_some());
        let new = new.await.unwrap().expect("a new value");
        assert!(world.server.visit(Some(&new)).await.unwrap().unwrap().session.user().is_some());
    }
}

#[tokio::test]
async fn a_visit_that_a_login_overtakes_gets_nothing_of_it() {
    let world = World::new();
    let mut browser = Browser::default();
    let alice = world.attach(&mut browser, "Alice").await;
    world.info(&alice).await.unwrap();
    let planted = browser.cookie.clone().unwrap();
    world.advance(Policy::default().regenerate_every);
    let (server, shown) = (world.second_node(), planted.clone());
    let (told, own) = tokio::sync::oneshot::channel();
    world.store.before_next_update(async move {
        let visit = server.log_in(Some(&shown), &credentials("jackie")).await.unwrap();
        let _ = told.send(visit.set_cookie.unwrap());
    });
    let visit = world.server.visit(Some(&planted)).await.unwrap().unwrap();
    assert!(visit.set_cookie.is_none() && visit.session.user().is_none());
    assert!(world.server.visit(Some(&planted)).await.unwrap().is_none(), "it died in the write of the login");
    let own = own.await.unwrap();
    assert!(world.server.visit(Some(&own)).await.unwrap().unwrap().session.user().is_some());
}

#[tokio::test]
async fn a_cookie_in_another_browser_ends_no_session_that_a_login_has_taken_from_it() {
    let world = World::new();
    let print = |agent| world.server.fingerprint(Some(agent), None);
    let (own, other) = (print("Own/1"), print("Other/1"));
    let browser = Shown { fingerprint: own, ..Default::default() };
    let copied = world.server.log_in(browser, &credentials("jackie")).await.unwrap().set_cookie.unwrap();
    let (server, returning) = (world.second_node(), in_browser(&copied, own));
    let (told, cookie) = tokio::sync::oneshot::channel();
    world.store.before_next_update(async move {
        let visit = server.log_in(returning, &credentials("jackie")).await.unwrap();
        let _ = told.send(visit.set_cookie.unwrap());
    });
    assert!(world.server.visit(in_browser(&copied, other)).await.unwrap().is_none());
    let cookie = cookie.await.unwrap();
    assert!(world.server.visit(in_browser(&cookie, own)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_login_into_a_session_that_is_gone_meanwhile_begins_another() {
    let world = World::new();
    let mut browser = Browser::default();
    world.attach(&mut browser, "Alice").await;
    let store = world.store.clone();
    world.store.before_next_update(async move {
        assert_eq!(store.remove_all().await.unwrap().sessions, 1);
    });
    let visit = world.server.log_in(browser.cookie.as_ref(), &credentials("jackie")).await.unwrap();
    let visit = world.server.visit(visit.set_cookie.as_ref()).await.unwrap().unwrap();
    assert_eq!(visit.session.user().unwrap().username, "jackie");
}

#[tokio::test]
async fn a_login_over_one_that_is_ended_meanwhile_is_another_one() {
    for is_ended in [false, true] {
        let world = World::new();
        let mut browser = Browser::default();
        world.log_in(&mut browser, "jackie").await;
        let alice = world.attach(&mut browser, "Alice").await;
        if is_ended {
            let server = world.second_node();
            world.store.before_next_update(async move {
                assert_eq!(server.end_user("jackie").await.unwrap().sessions, 1);
            });
        }
        world.log_in(&mut browser, "jackie").await;
        assert_eq!(world.info(&alice).await == Err(Superseded), is_ended, "else it is confirmed");
        assert_eq!(world.user(browser.cookie.as_ref()).await.as_deref(), Some("jackie"));
    }
}

/// What failed half way can be made good: the next page that the wrong browser opens destroys the session.
#[tokio::test]
async fn a_session_whose_browser_cannot_be_forgotten_is_destroyed_at_the_next_page() {
    let world = World::new();
    let print = |agent| world.server.fingerprint(Some(agent), None);
    let (own, other) = (print("Own/1"), print("Other/1"));
    let browser = Shown { fingerprint: own, ..Default::default() };
    let visit = world.server.log_in(browser, &crate::common::ticked("jackie")).await.unwrap();
    let cookie = visit.set_cookie.unwrap();
    world.store.fail_once("remove_family");
    assert!(world.server.visit(in_browser(&cookie, other)).await.is_err());
    assert_eq!(world.store.families_of("jackie").await.unwrap().len(), 1);
    assert!(world.server.visit(in_browser(&cookie, other)).await.unwrap().is_none());
    assert_eq!(world.store.families_of("jackie").await.unwrap().len(), 0);
    assert!(world.server.visit(in_browser(&cookie, own)).await.unwrap().is_none());
}
