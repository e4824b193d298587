//! The store is there, and the connections to it are of no use: nobody is told a wrong thing because of it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use sso_engines::{Engine, postgres_bin};
use sso_tests::{
    Site, Visitor,
    peer::until,
    process::{JACKIE123, free_ports},
    proxy::Proxy,
};
use tokio::task::JoinSet;
use url::Url;

use crate::report;

/// Who is logged in; as many as a pool has connections, nearly.
const PEOPLE: usize = 12;

const IN: &str = "Logged in as jackie";
const OUT: &str = "You are logged out";

/// What befalls the connections to any store.
const FAULTS: [&str; 4] = ["restarted", "killed", "cut by a proxy", "silent for ever"];

/// A server and a broker's site, whose visitors are logged in.
struct World {
    what: &'static str,
    alice: String,
    server: String,
    people: Vec<Visitor>,
    programs: [Site; 2],
    wrong: usize,
}

impl World {
    /// On the store at this URL.
    async fn start(what: &'static str, store: &str) -> Self {
        let (server_port, port) = (free_ports(1), free_ports(1));
        let (server, alice) = (format!("http://sso.localhost:{server_port}"), format!("http://alice.localhost:{port}"));
        let listen = format!("127.0.0.1:{server_port}");
        let environment = [
            ("SSO_PUBLIC_URL", server.as_str()),
            ("SSO_LISTEN", &listen),
            ("SSO_STORE", store),
            ("SSO_STORE_KEY", "0123456789abcdef0123456789abcdef"),
            ("SSO_BROKERS", &format!("[{{ id = \"Alice\", secret = \"s\", origins = [\"{alice}\"] }}]")),
            ("SSO_USERS", &format!("[{{ username = \"jackie\", password = \"{JACKIE123}\" }}]")),
            ("RUST_LOG", "warn"),
        ];
        let site = Site::try_start(&["server"], &environment).unwrap_or_else(|failed| panic!("{failed:?}"));
        let (attach, listen) = (format!("{server}/attach"), format!("127.0.0.1:{port}"));
        let environment = [
            ("SSO_SERVER", attach.as_str()),
            ("SSO_BROKER_ID", "Alice"),
            ("SSO_BROKER_SECRET", "s"),
            ("SSO_BROKER_URL", &alice),
        ];
        let broker = Site::try_start(&["broker", "--listen", &listen], &environment);
        let broker = broker.unwrap_or_else(|failed| panic!("{failed:?}"));
        let mut people = Vec::new();
        for _ in 0..PEOPLE {
            let visitor = Visitor::new();
            visitor.log_in(&alice, "jackie", "jackie123").await;
            people.push(visitor);
        }
        let mut world = Self { what, alice, server, people, programs: [site, broker], wrong: 0 };
        world.visits("nothing", false, 0).await;
        assert_eq!(world.wrong, 0, "{what}: before anything is wrong");
        world
    }

    /// All who are logged in come at once, so that as many connections are open as there may be. How many are told that
    /// they are logged out.
    async fn crowd(&self) -> usize {
        let mut visits = JoinSet::new();
        for visitor in self.people.iter().cycle().take(4 * PEOPLE) {
            let (visitor, alice) = (visitor.clone(), self.alice.clone());
            visits.spawn(async move { heading(&visitor, &alice).await });
        }
        visits.join_all().await.iter().filter(|heading| is_wrong(*heading == OUT, heading)).count()
    }

    /// Everybody comes, one after the other, and who is told a wrong thing is counted, besides those who were before:
    /// first those who are logged in, or first somebody new, whose first call writes.
    async fn visits(&mut self, fault: &str, new_first: bool, before: usize) {
        let mut wrong = before + if new_first { self.stranger().await } else { 0 };
        for visitor in &self.people {
            let heading = heading(visitor, &self.alice).await;
            wrong += usize::from(is_wrong(heading != IN, &heading));
        }
        wrong += self.stranger().await;
        report(&format!("  {}: {fault}: {wrong} visitors were told a wrong thing", self.what));
        if wrong > 0 && self.wrong == 0 {
            let logs: Vec<_> = self.programs.iter().map(Site::log).collect();
            report(&logs.join("and the broker:\n"));
        }
        self.wrong += wrong;
    }

    /// Somebody new is told that they are logged out, and then logs in.
    async fn stranger(&self) -> usize {
        let visitor = Visitor::new();
        let first = heading(&visitor, &self.alice).await;
        let mut page = visitor.get(&format!("{}/login", self.server)).await;
        if page.status == 200 {
            page = visitor.submit(&page, "/login", &[("username", "jackie"), ("password", "jackie123")]).await;
        }
        let is_refused = is_wrong(page.status != 303, &format!("{}, when they logged in", page.status));
        usize::from(is_wrong(first != OUT, &first)) + usize::from(is_refused)
    }

    /// Nobody was told a wrong thing, and the server is ready.
    async fn ends_well(self) {
        assert_eq!(self.wrong, 0, "{}", self.what);
        assert_eq!(Visitor::new().get(&format!("{}/readyz", self.server)).await.status, 200);
    }
}

/// The same, and says what somebody was told where it is.
fn is_wrong(is_wrong: bool, told: &str) -> bool {
    if is_wrong {
        report(&format!("  somebody was told: {told}"));
    }
    is_wrong
}

async fn heading(visitor: &Visitor, site: &str) -> String {
    visitor.visit(&format!("{site}/")).await.heading().to_owned()
}

fn port_of(url: &str) -> u16 {
    Url::parse(url).unwrap().port().unwrap()
}

fn with_port(url: &str, port: u16) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_port(Some(port)).unwrap();
    url.into()
}

/// What a Redis answers.
fn redis(engine: &Engine, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port_of(&engine.url()))).unwrap();
    write!(stream, "{command}\r\nQUIT\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The connections to this store are lost in all these ways, and before them in its `own`, twice: see
/// [`World::visits`]. `happen` does what is its own, and counts who is told a wrong thing meanwhile.
async fn loses_connections(
    what: &'static str,
    mut engine: Engine,
    own: &[&str],
    happen: impl AsyncFn(&World, &Engine, &str) -> usize,
) {
    // Beside too much other load, a database takes longer than anybody waits.
    let _turn = crate::turn().await;
    let proxy = Proxy::start(port_of(&engine.url())).await;
    let mut world = World::start(what, &with_port(&engine.new_store(), proxy.port)).await;
    for new_first in [false, true] {
        for fault in own.iter().chain(&FAULTS).copied() {
            let mut wrong = world.crowd().await;
            match fault {
                "restarted" => {
                    engine.stop();
                    engine.start();
                }
                "killed" => {
                    engine.kill();
                    engine.start();
                }
                "cut by a proxy" => proxy.cut(),
                "silent for ever" => {
                    // One that was used just now is not tested.
                    tokio::time::sleep(Duration::from_millis(1_100)).await;
                    proxy.silence();
                }
                own => wrong += happen(&world, &engine, own).await,
            }
            world.visits(fault, new_first, wrong).await;
        }
    }
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_ends_connections_or_does_not_answer() {
    loses_connections("Redis", Engine::redis(), &["closed while idle"], async |_, engine, _| {
        // As an idle limit does, which never comes to pass: the server asks every second for logins that are due.
        redis(engine, "CLIENT KILL TYPE normal");
        0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_redis_becomes_the_primary_behind_the_same_address() {
    let engines = [Engine::redis(), Engine::redis()];
    let proxy = Proxy::start(port_of(&engines[0].url())).await;
    let mut world = World::start("Redis", &with_port(&engines[0].url(), proxy.port)).await;
    for n in 0..2 {
        let [old, new] = if n == 0 { [&engines[0], &engines[1]] } else { [&engines[1], &engines[0]] };
        redis(new, &format!("REPLICAOF 127.0.0.1 {}", port_of(&old.url())));
        until("the replica is there", async || redis(old, "WAIT 1 1000").starts_with(":1")).await;
        redis(new, "REPLICAOF NO ONE");
        redis(old, &format!("REPLICAOF 127.0.0.1 {}", port_of(&new.url())));
        until("the old one follows", async || redis(old, "INFO replication").contains("master_link_status:up")).await;
        proxy.lead_to(port_of(&new.url()));
        world.visits("another primary", n == 1, 0).await;
    }
    world.ends_well().await;
}

/// What a PostgreSQL answers.
fn postgres(engine: &Engine, statement: &str) -> String {
    let done = Command::new(postgres_bin("psql")).args(["-Atd", &engine.url(), "-c", statement]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// Ends what others have with this PostgreSQL, as an idle limit does.
fn end_others(engine: &Engine) {
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    postgres(engine, end);
}

/// Whether nothing can be written by whoever says no more than that.
async fn set_read_only(engine: &Engine, value: &str) {
    postgres(engine, &format!("ALTER SYSTEM SET default_transaction_read_only = {value}"));
    postgres(engine, "SELECT pg_reload_conf()");
    let is_set = async || postgres(engine, "SHOW default_transaction_read_only").trim() == value;
    until("the setting is read", is_set).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_ends_connections() {
    let own = ["ended while idle", "read-only for a while", "read-only on the connections that are there"];
    loses_connections("PostgreSQL", Engine::postgres(), &own, async |world, engine, fault| {
        let mut wrong = 0;
        match fault {
            "ended while idle" => end_others(engine),
            "read-only for a while" => {
                set_read_only(engine, "on").await;
                // Nobody new can be let in, and nobody is told so who is logged in.
                wrong += usize::from(heading(&Visitor::new(), &world.alice).await == IN) + world.crowd().await;
                set_read_only(engine, "off").await;
            }
            // As those that lead to what was the primary until now.
            _ => {
                postgres(engine, "ALTER ROLE sso SET default_transaction_read_only = on");
                end_others(engine);
                wrong += world.crowd().await;
                postgres(engine, "BEGIN READ WRITE; ALTER ROLE sso RESET ALL; COMMIT");
            }
        }
        wrong
    })
    .await;
}
