//! Links: whose token leads where, and how they are cut (threats: fixation, bearer tokens that live for ever).

use sso_server::{
    core::{AttachError, Token},
    resume::ResumeError::{self, NoBearer, NotAttached},
};

use crate::common::{Browser, World};

#[tokio::test]
async fn all_brokers_share_one_session() {
    let world = World::new();
    let mut browser = Browser::default();
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    let stranger = world.attach(&mut Browser::default(), "Alice").await;
    world.log_in(&mut browser, "jackie").await;
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
    assert!(world.server.resume(Some(&good), true).await.is_ok());
    let never = Token::generate();
    for bad in [
        "Bearer nonsense".to_owned(),
        good.replace("Alice", "Nobody"),
        good.replace("Alice", "Greg"),
        good.replace(link.token.as_str(), never.as_str()),
        link.wrong_authorization(),
    ] {
        assert_eq!(world.server.resume(Some(&bad), true).await.unwrap_err(), NotAttached, "{bad}");
    }
    for none in [None, Some(""), Some("Basic abc")] {
        assert_eq!(world.server.resume(none, true).await.unwrap_err(), NoBearer);
    }
}

#[tokio::test]
async fn one_brokers_links_can_be_revoked() {
    let world = World::new();
    let mut browser = Browser::default();
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    world.log_in(&mut browser, "jackie").await;
    assert_eq!(world.server.revoke_links(Some(&"Alice".parse().unwrap())).await, Ok(1));
    assert_eq!(world.info(&alice).await, Err(ResumeError::NotAttached));
    assert_eq!(world.info(&greg).await.unwrap().as_deref(), Some("jackie"));
    // Attached anew, with the same token or another: nobody was logged out, and the old bearer stays dead.
    for token in [Token::generate(), alice.token.clone()] {
        let new = world.try_attach(&mut browser, "Alice", &token, false).await.unwrap().unwrap();
        assert_eq!(world.info(&new).await.unwrap().as_deref(), Some("jackie"));
        assert_eq!(world.info(&alice).await, Err(ResumeError::NotAttached));
    }
}

#[tokio::test]
async fn all_links_can_be_revoked() {
    let world = World::new();
    let mut browser = Browser::default();
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    world.log_in(&mut browser, "jackie").await;
    assert_eq!(world.server.revoke_links(None).await, Ok(2));
    for link in [&alice, &greg] {
        assert_eq!(world.info(link).await, Err(ResumeError::NotAttached));
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
    assert_eq!(refused.unwrap_err(), AttachError::AlreadyAttached);
    world.log_in(&mut victim, "jackie").await;
    assert_eq!(world.info(&link).await, Ok(None), "the attacker's link leads to the attacker's session");
    // The same token at another broker is another token.
    assert!(world.try_attach(&mut victim, "Greg", &token, false).await.unwrap().is_some());
}

#[tokio::test]
async fn prompt_login_kills_the_older_links_of_that_broker_and_of_no_other() {
    let world = World::new();
    let (mut browser, mut other) = (Browser::default(), Browser::default());
    let (old, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    let foreign = world.attach(&mut other, "Alice").await;
    let token = Token::generate();

    // Nobody is logged in: the login comes first, and nothing was done.
    assert!(world.try_attach(&mut browser, "Alice", &token, true).await.unwrap().is_none());
    assert_eq!(world.info(&old).await, Ok(None));

    world.log_in(&mut browser, "jackie").await;
    let new = world.try_attach(&mut browser, "Alice", &token, true).await.unwrap().unwrap();
    assert_eq!(world.info(&old).await, Err(ResumeError::NotAttached));
    for link in [&new, &greg] {
        assert_eq!(world.info(link).await.unwrap().as_deref(), Some("jackie"));
    }
    assert_eq!(world.info(&foreign).await, Ok(None), "another visitor of the same broker");
}
