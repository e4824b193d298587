//! The README tells the truth: its two programs are the examples, and they work together; its other excerpts are in examples that are compiled.

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

/// The excerpts that are no whole program stand, line for line, in an example of the documentation, which `cargo test` compiles.
#[test]
fn every_other_excerpt_is_in_a_compiled_example() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let files = ["bearer.rs", "session.rs", "handoff/leaving.rs", "handoff/landing.rs"];
    let compiled: Vec<String> = files.into_iter().map(documentation).collect();
    let excerpts = readme.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut found = 0;
    for excerpt in excerpts.filter(|excerpt| !excerpt.contains("fn main()")) {
        let excerpt = lines(excerpt.lines());
        assert!(compiled.iter().any(|file| file.contains(&excerpt)), "{excerpt}");
        found += 1;
    }
    assert_eq!(found, 4);
}

/// What stands in the documentation of a file, without the lines of its examples that are not shown.
fn documentation(file: &str) -> String {
    let text = fs::read_to_string(root().join("crates/sso-broker/src/web").join(file)).unwrap();
    let shown = text.lines().filter_map(|line| line.trim_start().strip_prefix("///"));
    lines(shown.filter(|line| !line.trim_start().starts_with("# ")))
}

/// Lines that are not empty, without their margin.
fn lines<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let lines = lines.map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
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
