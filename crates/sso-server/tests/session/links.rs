//! Links: whose token leads where, and how they are cut (threats: fixation, bearer tokens that live for ever).

use std::time::Duration;

use sso_server::{
    Error::{self, NoBearer, NotAttached},
    Policy,
    core::{AttachError, Token},
    session::Link,
};

use crate::common::{Browser, HOUR, MINUTE, World};

#[tokio::test]
async fn all_brokers_share_one_session() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    let stranger = world.attach(&mut Browser::default(), "Alice").await;
    for link in [&alice, &greg] {
        assert_eq!(world.info(link).await.unwrap().as_deref(), Some("jackie"));
    }
    assert_eq!(world.info(&stranger).await, Ok(None));
    world.broker_log_out(&alice).await.unwrap();
    assert_eq!(world.info(&greg).await, Ok(None));
}

#[tokio::test]
async fn the_four_bad_bearers_are_one_error() {
    let world = World::new();
    let link = world.attach(&mut Browser::default(), "Alice").await;
    let good = link.authorization();
    assert!(world.server.broker_call(Some(&good), true).await.is_ok());
    let never = Token::generate();
    for bad in [
        "Bearer nonsense".to_owned(),
        good.replace("Alice", "Nobody"),
        good.replace("Alice", "Greg"),
        good.replace(link.token.as_str(), never.as_str()),
        link.wrong_authorization(),
    ] {
        assert_eq!(world.server.broker_call(Some(&bad), true).await.unwrap_err(), NotAttached, "{bad}");
    }
    for none in [None, Some(""), Some("Basic abc")] {
        assert_eq!(world.server.broker_call(none, true).await.unwrap_err(), NoBearer);
    }
}

#[tokio::test]
async fn one_brokers_links_can_be_revoked() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    assert_eq!(world.server.revoke_links(Some(&"Alice".parse().unwrap())).await, Ok(1));
    assert_eq!(world.info(&alice).await, Err(Error::NotAttached));
    assert_eq!(world.info(&greg).await.unwrap().as_deref(), Some("jackie"));
    // Attached anew, with the same token or another: nobody was logged out, and the old bearer stays dead.
    for token in [Token::generate(), alice.token.clone()] {
        let new = world.try_attach(&mut browser, "Alice", &token, false).await.unwrap().unwrap();
        assert_eq!(world.info(&new).await.unwrap().as_deref(), Some("jackie"));
        assert_eq!(world.info(&alice).await, Err(Error::NotAttached));
    }
}

#[tokio::test]
async fn all_links_can_be_revoked() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    assert_eq!(world.server.revoke_links(None).await, Ok(2));
    for link in [&alice, &greg] {
        assert_eq!(world.info(link).await, Err(Error::NotAttached));
    }
    let new = world.attach(&mut browser, "Greg").await;
    assert_eq!(world.info(&new).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn the_same_token_in_the_same_browser_keeps_its_code() {
    let world = World::new();
    let mut browser = Browser::default();
    let token = Token::generate();
    let first = world.try_attach(&mut browser, "Alice", &token, false).await.unwrap().unwrap();
    let again = world.try_attach(&mut browser, "Alice", &token, false).await.unwrap().unwrap();
    assert_eq!(first.code.as_str(), again.code.as_str());
}

#[tokio::test]
async fn a_token_of_another_browser_is_refused() {
    let world = World::new();
    let (mut attacker, mut victim) = (Browser::default(), Browser::default());
    let token = Token::generate();
    let link = world.try_attach(&mut attacker, "Alice", &token, false).await.unwrap().unwrap();
    world.attach(&mut victim, "Greg").await;
    let refused = world.try_attach(&mut victim, "Alice", &token, false).await;
    assert_eq!(refused.unwrap_err(), AttachError::AlreadyAttached.into());
    world.log_in(&mut victim, "jackie").await;
    assert_eq!(world.info(&link).await, Ok(None), "the attacker's link leads to the attacker's session");
    // The same token at another broker is another token.
    assert!(world.try_attach(&mut victim, "Greg", &token, false).await.unwrap().is_some());
}

#[tokio::test]
async fn a_link_sees_no_login_that_is_younger_than_itself() {
    let world = World::new();
    let (mut browser, mut other) = (Browser::default(), Browser::default());
    let (old, php) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Php").await);
    let foreign = world.attach(&mut other, "Alice").await;
    let token = Token::generate();

    // Nobody is logged in: the login comes first, and nothing was done.
    assert!(world.try_attach(&mut browser, "Alice", &token, true).await.unwrap().is_none());
    assert_eq!(world.info(&old).await, Ok(None));

    world.log_in(&mut browser, "jackie").await;
    assert_eq!(world.info(&old).await, Err(Error::Superseded));
    // Attaching the same token again changes nothing.
    let again = world.try_attach(&mut browser, "Alice", &old.token, false).await;
    assert_eq!(again.unwrap_err(), AttachError::AlreadyAttached.into());
    assert_eq!(world.info(&old).await, Err(Error::Superseded));

    // A new one does, asked for the login or not, and cuts nobody else's.
    let new = world.try_attach(&mut browser, "Alice", &token, true).await.unwrap().unwrap();
    let newer = world.try_attach(&mut browser, "Alice", &Token::generate(), true).await.unwrap().unwrap();
    for link in [&new, &newer, &php] {
        assert_eq!(world.info(link).await.unwrap().as_deref(), Some("jackie"));
    }
    assert_eq!(world.info(&foreign).await, Ok(None), "another visitor of the same broker");

    // The login is over: the old link sees that nobody is there, and so do all.
    world.broker_log_out(&new).await.unwrap();
    for link in [&old, &new, &newer, &php] {
        assert_eq!(world.info(link).await, Ok(None));
    }
    world.log_in(&mut browser, "jackie").await;
    for link in [&old, &new, &newer] {
        assert_eq!(world.info(link).await, Err(Error::Superseded));
    }
    assert_eq!(world.info(&php).await.unwrap().as_deref(), Some("jackie"), "it cannot attach anew");
}

#[tokio::test]
async fn a_login_meanwhile_is_not_seen_by_who_attaches_with_the_cookie_of_before() {
    let world = World::new();
    let mut browser = Browser::default();
    world.attach(&mut browser, "Greg").await;
    // An attacker planted this cookie, and attaches at the very moment of the login.
    let planted = browser.cookie.clone();
    let (server, shown) = (world.second_node(), planted.clone());
    world.store.before_next_link(async move {
        server.log_in(shown.as_ref(), &crate::common::credentials("jackie")).await.unwrap();
    });
    let refused = world.try_attach(&mut Browser { cookie: planted }, "Alice", &Token::generate(), false).await;
    assert_eq!(refused.unwrap_err(), AttachError::AlreadyAttached.into());
}

#[tokio::test]
async fn a_tab_that_attaches_with_a_cookie_that_a_login_has_just_replaced_begins_no_other_session() {
    let world = World::new();
    let mut browser = Browser::default();
    world.attach(&mut browser, "Greg").await;
    // The attach was on its way when the login's answer came.
    let mut tab = Browser { cookie: browser.cookie.clone() };
    let before = tab.cookie.as_ref().map(|cookie| cookie.hash());
    world.log_in(&mut browser, "jackie").await;
    let refused = world.try_attach(&mut tab, "Alice", &Token::generate(), false).await;
    assert_eq!(refused.unwrap_err(), AttachError::AlreadyAttached.into());
    assert_eq!(tab.cookie.as_ref().map(|kept| kept.hash()), before, "a cookie would take the place of the login's");
    // The twin: its broker sends it once more, with the cookie that has come; and a value that was lost is no bar.
    let alice = world.attach(&mut browser, "Alice").await;
    assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"));
    world.advance(Policy::RENEWAL_GRACE);
    let anew = world.attach(&mut tab, "Alice").await;
    assert_eq!(world.info(&anew).await, Ok(None));
}

#[tokio::test]
async fn a_logout_that_meets_a_login_ends_only_what_its_link_sees() {
    let world = World::new();
    let mut browser = Browser::default();
    let copied = world.attach(&mut browser, "Greg").await;
    let (server, shown) = (world.second_node(), browser.cookie.clone());
    world.store.before_next_update(async move {
        server.log_in(shown.as_ref(), &crate::common::credentials("jackie")).await.unwrap();
    });
    assert_eq!(world.broker_log_out(&copied).await, Err(Error::Superseded));
    assert_eq!(world.server.sessions_of("jackie").await.unwrap().len(), 1);
    // The twin: a link that sees the login.
    let mut browser = Browser::default();
    world.log_in(&mut browser, "john").await;
    let link = world.attach(&mut browser, "Greg").await;
    let server = world.second_node();
    let cookie = browser.cookie.clone();
    world.store.before_next_update(async move {
        server.confirm_password(cookie.as_ref(), &crate::common::credentials("john")).await.unwrap();
    });
    assert_eq!(world.broker_log_out(&link).await, Ok(()));
    assert!(world.server.sessions_of("john").await.unwrap().is_empty());
}

#[tokio::test]
async fn who_extends_a_login_is_not_told_of_another_one() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let link = world.attach(&mut browser, "Greg").await;
    let before = world.broker_call(&link).await.unwrap().session.clone();
    let name = async || world.server.keep_alive(&before).await.unwrap().username;
    assert_eq!(name().await.as_deref(), Some("jackie"));
    world.log_in(&mut browser, "john").await;
    assert_eq!(name().await.as_deref(), Some("jackie"), "as it was when the call came");
    world.server.log_out(browser.cookie.as_ref()).await.unwrap();
    assert_eq!(name().await, None);
}

#[tokio::test]
async fn threat_27_foreign_attaches_do_not_take_the_link_of_a_broker_that_cannot_attach_anew() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let own = world.attach(&mut browser, "Php").await;
    assert_eq!(world.info(&own).await.unwrap().as_deref(), Some("jackie"));
    for _ in 0..Link::MAX_PER_BROKER + 5 {
        world.attach(&mut browser, "Php").await;
    }
    assert_eq!(world.info(&own).await.unwrap().as_deref(), Some("jackie"));
    // Of those that attach anew by themselves the oldest goes; its twin.
    let alice = world.attach(&mut browser, "Alice").await;
    assert!(world.info(&alice).await.is_ok());
    for _ in 0..Link::MAX_PER_BROKER {
        world.attach(&mut browser, "Alice").await;
    }
    assert_eq!(world.info(&alice).await, Err(Error::NotAttached));
}

#[tokio::test]
async fn threat_27_where_all_links_are_in_use_the_new_one_is_refused() {
    let world = World::living(Policy { idle_timeout: 12 * HOUR, ..Policy::default() });
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let mut links = Vec::new();
    for _ in 0..Link::MAX_PER_BROKER {
        let link = world.attach(&mut browser, "Php").await;
        assert!(world.info(&link).await.is_ok());
        links.push(link);
    }
    let refused = world.try_attach(&mut browser, "Php", &Token::generate(), false).await;
    assert_eq!(refused.unwrap_err(), AttachError::NoRoom.into());
    // All but one go on calling.
    for _ in 0..8 {
        world.advance(10 * MINUTE);
        for link in &links[1..] {
            assert!(world.info(link).await.is_ok());
        }
    }
    assert!(world.try_attach(&mut browser, "Php", &Token::generate(), false).await.unwrap().is_some());
    assert_eq!(world.info(&links[0]).await, Err(Error::NotAttached));
    for link in &links[1..] {
        assert!(world.info(link).await.is_ok());
    }
}

#[tokio::test]
async fn a_call_is_written_down_now_and_then_and_only_where_it_matters() {
    let world = World::new();
    let mut browser = Browser::default();
    let (php, alice) = (world.attach(&mut browser, "Php").await, world.attach(&mut browser, "Alice").await);
    let noted = || world.store.calls().iter().filter(|call| **call == "called").count();
    for _ in 0..3 {
        world.info(&php).await.unwrap();
        world.info(&alice).await.unwrap();
    }
    assert_eq!(noted(), 1);
    world.advance(Link::CALLED_EVERY);
    world.info(&php).await.unwrap();
    assert_eq!(noted(), 1, "once more");
}

#[tokio::test]
async fn what_is_done_in_many_steps_may_take_longer_than_anybody_waits_at_a_page() {
    let world = World::new();
    let mut browser = Browser::default();
    let dead = world.attach(&mut browser, "Alice").await;
    // Its session is kept, for it is used.
    for _ in 0..300 {
        world.advance(5 * MINUTE);
        let visit = world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap();
        browser.receive(visit.set_cookie);
    }
    world.store.be_slow(Duration::from_secs(5));
    let attach = async {
        let mut browser = Browser::default();
        world.try_attach(&mut browser, "Alice", &dead.token, false).await
    };
    let (attached, cut) = tokio::join!(attach, world.server.revoke_links(None));
    assert!(matches!(attached, Err(Error::Unavailable(_))), "one link is cut while somebody waits: {attached:?}");
    assert!(cut.is_ok());
    world.store.be_slow(Duration::ZERO);
    assert!(world.try_attach(&mut browser, "Alice", &dead.token, false).await.is_ok());
}
