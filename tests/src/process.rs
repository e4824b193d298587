//! Programs under test: started on free ports, ended when dropped.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::stores::TestStore;

pub use sso_engines::free_ports;

/// How long anything may take that must happen: enough for a slow machine with much else to do. Only waited for in full by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What the program says of a port that it cannot have.
const IN_USE: &str = "is in use by another program";

/// The `sso` program: what `SSO_BIN` names, or the debug build.
pub fn sso_bin() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/sso");
    let path = std::env::var_os("SSO_BIN").map_or(built, PathBuf::from);
    assert!(path.exists(), "{} is not there: run tests/run, or `cargo build` first", path.display());
    path
}

/// A running `sso` process. Its log, with every detail, is in a file.
pub struct Site {
    child: Child,
    dir: TempDir,
    /// What it printed when it was up.
    pub announcement: String,
}

/// How a start failed.
#[derive(Debug)]
pub struct Failed {
    /// The exit status.
    pub status: i32,
    /// What it said on standard error.
    pub said: String,
}

impl Site {
    /// Starts `sso` with these arguments and environment, and waits until it says that it is up. A server whose environment names no store has
    /// an empty one to itself, of the kind that this run is about.
    pub fn try_start(args: &[&str], environment: &[(&str, &str)]) -> Result<Self, Failed> {
        Self::try_start_within(PATIENCE, args, environment)
    }

    /// The same, where a port may be in use for this long: somebody else's connection may have it for a moment.
    pub fn try_start_within(patience: Duration, args: &[&str], environment: &[(&str, &str)]) -> Result<Self, Failed> {
        let dir = TempDir::new().unwrap();
        let has_store = matches!(args.first(), Some(&("demo" | "server")));
        let store = if has_store && !environment.iter().any(|(name, _)| *name == "SSO_STORE") {
            TestStore::of_this_run().environment()
        } else {
            Vec::new()
        };
        // By default it is random.
        let mut all = vec![("SSO_SESSION_NAME", "sso_session")];
        all.extend(store.iter().map(|(name, value)| (*name, value.as_str())).chain(environment.iter().copied()));
        let path = dir.path().to_owned();
        Self::run(dir, &path, args, &all, patience)
    }

    /// The same in a directory that stays, and with nothing in the environment but this.
    pub fn try_start_in(home: &Path, args: &[&str], environment: &[(&str, &str)]) -> Result<Self, Failed> {
        Self::run(TempDir::new().unwrap(), home, args, environment, PATIENCE)
    }

    fn run(
        dir: TempDir,
        home: &Path,
        args: &[&str],
        environment: &[(&str, &str)],
        patience: Duration,
    ) -> Result<Self, Failed> {
        let started = Instant::now();
        loop {
            match Self::spawn(&dir, home, args, environment) {
                Ok((child, announcement)) => return Ok(Self { child, dir, announcement }),
                Err(failed) if failed.said.contains(IN_USE) && started.elapsed() < patience => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(failed) => return Err(failed),
            }
        }
    }

    fn spawn(
        dir: &TempDir,
        home: &Path,
        args: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<(Child, String), Failed> {
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new(sso_bin());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SSO_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(args)
            .current_dir(home)
            .env("RUST_LOG", "trace")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();

        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut announcement = String::new();
        stdout.read_line(&mut announcement).unwrap();
        if announcement.is_empty() {
            let status = child.wait().unwrap().code().unwrap_or(-1);
            return Err(Failed { status, said: fs::read_to_string(dir.path().join("log")).unwrap() });
        }
        // Whoever prints must find a reader.
        std::thread::spawn(move || stdout.read_to_string(&mut String::new()));
        Ok((child, announcement))
    }

    /// `sso server` with this configuration, at a free port of 127.0.0.1; the text's `PORT` becomes it.
    pub fn server(config: &str) -> (Self, u16) {
        let port = free_ports(1);
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("sso.toml");
        fs::write(&file, config.replace("PORT", &port.to_string())).unwrap();
        let listen = format!("127.0.0.1:{port}");
        let args = ["server", "--config", file.to_str().unwrap(), "--listen", &listen];
        let site = Self::try_start(&args, &[]).unwrap_or_else(|failed| panic!("{failed:?}"));
        (site, port)
    }

    /// Everything that it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// How much memory it takes now, in MiB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Sends a signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Sends SIGTERM and waits; the exit status.
    pub fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }

    /// Waits until it has ended; the exit status.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A running demo.
pub struct Demo {
    /// Its process.
    pub site: Site,
    base_port: u16,
    same_site: bool,
}

impl Demo {
    /// Starts the demo with these options, on free ports.
    pub fn start(options: &[&str]) -> Self {
        let base_port = free_ports(7);
        let port = base_port.to_string();
        let args = [&["demo", "--base-port", &port], options].concat();
        let site = Site::try_start(&args, &[]).unwrap_or_else(|failed| panic!("{failed:?}"));
        Self { site, base_port, same_site: options.contains(&"--same-site") }
    }

    /// The URL of a page at `sso`, `alice`, `greg` or `julius`, or of a call of `api`.
    pub fn url(&self, site: &str, path: &str) -> String {
        let place = ["sso", "alice", "greg", "julius", "nora", "otto", "api"]
            .iter()
            .position(|name| *name == site)
            .expect("a site");
        let port = self.base_port + place as u16;
        if self.same_site {
            format!("http://localhost:{port}{path}")
        } else {
            format!("http://{site}.localhost:{port}{path}")
        }
    }
}

/// Waits until something answers at this port.
pub async fn wait_until_listening(port: u16) {
    let started = Instant::now();
    while tokio::net::TcpStream::connect(("localhost", port)).await.is_err() {
        assert!(started.elapsed() < PATIENCE, "nothing listens at {port}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A server and one broker, each a process of its own.
pub struct Pair {
    /// The server.
    pub server: Site,
    /// The broker.
    pub broker: Site,
    server_origin: String,
    broker_origin: String,
}

/// How the broker of a [`Pair`] attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// By redirect.
    Redirect,
    /// By script, with JSONP; both on plain `localhost`, where a cookie is not a third party's.
    Jsonp,
}

impl Pair {
    /// Starts a server with the broker Alice, and Alice's site.
    pub fn start(attach: Attach) -> Self {
        let (names, kind, silent) = match attach {
            Attach::Redirect => (["sso.localhost", "alice.localhost"], "redirect", "off"),
            Attach::Jsonp => (["localhost", "localhost"], "ajax", "jsonp"),
        };
        let port = free_ports(1);
        let broker_origin = format!("http://{}:{port}", names[1]);
        let (server, server_port) = Site::server(&format!(
            "public_url = \"http://{}:PORT\"\n\
             [[brokers]]\nid = \"Alice\"\nsecret = \"8iwzik1bwd\"\norigins = [\"{broker_origin}\"]\nsilent = \"{silent}\"\n\
             password_login = true\n\
             [[users]]\nusername = \"jackie\"\npassword = \"{JACKIE123}\"\n",
            names[0],
        ));
        let server_origin = format!("http://{}:{server_port}", names[0]);
        let (listen, attach_url) = (format!("127.0.0.1:{port}"), format!("{server_origin}/attach"));
        let environment = [
            ("SSO_SERVER", attach_url.as_str()),
            ("SSO_BROKER_ID", "Alice"),
            ("SSO_BROKER_SECRET", "8iwzik1bwd"),
            ("SSO_BROKER_URL", &broker_origin),
        ];
        let jsonp = ["broker", "--kind", kind, "--listen", &listen, "--silent", "jsonp"];
        let args = if attach == Attach::Jsonp { &jsonp[..] } else { &jsonp[..5] };
        let broker = Site::try_start(args, &environment).unwrap_or_else(|failed| panic!("{failed:?}"));
        Self { server, broker, server_origin, broker_origin }
    }

    /// The URL of a page at the server.
    pub fn server_url(&self, path: &str) -> String {
        format!("{}{path}", self.server_origin)
    }

    /// The URL of a page at the broker.
    pub fn broker_url(&self, path: &str) -> String {
        format!("{}{path}", self.broker_origin)
    }
}

/// The hash of `jackie123`, cheap to check.
pub const JACKIE123: &str = "$2y$04$OIBKLwL8PMvhb0NgeiM19edlddeOZYHMDz1aoEhGA13OGONdE2cMK";
