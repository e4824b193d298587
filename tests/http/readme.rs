//! The README tells the truth: its two programs are the examples, and they work together.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sso_tests::{Visitor, process};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn shows_the_examples_word_for_word() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for example in ["crates/sso-server/examples/minimal_server.rs", "crates/sso-broker/examples/minimal_broker.rs"] {
        let text = fs::read_to_string(root().join(example)).unwrap();
        let code = text.split_once("\n\n").expect("a comment and the code").1.trim();
        assert!(readme.contains(code), "{example}");
    }
}

struct Example(Child);

impl Example {
    fn start(name: &str, address: &str, server: &str) -> Self {
        let program = process::sso_bin().with_file_name("examples").join(name);
        let mut command = Command::new(program);
        command.arg(address).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("SSO_SERVER", server).env("SSO_BROKER_ID", "Alice").env("SSO_BROKER_SECRET", "8iwzik1bwd");
        Self(command.spawn().unwrap_or_else(|error| panic!("{name}: {error}; run tests/run")))
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn its_server_and_its_broker_log_somebody_in() {
    let port = process::free_ports(2);
    let (server, broker) = (format!("localhost:{port}"), format!("localhost:{}", port + 1));
    let attach = format!("http://{server}/attach");
    let _server = Example::start("minimal_server", &server, &attach);
    let _broker = Example::start("minimal_broker", &broker, &attach);
    process::wait_until_listening(port).await;
    process::wait_until_listening(port + 1).await;

    let visitor = Visitor::new();
    let page = visitor.visit(&format!("http://{broker}/")).await;
    assert_eq!(page.body, "Hello, stranger. Log in at /sso/login");
    let page = visitor.log_in(&format!("http://{broker}"), "jackie", "jackie123").await;
    assert_eq!(page.body, "Hello, jackie");
}
