//! A record that cannot be read hides no other one, and ends when its user's sessions are ended. (In memory nothing is
//! sealed.)

use std::{collections::HashSet, sync::Arc, time::Duration};

use redis::AsyncCommands;
use sqlx::Connection;
use sso_server::{
    BrokerList, EndedCounts, Server, Session, Store, UserList,
    clock::{Clock, ManualClock, SystemClock},
    store::{RedisStore, Removed, SqlStore, StoreKeys},
};
use tempfile::TempDir;

use sso_store_tests::{World, family, link_to, log_in, session_at, token_of};

/// What is damaged.
#[derive(Clone, Copy)]
enum All {
    Sessions,
    Links,
    Families,
}

async fn logged_in<S: Store>(store: &S, name: &str) -> Arc<Session> {
    let mut session = session_at(SystemClock.now());
    log_in(&mut session, name);
    store.insert(session, None).await.unwrap()
}

/// `damage` makes everything of a kind unreadable that is there.
async fn hides_no_other<S: Store>(open: impl AsyncFn() -> S, damage: impl AsyncFn(All), is_damaged: bool) {
    let world = World { store: Arc::new(open().await), clock: Arc::new(ManualClock::at(SystemClock.now())) };
    let store = &*world.store;
    let (one, johns) = (logged_in(store, "jackie").await, logged_in(store, "john").await);
    let one_family = store.put_family(family("jackie", world.clock.now())).await.unwrap();
    damage(All::Sessions).await;
    damage(All::Families).await;
    let two = logged_in(store, "jackie").await;
    let two_family = store.put_family(family("jackie", world.clock.now())).await.unwrap();
    let (a, b) = (token_of("Alice"), token_of("Alice"));
    world.linked(&a, &two).await;
    damage(All::Links).await;
    world.linked(&b, &two).await;

    let of_jackie = async || {
        let sessions = store.of_user("jackie").await.unwrap();
        let families = store.families_of("jackie").await.unwrap();
        let ids: HashSet<_> = sessions.iter().map(|session| session.id.clone()).collect();
        (ids, families.iter().map(|family| family.id.clone()).collect::<HashSet<_>>())
    };
    let links: HashSet<_> = store.links_of(&two.id).await.unwrap().into_iter().map(|(key, _)| key).collect();
    let second = (two.id.clone(), two_family.id.clone());
    // Whether it is there; `None`: it cannot be read.
    let look = async |session: &Session| store.get(&session.id).await.ok().map(|found| found.is_some());
    if is_damaged {
        assert_eq!(of_jackie().await, ([second.0].into(), [second.1].into()));
        assert_eq!(links, [b].into());
        assert_eq!((look(&one).await, look(&two).await), (None, Some(true)));
        assert_eq!(store.remove_unreadable("jackie").await, Ok(Removed { sessions: 1, families: 1 }));
        assert_eq!((look(&one).await, look(&two).await), (Some(false), Some(true)));
        assert!(store.load(&one.cookie).await.unwrap().is_none(), "nothing leads there");
        assert!(store.family(&one_family.id).await.unwrap().is_none());
        assert_eq!(look(&johns).await, None, "it is another user's");
    } else {
        assert_eq!(of_jackie().await, ([one.id.clone(), second.0].into(), [one_family.id.clone(), second.1].into()));
        assert_eq!(links, [a, b].into());
    }
    assert_eq!(store.remove_unreadable("jackie").await, Ok(Removed::default()));
    assert_eq!(look(&two).await, Some(true));
}

/// Those that are due, the first ones unreadable: they do not take the room of the others for ever.
async fn blocks_no_other<S: Store>(open: impl AsyncFn() -> S, damage: impl AsyncFn(All), is_damaged: bool) {
    let (store, now) = (open().await, SystemClock.now());
    let ending = async |seconds| {
        let ends = now.after(Duration::from_secs(seconds));
        let mut session = Session { ends, ..session_at(now) };
        log_in(&mut session, "jackie");
        store.insert(session, None).await.unwrap().id.clone()
    };
    let mut ids = vec![ending(1).await, ending(2).await, ending(3).await];
    damage(All::Sessions).await;
    ids.extend([ending(4).await, ending(5).await]);
    let due = async |most| {
        let found = store.due(now.after(Duration::from_secs(4)), most).await.unwrap();
        found.iter().map(|found| ids.iter().position(|id| *id == found.id).unwrap()).collect::<Vec<_>>()
    };
    if is_damaged {
        assert_eq!((due(2).await, due(9).await), (vec![3], vec![3]));
        // They are still there, and end with the others of their user.
        assert_eq!(store.remove_unreadable("jackie").await, Ok(Removed { sessions: 3, families: 0 }));
    } else {
        assert_eq!((due(2).await, due(9).await), (vec![0, 1], vec![0, 1, 2, 3]));
    }
}

/// As `sso users disable` and `sso sessions revoke` do.
async fn is_ended<S: Store>(open: impl AsyncFn() -> S, damage: impl AsyncFn(All)) {
    let store = open().await;
    let (one, johns) = (logged_in(&store, "jackie").await, logged_in(&store, "john").await);
    let key = token_of("Alice");
    store.link(key.clone(), link_to(&one)).await.unwrap();
    let one_family = store.put_family(family("jackie", SystemClock.now())).await.unwrap();
    damage(All::Sessions).await;
    damage(All::Families).await;
    let two = logged_in(&store, "jackie").await;

    let (brokers, users) = (BrokerList::from_iter([]), UserList::from_iter([]));
    let server = Server::builder("http://localhost".parse().unwrap(), brokers, users).store(open().await);
    let ended = server.build().unwrap().end_user("jackie").await;
    assert_eq!(ended, Ok(EndedCounts { sessions: 2, browsers: 1 }));
    assert!(store.of_user("jackie").await.unwrap().is_empty());
    let is_over = |session: &Session| session.user().is_none() && session.last_end.is_some();
    assert!(is_over(&store.get(&two.id).await.unwrap().unwrap()));
    // Without damage its record stays, as that of any session whose login was ended.
    assert!(store.get(&one.id).await.unwrap().is_none_or(|one| is_over(&one)));
    assert!(store.resolve(&key).await.unwrap().is_none_or(|resolved| is_over(&resolved.session)));
    assert!(store.family(&one_family.id).await.unwrap().is_none());
    assert!(!matches!(store.get(&johns.id).await, Ok(None)), "it is another user's");
}

/// Each with a store of its own.
async fn with_and_without_damage<S: Store>(
    make: impl AsyncFn() -> (String, StoreKeys),
    open: impl AsyncFn(&str, StoreKeys) -> S,
    damage: impl AsyncFn(&str, All),
) {
    for is_damaged in [true, false] {
        let damage = async |url: &str, what| {
            if is_damaged {
                damage(url, what).await;
            }
        };
        let (url, keys) = make().await;
        blocks_no_other(async || open(&url, keys.clone()).await, async |what| damage(&url, what).await, is_damaged)
            .await;
        let (url, keys) = make().await;
        hides_no_other(async || open(&url, keys.clone()).await, async |what| damage(&url, what).await, is_damaged)
            .await;
        let (url, keys) = make().await;
        is_ended(async || open(&url, keys.clone()).await, async |what| damage(&url, what).await).await;
    }
}

async fn damage_sql(url: &str, what: All) {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    let update = match what {
        All::Sessions => "UPDATE sso_sessions SET record = $1",
        All::Links => "UPDATE sso_links SET record = $1",
        All::Families => "UPDATE sso_families SET record = $1",
    };
    let update = sqlx::query(update).bind(&b"\x01 something else"[..]).execute(&mut connection).await.unwrap();
    assert!(update.rows_affected() > 0);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_unreadable_record_in_sqlite_hides_no_other_and_is_ended() {
    let dir = TempDir::new().unwrap();
    let make = async || {
        let file = TempDir::new_in(&dir).unwrap().keep().join("sso.db");
        (format!("sqlite:{}", file.display()), StoreKeys::generate())
    };
    let open = async |url: &str, keys| {
        let file = url.strip_prefix("sqlite:").unwrap();
        SqlStore::sqlite(file.as_ref(), keys, SystemClock).await.unwrap()
    };
    with_and_without_damage(make, open, damage_sql).await;
}

#[tokio::test]
async fn an_unreadable_record_in_postgresql_hides_no_other_and_is_ended() {
    let make = async || (sso_engines::new_postgres_store(), StoreKeys::generate());
    let open = async |url: &str, keys| SqlStore::postgres(url, keys, SystemClock).await.unwrap();
    with_and_without_damage(make, open, damage_sql).await;
}

#[tokio::test]
async fn an_unreadable_record_in_redis_hides_no_other_and_is_ended() {
    let make = async || (sso_engines::new_redis_store(), StoreKeys::generate());
    let open = async |url: &str, keys| RedisStore::open(url, keys, SystemClock).unwrap();
    let damage = async |url: &str, what| {
        let (server, namespace) = url.split_once("?namespace=").unwrap();
        let mut redis = redis::Client::open(server).unwrap().get_multiplexed_async_connection().await.unwrap();
        let kind = match what {
            All::Sessions => "session",
            All::Links => "link",
            All::Families => "family",
        };
        let names: Vec<String> = redis.keys(format!("{namespace}:{kind}:*")).await.unwrap();
        assert!(!names.is_empty());
        for name in names {
            match what {
                // Nothing at all is there.
                All::Families => redis.hdel::<_, _, ()>(name, "sealed").await.unwrap(),
                All::Sessions | All::Links => {
                    redis.hset::<_, _, _, ()>(name, "sealed", "something else").await.unwrap()
                }
            }
        }
    };
    with_and_without_damage(make, open, damage).await;
}
