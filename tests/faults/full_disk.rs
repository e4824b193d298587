//! A disk that is full: who asks whether the server is ready is told that it is not, until there is room again.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use sso_tests::{
    Visitor,
    process::{JACKIE123, free_ports, sso_bin},
};
use tempfile::TempDir;

/// A server whose store is on a disk of two MiB, which nobody else sees.
struct OnSmallDisk {
    server: Child,
    origin: String,
    dir: TempDir,
}

impl OnSmallDisk {
    fn start() -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_ports(1));
        let origin = format!("http://sso.localhost:{port}");
        // Root may mount as it is; anybody else in a namespace of their own users.
        let may_mount = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
        let options = if may_mount.unwrap().success() { "--mount" } else { "-Urm" };
        let script = "mount -t tmpfs -o size=2m none \"$0\" && exec \"$@\"";
        let mut server = Command::new("unshare")
            .args([options, "sh", "-c", script])
            .arg(dir.path())
            .arg(sso_bin())
            .arg("server")
            .env("SSO_PUBLIC_URL", &origin)
            .env("SSO_LISTEN", format!("127.0.0.1:{port}"))
            .env("SSO_STORE", format!("sqlite:{}", dir.path().join("sso.db").display()))
            .env("SSO_USERS", format!("[{{ username = \"jackie\", password = \"{JACKIE123}\" }}]"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert!(said.starts_with("The SSO server is at"), "it does not start, or no disk can be mounted here");
        Self { server, origin, dir }
    }

    /// A file on its disk, as it sees it.
    fn file(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        PathBuf::from(format!("/proc/{}/root", self.server.id())).join(path.strip_prefix("/").unwrap())
    }

    async fn is_ready(&self) -> bool {
        let answer = Visitor::new().get(&format!("{}/readyz", self.origin)).await;
        assert!([200, 503].contains(&answer.status), "{answer:?}");
        answer.status == 200
    }

    /// The status of a login by somebody new.
    async fn log_in(&self) -> u16 {
        let visitor = Visitor::new();
        let form = visitor.get(&format!("{}/login", self.origin)).await;
        if form.status != 200 {
            return form.status;
        }
        visitor.submit(&form, "/login", &[("username", "jackie"), ("password", "jackie123")]).await.status
    }
}

impl Drop for OnSmallDisk {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test]
async fn a_server_that_cannot_write_is_not_ready() {
    let server = OnSmallDisk::start();
    assert!(server.is_ready().await);
    assert_eq!(server.log_in().await, 303);
    // Whoever looks writes nothing.
    let written = || fs::metadata(server.file("sso.db-wal")).unwrap().modified().unwrap();
    let before = written();
    for _ in 0..5 {
        assert!(server.is_ready().await);
    }
    assert_eq!(written(), before);

    let filler = server.file("filler");
    for _ in 0..2 {
        let mut file = File::create(&filler).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
        drop(file);
        // What is left of the last page that was begun is enough for some.
        let mut logins = 0;
        while server.log_in().await == 303 {
            logins += 1;
            assert!(logins < 1_000, "the disk is not full");
        }
        for _ in 0..3 {
            assert!(!server.is_ready().await, "logins are refused");
        }
        fs::remove_file(&filler).unwrap();
        assert!(server.is_ready().await, "there is room again");
        assert_eq!(server.log_in().await, 303);
    }
}
