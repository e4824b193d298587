//! Our broker against a server that answers as jasny/sso's does, written in PHP.

use std::{
    fs,
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use sso_tests::{Site, Visitor, process::free_ports};
use tempfile::TempDir;

use crate::peer::until;

/// `php -S`, with its sessions in a folder of its own.
struct PhpServer {
    child: Child,
    dir: TempDir,
    port: u16,
}

impl PhpServer {
    async fn start() -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_ports(1));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/http/php/server.php");
        let child = Command::new("php")
            .args(["-d", "session.use_strict_mode=0", "-S", &format!("127.0.0.1:{port}"), script])
            .env("SSO_DIR", dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("php is not there ({error}): run tests/run, or install php-cli"));
        until("php listens", async || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        Self { child, dir, port }
    }

    /// Forgets the files whose names start so.
    fn forget(&self, prefix: &str) {
        let files = fs::read_dir(self.dir.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix)).for_each(|path| {
            fs::remove_file(path).unwrap();
        });
    }
}

impl Drop for PhpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn broker(php: &PhpServer) -> (Site, String) {
    let port = free_ports(1);
    let (attach, listen) = (format!("http://sso.localhost:{}/attach.php", php.port), format!("127.0.0.1:{port}"));
    let url = format!("http://alice.localhost:{port}");
    let environment = [
        ("SSO_SERVER", attach.as_str()),
        ("SSO_BROKER_ID", "Alice"),
        ("SSO_BROKER_SECRET", "8iwzik1bwd"),
        ("SSO_BROKER_URL", &url),
    ];
    let site = Site::try_start(&["broker", "--listen", &listen, "--php-server", "--own-form"], &environment);
    (site.unwrap_or_else(|failed| panic!("{failed:?}")), url)
}

const JACKIE: [(&str, &str); 2] = [("username", "jackie"), ("password", "jackie123")];

#[tokio::test]
async fn visit_log_in_and_log_out_against_a_php_server() {
    let php = PhpServer::start().await;
    let (_broker, url) = broker(&php);
    let visitor = Visitor::new();
    let page = visitor.visit(&format!("{url}/")).await;
    assert_eq!((page.status, page.heading()), (200, "You are logged out"));

    let form = visitor.get(&format!("{url}/login")).await;
    let wrong = visitor.submit(&form, "/login", &[("username", "jackie"), ("password", "wrong")]).await;
    assert!(wrong.status == 400 && wrong.body.contains("Wrong username or password."), "{wrong:?}");
    let page = visitor.follow(visitor.submit(&wrong, "/login", &JACKIE).await).await;
    assert_eq!(page.heading(), "Logged in as jackie");
    assert!(page.body.contains("Jackie &#60;Black&#62;"), "{}", page.body);

    let page = visitor.follow(visitor.submit(&page, "/logout", &[]).await).await;
    assert_eq!((page.status, page.heading()), (200, "You are logged out"));
}

#[tokio::test]
async fn what_a_php_server_forgets_is_attached_anew_once() {
    let php = PhpServer::start().await;
    let (_broker, url) = broker(&php);
    for lost in ["SSO-", "sess_"] {
        let visitor = Visitor::new();
        visitor.visit(&format!("{url}/")).await;
        let form = visitor.get(&format!("{url}/login")).await;
        let page = visitor.follow(visitor.submit(&form, "/login", &JACKIE).await).await;
        assert_eq!(page.heading(), "Logged in as jackie");
        php.forget(lost);
        let first = visitor.get(&format!("{url}/")).await;
        assert!(first.location().unwrap().contains("/attach.php?"), "{lost}");
        let page = visitor.follow(first).await;
        // A lost link leads back into the session, a lost session to a new one.
        let heading = if lost == "SSO-" { "Logged in as jackie" } else { "You are logged out" };
        assert_eq!((page.status, page.heading()), (200, heading), "{lost}");
    }
}
