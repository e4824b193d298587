//! What a server leaves in its store, and what follows from the store's key: nothing can be read there without it; another key is refused, and a new
//! one is put in front; and a restarted server and another node know what was given out before.

use std::{fs, path::Path};

use sso_engines::Engine;
use sso_tests::{
    Site, Visitor,
    process::{Failed, free_ports},
    visitor::send,
};
use tempfile::TempDir;

use crate::{
    key_files::{AUDIENCE, HASH, SECRET, Server, token},
    peer::Link,
};

pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";
const NEW_KEY: &str = "fedcba9876543210fedcba9876543210";

/// A server on this store that is known by the `public` port. Nothing else is set: neither the name of its cookie nor keys of tokens.
pub(crate) fn start(store: &str, key: &str, port: u16, public: u16) -> Result<Server, Failed> {
    let (url, listen) = (format!("http://localhost:{public}"), format!("127.0.0.1:{port}"));
    let brokers = format!(
        "[{{ id = \"Alice\", secret = \"{SECRET}\", origins = [\"http://alice.localhost:1\"], audiences = [\"{AUDIENCE}\"], \
         password_login = true }}]"
    );
    let users = format!("[{{ username = \"jackie\", password = \"{HASH}\" }}]");
    let environment = [
        ("RUST_LOG", "info"),
        ("SSO_PUBLIC_URL", url.as_str()),
        ("SSO_LISTEN", &listen),
        ("SSO_STORE", store),
        ("SSO_STORE_KEY", key),
        ("SSO_BROKERS", &brokers),
        ("SSO_USERS", &users),
    ];
    let home = TempDir::new().unwrap();
    let site = Site::try_start_in(home.path(), &["server"], &environment)?;
    Ok(Server { site, origin: format!("http://localhost:{port}") })
}

fn started(store: &str, key: &str, port: u16, public: u16) -> Server {
    start(store, key, port, public).unwrap_or_else(|failed| panic!("{failed:?}"))
}

/// Logs in at the server with the box ticked.
async fn remembered(server: &Server) -> Visitor {
    let visitor = Visitor::new();
    let form = visitor.get(&format!("{}/login", server.origin)).await;
    let fields = [("username", "jackie"), ("password", "jackie123"), ("remember", "yes")];
    assert_eq!(visitor.submit(&form, "/login", &fields).await.status, 303);
    visitor
}

/// Whether somebody is logged in.
async fn is_in(server: &Server, visitor: &Visitor) -> bool {
    visitor.get(&format!("{}/account", server.origin)).await.status == 200
}

/// The same browser after it was closed: only what it is remembered by is left.
fn closed(server: &Server, visitor: &Visitor) -> Visitor {
    let (url, again) = (format!("{}/", server.origin), Visitor::new());
    let cookies = visitor.cookies(&url);
    let kept = cookies.split("; ").find(|cookie| cookie.split('=').next().unwrap().ends_with("_remember"));
    again.set_cookie(&url, &format!("{}; Path=/", kept.expect("it is remembered")));
    again
}

async fn comes_back(server: &Server, visitor: &Visitor) -> bool {
    visitor.get(&format!("{}/login", server.origin)).await.status == 303
}

/// Without `[jwt] keys` and without a name for the cookie.
async fn what_was_given_out_holds_everywhere(store: &str) {
    let (port, other_port) = (free_ports(1), free_ports(1));
    let mut server = started(store, KEY, port, port);
    let (visitor, anyone) = (remembered(&server).await, Visitor::new());
    let token = token(&server.log_in().await).await;
    let published = server.published(&anyone).await;
    assert!(published.len() == 1 && server.accepts(&anyone, &token).await);

    let node = started(store, KEY, other_port, port);
    server.site.kill();
    let again = started(store, KEY, port, port);
    for server in [&node, &again] {
        assert_eq!(server.published(&anyone).await, published);
        assert!(server.accepts(&anyone, &token).await);
        assert!(is_in(server, &visitor).await);
        assert!(comes_back(server, &closed(server, &visitor)).await);
    }

    // The twin: a server whose secret is another one.
    let stranger = started("memory:", KEY, free_ports(1), port);
    assert_ne!(stranger.published(&anyone).await, published);
    assert!(!stranger.accepts(&anyone, &token).await);
    assert!(!is_in(&stranger, &visitor).await && !comes_back(&stranger, &closed(&stranger, &visitor)).await);
}

#[tokio::test]
async fn a_restarted_server_and_another_node_know_what_was_given_out_with_sqlite() {
    let dir = TempDir::new().unwrap();
    what_was_given_out_holds_everywhere(&format!("sqlite:{}", dir.path().join("sso.db").display())).await;
}

#[tokio::test]
async fn a_restarted_server_and_another_node_know_what_was_given_out_with_redis() {
    what_was_given_out_holds_everywhere(&sso_engines::new_redis_store()).await;
}

#[tokio::test]
async fn a_restarted_server_and_another_node_know_what_was_given_out_with_postgresql() {
    what_was_given_out_holds_everywhere(&sso_engines::new_postgres_store()).await;
}

/// What is in all files in a directory. Text in it stays as it is; what is no text does not matter.
fn contents(dir: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            all += &contents(&path);
        } else if path.is_file() && path.file_name().is_some_and(|name| name != "log") {
            // A file may go while this looks.
            all += &String::from_utf8_lossy(&fs::read(&path).unwrap_or_default());
        }
    }
    all
}

/// What is told to nobody but the browser and the broker that it belongs to, and what tells of a person.
fn secrets(server: &Server, visitor: &Visitor, link: &Link, token: &str) -> Vec<(String, String)> {
    let cookies = visitor.cookies(&format!("{}/", server.origin));
    let cookies = cookies.split("; ").map(|cookie| cookie.split_once('=').unwrap());
    let mut all: Vec<_> = cookies.map(|(name, value)| (format!("cookie {name}"), value.to_owned())).collect();
    assert!(all.len() >= 2, "{all:?}");
    // The parts of a signed token: it may be kept in pieces.
    let remember = all.iter().find(|(name, _)| name.ends_with("_remember")).unwrap().1.clone();
    all.extend(remember.split('.').chain(token.split('.')).map(|part| ("part of a token".to_owned(), part.to_owned())));
    let others = [
        ("username", "jackie"),
        ("password", "jackie123"),
        ("broker", "Alice"),
        ("broker's secret", SECRET),
        ("broker's token", link.token.as_str()),
        ("code", &link.code),
        ("data", "a value that can be found"),
        ("browser", "Mozilla"),
        ("store key", KEY),
        ("new store key", NEW_KEY),
    ];
    all.extend(others.map(|(name, value)| (name.to_owned(), value.to_owned())));
    all
}

/// Fills a store, reads all of its files, and starts again with other keys. `known`: something that must be in the files.
async fn without_its_key_it_says_nothing(store: &str, files: impl Fn() -> String, known: &str) {
    let port = free_ports(1);
    let start = |key: &str| start(store, key, port, port);
    let mut server = start(KEY).unwrap_or_else(|failed| panic!("{failed:?}"));
    let visitor = remembered(&server).await;
    let link = server.log_in().await;
    let kept = link.post("/api/data", &[("note", "a value that can be found")]).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    let token = token(&link).await;
    let all = secrets(&server, &visitor, &link, &token);
    server.site.kill();
    let found = files();
    assert!(found.contains(known), "it is looked for in the right place");
    for (name, secret) in &all {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!found.contains(secret) && !found.contains(&hex), "{name} can be read: {secret}");
    }

    let refused = start(NEW_KEY).err().expect("another key is refused");
    let said = refused.said.lines().filter(|line| line.starts_with("sso: ")).collect::<Vec<_>>();
    let why = "sso: cannot open the store: the store was filled with another key than store_key";
    assert_eq!((refused.status, said), (1, vec![why]));

    // A new one in front, twice: what was sealed before it, and with it.
    let both = format!("{NEW_KEY} {KEY}");
    for _ in 0..2 {
        let mut server = start(&both).unwrap_or_else(|failed| panic!("{failed:?}"));
        assert!(is_in(&server, &visitor).await, "nobody is logged out");
        assert_eq!(link.get("/api/data").await.json()["note"], "a value that can be found");
        assert_eq!(link.post("/api/data", &[("more", "x")]).await.status, 200);
        assert!(server.accepts(&Visitor::new(), &token).await);
        assert!(comes_back(&server, &closed(&server, &visitor)).await);
        let fresh = remembered(&server).await;
        assert!(is_in(&server, &fresh).await);
        server.site.kill();
    }
    let found = files();
    for (name, secret) in all {
        assert!(!found.contains(&secret), "{name} can be read: {secret}");
    }
}

#[tokio::test]
async fn a_sqlite_file_says_nothing_without_its_key() {
    let dir = TempDir::new().unwrap();
    let store = format!("sqlite:{}", dir.path().join("sso.db").display());
    without_its_key_it_says_nothing(&store, || contents(dir.path()), "CREATE TABLE sso_sessions").await;
}

#[tokio::test]
async fn redis_says_nothing_without_the_key() {
    let redis = Engine::redis();
    let store = format!("{}?namespace=searched", redis.url());
    without_its_key_it_says_nothing(&store, || contents(redis.dir()), "searched:session:").await;
}

#[tokio::test]
async fn postgresql_says_nothing_without_the_key() {
    let postgres = Engine::postgres();
    let store = postgres.new_store();
    without_its_key_it_says_nothing(&store, || contents(&postgres.dir().join("data/pg_wal")), "sso_sessions").await;
}

#[tokio::test]
async fn a_server_that_starts_before_redis_is_there_finds_out_about_its_key_later() {
    let mut redis = Engine::redis();
    let port = free_ports(1);
    let mut server = started(&redis.url(), KEY, port, port);
    let visitor = remembered(&server).await;
    server.site.kill();
    redis.stop();
    let (right, wrong) = (started(&redis.url(), KEY, port, port), free_ports(1));
    let wrong = started(&redis.url(), NEW_KEY, wrong, port);
    let ready = async |server: &Server| {
        send(visitor.request(reqwest::Method::GET, &format!("{}/readyz", server.origin))).await.status
    };
    assert_eq!((ready(&right).await, ready(&wrong).await), (503, 503));
    redis.start();
    crate::peer::until("it is there again", async || ready(&right).await == 200).await;
    assert!(is_in(&right, &visitor).await);
    assert_eq!(ready(&wrong).await, 503);
    assert!(wrong.site.log().contains("filled with another key"));
    assert!(is_in(&right, &visitor).await, "the other one did no harm");
}
