//! Redis and PostgreSQL for tests: real ones, on free ports, with data of their own. They end with the test program, however that ends.
//!
//! The store contract in `sso-server` and the end-to-end tests both stand on this crate; nothing that is shipped does.
//!
//! ```no_run
//! let mut engine = sso_engines::Engine::redis();
//! let store = engine.new_store(); // an empty one, as `sso server --store` takes it
//! engine.kill(); // as a power cut
//! engine.start(); // at the same port, with the same data
//! # drop(store);
//! ```

mod ports;
mod tls;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub use ports::free_ports;

/// How long an engine may take to start. Only waited for in full by a test that fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A Redis or a PostgreSQL of a test.
pub struct Engine {
    kind: Kind,
    port: u16,
    dir: PathBuf,
    /// A shell that carries out orders, and cleans up when there will be no more.
    keeper: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    stores: AtomicU32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Redis,
    Postgres,
}

impl Engine {
    /// A running Redis that has written down what it acknowledges, as the server's documentation asks for.
    pub fn redis() -> Self {
        Self::run_redis(false)
    }

    /// The same, which takes TLS at another port too: see [`tls_port`](Self::tls_port).
    pub fn redis_with_tls() -> Self {
        Self::run_redis(true)
    }

    fn run_redis(tls: bool) -> Self {
        let port = free_ports(2);
        let dir = TempDir::with_prefix("sso-redis.").unwrap().keep();
        let mut command = vec!["redis-server".into(), "--port".into(), port.to_string(), "--dir".into(), text(&dir)];
        command.extend(
            // `everysec` may lose what was acknowledged when Redis is killed while its disk is busy.
            ["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always", "--save", ""].map(String::from),
        );
        if tls {
            tls::make_certificates(&dir);
            let tls_port = (port + 1).to_string();
            let options = ["--tls-port", &tls_port, "--tls-cert-file", tls::CERTIFICATE, "--tls-key-file", tls::KEY];
            command.extend(options.map(String::from));
            command.extend(["--tls-ca-cert-file", tls::CA, "--tls-auth-clients", "no"].map(String::from));
        }
        Self::run(Kind::Redis, port, dir, &command)
    }

    /// A running PostgreSQL with a superuser `sso` who needs no password.
    pub fn postgres() -> Self {
        Self::run_postgres(false)
    }

    /// The same, which takes TLS too.
    pub fn postgres_with_tls() -> Self {
        Self::run_postgres(true)
    }

    fn run_postgres(tls: bool) -> Self {
        let port = free_ports(1);
        // Not in the run's own temporary directory, which PostgreSQL's user may not enter.
        let dir = TempDir::with_prefix_in("sso-postgres.", "/tmp").unwrap().keep();
        if tls {
            tls::make_certificates(&dir);
        }
        // PostgreSQL refuses to run as root.
        let as_user = if is_root() {
            check(Command::new("chown").arg("-R").arg("postgres:").arg(&dir));
            "setpriv --reuid=postgres --regid=postgres --clear-groups"
        } else {
            ""
        };
        let (make, run) = (text(&postgres_bin("initdb")), text(&postgres_bin("postgres")));
        let mut options = format!("-p {port} -k . -c listen_addresses=127.0.0.1 -c max_connections=300");
        // Within its directory, for what it puts elsewhere outlives a kill.
        options += " -c dynamic_shared_memory_type=mmap";
        if tls {
            let [certificate, key] = [tls::CERTIFICATE, tls::KEY].map(|name| text(&dir.join(name)));
            options += &format!(" -c ssl=on -c ssl_cert_file={certificate} -c ssl_key_file={key}");
        }
        let script = format!(
            "[ -d data ] || {as_user} {make} --no-sync -A trust -U sso -D data && exec {as_user} {run} {options} -D data"
        );
        let run = ["sh", "-c", &script].map(String::from);
        Self::run(Kind::Postgres, port, dir, &run)
    }

    fn run(kind: Kind, port: u16, dir: PathBuf, command: &[String]) -> Self {
        let end = if kind == Kind::Redis { "TERM" } else { "INT" };
        let mut keeper = Command::new("sh")
            .args(["-c", include_str!("engine.sh"), "engine.sh"])
            .args([&text(&dir), end])
            .args(command)
            .current_dir(&dir)
            // Ctrl-C ends the test program, not this one, which then cleans up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, answers) = (keeper.stdin.take(), BufReader::new(keeper.stdout.take().unwrap()));
        let mut engine = Self { kind, port, dir, keeper, orders, answers, stores: AtomicU32::new(0) };
        engine.start();
        engine
    }

    /// Starts it again, at the same port and with the same data, and waits until it answers.
    pub fn start(&mut self) {
        self.order("start");
        let started = Instant::now();
        while !self.answers() {
            if started.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                panic!("{} does not start; tests/run installs it. It says:\n{log}", self.name());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it in good order, as its service manager does.
    pub fn stop(&mut self) {
        self.order("stop");
    }

    /// Ends it as a power cut does: all of its processes, at once.
    pub fn kill(&mut self) {
        self.order("kill");
    }

    /// Freezes it: connections are kept, and nothing is answered.
    pub fn pause(&mut self) {
        self.order("pause");
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&mut self) {
        self.order("resume");
    }

    /// Its URL, of the database that is there from the beginning.
    pub fn url(&self) -> String {
        match self.kind {
            Kind::Redis => format!("redis://127.0.0.1:{}/", self.port),
            Kind::Postgres => self.database("postgres"),
        }
    }

    /// An empty store in it, nobody else's: its URL, as `sso server --store` takes it.
    pub fn new_store(&self) -> String {
        let name = format!("store{}", self.stores.fetch_add(1, Ordering::SeqCst));
        match self.kind {
            Kind::Redis => format!("{}?namespace={name}", self.url()),
            Kind::Postgres => {
                let mut create = Command::new(postgres_bin("createdb"));
                check(create.args(["--maintenance-db", &self.url(), &name]));
                self.database(&name)
            }
        }
    }

    /// Where a Redis takes TLS.
    pub fn tls_port(&self) -> u16 {
        self.port + 1
    }

    /// The certificate of the authority that vouches for an engine with TLS, in PEM.
    pub fn ca(&self) -> PathBuf {
        self.dir.join(tls::CA)
    }

    /// Where its data and its log are; gone when it is dropped.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn database(&self, name: &str) -> String {
        format!("postgres://sso@127.0.0.1:{}/{name}", self.port)
    }

    fn answers(&self) -> bool {
        match self.kind {
            Kind::Redis => pongs(self.port).unwrap_or_default(),
            Kind::Postgres => {
                let mut ask = Command::new(postgres_bin("pg_isready"));
                ask.args(["-q", "-d", &self.url()]).status().unwrap().success()
            }
        }
    }

    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Redis => "redis-server",
            Kind::Postgres => "PostgreSQL",
        }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders.as_mut().expect("it is not dropped yet"), "{order}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n", "{order} {}", self.name());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.keeper.wait();
    }
}

/// A new store in the Redis that all tests of this process share.
pub fn new_redis_store() -> String {
    static SHARED: OnceLock<Engine> = OnceLock::new();
    SHARED.get_or_init(Engine::redis).new_store()
}

/// A new database in the PostgreSQL that all tests of this process share.
pub fn new_postgres_store() -> String {
    static SHARED: OnceLock<Engine> = OnceLock::new();
    SHARED.get_or_init(Engine::postgres).new_store()
}

/// The programs that are not installed here, each with the engine that it is.
pub fn missing() -> Vec<(&'static str, &'static str)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_on_path = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    let postgres = postgres_bin("postgres");
    let mut missing = Vec::new();
    if !postgres.is_file() && !is_on_path("postgres") {
        missing.push(("postgres", "PostgreSQL"));
    }
    if !is_on_path("redis-server") {
        missing.push(("redis-server", "Redis"));
    }
    missing
}

/// Whether a Redis answers, which it does not while it loads its data.
fn pongs(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG")
}

/// A program of PostgreSQL: of the newest version that Debian has installed, or on the path.
pub fn postgres_bin(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    newest.map_or(program.into(), |version| Path::new("/usr/lib/postgresql").join(format!("{version}/bin/{program}")))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

fn check(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
    assert!(status.success(), "{command:?}");
}

fn text(path: &Path) -> String {
    path.to_str().expect("temporary directories have plain names").to_owned()
}
