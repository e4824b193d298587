//! A server in a directory of its own, which is copied, lost and restored.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use sso_engines::{Engine, postgres_bin};
use sso_tests::{
    Site, Visitor,
    process::{free_ports, sso_bin},
};
use tempfile::TempDir;

use super::commands;

use crate::outage::{HASH, start_broker};

/// A server in a directory of its own, and the machine that it is on.
pub(super) struct Place {
    dir: TempDir,
    pub(super) backup: PathBuf,
    server_port: u16,
    alice: String,
    /// For the server and the commands alike.
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) engine: Option<Engine>,
}

impl Place {
    pub(super) fn new(engine: Option<Engine>) -> Self {
        let (dir, server_port) = (TempDir::new().unwrap(), free_ports(1));
        let port = free_ports(1);
        let backup = dir.path().join("backup");
        let place = Self {
            dir,
            backup,
            server_port,
            alice: format!("http://alice.localhost:{port}"),
            environment: Vec::new(),
            engine,
        };
        fs::create_dir(place.home()).unwrap();
        place
    }

    /// Where the server runs.
    pub(super) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Writes a key of the store, for its owner only.
    pub(super) fn write_key(&self, name: &str) {
        let file = self.home().join(name);
        fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes the configuration, makes the keys of tokens, and adds a user and a broker by command.
    pub(super) fn set_up(&self, settings: &str) {
        self.run("sso keys new");
        self.set_up_without_keys(&format!("{settings}\n[jwt]\nkeys = \"keys\""));
    }

    /// The same where the keys of tokens follow from the store's.
    pub(super) fn set_up_without_keys(&self, settings: &str) {
        let users = format!("[[users]]\nusername = \"jackie\"\npassword = \"{HASH}\"\n");
        let text = format!(
            "public_url = \"http://sso.localhost:{}\"\nlisten = \"127.0.0.1:{0}\"\n{settings}\n{users}",
            self.server_port
        );
        fs::write(self.home().join("sso.toml"), text).unwrap();
        let add = format!(
            "echo john-has-a-password | sso users add john; echo s | sso brokers add Alice {} --secret-stdin",
            self.alice,
        );
        self.run(&add);
    }

    pub(super) fn command(&self, script: &str) -> Output {
        self.shell(script).output().unwrap()
    }

    pub(super) fn shell(&self, script: &str) -> Command {
        let bins = [sso_bin().parent().unwrap().to_owned(), postgres_bin("psql").parent().unwrap().to_owned()];
        let bins = bins.iter().map(|bin| format!("{}:", bin.display())).collect::<String>();
        let mut command = Command::new("sh");
        command.args(["-euc", script]).current_dir(self.home()).env("BACKUP", &self.backup);
        command.env("PATH", format!("{bins}{}", std::env::var("PATH").unwrap()));
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command
    }

    pub(super) fn run(&self, script: &str) -> String {
        let output = self.command(script);
        assert!(output.status.success(), "{script}\n{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) fn start(&self) -> Site {
        let environment: Vec<_> = self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Site::try_start_in(&self.home(), &["server"], &environment).unwrap_or_else(|failed| panic!("{failed:?}"))
    }

    /// The machine is lost, with all that was on it but the backup.
    fn destroy(&mut self, lose_engine: impl FnOnce(&mut Engine)) {
        fs::remove_dir_all(self.home()).unwrap();
        fs::create_dir(self.home()).unwrap();
        if let Some(engine) = &mut self.engine {
            lose_engine(engine);
        }
    }

    fn origin(&self) -> String {
        format!("http://sso.localhost:{}", self.server_port)
    }
}

/// What must be after a restore as it was before.
#[derive(Debug, PartialEq, Eq)]
struct Lasting {
    session_cookie: String,
    published_keys: String,
    users: String,
    brokers: String,
}

impl Place {
    async fn lasting(&self) -> Lasting {
        let login = Visitor::new().get(&format!("{}/login", self.origin())).await;
        assert_eq!(login.status, 200, "{login:?}");
        let cookie = login.header("set-cookie");
        let (name, _) = cookie.split_once('=').expect(cookie);
        let published = Visitor::new().get(&format!("{}/.well-known/jwks.json", self.origin())).await;
        Lasting {
            session_cookie: name.to_owned(),
            published_keys: published.body,
            users: self.run("sso users list --json"),
            brokers: self.run("sso brokers list --json"),
        }
    }

    /// A browser that is to be remembered, and in which John is logged in.
    async fn remembered(&self) -> Visitor {
        let visitor = Visitor::new();
        let form = visitor.visit(&format!("{}/sso/login?to=/", self.alice)).await;
        let fields = [("username", "john"), ("password", "john-has-a-password"), ("remember", "yes")];
        let page = visitor.follow(visitor.submit(&form, "/attach", &fields).await).await;
        assert_eq!(page.heading(), "Logged in as john");
        visitor
    }

    async fn log_out(&self, visitor: &Visitor) {
        let home = visitor.visit(&format!("{}/", self.alice)).await;
        visitor.submit(&home, "/logout", &[]).await;
        self.is_logged_out(visitor).await;
    }

    async fn is_logged_in(&self, visitor: &Visitor) {
        let page = format!("{}/", self.alice);
        // The broker may have noticed that the server was away.
        crate::peer::until("logged in", async || visitor.visit(&page).await.heading() == "Logged in as john").await;
    }

    async fn is_logged_out(&self, visitor: &Visitor) {
        let page = format!("{}/", self.alice);
        crate::peer::until("logged out", async || visitor.visit(&page).await.heading() == "You are logged out").await;
    }

    fn start_broker(&self) -> Site {
        let port = self.alice.rsplit_once(':').unwrap().1.parse().unwrap();
        start_broker(port, self.server_port)
    }

    /// Copies a server under use, loses everything, and restores the copy.
    pub(super) async fn comes_back_without_sessions(mut self, heading: &str, lose_engine: impl FnOnce(&mut Engine)) {
        let blocks = commands(heading);
        let (back_up, restore) = (&blocks[0], &blocks[1]);
        let mut server = self.start();
        let _broker = self.start_broker();
        let before = self.lasting().await;
        let (stays, leaves) = (self.remembered().await, self.remembered().await);

        let load = Load::start(self.remembered().await, format!("{}/", self.alice));
        let calls = load.calls();
        self.run(back_up);
        assert!(load.calls() > calls, "it was not used meanwhile");
        load.end().await;
        self.is_owners_only();
        // A second one does not overwrite the first.
        let again = self.command(back_up);
        let said = String::from_utf8(again.stderr).unwrap();
        assert!(
            again.status.code() == Some(1) && said.lines().count() == 1 && said.contains("is there already"),
            "{said}"
        );
        self.log_out(&leaves).await;
        self.is_logged_in(&stays).await;
        // What came after the backup is not in it.
        self.run("echo late-has-a-password | sso users add late");

        server.kill();
        drop(server);
        self.destroy(lose_engine);
        self.run(restore);
        let _server = self.start();
        assert_eq!(self.lasting().await, before);
        self.is_logged_out(&leaves).await;
        self.is_logged_out(&stays).await;
        for visitor in [&stays, &leaves] {
            let page = visitor.log_in(&self.alice, "john", "john-has-a-password").await;
            assert_eq!(page.heading(), "Logged in as john");
        }
        // One who is in the configuration.
        assert_eq!(Visitor::new().log_in(&self.alice, "jackie", "jackie123").await.heading(), "Logged in as jackie");
    }

    /// Ends the server, copies all that it has, and goes on elsewhere.
    pub(super) async fn moves(mut self, copy: &str, lose_engine: impl FnOnce(&mut Engine), restore: &str) {
        let server = self.start();
        let _broker = self.start_broker();
        let before = self.lasting().await;
        let (stays, leaves) = (self.remembered().await, self.remembered().await);
        self.log_out(&leaves).await;

        assert_eq!(server.terminate(), Some(0));
        if let (Some(engine), true) = (&mut self.engine, copy.contains("$REDIS_DIR")) {
            engine.stop();
        }
        self.run(copy);
        self.is_owners_only();
        self.destroy(lose_engine);
        self.run(restore);
        if let (Some(engine), true) = (&mut self.engine, copy.contains("$REDIS_DIR")) {
            engine.start();
        }
        let _server = self.start();
        assert_eq!(self.lasting().await, before);
        self.is_logged_in(&stays).await;
        self.is_logged_out(&leaves).await;
    }

    /// Copies sessions where nobody moves, and restores the copy after a logout.
    pub(super) async fn goes_back_in_time(mut self, copy: &str, restore: &str, revoke: &str) {
        let mut server = self.start();
        let _broker = self.start_broker();
        let (stays, leaves) = (self.remembered().await, self.remembered().await);
        self.run(copy);
        self.log_out(&leaves).await;
        server.kill();
        self.destroy(|_| ());
        self.run(restore);
        let mut server = self.start();
        // The logout is undone.
        self.is_logged_in(&leaves).await;
        server.kill();
        self.run(revoke);
        let _server = self.start();
        for visitor in [&stays, &leaves] {
            self.is_logged_out(visitor).await;
            let page = visitor.log_in(&self.alice, "john", "john-has-a-password").await;
            assert_eq!(page.heading(), "Logged in as john");
        }
    }

    /// All that `sso backup` made; other tools go by the umask, in a directory that nobody else enters.
    fn is_owners_only(&self) {
        let has_keys = self.home().join("keys").exists();
        let keys = if has_keys { "secrets/keys" } else { "" };
        for dir in ["", "data", "secrets", keys] {
            let metadata = fs::metadata(self.backup.join(dir)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o700, "{dir}");
        }
        let secrets = fs::read_dir(self.backup.join("secrets")).unwrap().map(|entry| entry.unwrap().path());
        let keys = fs::read_dir(self.backup.join(keys)).unwrap().map(|entry| entry.unwrap().path());
        let databases = ["sso.db", "directory.db"].map(|name| self.backup.join("data").join(name));
        let files = secrets.chain(keys).chain(databases.into_iter().filter(|file| file.exists()));
        let files: Vec<_> = files.filter(|path| path.is_file()).collect();
        assert!(files.len() >= if has_keys { 4 } else { 3 }, "{files:?}");
        for file in files {
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
        }
    }
}

/// Somebody who visits a page again and again, and must find it as usual.
struct Load {
    goes_on: Arc<AtomicBool>,
    calls: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    fn start(visitor: Visitor, page: String) -> Self {
        let (goes_on, calls) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
        let task = tokio::spawn({
            let (goes_on, calls) = (goes_on.clone(), calls.clone());
            async move {
                while goes_on.load(Ordering::SeqCst) {
                    assert_eq!(visitor.visit(&page).await.heading(), "Logged in as john");
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { goes_on, calls, task }
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    async fn end(self) {
        self.goes_on.store(false, Ordering::SeqCst);
        self.task.await.unwrap();
    }
}
