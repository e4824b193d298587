//! What only the store in Redis promises: keys that go by themselves, nothing readable in them, and short waits when
//! Redis is away.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use sso_engines::Engine;
use sso_server::{
    Session, Store,
    clock::{Clock, ManualClock, SystemClock},
    session::LinkKey,
    store::{RedisStore, Removed, StoreError, StoreKeys, Unlink},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use sso_store_tests::{World, family, log_in, token_of, used};

/// An empty store, in the Redis that all tests of this process share.
pub(crate) async fn empty_store(clock: Arc<ManualClock>) -> RedisStore {
    RedisStore::open(&sso_engines::new_redis_store(), StoreKeys::generate(), clock).unwrap()
}

fn world(redis: &Engine, keys: StoreKeys) -> World<RedisStore> {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    World { store: Arc::new(store(redis, keys, clock.clone())), clock }
}

fn store(redis: &Engine, keys: StoreKeys, clock: Arc<ManualClock>) -> RedisStore {
    RedisStore::open(&redis.url(), keys, clock).unwrap()
}

async fn connect(redis: &Engine) -> redis::aio::MultiplexedConnection {
    redis::Client::open(redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
}

#[test]
fn every_key_that_random_operations_leave_goes_by_itself() {
    let redis = Engine::redis();
    let open = async |clock| RedisStore::open(&redis.new_store(), StoreKeys::generate(), clock).unwrap();
    sso_store_tests::model::compare(24, open);
    sso_store_tests::model::compare_at_once(8, open);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let count = runtime.block_on(async {
        let mut connection = connect(&redis).await;
        let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        for name in &names {
            let ttl: i64 = redis::cmd("PTTL").arg(name).query_async(&mut connection).await.unwrap();
            assert!(ttl > 0, "{name}: {ttl}");
        }
        names.len()
    });
    assert!(count > 50, "{count}");
}

#[tokio::test]
async fn every_key_goes_by_itself_and_shows_nothing() {
    let redis = Engine::redis();
    let world = world(&redis, StoreKeys::generate());
    let mut session = world.session();
    log_in(&mut session, "jackie");
    session.data.insert("theme".into(), "forest".into());
    let session = world.store.insert(session, None).await.unwrap();
    let key = token_of("Alice");
    let code = world.linked(&key, &session).await;
    world.store.put_family(family("jackie", world.clock.now())).await.unwrap();
    world.store.consume("one", world.clock.now()).await.unwrap();
    world.store.ping().await.unwrap();

    let mut connection = connect(&redis).await;
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert_eq!(names.len(), 11, "{names:?}");
    for name in names {
        let ttl: i64 = redis::cmd("PTTL").arg(&name).query_async(&mut connection).await.unwrap();
        // Which keys it was filled with is remembered longest, and in which form.
        let longest = if ["sso:keys", "sso:form"].contains(&&*name) { 10 * 365 * 24 } else { 25 } * 60 * 60 * 1_000;
        assert!((1..=longest).contains(&ttl), "{name}: {ttl}");
        let bytes: Vec<u8> = redis::cmd("DUMP").arg(&name).query_async(&mut connection).await.unwrap();
        let text = [name.as_bytes(), &bytes].concat();
        for secret in ["jackie", "forest", "Alice", key.token.as_str(), code.as_str()] {
            assert!(!text.windows(secret.len()).any(|part| part == secret.as_bytes()), "{name} shows {secret}");
        }
    }
}

#[tokio::test]
async fn a_touch_keeps_the_session_and_all_that_leads_to_it() {
    let redis = Engine::redis();
    let world = world(&redis, StoreKeys::generate());
    let session = world.inserted().await;
    world.linked(&token_of("Alice"), &session).await;
    let later = session.keep_until.after(Duration::from_secs(60 * 60));
    world.store.touch(&used(&session, session.last_seen, later)).await.unwrap();
    let mut connection = connect(&redis).await;
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert_eq!(names.len(), 6, "{names:?}");
    for name in names {
        let ttl: i64 = redis::cmd("PTTL").arg(&name).query_async(&mut connection).await.unwrap();
        assert!(ttl > 2 * 60 * 60 * 1_000, "{name}: {ttl}");
    }
}

/// Asks everything a few times; each answer must come soon.
async fn is_unavailable(world: &World<RedisStore>, session: &Session, key: &LinkKey) {
    let unavailable = |error: StoreError| assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    for _ in 0..3 {
        let started = Instant::now();
        unavailable(world.store.get(&session.id).await.unwrap_err());
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        unavailable(world.store.resolve(key).await.unwrap_err());
        unavailable(world.store.ping().await.unwrap_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_go_and_come_back_and_nothing_is_lost() {
    let mut redis = Engine::redis();
    redis.stop();
    let keys = StoreKeys::generate();
    let world = world(&redis, keys.clone());
    let (never, key) = (world.session(), token_of("Alice"));
    is_unavailable(&world, &never, &key).await;

    redis.start();
    let session = world.store.insert(never, None).await.expect("it connects by itself");
    let code = world.linked(&key, &session).await;
    world.store.consume("one", session.keep_until).await.unwrap();
    for _ in 0..2 {
        redis.kill();
        is_unavailable(&world, &session, &key).await;
        redis.start();
        let resolved = world.store.resolve(&key).await.expect("it connects by itself").expect("it was kept");
        assert!(resolved.session.id == session.id && resolved.link.code.as_str() == code.as_str());
        assert_eq!(world.store.consume("one", session.keep_until).await, Ok(false));
        assert_eq!(world.store.ping().await, Ok(()));
    }
    // Another process, with the same keys; and one with other keys, which would find nothing.
    let twin = store(&redis, keys, world.clock.clone());
    assert!(twin.load(&session.cookie).await.unwrap().is_some());
    let stranger = store(&redis, StoreKeys::generate(), world.clock.clone());
    assert_eq!(stranger.load(&session.cookie).await.unwrap_err(), StoreError::WrongKeys);
    assert_eq!(stranger.check_keys().await, Err(StoreError::WrongKeys));
    assert_eq!(stranger.insert(world.session(), None).await.unwrap_err(), StoreError::WrongKeys);
}

#[tokio::test]
async fn keys_rotate_more_than_once_and_the_one_between_can_be_given_up() {
    let redis = Engine::redis();
    let open = |secrets: &[u8]| {
        let keys = StoreKeys::new(&secrets.iter().map(|n| [*n; 32]).collect::<Vec<_>>()).unwrap();
        world(&redis, keys)
    };
    for secrets in [&[1][..], &[2, 1]] {
        open(secrets).inserted().await;
    }
    assert_eq!(open(&[3, 1]).store.ping().await, Err(StoreError::WrongKeys));
    let session = open(&[3, 2, 1]).inserted().await;
    for secrets in [&[3, 1][..], &[4, 3, 1]] {
        assert!(open(secrets).store.load(&session.cookie).await.unwrap().is_some());
    }
    assert_eq!(open(&[4, 1]).store.ping().await, Ok(()));
    assert_eq!(open(&[3, 1]).store.ping().await, Err(StoreError::WrongKeys));
}

#[tokio::test]
async fn keys_that_are_known_are_checked_without_a_write() {
    let redis = Engine::redis();
    let mut connection = connect(&redis).await;
    let mut writes_of = async |secrets: &[u8]| {
        let mut writes = async || {
            let info: String = redis::cmd("INFO").arg("persistence").query_async(&mut connection).await.unwrap();
            let line = info.lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:")).unwrap();
            line.parse::<u64>().unwrap()
        };
        let before = writes().await;
        let keys = StoreKeys::new(&secrets.iter().map(|n| [*n; 32]).collect::<Vec<_>>()).unwrap();
        RedisStore::open(&redis.url(), keys, SystemClock).unwrap().check_keys().await.unwrap();
        writes().await - before
    };
    assert!(writes_of(&[1]).await > 0);
    assert_eq!(writes_of(&[1]).await, 0);
    assert!(writes_of(&[2, 1]).await > 0, "it is sealed anew");
    assert_eq!(writes_of(&[2, 1]).await, 0);
    // It would go some day.
    let mut connection = connect(&redis).await;
    let () = redis::cmd("EXPIRE").arg("sso:keys").arg(1_000).query_async(&mut connection).await.unwrap();
    assert!(writes_of(&[2, 1]).await > 0);
    assert_eq!(writes_of(&[2, 1]).await, 0);
}

/// In front of a Redis: the URL, and what has the answers be lost on all connections that are open.
async fn lossy(redis: &Engine) -> (String, impl Fn()) {
    let (mut url, listener) =
        (redis.url().parse::<url::Url>().unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let there = ("127.0.0.1", url.port().unwrap());
    url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let (opened, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let lose = {
        let (opened, lost) = (opened.clone(), lost.clone());
        move || lost.store(opened.load(SeqCst), SeqCst)
    };
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (number, lost) = (opened.fetch_add(1, SeqCst), lost.clone());
            let (mut asks, mut hears) = client.into_split();
            let (mut answers, mut asked) = TcpStream::connect(there).await.unwrap().into_split();
            tokio::spawn(async move { tokio::io::copy(&mut asks, &mut asked).await });
            tokio::spawn(async move {
                let mut answer = [0; 4096];
                while let Ok(read @ 1..) = answers.read(&mut answer).await {
                    if number >= lost.load(SeqCst) && hears.write_all(&answer[..read]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (url.into(), lose)
}

/// Redis is asked again, and another node was faster.
#[tokio::test]
async fn an_update_whose_answer_was_lost_is_no_conflict() {
    let redis = Engine::redis();
    let keys = StoreKeys::generate();
    let other = world(&redis, keys.clone());
    let (url, lose) = lossy(&redis).await;
    let store = RedisStore::open(&url, keys, other.clock.clone()).unwrap();
    // From here on Redis knows the script, and runs it when it is first asked.
    let session = other.store.update(Session::clone(&*other.inserted().await)).await.unwrap();
    let with = |session: &Session, name: &str| {
        let mut next = Session::clone(session);
        next.data.insert(name.into(), true.into());
        next
    };
    let there = async || other.store.get(&session.id).await.unwrap().unwrap();
    let late = with(&session, "late");
    store.get(&session.id).await.unwrap();

    lose();
    let written = async {
        while there().await.version == session.version {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // As many as are known besides.
        for n in 0..7 {
            other.store.update(with(&*there().await, &format!("other {n}"))).await.unwrap();
        }
    };
    let (mine, ()) = tokio::join!(store.update(with(&session, "mine")), written);
    assert_eq!(mine.unwrap().data.keys().collect::<Vec<_>>(), ["mine"]);
    let now = there().await;
    assert!(now.version == 9 && now.data.len() == 8 && now.data.contains_key("mine"), "once, and nothing else is lost");
    assert_eq!(store.update(late).await.unwrap_err(), StoreError::Conflict, "the twin: what was not written");
}

/// Version 0.1 kept the same under other keys and in another form; used ids and the check of the keys as this one does.
#[tokio::test]
async fn a_store_of_version_0_1_opens_and_its_used_ids_stay_used() {
    let redis = Engine::redis();
    let keys = StoreKeys::generate();
    let world = world(&redis, keys.clone());
    let session = world.inserted().await;
    let link = token_of("Alice");
    world.linked(&link, &session).await;
    world.store.put_family(family("jackie", world.clock.now())).await.unwrap();
    assert_eq!(world.store.consume("one", session.keep_until).await, Ok(true));
    let mut connection = connect(&redis).await;
    let old = [("session", "s"), ("cookie", "c"), ("link", "l"), ("links", "ls"), ("family", "f"), ("families", "uf")];
    for (kind, old) in old {
        let names: Vec<String> =
            redis::cmd("KEYS").arg(format!("sso:{kind}:*")).query_async(&mut connection).await.unwrap();
        assert_eq!(names.len(), 1, "{names:?}");
        let old = names[0].replace(&format!(":{kind}:"), &format!(":{old}:"));
        let () = redis::cmd("RENAME").arg(&names[0]).arg(old).query_async(&mut connection).await.unwrap();
    }
    let () = redis::cmd("DEL").arg("sso:form").query_async(&mut connection).await.unwrap();

    // By the first call: a stranger is refused, and takes nothing over.
    let stranger = store(&redis, StoreKeys::generate(), world.clock.clone());
    assert_eq!(stranger.check_keys().await, Err(StoreError::WrongKeys));
    let world = World { store: Arc::new(store(&redis, keys, world.clock.clone())), clock: world.clock };
    assert_eq!(world.store.check_keys().await, Ok(()));
    assert!(world.store.get(&session.id).await.unwrap().is_none());
    assert!(world.store.load(&session.cookie).await.unwrap().is_none());
    assert!(world.target(&link).await.is_none() && world.store.families_of("jackie").await.unwrap().is_empty());
    assert_eq!(world.store.consume("one", session.keep_until).await, Ok(false));
    // What is left behind is in nobody's way, also under the same names, and goes by itself.
    let again = world.store.insert(Session::clone(&session), None).await.unwrap();
    world.linked(&link, &again).await;
    assert_eq!(world.store.remove_all().await.unwrap(), Removed { sessions: 1, families: 0 });
    let left: Vec<String> = redis::cmd("KEYS").arg("sso:*").query_async(&mut connection).await.unwrap();
    let mut kinds: Vec<_> = left.iter().map(|name| name.split(':').nth(1).unwrap()).collect();
    kinds.sort();
    assert_eq!(kinds, ["c", "f", "form", "j", "keys", "l", "ls", "s", "uf"]);
    for name in &left {
        let ttl: i64 = redis::cmd("PTTL").arg(name).query_async(&mut connection).await.unwrap();
        assert!(ttl > 0, "{name}: {ttl}");
    }
}

#[test]
fn only_urls_of_a_redis_open() {
    let open = |url| RedisStore::open(url, StoreKeys::generate(), SystemClock);
    assert!(open("redis://127.0.0.1:1").is_ok() && open("rediss://127.0.0.1:1").is_ok());
    let error = open("http://user:secret@127.0.0.1").unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn stores_of_two_namespaces_share_nothing() {
    let (redis, keys, clock) = (Engine::redis(), StoreKeys::generate(), Arc::new(ManualClock::at(SystemClock.now())));
    let open = |url: &str| World {
        store: Arc::new(RedisStore::open(url, keys.clone(), clock.clone()).unwrap()),
        clock: clock.clone(),
    };
    let (ours, theirs, other) = (redis.new_store(), redis.new_store(), format!("{}1?namespace=store0", redis.url()));
    let session = open(&ours).inserted().await;
    assert!(open(&ours).store.load(&session.cookie).await.unwrap().is_some());
    for url in [&theirs, &redis.url(), &other] {
        assert!(open(url).store.load(&session.cookie).await.unwrap().is_none(), "{url}");
    }
}

#[tokio::test]
async fn what_others_put_among_our_keys_stays_and_all_of_ours_goes() {
    let url = sso_engines::new_redis_store();
    let (server, namespace) = url.split_once("?namespace=").unwrap();
    let store = RedisStore::open(&url, StoreKeys::generate(), SystemClock).unwrap();
    let world = World { store: Arc::new(store), clock: Arc::new(ManualClock::at(SystemClock.now())) };
    let session = world.inserted().await;
    world.store.put_family(family("jackie", world.clock.now())).await.unwrap();
    let mut connection = redis::Client::open(server).unwrap().get_multiplexed_async_connection().await.unwrap();
    let strange = ["session", "family", "link"].map(|kind| format!("{namespace}:{kind}:strange"));
    for key in &strange {
        let _: () = redis::cmd("SET").arg(key).arg("x").query_async(&mut connection).await.unwrap();
    }
    assert_eq!(world.store.unlink(&Unlink::All).await, Ok(0));
    assert_eq!(world.store.remove_all().await, Ok(Removed { sessions: 1, families: 1 }));
    assert!(world.store.load(&session.cookie).await.unwrap().is_none());
    let left: u64 = redis::cmd("EXISTS").arg(&strange).query_async(&mut connection).await.unwrap();
    assert_eq!(left, 3);
}
