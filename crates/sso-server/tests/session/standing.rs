//! Whether a user who is logged in still may be: judged by the account as it is now, wherever a session is found.

use sso_server::{
    Account, Browser as Shown, EndedCounts, Error, Store, Unavailable,
    session::{EndReason, SessionId},
};

use crate::common::{
    Attached, Browser, World, credentials,
    directory::{Directory, another_hash, hash},
    ticked,
};

fn world() -> (World, Directory) {
    let directory = Directory::new();
    (World::with_users(directory.clone()), directory)
}

/// A session that is attached at this broker and logged in.
async fn logged_in(world: &World, broker: &'static str, username: &str) -> (Browser, Attached, SessionId) {
    let mut browser = Browser::default();
    world.log_in(&mut browser, username).await;
    let link = world.attach(&mut browser, broker).await;
    let id = world.broker_call(&link).await.unwrap().session.id.clone();
    (browser, link, id)
}

async fn user(world: &World, browser: &Browser) -> Result<Option<String>, Unavailable> {
    let session = world.server.session_of(browser.cookie.as_ref()).await?;
    Ok(session.and_then(|session| session.user().map(|user| user.username.clone())))
}

/// Why the login in the session has ended.
async fn reason(world: &World, id: &SessionId) -> Option<EndReason> {
    world.store.get(id).await.unwrap().unwrap().last_end.as_ref().map(|end| end.reason)
}

#[tokio::test]
async fn a_store_that_lets_nobody_end_what_it_finds_is_given_up() {
    let (world, directory) = world();
    let (browser, link, id) = logged_in(&world, "Alice", "jackie").await;
    directory.remove("jackie");
    world.store.conflict_without_end("update");
    assert!(matches!(world.info(&link).await, Err(Error::Unavailable(_))));
    assert!(user(&world, &browser).await.is_err());
    world.store.work_again();
    assert_eq!(world.info(&link).await, Ok(None));
    assert_eq!((user(&world, &browser).await, reason(&world, &id).await), (Ok(None), Some(EndReason::UserGone)));
}

#[tokio::test]
async fn whose_account_is_disabled_is_out_everywhere_at_the_next_look() {
    let (world, directory) = world();
    let (_, by_bearer, first) = logged_in(&world, "Alice", "jackie").await;
    let (by_cookie, _, second) = logged_in(&world, "Alice", "jackie").await;
    let (johns_browser, johns, johns_id) = logged_in(&world, "Alice", "john").await;
    let jackie = directory.remove("jackie");

    assert_eq!(world.info(&by_bearer).await, Ok(None));
    assert_eq!(user(&world, &by_cookie).await, Ok(None));
    let visit = world.server.visit(by_cookie.cookie.as_ref()).await.unwrap().unwrap();
    assert!(visit.session.user().is_none() && visit.set_cookie.is_some());
    for id in [&first, &second] {
        assert_eq!(reason(&world, id).await, Some(EndReason::UserGone));
    }
    let refused = world.server.log_in(None, &credentials("jackie")).await;
    assert_eq!(refused.unwrap_err(), Error::InvalidCredentials);
    assert_eq!(world.info(&johns).await.unwrap().as_deref(), Some("john"));
    assert_eq!(user(&world, &johns_browser).await.unwrap().as_deref(), Some("john"));
    assert_eq!(reason(&world, &johns_id).await, None);

    // To be enabled again brings no session back; a login does.
    directory.put(jackie);
    assert_eq!(world.info(&by_bearer).await, Ok(None));
    assert_eq!(user(&world, &by_cookie).await, Ok(None));
    let (_, again, _) = logged_in(&world, "Alice", "jackie").await;
    assert_eq!(world.info(&again).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn another_password_ends_what_was_begun_with_the_last_one() {
    let (world, directory) = world();
    let (browser, link, id) = logged_in(&world, "Alice", "jackie").await;
    let (_, johns, _) = logged_in(&world, "Alice", "john").await;
    directory.put(Account::new("jackie", another_hash()));
    assert_eq!(user(&world, &browser).await, Ok(None));
    assert_eq!(world.info(&link).await, Ok(None));
    assert_eq!(reason(&world, &id).await, Some(EndReason::PasswordChanged));
    assert_eq!(world.info(&johns).await.unwrap().as_deref(), Some("john"));
    let (browser, link, _) = logged_in(&world, "Alice", "jackie").await;
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(user(&world, &browser).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn a_browser_is_not_remembered_once_its_session_was_ended_so() {
    for disabled in [true, false] {
        let (world, directory) = world();
        let visit = world.server.log_in(None, &ticked("jackie")).await.unwrap();
        let sso_server::Remember::Set(token) = visit.remember else { panic!("not remembered") };
        let shown = |cookie| Shown { cookie, remember: Some(token.clone()), ..Default::default() };
        let family = visit.session.family().unwrap().to_owned();
        if disabled {
            let jackie = directory.remove("jackie");
            assert_eq!(world.user(visit.set_cookie.as_ref()).await, None);
            directory.put(jackie);
        } else {
            // The twin: nothing happened, and the token works.
            assert_eq!(world.user(visit.set_cookie.as_ref()).await.as_deref(), Some("jackie"));
        }
        assert_eq!(world.store.family(&family).await.unwrap().is_none(), disabled);
        let back = world.server.visit_with_remember_me(shown(None)).await.unwrap();
        assert_eq!(back.is_none(), disabled);
    }
}

#[tokio::test]
async fn a_login_that_raced_with_its_users_end_does_not_survive_it() {
    let (world, directory) = world();
    let mut browser = Browser::default();
    directory.remove_after_the_next_find("jackie");
    // The password was found right; then the account was disabled, and all its sessions ended: this one is not among
    // them yet.
    let visit = world.server.log_in(browser.cookie.as_ref(), &credentials("jackie")).await.unwrap();
    assert_eq!(visit.session.user().unwrap().username, "jackie");
    browser.receive(visit.set_cookie);
    let link = world.attach(&mut browser, "Alice").await;
    assert_eq!(world.info(&link).await, Ok(None));
    assert_eq!(user(&world, &browser).await, Ok(None));
}

#[tokio::test]
async fn what_a_cache_says_ends_nothing_by_itself() {
    let (world, directory) = world();
    let late = directory.remove("john");
    directory.stop_the_cache();
    directory.put(late);
    directory.put(Account::new("jackie", another_hash()));
    // The cache has never heard of john, and knows another password of jackie's.
    for name in ["john", "jackie"] {
        let (browser, link, _) = logged_in(&world, "Alice", name).await;
        assert_eq!(world.info(&link).await.unwrap().as_deref(), Some(name));
        assert_eq!(user(&world, &browser).await.unwrap().as_deref(), Some(name));
    }
    // Nor does it keep anybody out of sight of the truth once it has to be asked.
    let (_, link, _) = logged_in(&world, "Alice", "john").await;
    directory.remove("john");
    assert_eq!(world.info(&link).await, Ok(None));
}

#[tokio::test]
async fn a_page_that_shows_what_was_saved_asks_past_the_cache() {
    let (world, directory) = world();
    let town = |name: &str| Account::new("jackie", hash()).attribute("town", name);
    directory.put(town("Leiden"));
    directory.stop_the_cache();
    // At another node.
    directory.put(town("Delft"));
    let (_, link, _) = logged_in(&world, "Alice", "jackie").await;
    let found = world.broker_call(&link).await.unwrap().session.user().unwrap().clone();
    assert_eq!(found.attributes["town"], "Leiden", "for some seconds");
    assert_eq!(world.server.user_now("jackie").await.unwrap().unwrap().attributes["town"], "Delft");
    assert!(world.server.user_now("nobody").await.unwrap().is_none());
    directory.is_down(true);
    assert!(world.server.user_now("jackie").await.is_err());
}

#[tokio::test]
async fn users_that_do_not_answer_are_an_error_and_end_nothing() {
    let (world, directory) = world();
    let (browser, link, id) = logged_in(&world, "Alice", "jackie").await;
    let mut anonymous = Browser::default();
    let nobodys = world.attach(&mut anonymous, "Alice").await;
    directory.is_down(true);
    assert!(matches!(world.info(&link).await, Err(Error::Unavailable(_))));
    assert!(user(&world, &browser).await.is_err());
    assert!(world.server.visit(browser.cookie.as_ref()).await.is_err());
    assert!(
        world.try_attach(&mut Browser { cookie: browser.cookie.clone() }, "Alice", &link.token, false).await.is_err()
    );
    assert!(matches!(world.server.log_in(None, &credentials("john")).await, Err(Error::Unavailable(_))));
    assert_eq!(world.info(&nobodys).await, Ok(None), "nobody has to be looked up");
    directory.is_down(false);
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(user(&world, &browser).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(reason(&world, &id).await, None);
}

/// Only the session store is needed for a logout.
#[tokio::test]
async fn who_logs_out_while_users_do_not_answer_is_out() {
    for at_server in [true, false] {
        let (world, directory) = world();
        let visit = world.server.log_in(None, &ticked("jackie")).await.unwrap();
        let sso_server::Remember::Set(token) = visit.remember else { panic!("not remembered") };
        let mut browser = Browser { cookie: visit.set_cookie };
        let link = world.attach(&mut browser, "Alice").await;
        let (_, johns, _) = logged_in(&world, "Alice", "john").await;
        directory.is_down(true);
        assert!(matches!(world.info(&link).await, Err(Error::Unavailable(_))));
        if at_server {
            let shown = Shown { cookie: browser.cookie.clone(), remember: Some(token.clone()), ..Default::default() };
            browser.receive(Some(world.server.log_out(shown).await.unwrap().unwrap()));
        } else {
            world.broker_log_out(&link).await.unwrap();
        }
        for is_down in [true, false] {
            directory.is_down(is_down);
            assert_eq!(world.info(&link).await, Ok(None));
            assert_eq!(user(&world, &browser).await, Ok(None));
        }
        let shown = Shown { remember: Some(token), ..Default::default() };
        assert!(world.server.visit_with_remember_me(shown).await.unwrap().is_none(), "nor is the browser remembered");
        assert_eq!(world.info(&johns).await.unwrap().as_deref(), Some("john"), "who did not log out");
    }
}

#[tokio::test]
async fn brokers_see_the_attributes_of_now() {
    let (world, directory) = world();
    let (browser, link, _) = logged_in(&world, "Alice", "jackie").await;
    let fullname = async || {
        let call = world.broker_call(&link).await.unwrap();
        call.user().unwrap().unwrap().attributes["fullname"].clone()
    };
    assert_eq!(fullname().await, "Jackie");
    let account = directory.remove("jackie").attribute("fullname", "Jackie Black");
    directory.put(account);
    assert_eq!(fullname().await, "Jackie Black");
    let session = world.server.session_of(browser.cookie.as_ref()).await.unwrap().unwrap();
    assert_eq!(session.user().unwrap().attributes["fullname"], "Jackie Black");
}

#[tokio::test]
async fn a_call_costs_one_round_trip_to_the_store() {
    let (world, _) = world();
    let (_, link, _) = logged_in(&world, "Alice", "jackie").await;
    world.store.calls();
    world.info(&link).await.unwrap();
    assert_eq!(world.store.calls(), ["resolve"]);
}

#[tokio::test]
async fn a_php_broker_is_told_nobody_and_can_log_in_the_next_user() {
    let (world, directory) = world();
    let (_, link, _) = logged_in(&world, "Php", "jackie").await;
    directory.remove("jackie");
    assert_eq!(world.info(&link).await, Ok(None));
    let call = world.broker_call(&link).await.unwrap();
    let refused = world.server.broker_log_in(&call, &credentials("jackie")).await;
    assert_eq!(refused.unwrap_err(), Error::InvalidCredentials);
    world.server.broker_log_in(&call, &credentials("john")).await.unwrap();
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("john"));
}

#[tokio::test]
async fn who_runs_the_server_ends_all_of_a_user_at_once() {
    let (world, _) = world();
    let remembered = world.server.log_in(None, &ticked("jackie")).await.unwrap();
    let (_, link, id) = logged_in(&world, "Alice", "jackie").await;
    let (_, johns, _) = logged_in(&world, "Alice", "john").await;
    assert_eq!(world.server.end_user("jackie").await, Ok(EndedCounts { sessions: 2, browsers: 1 }));
    assert_eq!(reason(&world, &id).await, Some(EndReason::Revoked), "before anybody looks");
    assert!(world.store.families_of("jackie").await.unwrap().is_empty());
    assert_eq!(world.user(remembered.set_cookie.as_ref()).await, None);
    assert_eq!(world.info(&link).await, Ok(None));
    assert_eq!(world.info(&johns).await.unwrap().as_deref(), Some("john"));
    assert_eq!(world.server.end_user("jackie").await, Ok(EndedCounts::default()));
}
