//! Guessing gets slower, for the one who is guessed at and for nobody else.

use std::time::Duration;

use sso_core::{BrowserHeaders, Token};
use sso_server::{Browser as Shown, Error, Policy, Remember, Server, core::AttachError};

use crate::common::{Browser, MINUTE, World, credentials, key, redirect_request, ticked, wrong_credentials};

const MANY: usize = 11;

#[tokio::test]
async fn wrong_bearer_checksums_slow_down_one_token_only() {
    let world = World::new();
    let mut browser = Browser::default();
    let (tried, other) = (world.attach(&mut browser, "Php").await, world.attach(&mut browser, "Php").await);
    for _ in 0..MANY {
        let wrong = world.server.broker_call(Some(&tried.wrong_authorization()), true).await;
        assert_eq!(wrong.unwrap_err(), Error::NotAttached);
    }
    let wait = Error::TooManyFailures { retry_after: 1 };
    assert_eq!(world.info(&tried).await, Err(wait), "the right one has to wait too");
    assert_eq!(world.info(&other).await, Ok(None), "another token of the broker does not");
    world.advance(Duration::from_secs(1));
    assert_eq!(world.info(&tried).await, Ok(None));
}

#[tokio::test]
async fn wrong_attach_checksums_slow_down_one_token_only() {
    let world = World::new();
    let (tried, other) = (Token::generate(), Token::generate());
    let wrong = || redirect_request("Php", &tried, key("Greg").attach(&tried), false);
    for _ in 0..MANY {
        let refused = world.server.check_attach(wrong(), BrowserHeaders::default()).await.unwrap_err();
        assert_eq!(refused.error, AttachError::InvalidChecksum.into());
        assert!(refused.return_url.is_some());
    }
    let mut browser = Browser::default();
    let refused = world.try_attach(&mut browser, "Php", &tried, false).await;
    assert_eq!(refused.unwrap_err(), Error::TooManyFailures { retry_after: 1 });
    assert!(world.try_attach(&mut browser, "Php", &other, false).await.is_ok());
    assert!(world.try_attach(&mut browser, "Greg", &tried, false).await.is_ok(), "nor the same one of another broker");
    world.advance(Duration::from_secs(1));
    assert!(world.try_attach(&mut browser, "Php", &tried, false).await.is_ok());
}

#[tokio::test]
async fn the_wait_for_checksums_grows_and_ends() {
    let world = World::new();
    let link = world.attach(&mut Browser::default(), "Php").await;
    for _ in 0..MANY - 1 {
        world.server.broker_call(Some(&link.wrong_authorization()), true).await.unwrap_err();
    }
    for retry_after in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(
            world.server.broker_call(Some(&link.wrong_authorization()), true).await.unwrap_err(),
            Error::NotAttached
        );
        assert_eq!(world.info(&link).await, Err(Error::TooManyFailures { retry_after }));
        world.advance(Duration::from_secs(retry_after));
    }
    assert_eq!(world.info(&link).await, Ok(None));
}

#[tokio::test]
async fn a_right_checksum_of_256_bits_never_waits() {
    let world = World::new();
    let mut browser = Browser::default();
    let link = world.attach(&mut browser, "Alice").await;
    let wait = loop {
        match world.server.broker_call(Some(&link.wrong_authorization()), true).await.unwrap_err() {
            Error::NotAttached => {}
            other => break other,
        }
    };
    assert_eq!(wait, Error::TooManyFailures { retry_after: 1 });
    assert_eq!(world.info(&link).await, Ok(None), "whoever knows a token cannot lock its visitor out");
}

#[tokio::test]
async fn wrong_passwords_slow_down_one_user_only() {
    let world = World::new();
    for name in ["jackie", "nobody"] {
        for _ in 0..5 {
            let wrong = world.server.log_in(None, &wrong_credentials(name)).await;
            assert_eq!(wrong.unwrap_err(), Error::InvalidCredentials);
        }
        for retry_after in [1, 2, 4, 8, 16, 30, 30] {
            let wrong = world.server.log_in(None, &wrong_credentials(name)).await;
            assert_eq!(wrong.unwrap_err(), Error::InvalidCredentials);
            let early = world.server.log_in(None, &credentials(name)).await;
            let early = early.unwrap_err();
            assert_eq!(early, Error::TooManyFailures { retry_after }, "known or not: the same");
            let unit = if retry_after == 1 { "second" } else { "seconds" };
            assert!(early.to_string().ends_with(&format!(" Try again in {retry_after} {unit}.")), "{early}");
            assert!(world.server.log_in(None, &credentials("john")).await.is_ok());
            world.advance(Duration::from_secs(retry_after));
        }
    }
    assert!(world.server.log_in(None, &credentials("jackie")).await.is_ok());
    // All is forgiven.
    let wrong = world.server.log_in(None, &wrong_credentials("jackie")).await;
    assert_eq!(wrong.unwrap_err(), Error::InvalidCredentials);
    assert!(world.server.log_in(None, &credentials("jackie")).await.is_ok());
}

#[tokio::test]
async fn two_nodes_together_allow_as_few_guesses_as_one() {
    let world = World::new();
    let other = world.second_node();
    let guess = async |server: &Server| match server.log_in(None, &wrong_credentials("jackie")).await.unwrap_err() {
        Error::InvalidCredentials => 1,
        Error::TooManyFailures { .. } => 0,
        error => panic!("{error}"),
    };
    // Until both have the longest wait.
    for _ in 0..120 {
        guess(&world.server).await;
        guess(&other).await;
        world.advance(Duration::from_secs(1));
    }
    let mut guesses = 0;
    world.store.calls();
    for _ in 0..20 * 30 {
        guesses += guess(&world.server).await + guess(&other).await;
        world.advance(Duration::from_secs(1));
    }
    assert!((19..=21).contains(&guesses), "one in 30 s: {guesses} in 20 times that");
    assert!(world.store.calls().iter().filter(|call| **call == "consume").count() <= 3 * guesses, "few ask the store");
    // Somebody else, and whoever does not guess, costs the store nothing.
    assert!(other.log_in(None, &credentials("john")).await.is_ok());
    assert!(!world.store.calls().contains(&"consume"));
    world.advance(Duration::from_secs(30));
    assert!(other.log_in(None, &credentials("jackie")).await.is_ok(), "the right one gets its turn");
}

#[tokio::test]
async fn strangers_who_guess_do_not_slow_down_a_browser_that_knows_the_user() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let alice = world.attach(&mut browser, "Alice").await;
    browser.receive(world.server.log_out(browser.cookie.as_ref()).await.unwrap());
    let remembered = world.server.log_in(None, &ticked("jackie")).await.unwrap();
    let Remember::Set(token) = remembered.remember else { panic!("{remembered:?}") };
    let returning = Shown { remember: Some(token), ..Default::default() };

    for _ in 0..6 {
        world.server.log_in(None, &wrong_credentials("jackie")).await.unwrap_err();
    }
    let early = Error::TooManyFailures { retry_after: 1 };
    assert_eq!(world.server.log_in(None, &credentials("jackie")).await.unwrap_err(), early, "a stranger");
    let mut stranger = Browser::default();
    world.log_in(&mut stranger, "john").await;
    let as_john = world.server.log_in(stranger.cookie.as_ref(), &credentials("jackie")).await;
    assert_eq!(as_john.unwrap_err(), early, "it knows somebody else");

    assert!(world.server.log_in(returning.clone(), &credentials("jackie")).await.is_ok(), "remembered");
    let through_broker = world.broker_call(&alice).await.unwrap();
    assert!(world.server.broker_log_in(&through_broker, &credentials("jackie")).await.is_ok(), "its broker");
    browser.receive(world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap().set_cookie);
    let confirmed = world.server.confirm_password(browser.cookie.as_ref(), &credentials("jackie")).await.unwrap();
    browser.receive(confirmed.set_cookie);
    // The login is over, and its session knows whose it was.
    world.advance(Policy::default().idle_timeout + MINUTE);
    let visit = world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap();
    assert!(visit.session.user().is_none());
    browser.receive(visit.set_cookie);
    for _ in 0..6 {
        world.server.log_in(None, &wrong_credentials("jackie")).await.unwrap_err();
    }
    // Guesses that are made there count, and from all such browsers together: whoever knew the password once may have
    // many.
    for n in 0..6 {
        let from = if n % 2 == 0 { browser.cookie.as_ref().into() } else { returning.clone() };
        let wrong = world.server.log_in(from, &wrong_credentials("jackie")).await;
        assert_eq!(wrong.unwrap_err(), Error::InvalidCredentials);
    }
    for from in [browser.cookie.as_ref().into(), returning.clone()] {
        assert_eq!(world.server.log_in(from, &credentials("jackie")).await.unwrap_err(), early);
    }
    world.advance(Duration::from_secs(1));
    assert!(world.server.log_in(browser.cookie.as_ref(), &credentials("jackie")).await.is_ok());
}

#[tokio::test]
async fn guessing_through_a_broker_slows_down_its_link_and_no_other() {
    let world = World::new();
    let guesser = world.broker_call(&world.attach(&mut Browser::default(), "Alice").await).await.unwrap();
    let visitor = world.broker_call(&world.attach(&mut Browser::default(), "Alice").await).await.unwrap();
    // A new name each time: only the link gives the guesser away.
    for n in 0..6 {
        let wrong = world.server.broker_log_in(&guesser, &wrong_credentials(&format!("user{n}"))).await;
        assert_eq!(wrong.unwrap_err(), Error::InvalidCredentials);
    }
    let early = world.server.broker_log_in(&guesser, &credentials("jackie")).await;
    assert_eq!(early.unwrap_err(), Error::TooManyFailures { retry_after: 1 });
    assert!(world.server.broker_log_in(&visitor, &credentials("jackie")).await.is_ok());
    world.advance(Duration::from_secs(1));
    assert!(world.server.broker_log_in(&guesser, &credentials("jackie")).await.is_ok());
}
