//! What tests do with keys: a directory of them, the commands, a server that uses it, and tokens of its user.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::SystemTime,
};

use sso_core::Encoding;
use sso_jwt::KeySet;
use sso_tests::{Site, Visitor, process::sso_bin, visitor::send};
use tempfile::TempDir;

use crate::peer::{Link, Peer};

/// Whom the tokens are for.
pub const AUDIENCE: &str = "http://api.localhost:1";
pub const SECRET: &str = "8iwzik1bwd";
/// Of `jackie123`.
pub const HASH: &str = "$2y$04$OIBKLwL8PMvhb0NgeiM19edlddeOZYHMDz1aoEhGA13OGONdE2cMK";

/// A directory of keys.
pub struct Keys {
    parent: TempDir,
}

impl Keys {
    /// One that is not there yet.
    pub fn none() -> Self {
        Self { parent: TempDir::new().unwrap() }
    }

    /// With a first key for each purpose.
    pub fn new() -> Self {
        let keys = Self::none();
        keys.run(&["new"]);
        keys
    }

    /// The directory.
    pub fn dir(&self) -> PathBuf {
        self.parent.path().join("keys")
    }

    /// A file in it.
    pub fn file(&self, purpose: &str) -> PathBuf {
        self.dir().join(format!("{purpose}.json"))
    }

    /// `sso keys` with these arguments, whatever comes of it.
    pub fn try_run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(sso_bin());
        command.arg("keys").args(args).arg("--dir").arg(self.dir()).output().unwrap()
    }

    /// The same, which must succeed; what it printed.
    pub fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        assert!(output.status.success(), "{args:?} {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The ids of a purpose's keys whose line in `sso keys list` has this word.
    pub fn ids(&self, purpose: &str, stage: &str) -> Vec<String> {
        let list = self.run(&["list"]);
        let lines = list.lines().filter(|line| line.starts_with(purpose) && line.contains(stage));
        lines.map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
    }

    /// The keys of a purpose.
    pub fn read(&self, purpose: &str) -> KeySet {
        KeySet::from_json(&fs::read_to_string(self.file(purpose)).unwrap()).unwrap()
    }

    /// A server that uses them.
    pub fn server(&self) -> Server {
        let (site, port) = Site::server(&format!(
            "public_url = \"http://localhost:PORT\"\n\
             [jwt]\nkeys = \"{}\"\n\
             [[brokers]]\nid = \"Alice\"\nsecret = \"{SECRET}\"\norigins = [\"http://alice.localhost:1\"]\naudiences = [\"{AUDIENCE}\"]\n\
             [[users]]\nusername = \"jackie\"\npassword = \"{HASH}\"\n",
            self.dir().display(),
        ));
        Server { site, origin: format!("http://localhost:{port}") }
    }
}

/// A server with keys from a directory.
pub struct Server {
    /// Its process.
    pub site: Site,
    /// Its origin, which is the issuer of its tokens.
    pub origin: String,
}

impl Server {
    /// Alice's link to the session of Jackie, who has just logged in.
    pub async fn log_in(&self) -> Link {
        let peer = Peer::new(&self.origin, "Alice", SECRET, Encoding::Exact, "http://alice.localhost:1");
        peer.log_in(&Visitor::new(), "jackie", "jackie123").await
    }

    /// Whether the server finds this token good.
    pub async fn accepts(&self, visitor: &Visitor, token: &str) -> bool {
        let request = visitor.request(reqwest::Method::POST, &format!("{}/api/introspect", self.origin));
        let answer = send(request.basic_auth("Alice", Some(SECRET)).form(&[("token", token)])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["active"].as_bool().unwrap()
    }

    /// The ids of the published keys.
    pub async fn published(&self, visitor: &Visitor) -> Vec<String> {
        let jwks = visitor.get(&format!("{}/.well-known/jwks.json", self.origin)).await.json();
        let keys = jwks["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

/// A new access token for the link's user.
pub async fn token(link: &Link) -> String {
    let answer = link.post("/api/token", &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// The present instant, in seconds.
pub fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64
}
