//! Stores that hang, are locked, or are gone: every request is answered in time, what needs no store goes on, and all is well again by itself
//! when the store is back.

use std::{
    future::Future,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::Method;
use sso_core::Token;
use sso_engines::Engine;
use sso_tests::{
    Visitor,
    peer::{Link, until},
    process::{PATIENCE, free_ports},
    visitor::{Answer, send},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    key_files::Server,
    stores::{KEY, start},
};

/// More than the server waits for its store for one request, on a machine that has other things to do, too. A store that hangs does so until the
/// test has it go on: whoever waits for it waits for ever.
const IN_TIME: Duration = PATIENCE;
/// The same for a crowd.
const IN_TIME_FOR_MANY: Duration = PATIENCE.saturating_mul(3);

/// A server, and a visitor with a session there.
struct World {
    server: Server,
    visitor: Visitor,
    link: Link,
    /// Fetched while the store was there.
    form: Answer,
}

impl World {
    async fn on(store: &str) -> Self {
        let port = free_ports(1);
        let server = start(store, KEY, port, port).unwrap_or_else(|failed| panic!("{failed:?}"));
        let link = server.log_in().await;
        let visitor = Visitor::new();
        let form = visitor.get(&format!("{}/login", server.origin)).await;
        let world = Self { server, visitor, link, form };
        world.works().await;
        world
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.visitor.request(Method::GET, &format!("{}{path}", self.server.origin))
    }

    async fn log_in(&self) -> Answer {
        self.visitor.submit(&self.form, "/login", &[("username", "jackie"), ("password", "jackie123")]).await
    }

    /// Everything is as it should be.
    async fn works(&self) {
        until("the store is back", async || send(self.get("/readyz")).await.status == 200).await;
        assert_eq!(self.link.user().await.as_deref(), Some("jackie"));
        assert_eq!(self.link.post("/api/data", &[("key", "value")]).await.status, 200);
        assert_eq!(self.log_in().await.status, 303);
        let attached = self.link.peer.attach(&Visitor::new()).await;
        assert_eq!(attached.user().await, None);
        self.needs_no_store().await;
    }

    /// What needs no store is there.
    async fn needs_no_store(&self) {
        for path in ["/healthz", "/static/sso.css", "/.well-known/jwks.json"] {
            let started = Instant::now();
            assert_eq!(send(self.get(path)).await.status, 200, "{path}");
            assert!(started.elapsed() < IN_TIME, "{path} waits for the store: {:?}", started.elapsed());
        }
    }

    /// What asks the store is refused in time, and says when to come back; what only reads may go on, if `reads_go_on`.
    async fn refuses(&self, reads_go_on: bool) {
        let attach_url = self.link.peer.attach_url(&Token::generate(), &[("return_url", &self.link.peer.return_url())]);
        let (data, info, login, ready, attach) = tokio::join!(
            timed(send(self.link.call(Method::POST, "/api/data").form(&[("key", "other")]))),
            timed(self.link.get("/api/info")),
            timed(self.log_in()),
            timed(send(self.get("/readyz"))),
            timed(self.visitor.get(&attach_url)),
        );
        if reads_go_on {
            assert_eq!(info.status, 200);
        } else {
            refused("info", &info);
        }
        for (what, answer) in [("data", &data), ("login", &login), ("readyz", &ready)] {
            refused(what, answer);
        }
        // To the broker, which says it to its visitor.
        let params = attach.location_params();
        assert_eq!(
            params.get("sso_error").map(String::as_str),
            Some("The server is temporarily unavailable. Try again later.")
        );
    }

    /// Very many come while the store hangs: few wait, and all are answered.
    async fn bears_a_crowd(&self, what: &str) {
        const CROWD: usize = 2_000;
        let (before, mut tasks) = (self.server.site.memory(), JoinSet::new());
        for _ in 0..CROWD {
            let request = self.link.call(Method::POST, "/api/data").form(&[("key", "other")]);
            tasks.spawn(within(IN_TIME_FOR_MANY, send(request)));
        }
        let (mut peak, mut answered, mut unread) = (before, 0, 0);
        while let Some(answer) = tasks.join_next().await {
            let answer = answer.unwrap();
            // A machine that has other things to do may be too slow to read a request at all.
            if answer.status == 408 {
                unread += 1;
            } else {
                refused("one of a crowd", &answer);
            }
            answered += 1;
            if answered % 100 == 0 {
                peak = peak.max(self.server.site.memory());
            }
            if answered == CROWD / 2 {
                self.needs_no_store().await;
            }
        }
        assert!(unread < CROWD / 2, "{unread} were not read");
        println!("{what}: {CROWD} at once took the server from {before} MiB to {peak} MiB");
        assert!(peak < before + 150, "{before} MiB, then {peak} MiB");
    }

    fn has_not_panicked(&self) {
        assert!(!self.server.site.log().contains("panicked"));
    }
}

fn refused(what: &str, answer: &Answer) {
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{what}: {answer:?}");
}

async fn timed(answer: impl Future<Output = Answer>) -> Answer {
    within(IN_TIME, answer).await
}

async fn within(limit: Duration, answer: impl Future<Output = Answer>) -> Answer {
    let started = Instant::now();
    let answer = answer.await;
    assert!(started.elapsed() < limit, "{:?} for {}", started.elapsed(), answer.url);
    answer
}

async fn engine_may_hang_and_go(mut engine: Engine, what: &str) {
    let world = World::on(&engine.new_store()).await;
    for _ in 0..2 {
        engine.pause();
        world.refuses(false).await;
        world.needs_no_store().await;
        world.bears_a_crowd(what).await;
        engine.resume();
        world.works().await;
    }
    engine.kill();
    world.refuses(false).await;
    world.needs_no_store().await;
    engine.start();
    world.works().await;
    world.has_not_panicked();
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_hang_and_go_and_come_back() {
    engine_may_hang_and_go(Engine::redis(), "Redis").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_may_hang_and_go_and_come_back() {
    engine_may_hang_and_go(Engine::postgres(), "PostgreSQL").await;
}

/// Another process that holds a lock, until it is dropped.
pub struct Lock(Child);

impl Lock {
    /// Of a program that locks as it is told by `input`, says `locked`, and goes on until its input ends.
    pub fn of(program: &mut Command, input: &str) -> Self {
        let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "locked\n");
        Self(child)
    }

    fn of_sqlite(file: &str) -> Self {
        let script = "import sqlite3, sys\n\
                      c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n\
                      c.execute('BEGIN EXCLUSIVE')\n\
                      print('locked', flush=True)\n\
                      sys.stdin.read()";
        Self::of(Command::new("python3").args(["-c", script, file]), "")
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_may_be_locked_for_long() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("sso.db").display().to_string();
    let world = World::on(&format!("sqlite:{file}")).await;
    let lock = Lock::of_sqlite(&file);
    world.refuses(true).await;
    world.bears_a_crowd("SQLite").await;
    drop(lock);
    world.works().await;
    world.has_not_panicked();
}
