//! The account page: what its user sees and may end, and what the others do not.

use std::time::Duration;

use sso_server::{
    AccountChange, AccountOverview, Browser as Shown, Error, RECENT_PASSWORD, Session, Store,
    clock::Clock,
    session::{CookieValue, Family},
    store::StoreError,
};

use crate::common::{Browser, MINUTE, World, credentials, wrong_credentials};

async fn session(world: &World, browser: &Browser) -> std::sync::Arc<Session> {
    world.server.session_of(browser.cookie.as_ref()).await.unwrap().unwrap()
}

async fn account(world: &World, browser: &Browser) -> AccountOverview {
    world.server.account(&*session(world, browser).await).await.unwrap().unwrap()
}

async fn change(world: &World, browser: &Browser, change: AccountChange) -> Result<(), Error> {
    world.server.change_account(&*session(world, browser).await, &change).await
}

async fn user(world: &World, browser: &Browser) -> Option<String> {
    let session = world.server.session_of(browser.cookie.as_ref()).await.unwrap()?;
    session.user().map(|user| user.username.clone())
}

/// A session that is attached at Alice and logged in.
async fn logged_in(world: &World, username: &str) -> (Browser, crate::common::Attached) {
    let mut browser = Browser::default();
    world.log_in(&mut browser, username).await;
    let alice = world.attach(&mut browser, "Alice").await;
    (browser, alice)
}

/// As a login with the box ticked leaves it: a family, and the session that belongs to it.
async fn remember(world: &World, browser: &Browser, id: &str) {
    let now = world.clock.now();
    let family = Family {
        id: id.into(),
        version: 0,
        username: "jackie".into(),
        jti: id.into(),
        issued: now,
        old: None,
        password: [0; 32],
        browser: "Firefox".into(),
        created: now,
        last_used: now,
        expires: now.after(Duration::from_secs(86_400)),
    };
    world.store.put_family(family).await.unwrap();
    let mut session = Session::clone(&*session(world, browser).await);
    session.login.as_mut().unwrap().family = Some(id.into());
    world.store.update(session).await.unwrap();
}

#[tokio::test]
async fn a_user_sees_their_own_sessions() {
    let world = World::new();
    let (mut one, _) = logged_in(&world, "jackie").await;
    world.attach(&mut one, "Greg").await;
    world.attach(&mut one, "Alice").await;
    world.advance(MINUTE);
    let named = Shown { name: Some("Firefox".into()), ..Default::default() };
    let other = world.server.log_in(named, &credentials("jackie")).await.unwrap();
    let (johns, _) = logged_in(&world, "john").await;

    let shown = account(&world, &one).await;
    let brokers: Vec<_> = shown.sessions[0].brokers.iter().map(|id| id.as_str()).collect();
    assert_eq!((shown.user.username.as_str(), shown.sessions.len()), ("jackie", 2));
    assert!(shown.sessions[0].is_this && brokers == ["Alice", "Greg"]);
    assert_eq!(shown.now.since(shown.sessions[0].since), MINUTE);
    let second = &shown.sessions[1];
    assert!(!second.is_this && second.brokers.is_empty() && !second.is_remembered);
    assert_eq!(second.browser.as_deref(), Some("Firefox"));
    assert_eq!(account(&world, &johns).await.sessions.len(), 1);

    let text = format!("{shown:?}");
    let mut cookies = vec![one.cookie.clone().unwrap(), other.set_cookie.unwrap()];
    cookies.retain(|cookie| text.contains(cookie.expose()));
    assert!(cookies.is_empty(), "nothing on the page opens a session");
    world.server.log_out(one.cookie.as_ref()).await.unwrap();
    let mut stranger = Browser::default();
    world.attach(&mut stranger, "Alice").await;
    assert!(world.server.account(&*session(&world, &stranger).await).await.unwrap().is_none());
}

#[tokio::test]
async fn ending_one_ends_that_one_and_its_brokers_are_told() {
    let world = World::new();
    let (mine, my_alice) = logged_in(&world, "jackie").await;
    let (other, their_alice) = logged_in(&world, "jackie").await;
    let (third, third_alice) = logged_in(&world, "jackie").await;
    remember(&world, &other, "family").await;
    let theirs = account(&world, &other).await.sessions[0].handle.clone();
    change(&world, &mine, AccountChange::End(theirs.clone())).await.unwrap();

    assert_eq!(world.info(&their_alice).await, Ok(None));
    assert_eq!(user(&world, &other).await, None);
    assert!(world.store.family("family").await.unwrap().is_none(), "nor does its browser come back by itself");
    for (browser, alice) in [(&mine, &my_alice), (&third, &third_alice)] {
        assert_eq!(world.info(alice).await.unwrap().as_deref(), Some("jackie"));
        assert_eq!(user(&world, browser).await.as_deref(), Some("jackie"));
    }
    assert_eq!(account(&world, &mine).await.sessions.len(), 2);
    assert_eq!(change(&world, &mine, AccountChange::End(theirs)).await, Err(Error::AlreadyEnded));
}

#[tokio::test]
async fn ending_all_others_keeps_this_one_and_other_users() {
    let world = World::new();
    let (mine, my_alice) = logged_in(&world, "jackie").await;
    let (other, their_alice) = logged_in(&world, "jackie").await;
    let (_, johns_alice) = logged_in(&world, "john").await;
    remember(&world, &mine, "mine").await;
    remember(&world, &other, "theirs").await;
    change(&world, &mine, AccountChange::EndOthers).await.unwrap();
    assert_eq!(world.info(&their_alice).await, Ok(None));
    assert_eq!(world.info(&my_alice).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(world.info(&johns_alice).await.unwrap().as_deref(), Some("john"));
    assert!(world.store.family("theirs").await.unwrap().is_none());
    assert!(world.store.family("mine").await.unwrap().is_some());
}

#[tokio::test]
async fn a_forgotten_browser_keeps_its_session() {
    let world = World::new();
    let (mine, _) = logged_in(&world, "jackie").await;
    let (other, their_alice) = logged_in(&world, "jackie").await;
    remember(&world, &mine, "mine").await;
    remember(&world, &other, "theirs").await;
    let browsers = account(&world, &mine).await.browsers;
    assert_eq!(browsers.iter().map(|browser| browser.is_this).collect::<Vec<_>>(), [true, false]);
    assert!(browsers.iter().all(|browser| !["mine", "theirs"].contains(&browser.handle.as_str())));
    change(&world, &mine, AccountChange::Forget(browsers[1].handle.clone())).await.unwrap();
    assert!(world.store.family("theirs").await.unwrap().is_none());
    assert_eq!(world.info(&their_alice).await.unwrap().as_deref(), Some("jackie"));
    change(&world, &mine, AccountChange::Forget(browsers[0].handle.clone())).await.unwrap();
    assert!(account(&world, &mine).await.browsers.is_empty());
}

#[tokio::test]
async fn nobody_ends_what_is_somebody_elses() {
    let world = World::new();
    let (mine, my_alice) = logged_in(&world, "jackie").await;
    remember(&world, &mine, "mine").await;
    let (johns, _) = logged_in(&world, "john").await;
    let shown = account(&world, &mine).await;
    let (session, family) = (shown.sessions[0].handle.clone(), shown.browsers[0].handle.clone());
    for handle in [session, family, "mine".into(), String::new()] {
        for stolen in [AccountChange::End(handle.clone()), AccountChange::Forget(handle)] {
            assert_eq!(change(&world, &johns, stolen).await, Err(Error::AlreadyEnded));
        }
    }
    change(&world, &johns, AccountChange::EndOthers).await.unwrap();
    assert_eq!(world.info(&my_alice).await.unwrap().as_deref(), Some("jackie"));
    assert!(world.store.family("mine").await.unwrap().is_some());
}

#[tokio::test]
async fn ending_asks_for_a_password_that_was_typed_long_ago_or_never() {
    let world = World::new();
    let (mut mine, alice) = logged_in(&world, "jackie").await;
    world.advance(RECENT_PASSWORD - MINUTE);
    world.server.visit(mine.cookie.as_ref()).await.unwrap();
    assert_eq!(change(&world, &mine, AccountChange::EndOthers).await, Ok(()));
    world.advance(MINUTE);
    assert_eq!(change(&world, &mine, AccountChange::EndOthers).await, Err(Error::PasswordNeeded));
    assert!(!account(&world, &mine).await.is_confirmed, "but it is shown");

    let before = mine.cookie.clone();
    let epoch = session(&world, &mine).await.epoch;
    let refused = world.server.confirm_password(before.as_ref(), &wrong_credentials("jackie")).await;
    assert_eq!(refused.unwrap_err(), Error::InvalidCredentials);
    let others = world.server.confirm_password(before.as_ref(), &credentials("john")).await;
    assert_eq!(others.unwrap_err(), Error::NotLoggedIn, "only who is logged in");
    assert_eq!(change(&world, &mine, AccountChange::EndOthers).await, Err(Error::PasswordNeeded));

    let visit = world.server.confirm_password(before.as_ref(), &credentials("jackie")).await.unwrap();
    mine.receive(visit.set_cookie);
    assert!(world.server.visit(before.as_ref()).await.unwrap().is_none(), "the value of before is dead");
    assert_eq!(session(&world, &mine).await.epoch, epoch, "the same login goes on");
    assert_eq!(change(&world, &mine, AccountChange::EndOthers).await, Ok(()));
    assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn a_remembered_session_is_confirmed_by_the_password() {
    let world = World::new();
    let (mut mine, _) = logged_in(&world, "jackie").await;
    let mut record = Session::clone(&*session(&world, &mine).await);
    record.login = record.login.map(|login| login.remembered("f".into(), world.clock.now()));
    world.store.update(record).await.unwrap();
    assert!(account(&world, &mine).await.sessions[0].is_remembered);
    assert_eq!(change(&world, &mine, AccountChange::EndOthers).await, Err(Error::PasswordNeeded));
    let visit = world.server.confirm_password(mine.cookie.as_ref(), &credentials("jackie")).await.unwrap();
    mine.receive(visit.set_cookie);
    assert!(!session(&world, &mine).await.is_remembered());
    assert_eq!(change(&world, &mine, AccountChange::EndOthers).await, Ok(()));
}

#[tokio::test]
async fn guessing_at_the_confirmation_is_slowed_down_like_a_login() {
    let world = World::new();
    let (mine, _) = logged_in(&world, "jackie").await;
    for _ in 0..6 {
        let refused = world.server.confirm_password(mine.cookie.as_ref(), &wrong_credentials("jackie")).await;
        assert_eq!(refused.unwrap_err(), Error::InvalidCredentials);
    }
    let early = world.server.confirm_password(mine.cookie.as_ref(), &credentials("jackie")).await;
    assert_eq!(early.unwrap_err(), Error::TooManyFailures { retry_after: 1 });
    world.advance(Duration::from_secs(1));
    assert!(world.server.confirm_password(mine.cookie.as_ref(), &credentials("jackie")).await.is_ok());
    let nobody = world.server.confirm_password(Some(&CookieValue::generate()), &credentials("jackie")).await;
    assert_eq!(nobody.unwrap_err(), Error::NotLoggedIn);
}

#[tokio::test]
async fn a_store_that_fails_is_said_and_nothing_is_half_shown() {
    let world = World::new();
    let (mine, _) = logged_in(&world, "jackie").await;
    let read = session(&world, &mine).await;
    for call in ["of_user", "links_of", "families_of"] {
        world.store.fail_only(call);
        assert!(world.server.account(&read).await.is_err(), "{call}");
        world.store.work_again();
    }
    world.store.fail_only("families_of");
    let refused = world.server.change_account(&read, &AccountChange::EndOthers).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
    world.store.work_again();
    assert_eq!(world.store.family("none").await, Ok::<_, StoreError>(None));
    assert_eq!(world.server.change_account(&read, &AccountChange::EndOthers).await, Ok(()));
}
