//! What only the store in Redis promises: keys that go by themselves, nothing readable in them, and short waits when Redis is away.

use std::{
    io::Read as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use sso_server::{
    Session, Store,
    clock::{Clock, ManualClock, SystemClock},
    session::LinkKey,
    store::{RedisStore, StoreError, StoreKeys},
};
use tempfile::TempDir;

use crate::{World, token_of, user};

/// A redis-server of our own. It ends with the test process, however that ends: then `cat` comes to its end.
struct Redis {
    port: u16,
    directory: TempDir,
    shell: Option<Child>,
}

impl Redis {
    fn prepare() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        Self { port, directory: TempDir::new().unwrap(), shell: None }
    }

    fn start(&mut self) {
        // `everysec` may lose what was acknowledged when Redis is killed while its disk is busy.
        let script = "redis-server --bind 127.0.0.1 --port $0 --dir $1 --appendonly yes --appendfsync always --save '' </dev/null >/dev/null & \
                      echo $!; cat >/dev/null; kill -9 $!";
        let shell = Command::new("sh")
            .args(["-c", script, &self.port.to_string()])
            .arg(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        self.shell = Some(shell);
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "redis-server does not start; is it installed?");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// As `kill -9`.
    fn kill(&mut self) {
        let mut shell = self.shell.take().unwrap();
        drop(shell.stdin.take());
        shell.wait().unwrap();
        let _rest = shell.stdout.take().map(|mut out| out.read_to_end(&mut Vec::new()));
    }

    fn store(&self, namespace: &str, keys: StoreKeys, clock: Arc<ManualClock>) -> RedisStore {
        RedisStore::open(&self.url(), keys, clock).unwrap().namespaced(namespace)
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn connect(&self) -> redis::aio::MultiplexedConnection {
        redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.shell.is_some() {
            self.kill();
        }
    }
}

/// An empty store, in the Redis that all tests of this process share.
pub(crate) async fn empty_store(clock: Arc<ManualClock>) -> RedisStore {
    static SHARED: OnceLock<Redis> = OnceLock::new();
    static STORES: AtomicU64 = AtomicU64::new(0);
    let redis = SHARED.get_or_init(|| {
        let mut redis = Redis::prepare();
        redis.start();
        redis
    });
    redis.store(&format!("t{}", STORES.fetch_add(1, Ordering::SeqCst)), StoreKeys::generate(), clock)
}

fn world(redis: &Redis, keys: StoreKeys) -> World<RedisStore> {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    World { store: Arc::new(redis.store("mine", keys, clock.clone())), clock }
}

#[tokio::test]
async fn every_key_goes_by_itself_and_shows_nothing() {
    let mut redis = Redis::prepare();
    redis.start();
    let world = world(&redis, StoreKeys::generate());
    let mut session = world.session();
    session.sign_in(user("jackie"), crate::CREDENTIAL, world.clock.now());
    session.data.insert("theme".into(), "forest".into());
    let session = world.store.insert(session).await.unwrap();
    let key = token_of("Alice");
    let code = world.linked(&key, &session.id).await;
    world.store.insert_family(crate::families::family("jackie", world.clock.now())).await.unwrap();
    world.store.consume("one", world.clock.now()).await.unwrap();
    world.store.ping().await.unwrap();

    let mut connection = redis.connect().await;
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert_eq!(names.len(), 9, "{names:?}");
    for name in names {
        let ttl: i64 = redis::cmd("PTTL").arg(&name).query_async(&mut connection).await.unwrap();
        assert!((1..=25 * 60 * 60 * 1_000).contains(&ttl), "{name}: {ttl}");
        let bytes: Vec<u8> = redis::cmd("DUMP").arg(&name).query_async(&mut connection).await.unwrap();
        let text = [name.as_bytes(), &bytes].concat();
        for secret in ["jackie", "forest", "Alice", key.token.as_str(), code.as_str()] {
            assert!(!text.windows(secret.len()).any(|part| part == secret.as_bytes()), "{name} shows {secret}");
        }
    }
}

#[tokio::test]
async fn a_touch_keeps_the_session_and_all_that_leads_to_it() {
    let mut redis = Redis::prepare();
    redis.start();
    let world = world(&redis, StoreKeys::generate());
    let session = world.inserted().await;
    world.linked(&token_of("Alice"), &session.id).await;
    let later = session.keep_until.after(Duration::from_secs(60 * 60));
    world.store.touch(&session.id, session.last_seen, later).await.unwrap();
    let mut connection = redis.connect().await;
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert_eq!(names.len(), 4, "{names:?}");
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
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        unavailable(world.store.resolve(key).await.unwrap_err());
        unavailable(world.store.ping().await.unwrap_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_go_and_come_back_and_nothing_is_lost() {
    let mut redis = Redis::prepare();
    let keys = StoreKeys::generate();
    let world = world(&redis, keys.clone());
    let (never, key) = (world.session(), token_of("Alice"));
    is_unavailable(&world, &never, &key).await;

    redis.start();
    let session = world.store.insert(never).await.expect("it connects by itself");
    let code = world.linked(&key, &session.id).await;
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
    // Another process, with the same keys; and one with other keys finds nothing.
    let twin = redis.store("mine", keys, world.clock.clone());
    assert!(twin.load(&session.cookie).await.unwrap().is_some());
    let stranger = redis.store("mine", StoreKeys::generate(), world.clock.clone());
    assert!(stranger.load(&session.cookie).await.unwrap().is_none());
}

#[test]
fn only_urls_of_a_redis_open() {
    let open = |url| RedisStore::open(url, StoreKeys::generate(), SystemClock);
    assert!(open("redis://127.0.0.1:1").is_ok() && open("rediss://127.0.0.1:1").is_ok());
    let error = open("http://user:secret@127.0.0.1").unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
}
