//! Several servers on one store, and nginx in front of them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    Site,
    load::Crowd,
    process::{free_ports, wait_until_listening},
};

/// What all nodes of a test seal their store with.
const STORE_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A server that can be ended and started again, at the same port and on the same store. It knows [`crate::load`]'s users and brokers.
pub struct Node {
    /// Where it listens.
    pub port: u16,
    public_url: String,
    store: String,
    keys: Option<PathBuf>,
    site: Option<Site>,
    /// Of its earlier processes.
    log: String,
}

impl Node {
    /// Starts one that is its own public URL.
    pub fn alone(store: &str) -> Self {
        let port = free_ports(1);
        Self::start(port, &public_url(port), store)
    }

    /// Starts one at this port.
    pub fn start(port: u16, public_url: &str, store: &str) -> Self {
        Self::start_with(port, public_url, store, None)
    }

    /// The same, with the keys of tokens that are in this directory.
    pub fn start_with_keys(port: u16, public_url: &str, store: &str, keys: &Path) -> Self {
        Self::start_with(port, public_url, store, Some(keys))
    }

    fn start_with(port: u16, public_url: &str, store: &str, keys: Option<&Path>) -> Self {
        let (public_url, store, keys) = (public_url.to_owned(), store.to_owned(), keys.map(Path::to_owned));
        let mut node = Self { port, public_url, store, keys, site: None, log: String::new() };
        node.start_again();
        node
    }

    /// Starts it after it has ended.
    pub fn start_again(&mut self) {
        let (listen, users, brokers) = (format!("127.0.0.1:{}", self.port), Crowd::users(), Crowd::brokers());
        let mut environment = vec![
            ("SSO_PUBLIC_URL", self.public_url.as_str()),
            ("SSO_LISTEN", &listen),
            ("SSO_STORE", &self.store),
            ("SSO_STORE_KEY", STORE_KEY),
            ("SSO_BROKERS", &brokers),
            ("SSO_USERS", &users),
            // Load, and a log of every byte, do not go together.
            ("RUST_LOG", "warn"),
        ];
        if let Some(keys) = &self.keys {
            environment.push(("SSO_JWT_KEYS", keys.to_str().unwrap()));
        }
        let site = Site::try_start(&["server"], &environment);
        self.site = Some(site.unwrap_or_else(|failed| panic!("{failed:?}")));
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut site = self.site.take().expect("a node that runs");
        site.kill();
        self.log.push_str(&site.log());
    }

    /// SIGTERM, and waits until it has ended; it must do so by itself, without an error.
    pub async fn terminate(&mut self) {
        let mut site = self.site.take().expect("a node that runs");
        site.signal("TERM");
        while site.is_alive() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.log.push_str(&site.log());
        assert_eq!(site.wait(), Some(0));
    }

    /// Everything that it logged.
    pub fn log(&self) -> String {
        format!("{}{}", self.log, self.site.as_ref().map(Site::log).unwrap_or_default())
    }

    /// A URL of this node itself.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", public_url(self.port))
    }
}

/// How browsers see a server at this port of this machine.
pub fn public_url(port: u16) -> String {
    format!("http://sso.localhost:{port}")
}

/// nginx with the configuration that is shipped, at other ports. Ended when dropped.
pub struct Nginx {
    child: Child,
    dir: TempDir,
}

/// The file that the README shows.
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/nginx.conf");

impl Nginx {
    /// Starts it at a port of the loopback, in front of nodes at these.
    pub async fn start(port: u16, nodes: [u16; 2]) -> Self {
        let text = fs::read_to_string(CONFIGURATION).unwrap();
        Self::start_with(&at(&text, port, nodes), port).await
    }

    /// The same with the headers that it adds where it speaks https.
    pub async fn start_with_https_headers(port: u16, nodes: [u16; 2]) -> Self {
        let text = fs::read_to_string(CONFIGURATION).unwrap();
        let text = text.replace("#add_header", "add_header").replace("#proxy_hide_header", "proxy_hide_header");
        Self::start_with(&at(&text, port, nodes), port).await
    }

    /// Starts it as a plain proxy, from each of these ports to the other one, which adds this header to every answer.
    pub async fn adding(header: &str, value: &str, ports: &[(u16, u16)]) -> Self {
        let servers: String = ports
            .iter()
            .map(|(from, to)| {
                format!(
                    "server {{ listen 127.0.0.1:{from}; listen [::1]:{from}; add_header {header} {value} always; \
                     location / {{ proxy_pass http://127.0.0.1:{to}; proxy_http_version 1.1; \
                      proxy_set_header Host $http_host; }} }}\n"
                )
            })
            .collect();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {kind};\n"))
            .collect();
        let configuration = format!("pid nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{servers}}}\n");
        Self::start_with(&configuration, ports[0].0).await
    }

    pub(crate) async fn start_with(configuration: &str, port: u16) -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("nginx.conf"), configuration).unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(dir.path())
            .args(["-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is not there: run tests/run");
        let nginx = Self { child, dir };
        wait_until_listening(port).await;
        nginx
    }

    /// How many requests each of these nodes was given, by the access log.
    pub fn shares(&self, nodes: [u16; 2]) -> [usize; 2] {
        let log = fs::read_to_string(self.dir.path().join("access.log")).unwrap();
        nodes.map(|port| log.lines().filter(|line| line.contains(&format!(" 127.0.0.1:{port} "))).count())
    }

    /// Waits until it gives requests to this node again, having seen it fail. `ask` sends one.
    pub async fn wait_until_used<F: Future<Output = ()>>(&self, nodes: [u16; 2], which: usize, ask: impl Fn() -> F) {
        let before = self.shares(nodes)[which];
        for _ in 0..1_000 {
            ask().await;
            if self.shares(nodes)[which] > before {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("nginx does not use {} again: {}", nodes[which], self.errors());
    }

    /// Its messages.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.dir.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed, its master would leave the worker running.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.child.wait();
    }
}

/// The shipped configuration at other ports.
fn at(text: &str, port: u16, nodes: [u16; 2]) -> String {
    let replaced = text
        .replace("127.0.0.1:8000", &format!("127.0.0.1:{port}"))
        .replace("[::1]:8000", &format!("[::1]:{port}"))
        .replace("127.0.0.1:8011", &format!("127.0.0.1:{}", nodes[0]))
        .replace("127.0.0.1:8012", &format!("127.0.0.1:{}", nodes[1]));
    assert!(!replaced.contains(":80"), "a port that is not replaced: {replaced}");
    replaced
}
