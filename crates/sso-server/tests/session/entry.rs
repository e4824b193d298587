//! Which users may use a broker, what it is told of them, and with which secrets it may speak.

use std::collections::HashSet;

use sso_core::{
    AllowedOrigins, AttachError, BearerToken, BrowserHeaders, ChecksumKey, Encoding, ReturnPages, Secret, Token,
};
use sso_server::{AllowedUsers, Broker, BrokerList, Error, clock::Clock};

use crate::common::{
    API, Attached, Browser, HOUR, MINUTE, World, credentials, directory::Directory, redirect_request, secret,
    wrong_credentials,
};

/// Club lets jackie and the group `staff` in, and is told full names only. John is of the staff at first.
fn world() -> (World, Directory) {
    let directory = Directory::new();
    (World::with_users(directory.clone()), directory)
}

/// John is of the staff no more.
fn dismiss_john(directory: &Directory) {
    let mut john = directory.remove("john");
    assert_eq!(std::mem::take(&mut john.groups), ["staff"]);
    directory.put(john);
}

async fn logged_in(world: &World, username: &str) -> (Browser, Attached, Attached) {
    let mut browser = Browser::default();
    world.log_in(&mut browser, username).await;
    let club = world.attach(&mut browser, "Club").await;
    let alice = world.attach(&mut browser, "Alice").await;
    (browser, club, alice)
}

#[tokio::test]
async fn a_user_enters_by_name_or_by_group_as_they_are_now() {
    let (world, directory) = world();
    let (_, jackies, _) = logged_in(&world, "jackie").await;
    let (_, johns, johns_alice) = logged_in(&world, "john").await;
    assert_eq!(world.info(&jackies).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(world.info(&johns).await.unwrap().as_deref(), Some("john"));
    dismiss_john(&directory);
    assert_eq!(world.info(&johns).await, Err(Error::UserNotAllowed));
    assert_eq!(world.info(&johns_alice).await.unwrap().as_deref(), Some("john"), "the session goes on");
    assert_eq!(world.info(&jackies).await.unwrap().as_deref(), Some("jackie"));
    let john = directory.remove("john").group("others").group("staff");
    directory.put(john);
    assert_eq!(world.info(&johns).await.unwrap().as_deref(), Some("john"));
}

#[tokio::test]
async fn at_a_logout_a_broker_is_told_of_its_own_users_ends_and_of_the_one_that_it_made() {
    for (dismissed, expired, told) in [(false, true, true), (true, true, false), (true, false, true)] {
        let (world, directory) = world();
        let (_, club, _) = logged_in(&world, "john").await;
        if dismissed {
            dismiss_john(&directory);
        }
        if expired {
            world.advance(30 * MINUTE);
        }
        let ended = world.server.broker_log_out(Some(&club.authorization()), true).await.unwrap();
        assert_eq!(ended.is_some(), told, "{dismissed} {expired}");
    }
}

#[tokio::test]
async fn of_who_may_not_enter_a_broker_learns_nothing_and_changes_nothing_but_a_logout() {
    let (world, directory) = world();
    dismiss_john(&directory);
    let (_, club, alice) = logged_in(&world, "john").await;
    let changes = serde_json::json!({ "theme": "forest" });
    let changes = changes.as_object().unwrap();
    world.server.merge_data(&world.broker_call(&alice).await.unwrap(), changes).await.unwrap();

    let call = world.broker_call(&club).await.unwrap();
    assert!(call.user_not_allowed);
    assert_eq!(call.user().unwrap_err(), Error::UserNotAllowed);
    assert_eq!(call.clone().require_allowed().unwrap_err(), Error::UserNotAllowed);
    assert_eq!(world.server.merge_data(&call, changes).await, Err(Error::UserNotAllowed));
    assert_eq!(world.server.access_token(&call, None).unwrap_err(), Error::UserNotAllowed);
    world.broker_log_out(&club).await.unwrap();
    assert_eq!(world.info(&alice).await, Ok(None));
    assert_eq!(world.info(&club).await, Ok(None), "nobody is not barred");

    let (_, club, _) = logged_in(&world, "jackie").await;
    let call = world.broker_call(&club).await.unwrap().require_allowed().unwrap();
    assert!(world.server.merge_data(&call, changes).await.is_ok());
    assert!(world.server.access_token(&call, None).is_ok());
}

#[tokio::test]
async fn a_barred_brokers_calls_do_not_extend_the_session() {
    let (world, directory) = world();
    dismiss_john(&directory);
    let (_, club, _) = logged_in(&world, "john").await;
    let (_, jackies, _) = logged_in(&world, "jackie").await;
    for _ in 0..3 {
        world.advance(8 * MINUTE);
        let _ = world.info(&club).await;
        let _ = world.info(&jackies).await;
    }
    assert_eq!(world.info(&club).await, Ok(None));
    assert_eq!(world.info(&jackies).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn a_login_through_a_broker_is_for_its_users_and_tells_strangers_nothing() {
    let (world, directory) = world();
    dismiss_john(&directory);
    let mut browser = Browser::default();
    let club = world.attach(&mut browser, "Club").await;
    let alice = world.attach(&mut browser, "Alice").await;
    let call = world.broker_call(&club).await.unwrap();
    let before = call.session.version;
    for wrong in [wrong_credentials("john"), wrong_credentials("jackie"), credentials("nobody")] {
        let refused = world.server.broker_log_in(&call, &wrong).await;
        assert_eq!(refused.unwrap_err(), Error::InvalidCredentials);
    }
    let refused = world.server.broker_log_in(&call, &credentials("john")).await;
    assert_eq!(refused.unwrap_err(), Error::MayNotEnter);
    let call = world.broker_call(&club).await.unwrap();
    assert!(call.session.user().is_none() && call.session.version == before, "nothing was changed");
    assert_eq!(world.info(&alice).await, Ok(None));
    // Nor is who is logged in replaced by somebody who may not enter.
    let user = world.server.broker_log_in(&call, &credentials("jackie")).await.unwrap();
    let told: Vec<_> = user.attributes.keys().map(String::as_str).collect();
    assert_eq!((user.username.as_str(), told), ("jackie", vec!["fullname"]));
    let call = world.broker_call(&club).await.unwrap();
    let refused = world.server.broker_log_in(&call, &credentials("john")).await;
    assert_eq!(refused.unwrap_err(), Error::MayNotEnter);
    assert_eq!(world.info(&club).await.unwrap().as_deref(), Some("jackie"));
}

#[tokio::test]
async fn a_broker_is_told_the_attributes_that_are_its_own() {
    let (world, _) = world();
    let (_, club, alice) = logged_in(&world, "jackie").await;
    let told = async |link| {
        let call = world.broker_call(link).await.unwrap();
        // In what order depends on serde_json's features.
        let mut names: Vec<_> = call.user().unwrap().unwrap().attributes.keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(told(&club).await, ["fullname"]);
    assert_eq!(told(&alice).await, ["email", "fullname"]);
}

#[tokio::test]
async fn a_token_is_good_only_while_its_user_may_use_both_ends() {
    let (world, directory) = world();
    let (_, club, _) = logged_in(&world, "john").await;
    let token = world.server.access_token(&world.broker_call(&club).await.unwrap(), None).unwrap().access_token;
    let active = async |broker: &str| {
        let known = world.server.introspect(broker, secret(broker).expose(), &token).await.unwrap();
        known.active
    };
    assert!(active("Club").await && active("Alice").await);
    dismiss_john(&directory);
    assert!(!active("Club").await && !active("Alice").await, "Club, for which it was made, is not his any more");
    let john = directory.remove("john").group("staff");
    directory.put(john.clone());
    assert!(active("Alice").await);
    directory.is_down(true);
    let down = world.server.introspect("Alice", secret("Alice").expose(), &token).await;
    assert!(matches!(down, Err(Error::Unavailable(_))));
    directory.is_down(false);
    directory.remove("john");
    assert!(!active("Alice").await);
    directory.put(john);
    assert!(!active("Alice").await, "that login is over");
}

#[tokio::test]
async fn a_service_hears_nothing_of_who_may_not_use_it() {
    let (world, directory) = world();
    let (_, _, alice) = logged_in(&world, "john").await;
    let call = world.broker_call(&alice).await.unwrap();
    let token = world.server.access_token(&call, Some(API)).unwrap().access_token;
    let known = async || world.server.introspect("Club", secret("Club").expose(), &token).await.unwrap().active;
    assert!(known().await);
    dismiss_john(&directory);
    assert!(!known().await);
}

fn rotated(previous: Option<&Secret>, until: Option<sso_server::clock::Timestamp>) -> BrokerList {
    let origins = AllowedOrigins::new(&["https://alice.example"], ReturnPages::Paths(vec!["/sso/return".into()]));
    let mut broker = Broker::new("Alice".parse().unwrap(), &secret("Alice"), Encoding::Exact, origins.unwrap());
    broker.audiences = vec![API.into()];
    let broker = match previous {
        Some(previous) => broker.previous_secret(previous, until),
        None => broker,
    };
    BrokerList::from_iter([broker])
}

/// Whether this secret is good for an attach, for a bearer, and for introspection.
async fn accepts(world: &World, link: &Attached, shown: &Secret) -> [bool; 3] {
    let (key, token) = (ChecksumKey::new(shown, Encoding::Exact), Token::generate());
    let request = redirect_request("Alice", &token, key.attach(&token), false);
    let attach = world.server.check_attach(request, BrowserHeaders::default()).await;
    if let Err(refused) = &attach {
        assert_eq!(refused.error, AttachError::InvalidChecksum.into());
    }
    let bearer = BearerToken::new("Alice".parse().unwrap(), link.token.clone(), &link.code, &key);
    let call = world.server.broker_call(Some(&format!("Bearer {}", bearer.to_wire())), true).await;
    if let Err(refused) = &call {
        assert_eq!(*refused, Error::NotAttached);
    }
    let known = world.server.introspect("Alice", shown.expose(), "x").await;
    if let Err(refused) = &known {
        assert_eq!(*refused, Error::InvalidClient);
    }
    [attach.is_ok(), call.is_ok(), known.is_ok()]
}

#[tokio::test]
async fn both_secrets_are_good_while_the_older_one_is_allowed() {
    let (former, other) = (secret("Former"), secret("Other"));
    for has_end in [true, false] {
        let until = sso_server::clock::SystemClock.now().after(HOUR);
        let world = World::with_brokers(rotated(Some(&former), has_end.then_some(until)));
        let mut browser = Browser::default();
        let link = world.attach(&mut browser, "Alice").await;
        assert_eq!(accepts(&world, &link, &secret("Alice")).await, [true; 3]);
        assert_eq!(accepts(&world, &link, &former).await, [true; 3]);
        assert_eq!(accepts(&world, &link, &other).await, [false; 3]);
        world.advance(HOUR + MINUTE);
        let link = world.attach(&mut browser, "Alice").await;
        assert_eq!(accepts(&world, &link, &former).await, [!has_end; 3]);
        assert_eq!(accepts(&world, &link, &secret("Alice")).await, [true; 3]);
    }
    let world = World::with_brokers(rotated(None, None));
    let link = world.attach(&mut Browser::default(), "Alice").await;
    assert_eq!(accepts(&world, &link, &former).await, [false; 3]);
}

#[tokio::test]
async fn an_older_secret_must_be_as_strong() {
    let world = World::with_brokers(rotated(Some(&Secret::new("8iwzik1bwd")), None));
    let token = Token::generate();
    let refused = world.try_attach(&mut Browser::default(), "Alice", &token, false).await;
    assert_eq!(
        refused.unwrap_err(),
        AttachError::UnknownBroker.into(),
        "one that could be guessed disables the broker"
    );
    let world = World::with_brokers(rotated(Some(&secret("Former")), None));
    assert!(world.try_attach(&mut Browser::default(), "Alice", &token, false).await.is_ok());
}

#[test]
fn an_entry_names_users_and_groups() {
    let directory = Directory::new();
    let (jackie, john) = (directory.remove("jackie"), directory.remove("john"));
    let only = |users: &[&str], groups: &[&str]| {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<HashSet<_>>();
        AllowedUsers::Only { users: set(users), groups: set(groups) }
    };
    for (entry, jackies, johns) in [
        (AllowedUsers::Everyone, true, true),
        (only(&[], &[]), false, false),
        (only(&["jackie"], &[]), true, false),
        (only(&["Jackie", "staff"], &["jackie"]), false, false),
        (only(&[], &["staff", "x"]), false, true),
        (only(&["jackie"], &["staff"]), true, true),
    ] {
        assert_eq!((entry.allows(&jackie), entry.allows(&john)), (jackies, johns), "{entry:?}");
    }
}
