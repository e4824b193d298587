//! The store is there, and the connections to it are of no use: nobody is told a wrong thing because of it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
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

/// A server and a broker's site, whose visitors are logged in.
struct World {
    what: &'static str,
    alice: String,
    server: String,
    people: Vec<Visitor>,
    _programs: [Site; 2],
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
        let mut world = Self { what, alice, server, people, _programs: [site, broker], wrong: 0 };
        world.visits("nothing").await;
        assert_eq!(world.wrong, 0, "{what}: before anything is wrong");
        world
    }

    /// All come at once, so that as many connections are open as there may be.
    async fn crowd(&self) {
        let mut visits = JoinSet::new();
        for visitor in self.people.iter().cycle().take(4 * PEOPLE) {
            let (visitor, page) = (visitor.clone(), format!("{}/", self.alice));
            visits.spawn(async move { visitor.visit(&page).await });
        }
        visits.join_all().await;
    }

    /// Everybody comes, one after the other, and what they are told is counted: first somebody who is logged in.
    async fn visits(&mut self, fault: &str) {
        let mut wrong = 0;
        for visitor in &self.people {
            wrong += usize::from(heading(visitor, &self.alice).await != "Logged in as jackie");
        }
        wrong += self.strangers().await;
        self.count(fault, wrong);
    }

    /// The same, but first somebody new comes, whose first call writes.
    async fn visits_of_strangers(&mut self, fault: &str) {
        let wrong = self.strangers().await;
        self.count(fault, wrong);
        self.visits(fault).await;
    }

    /// Somebody new is told that they are logged out, and then logs in.
    async fn strangers(&self) -> usize {
        let visitor = Visitor::new();
        let is_out = heading(&visitor, &self.alice).await == "You are logged out";
        let is_in = match visitor.get(&format!("{}/login", self.server)).await {
            form if form.status == 200 => {
                let fields = [("username", "jackie"), ("password", "jackie123")];
                visitor.submit(&form, "/login", &fields).await.status == 303
            }
            _ => false,
        };
        usize::from(!is_out) + usize::from(!is_in)
    }

    fn count(&mut self, fault: &str, wrong: usize) {
        report(&format!("  {}: {fault}: {wrong} visitors were told a wrong thing", self.what));
        self.wrong += wrong;
    }

    /// Nobody was told a wrong thing, and the server is ready.
    async fn ends_well(self) {
        assert_eq!(self.wrong, 0, "{}", self.what);
        assert_eq!(Visitor::new().get(&format!("{}/readyz", self.server)).await.status, 200);
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn redis_ends_connections_or_does_not_answer() {
    let mut engine = Engine::redis();
    let proxy = Proxy::start(port_of(&engine.url())).await;
    let mut world = World::start("Redis", &with_port(&engine.url(), proxy.port)).await;
    for n in 0..2 {
        for fault in ["closed while idle", "restarted", "killed", "cut by a proxy", "silent for ever"] {
            match fault {
                "closed while idle" => {
                    redis(&engine, "CONFIG SET timeout 1");
                    // Its own is one.
                    until("idle ones are closed", async || redis(&engine, "CLIENT LIST").matches("addr=").count() == 2)
                        .await;
                    redis(&engine, "CONFIG SET timeout 0");
                }
                "restarted" => {
                    engine.stop();
                    engine.start();
                }
                "killed" => {
                    engine.kill();
                    engine.start();
                }
                "cut by a proxy" => proxy.cut(),
                _ => proxy.silence(),
            }
            if n == 0 {
                world.visits(fault).await;
            } else {
                world.visits_of_strangers(fault).await;
            }
        }
    }
    world.ends_well().await;
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
        if n == 0 {
            world.visits("another primary").await;
        } else {
            world.visits_of_strangers("another primary").await;
        }
    }
    world.ends_well().await;
}

/// Ends what others have with this PostgreSQL, as an idle limit does.
fn end_others(engine: &Engine) {
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let done = Command::new(postgres_bin("psql")).args(["-Atd", &engine.url(), "-c", end]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_ends_connections() {
    let mut engine = Engine::postgres();
    let proxy = Proxy::start(port_of(&engine.url())).await;
    let mut world = World::start("PostgreSQL", &with_port(&engine.new_store(), proxy.port)).await;
    for n in 0..2 {
        for fault in ["ended while idle", "restarted", "killed", "cut by a proxy", "silent for ever"] {
            world.crowd().await;
            match fault {
                "ended while idle" => end_others(&engine),
                "restarted" => {
                    engine.stop();
                    engine.start();
                }
                "killed" => {
                    engine.kill();
                    engine.start();
                }
                "cut by a proxy" => proxy.cut(),
                _ => {
                    // One that was used just now is not tested.
                    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
                    proxy.silence();
                }
            }
            if n == 0 {
                world.visits(fault).await;
            } else {
                world.visits_of_strangers(fault).await;
            }
        }
    }
    world.ends_well().await;
}
