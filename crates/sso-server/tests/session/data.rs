//! The map of values that brokers share.

use serde_json::{Map, Value, json};
use sso_server::{Account, Error, Session, SetOutcome, UsersInMemory};

use crate::common::{Attached, BCRYPT, Browser, World, credentials};

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

async fn merge(world: &World, link: &Attached, changes: Value) -> Result<Map<String, Value>, Error> {
    world.server.merge_data(&world.broker_call(link).await.unwrap(), &map(changes)).await
}

async fn read(world: &World, link: &Attached) -> Value {
    Value::Object(world.broker_call(link).await.unwrap().session.data.clone())
}

/// Two brokers of a browser, in which this user is logged in.
async fn two_brokers_of(world: &World, username: &str) -> (Browser, Attached, Attached) {
    let mut browser = Browser::default();
    world.log_in(&mut browser, username).await;
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    (browser, alice, greg)
}

async fn two_brokers(world: &World) -> (Browser, Attached, Attached) {
    let mut browser = Browser::default();
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    (browser, alice, greg)
}

#[tokio::test]
async fn values_are_merged_by_key_and_null_removes() {
    let world = World::new();
    let (_, alice, greg) = two_brokers(&world).await;
    merge(&world, &alice, json!({"theme": "forest", "cart": {"apples": 1}, "gone": null})).await.unwrap();
    let all = merge(&world, &greg, json!({"cart": {"pears": 2}, "theme": null, "n": [1, null]})).await.unwrap();
    assert_eq!(Value::Object(all), json!({"cart": {"pears": 2}, "n": [1, null]}));
    assert_eq!(read(&world, &alice).await, json!({"cart": {"pears": 2}, "n": [1, null]}));
}

#[tokio::test]
async fn data_over_the_limit_is_refused_wholly() {
    let world = World::new();
    let (_, alice, _) = two_brokers(&world).await;
    // {"a":"xx…"} of exactly the limit.
    let fits = "x".repeat(Session::MAX_DATA - r#"{"a":""}"#.len());
    merge(&world, &alice, json!({"a": fits})).await.unwrap();
    for too_large in [json!({"a": fits.clone() + "x"}), json!({"a": null, "b": "y", "c": fits}), json!({"b": 1})] {
        assert_eq!(merge(&world, &alice, too_large).await, Err(Error::DataTooLarge));
        assert_eq!(read(&world, &alice).await, json!({"a": fits}));
    }
    // What is removed makes room in the same merge.
    merge(&world, &alice, json!({"a": null, "b": fits})).await.unwrap();
}

#[tokio::test]
async fn data_is_wiped_at_logout() {
    let world = World::new();
    for at_server in [true, false] {
        let (mut browser, alice, greg) = two_brokers_of(&world, "jackie").await;
        merge(&world, &alice, json!({"theme": "forest"})).await.unwrap();
        if at_server {
            browser.receive(world.server.log_out(browser.cookie.as_ref()).await.unwrap());
        } else {
            world.broker_log_out(&greg).await.unwrap();
            browser.receive(world.server.visit(browser.cookie.as_ref()).await.unwrap().unwrap().set_cookie);
        }
        assert_eq!(read(&world, &alice).await, json!({}));
    }
}

#[tokio::test]
async fn data_is_wiped_when_another_user_logs_in_and_kept_for_the_same() {
    let world = World::new();
    let (mut browser, alice, _) = two_brokers(&world).await;
    merge(&world, &alice, json!({"theme": "forest"})).await.unwrap();
    for same in ["jackie", "jackie"] {
        world.log_in(&mut browser, same).await;
        let alice = world.attach(&mut browser, "Alice").await;
        assert_eq!(read(&world, &alice).await, json!({"theme": "forest"}));
    }
    world.log_in(&mut browser, "john").await;
    let alice = world.attach(&mut browser, "Alice").await;
    assert_eq!(read(&world, &alice).await, json!({}));
    merge(&world, &alice, json!({"theme": "ocean"})).await.unwrap();
    world.server.broker_log_in(&world.broker_call(&alice).await.unwrap(), &credentials("jackie")).await.unwrap();
    assert_eq!(read(&world, &alice).await, json!({}));
}

#[tokio::test]
async fn a_write_that_was_meant_for_another_user_is_refused() {
    let world = World::new();
    let (mut browser, alice, _) = two_brokers_of(&world, "jackie").await;
    let changes = map(json!({"secret": "jackie's"}));
    // The call is on its way; meanwhile the user changes.
    let on_its_way = world.broker_call(&alice).await.unwrap();
    world.log_in(&mut browser, "john").await;
    assert_eq!(world.server.merge_data(&on_its_way, &changes).await, Err(Error::UserChanged));
    let alice = world.attach(&mut browser, "Alice").await;
    assert_eq!(read(&world, &alice).await, json!({}));

    let on_its_way = world.broker_call(&alice).await.unwrap();
    browser.receive(world.server.log_out(browser.cookie.as_ref()).await.unwrap());
    assert_eq!(world.server.merge_data(&on_its_way, &changes).await, Err(Error::UserChanged));
    assert_eq!(world.info(&alice).await, Ok(None), "and the user does not come back");

    let in_time = world.broker_call(&alice).await.unwrap();
    merge(&world, &alice, json!({"other": "write"})).await.unwrap();
    let all = world.server.merge_data(&in_time, &map(json!({"mine": 1}))).await.unwrap();
    assert_eq!(Value::Object(all), json!({"other": "write", "mine": 1}), "a mere write between is no reason");
}

#[tokio::test]
async fn a_store_that_conflicts_without_end_is_given_up() {
    let world = World::new();
    let (_, alice, _) = two_brokers(&world).await;
    world.store.conflict_without_end("update");
    assert!(matches!(merge(&world, &alice, json!({"a": 1})).await, Err(Error::Unavailable(_))));
    world.store.work_again();
    assert_eq!(read(&world, &alice).await, json!({}));
    merge(&world, &alice, json!({"a": 1})).await.unwrap();
    assert_eq!(read(&world, &alice).await, json!({"a": 1}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_racing_data_writes_is_final() {
    let world = World::new();
    for _ in 0..20 {
        let (_, alice, greg) = two_brokers_of(&world, "jackie").await;
        let mut tasks = tokio::task::JoinSet::new();
        let call = world.broker_call(&alice).await.unwrap();
        for n in 0..20 {
            let (server, call) = (world.server.clone(), call.clone());
            tasks.spawn(async move {
                let _done_or_refused = server.merge_data(&call, &map(json!({ format!("k{n}"): n }))).await;
            });
        }
        let (server, authorization) = (world.server.clone(), greg.authorization());
        tasks.spawn(async move {
            {
                server.broker_log_out(Some(&authorization), true).await.unwrap();
            }
        });
        tasks.join_all().await;
        assert_eq!(world.info(&alice).await, Ok(None));
        assert_eq!(read(&world, &alice).await, json!({}));
    }
}

#[tokio::test]
async fn what_is_kept_with_the_account_passes_the_attributes_of_each_broker() {
    let jackie = Account::new("jackie", BCRYPT.parse().unwrap()).attribute("fullname", "Jackie Black");
    let world = World::with_users(UsersInMemory::from_iter([jackie]));
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (alice, club) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Club").await);
    assert!(world.server.can_set_attributes("jackie").await.unwrap());
    let set = async |name: &str, expected: Option<&Value>, town: &str| {
        world.server.set_attribute(name, "profile", expected, &json!({ "town": town })).await.unwrap()
    };
    assert_eq!(set("jackie", None, "Delft").await, SetOutcome::Set);
    // Only in place of what was there, or where nothing was.
    for expected in [None, Some(&json!({ "town": "Leiden" }))] {
        assert_eq!(set("jackie", expected, "Gouda").await, SetOutcome::ChangedMeanwhile);
    }
    assert_eq!(set("jackie", Some(&json!({ "town": "Delft" })), "Leiden").await, SetOutcome::Set);
    assert_eq!(set("john", None, "Leiden").await, SetOutcome::NoAccount);
    for (link, sees) in [(&alice, true), (&club, false)] {
        let call = world.broker_call(link).await.unwrap();
        let user = call.user().unwrap().unwrap().into_owned();
        assert_eq!(user.attributes["fullname"], "Jackie Black");
        assert_eq!(user.attributes.get("profile"), Some(&json!({ "town": "Leiden" })).filter(|_| sees));
        assert!(call.session.data.is_empty());
    }
    // Of accounts that are a list, nothing is changed.
    let list = World::new();
    assert!(!list.server.can_set_attributes("jackie").await.unwrap());
    assert!(list.server.set_attribute("jackie", "profile", None, &json!({})).await.is_err());
}
