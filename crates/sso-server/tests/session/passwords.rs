//! Another password: this session goes on, all others end, and no browser is remembered any more.

use sso_server::{
    Account, Browser as Shown, Credentials, Error, PasswordChange, PasswordError, PasswordHash, Remember, Session,
    Store, UserList, password_policy::PasswordPolicyError, session::EndReason,
};
use tokio::task::JoinSet;

use crate::common::{
    Attached, Browser, PASSWORD, World, credentials,
    directory::{Directory, another_hash, hash},
    ticked,
};

const NEW: &str = "a quite new password";

fn world() -> (World, Directory) {
    let directory = Directory::new();
    (World::with_users(directory.clone()), directory)
}

fn change(old: &str, new: &str) -> PasswordChange {
    PasswordChange { old: old.into(), new: new.into(), again: new.into() }
}

fn new_credentials() -> Credentials {
    Credentials { password: NEW.into(), ..credentials("jackie") }
}

async fn logged_in(world: &World, username: &str) -> (Browser, Attached) {
    let mut browser = Browser::default();
    world.log_in(&mut browser, username).await;
    let link = world.attach(&mut browser, "Alice").await;
    (browser, link)
}

#[tokio::test]
async fn this_session_goes_on_with_another_cookie_and_all_others_end() {
    let (world, directory) = world();
    let (mut mine, my_link) = logged_in(&world, "jackie").await;
    let (other, others_link) = logged_in(&world, "jackie").await;
    let (_, johns_link) = logged_in(&world, "john").await;
    let remembered = world.server.log_in(None, &ticked("jackie")).await.unwrap();
    let Remember::Set(token) = remembered.remember else { panic!("not remembered") };
    let other_id = world.broker_call(&others_link).await.unwrap().session.id.clone();
    // Nodes whose caches lag behind judge these sessions meanwhile.
    directory.stop_the_cache();

    let visit = world.server.change_password(mine.cookie.as_ref(), &change(PASSWORD, NEW)).await.unwrap();
    assert_eq!(visit.remember, Remember::Forget);
    let before = mine.cookie.clone();
    mine.receive(visit.set_cookie);
    assert!(world.server.session_of(before.as_ref()).await.unwrap().is_none(), "the old cookie is dead");
    assert!(world.server.session_of(mine.cookie.as_ref()).await.unwrap().is_some());
    assert_eq!(world.info(&my_link).await.unwrap().as_deref(), Some("jackie"));

    let end = world.store.get(&other_id).await.unwrap().unwrap().last_end.clone().unwrap();
    assert_eq!(end.reason, EndReason::PasswordChanged, "before anybody looks");
    assert_eq!(world.info(&others_link).await, Ok(None));
    assert_eq!(world.user(other.cookie.as_ref()).await, None);
    assert!(world.store.families_of("jackie").await.unwrap().is_empty());
    let browser = Shown { remember: Some(token), ..Default::default() };
    assert!(world.server.visit_with_remember_me(browser).await.unwrap().is_none());
    assert_eq!(world.info(&johns_link).await.unwrap().as_deref(), Some("john"));

    let old = world.server.log_in(None, &credentials("jackie")).await;
    assert_eq!(old.unwrap_err(), Error::InvalidCredentials);
    world.server.log_in(None, &new_credentials()).await.unwrap();
    // It may be changed again, in the session that went on.
    world.server.change_password(mine.cookie.as_ref(), &change(NEW, "another quite new password")).await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_is_told_and_changes_nothing() {
    let (world, _) = world();
    let (mine, link) = logged_in(&world, "jackie").await;
    let (_, other) = logged_in(&world, "jackie").await;
    let differs = PasswordChange { again: format!("{NEW}!"), ..change(PASSWORD, NEW) };
    let tests = [
        (differs, PasswordError::NotRepeated.into()),
        (change(PASSWORD, "fourteen chars"), PasswordError::Policy(PasswordPolicyError::TooShort).into()),
        (change(PASSWORD, &"x".repeat(1_025)), PasswordError::Policy(PasswordPolicyError::TooLong).into()),
        (change("jackie124", NEW), Error::InvalidCredentials),
        (change(PASSWORD, "passwordpassword"), PasswordError::Policy(PasswordPolicyError::Common).into()),
        (change(PASSWORD, "Jackie-Jackie-1987"), PasswordError::Policy(PasswordPolicyError::OwnName).into()),
        (change(PASSWORD, "jackie@sso.example.com"), PasswordError::Policy(PasswordPolicyError::OwnName).into()),
        (change(PASSWORD, "j@example.Jackie"), PasswordError::Policy(PasswordPolicyError::OwnName).into()),
    ];
    for (wrong, why) in tests {
        let refused = world.server.change_password(mine.cookie.as_ref(), &wrong).await;
        assert_eq!(refused.unwrap_err(), why);
    }
    let nobody = world.server.change_password(None, &change(PASSWORD, NEW)).await;
    assert_eq!(nobody.unwrap_err(), Error::NotLoggedIn);
    let mut anonymous = Browser::default();
    world.attach(&mut anonymous, "Alice").await;
    let nobody = world.server.change_password(anonymous.cookie.as_ref(), &change(PASSWORD, NEW)).await;
    assert_eq!(nobody.unwrap_err(), Error::NotLoggedIn);
    for link in [&link, &other] {
        assert_eq!(world.info(link).await.unwrap().as_deref(), Some("jackie"));
    }
    assert!(world.server.session_of(mine.cookie.as_ref()).await.unwrap().is_some());
    world.server.log_in(None, &credentials("jackie")).await.unwrap();

    world.server.change_password(mine.cookie.as_ref(), &change(PASSWORD, NEW)).await.unwrap();
    let (mut mine, _) = (Browser::default(), ());
    mine.receive(world.server.log_in(None, &new_credentials()).await.unwrap().set_cookie);
    let same = world.server.change_password(mine.cookie.as_ref(), &change(NEW, NEW)).await;
    assert_eq!(same.unwrap_err(), PasswordError::Unchanged.into());
}

#[tokio::test]
async fn guesses_of_the_old_one_wait_as_those_at_this_browsers_login_do() {
    let (world, _) = world();
    let (mine, _) = logged_in(&world, "jackie").await;
    for _ in 0..6 {
        let refused = world.server.change_password(mine.cookie.as_ref(), &change("jackie124", NEW)).await;
        assert_eq!(refused.unwrap_err(), Error::InvalidCredentials);
    }
    let early = world.server.change_password(mine.cookie.as_ref(), &change(PASSWORD, NEW)).await;
    assert_eq!(early.unwrap_err(), Error::TooManyFailures { retry_after: 1 });
    let early = world.server.log_in(mine.cookie.as_ref(), &credentials("jackie")).await;
    assert_eq!(early.unwrap_err(), Error::TooManyFailures { retry_after: 1 });
    assert!(
        world.server.log_in(None, &credentials("jackie")).await.is_ok(),
        "whoever has this session slows down nobody else"
    );
    world.advance(std::time::Duration::from_secs(1));
    world.server.change_password(mine.cookie.as_ref(), &change(PASSWORD, NEW)).await.unwrap();
}

/// One user sends many passwords that are made to take long.
#[tokio::test]
async fn a_login_does_not_wait_until_new_passwords_are_judged() {
    // More than half a second each: there are many ways to read the signs as letters.
    let slow = "4@8({[<369#!1/|71$5+7%2".repeat(4);
    let (world, _) = world();
    let (mine, _) = logged_in(&world, "jackie").await;
    let mut changes = JoinSet::new();
    for _ in 0..24 {
        let (server, cookie, change) = (world.server.clone(), mine.cookie.clone(), change(PASSWORD, &slow));
        changes.spawn(async move { server.change_password(cookie.as_ref(), &change).await });
    }
    // The first login has its turn once all current passwords were checked, the second one while new ones are judged.
    for _ in 0..2 {
        world.server.log_in(None, &credentials("john")).await.unwrap();
    }
    let mut judged: Vec<_> = std::iter::from_fn(|| changes.try_join_next()).collect();
    assert!(judged.len() < 12, "{} of the new passwords were judged before the login", judged.len());
    // Its twin: they are judged, and such a password is good.
    judged.extend(changes.join_next().await);
    assert!(judged.iter().any(|change| change.as_ref().unwrap().is_ok()), "{judged:?}");
}

#[tokio::test]
async fn users_that_cannot_be_changed_here_are_not() {
    let world = World::with_users(UserList::from_iter([Account::new("jackie", another_hash())]));
    let (mine, link) = logged_in(&world, "jackie").await;
    let refused = world.server.change_password(mine.cookie.as_ref(), &change(PASSWORD, NEW)).await;
    assert_eq!(refused.unwrap_err(), PasswordError::CannotChange.into());
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
}

/// Who knows the password until now posts the form; an operator sets another one because of that, after the old one was
/// checked.
#[tokio::test]
async fn a_change_does_not_overwrite_a_password_that_was_set_meanwhile() {
    for is_reset in [true, false] {
        let (world, directory) = world();
        let (mine, link) = logged_in(&world, "jackie").await;
        let hash = if is_reset { PasswordHash::new("what the operator set").unwrap() } else { hash() };
        directory.put_after_the_next_find(Account::new("jackie", hash).attribute("fullname", "Jacqueline"));
        let changed = world.server.change_password(mine.cookie.as_ref(), &change(PASSWORD, NEW)).await;
        let after = world.server.log_in(None, &new_credentials()).await;
        if is_reset {
            assert_eq!(changed.unwrap_err(), PasswordError::ChangedMeanwhile.into());
            assert_eq!(after.unwrap_err(), Error::InvalidCredentials);
            let reset = Credentials { password: "what the operator set".into(), ..credentials("jackie") };
            world.server.log_in(None, &reset).await.unwrap();
            assert_eq!(world.info(&link).await, Ok(None), "it was of the old password");
            assert_eq!(world.user(mine.cookie.as_ref()).await, None);
        } else {
            // The twin: the account changed, but its password did not.
            assert!(changed.unwrap().set_cookie.is_some());
            assert_eq!(after.unwrap().session.user().unwrap().attributes["fullname"], "Jacqueline");
            assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
        }
    }
}

/// Between the account's change and the session's a server may stop, or the store may.
#[tokio::test]
async fn a_change_that_was_cut_off_costs_its_user_no_session() {
    let (world, directory) = world();
    let (mine, link) = logged_in(&world, "jackie").await;
    let (_, others_link) = logged_in(&world, "jackie").await;
    directory.is_down(true);
    let refused = world.server.change_password(mine.cookie.as_ref(), &change(PASSWORD, NEW)).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
    directory.is_down(false);
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(world.info(&others_link).await.unwrap().as_deref(), Some("jackie"));

    // As after the account's change: the session knows the next password, and the last one.
    world.store.fail_only("families_of");
    let visit = world.server.change_password(mine.cookie.as_ref(), &change(PASSWORD, NEW)).await.unwrap();
    world.store.work_again();
    assert!(visit.set_cookie.is_some());
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(world.info(&others_link).await, Ok(None), "at its next use");

    let (_, link) = {
        let mut browser = Browser::default();
        browser.receive(world.server.log_in(browser.cookie.as_ref(), &new_credentials()).await.unwrap().set_cookie);
        let link = world.attach(&mut browser, "Alice").await;
        (browser, link)
    };
    let mut record = Session::clone(&*world.broker_call(&link).await.unwrap().session);
    let login = record.login.as_mut().unwrap();
    (login.credential, login.next_credential) = ([0; 32], Some(Box::new(login.credential)));
    let half_done = world.store.update(record).await.unwrap();
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"), "by the next one");
    let mut record = Session::clone(&*half_done);
    record.login.as_mut().unwrap().next_credential = Some(Box::new([1; 32]));
    world.store.update(record).await.unwrap();
    assert_eq!(world.info(&link).await, Ok(None), "by neither");
}
