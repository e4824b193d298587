//! Users and brokers in SQL, changed by commands while two servers run: each of them follows within five seconds, on every kind of store.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use sso_core::{Encoding, Token};
use sso_engines::{new_postgres_store, new_redis_store};
use sso_tests::{
    Site, Visitor,
    process::{PATIENCE, free_ports, sso_bin},
};
use tempfile::TempDir;

use crate::{
    outage::HASH,
    peer::{Link, Peer},
};

/// What a change may take to be seen by every server, on a machine that has other things to do, too. (Otherwise it is five seconds; what a server
/// remembers, and how long, is tested with a clock that is moved.)
const SEEN: Duration = PATIENCE;

pub const SHOP: &str = "http://shop.localhost:1";

/// Two servers that share a store and a directory, and the commands for them.
pub struct Nodes {
    environment: Vec<(&'static str, String)>,
    ports: [u16; 2],
    _sites: [Site; 2],
    dir: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub struct Said {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Nodes {
    /// `store` and `directory` as in sso.toml; FILE in them is a path that belongs to this test.
    pub fn start(store: &str, directory: Option<&str>) -> Self {
        let (dir, first) = (TempDir::new().unwrap(), free_ports(2));
        let place = |url: &str| url.replace("FILE", dir.path().join("sso").to_str().unwrap());
        let mut environment = vec![
            ("SSO_PUBLIC_URL", format!("http://sso.localhost:{first}")),
            ("SSO_STORE", place(store)),
            ("SSO_STORE_KEY", "0123456789abcdef0123456789abcdef".into()),
            ("SSO_BROKERS", "[{ id = \"Alice\", secret = \"s\", origins = [\"http://alice.localhost:1\"] }]".into()),
            ("SSO_USERS", format!("[{{ username = \"jackie\", password = \"{HASH}\" }}]")),
        ];
        environment.extend(directory.map(|directory| ("SSO_DIRECTORY", place(directory))));
        Self::of(environment, [first, first + 1], dir)
    }

    fn of(environment: Vec<(&'static str, String)>, ports: [u16; 2], dir: TempDir) -> Self {
        let sites = ports.map(|port| {
            let listen = format!("127.0.0.1:{port}");
            let args = ["server", "--listen", &listen];
            let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
            Site::try_start(&args, &environment).unwrap_or_else(|failed| panic!("{failed:?}"))
        });
        Self { environment, ports, _sites: sites, dir }
    }

    /// They are started anew, with these variables.
    pub fn with(self, variables: &[(&'static str, &str)]) -> Self {
        let Self { mut environment, ports, _sites, dir } = self;
        drop(_sites);
        environment.retain(|(name, _)| variables.iter().all(|(other, _)| name != other));
        environment.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self::of(environment, ports, dir)
    }

    pub fn urls(&self) -> [String; 2] {
        self.ports.map(|port| format!("http://sso.localhost:{port}"))
    }

    /// Runs a command of the program for these servers.
    pub fn run(&self, args: &[&str], input: &str) -> Said {
        self.run_with(args, input, &[])
    }

    /// The same with these variables.
    pub fn run_with(&self, args: &[&str], input: &str, variables: &[(&str, &str)]) -> Said {
        let environment = self.environment.iter().map(|(name, value)| (*name, value.as_str()));
        let environment: Vec<_> = environment.chain(variables.iter().copied()).collect();
        run_in(self.dir.path(), args, input, &environment)
    }

    /// The same of one that works; what it printed.
    pub fn sso(&self, args: &[&str], input: &str) -> String {
        let said = self.run(args, input);
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{args:?} {said:?}");
        said.out
    }

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.sso(args, "")).unwrap()
    }

    /// The broker at each of the two.
    pub fn peers(&self, id: &str, secret: &str, origin: &str) -> [Peer; 2] {
        self.urls().map(|url| Peer::new(&url, id, secret, Encoding::Exact, origin))
    }
}

pub fn run_in(dir: &std::path::Path, args: &[&str], input: &str, environment: &[(&str, &str)]) -> Said {
    let mut command = Command::new(sso_bin());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SSO_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    let mut child = command
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    Said { status: child.wait().unwrap().code().unwrap(), out, err }
}

/// Asks until it is so, which must be soon enough.
async fn seen(what: &str, since: Instant, is_so: impl AsyncFn() -> bool) {
    while !is_so().await {
        assert!(since.elapsed() < SEEN, "not within {SEEN:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether this user gets in with this password, at the server's own page.
pub async fn lets_in(url: &str, username: &str, password: &str) -> bool {
    let visitor = Visitor::new();
    let form = visitor.get(&format!("{url}/login")).await;
    visitor.submit(&form, "/login", &[("username", username), ("password", password)]).await.status == 303
}

/// Whether a new token of this broker is attached.
pub async fn attaches(peer: &Peer) -> bool {
    let url = peer.attach_url(&Token::generate(), &[("return_url", &peer.return_url())]);
    let answer = Visitor::new().get(&url).await;
    answer.status == 303 && answer.location_params().contains_key("sso_verify")
}

async fn status(link: &Link) -> u16 {
    link.get("/api/info").await.status
}

pub fn secret_in(printed: &str) -> String {
    let line = printed.lines().find_map(|line| line.strip_prefix("SSO_BROKER_SECRET=")).expect("a secret");
    assert!(line.len() == 50, "a good one");
    line.to_owned()
}

/// The life of a user and of a broker. `at_once`: the commands reach the store, so that what they end need not be noticed first.
async fn story(store: &str, directory: Option<&str>, at_once: bool) {
    let nodes = Nodes::start(store, directory);
    let ended = async |what: &str, since: Instant, link: &Link| {
        if at_once {
            assert_eq!(status(link).await, 204, "{what}");
        }
        seen(what, since, async || status(link).await == 204).await;
    };

    // That there is nobody yet is what both have just seen.
    for peer in nodes.peers("Shop", "unknown yet", SHOP) {
        assert!(!attaches(&peer).await);
        assert!(!lets_in(&peer.server, "ada", "the first password").await);
    }
    let jackie: Vec<_> = both(nodes.peers("Alice", "s", "http://alice.localhost:1"), "jackie", "jackie123").await;

    let printed = nodes.sso(&["brokers", "add", "Shop", SHOP], "");
    let secret = secret_in(&printed);
    let added = nodes.sso(
        &["users", "add", "ada", "--attribute", "fullname=Ada L.", "--json-attribute", "age=36", "--group", "staff"],
        "the first password\n",
    );
    assert_eq!(added, "user ada added\n");
    let since = Instant::now();
    let peers = nodes.peers("Shop", &secret, SHOP);
    for peer in &peers {
        seen("the new broker", since, async || attaches(peer).await).await;
        seen("the new user", since, async || lets_in(&peer.server, "ada", "the first password").await).await;
        assert!(!lets_in(&peer.server, "ada", "another").await);
    }
    let links = both(peers.clone(), "ada", "the first password").await;
    let info = links[1].get("/api/info").await.json();
    assert_eq!((info["username"].as_str(), info["fullname"].as_str()), (Some("ada"), Some("Ada L.")));
    assert_eq!(info["age"], 36);

    // Out everywhere, and in again.
    let said = nodes.sso(&["users", "disable", "ada"], "");
    let since = Instant::now();
    if at_once {
        // Those two, and those that looked whether ada is let in.
        assert_eq!(said, "user ada disabled; 4 sessions and 0 remembered browsers ended\n");
    }
    for link in &links {
        ended("ada is disabled", since, link).await;
        seen("no login", since, async || !lets_in(&link.peer.server, "ada", "the first password").await).await;
    }
    nodes.sso(&["users", "enable", "ada"], "");
    let since = Instant::now();
    for peer in &peers {
        seen("ada is enabled", since, async || lets_in(&peer.server, "ada", "the first password").await).await;
    }

    // Another password ends what began with the old one.
    let links = both(peers.clone(), "ada", "the first password").await;
    nodes.sso(&["users", "set-password", "ada"], "the second password\n");
    let since = Instant::now();
    for link in &links {
        ended("another password", since, link).await;
        let url = &link.peer.server;
        seen("the new password", since, async || lets_in(url, "ada", "the second password").await).await;
        assert!(!lets_in(url, "ada", "the first password").await);
    }

    // Both secrets, and then the new one alone.
    let links = both(peers.clone(), "ada", "the second password").await;
    let printed = nodes.sso(&["brokers", "rotate-secret", "Shop", "--keep-old", "20s"], "");
    let since = Instant::now();
    let renewed = nodes.peers("Shop", &secret_in(&printed), SHOP);
    for (old, new) in peers.iter().zip(&renewed) {
        seen("the new secret", since, async || attaches(new).await).await;
        assert!(attaches(old).await, "the old one works too");
    }
    for (link, new) in links.iter().zip(&renewed) {
        let mut with_new = link.clone();
        with_new.peer = new.clone();
        assert_eq!((status(link).await, status(&with_new).await), (200, 200));
    }
    for (old, new) in peers.iter().zip(&renewed) {
        crate::peer::until("the old secret has ended", async || !attaches(old).await).await;
        assert!(attaches(new).await);
    }
    assert!(since.elapsed() > Duration::from_secs(19));

    // Who the broker lets in, and what it sees.
    let links = both(renewed.clone(), "ada", "the second password").await;
    nodes.sso(&["brokers", "set", "Shop", "--attribute", "age"], "");
    let since = Instant::now();
    for link in &links {
        seen("one attribute less", since, async || {
            let info = link.get("/api/info").await.json();
            info["age"] == 36 && info.get("fullname").is_none()
        })
        .await;
    }
    nodes.sso(&["users", "set", "ada", "--json-attribute", "age=37"], "");
    let since = Instant::now();
    for link in &links {
        seen("another age", since, async || link.get("/api/info").await.json()["age"] == 37).await;
    }

    nodes.sso(&["brokers", "set", "Shop", "--allow-group", "night"], "");
    let since = Instant::now();
    for link in &links {
        seen("not in the group", since, async || status(link).await == 403).await;
    }
    nodes.sso(&["users", "set", "ada", "--group", "night"], "");
    let since = Instant::now();
    for link in &links {
        seen("in the group", since, async || status(link).await == 200).await;
    }

    // A broker that is disabled, and its user is not logged out.
    nodes.sso(&["brokers", "disable", "Shop"], "");
    let since = Instant::now();
    for (link, peer) in links.iter().zip(&renewed) {
        if at_once {
            assert_eq!(status(link).await, 403, "its links are cut");
        }
        seen("a disabled broker", since, async || status(link).await == 403 && !attaches(peer).await).await;
    }
    nodes.sso(&["brokers", "enable", "Shop"], "");
    let since = Instant::now();
    for peer in &renewed {
        seen("an enabled broker", since, async || attaches(peer).await).await;
    }

    let links = both(renewed, "ada", "the second password").await;
    nodes.sso(&["users", "remove", "ada"], "");
    let since = Instant::now();
    for link in &links {
        ended("ada is removed", since, link).await;
    }
    for link in &jackie {
        assert_eq!(status(link).await, 200, "whoever was not meant stays");
    }
}

/// Somebody logs in by way of a broker at each of the two servers.
async fn both(peers: [Peer; 2], username: &str, password: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for peer in peers {
        let link = peer.log_in(&Visitor::new(), username, password).await;
        assert_eq!(link.user().await.as_deref(), Some(username));
        links.push(link);
    }
    links
}

#[tokio::test]
async fn two_servers_on_one_postgresql_follow_every_change() {
    story(&new_postgres_store(), None, true).await;
}

#[tokio::test]
async fn two_servers_on_one_sqlite_file_follow_every_change() {
    story("sqlite:FILE.db", None, true).await;
}

#[tokio::test]
async fn sessions_in_redis_and_users_in_sqlite() {
    story(&new_redis_store(), Some("sqlite:FILE.db"), true).await;
}

#[tokio::test]
async fn sessions_in_memory_and_users_in_postgresql() {
    story("memory:", Some(&new_postgres_store()), false).await;
}
