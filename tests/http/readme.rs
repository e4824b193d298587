//! The README tells the truth: its two programs are the examples, and they work together; its other excerpts are in examples that are compiled.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
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
    let files = [
        "sso-jwt/src/actix.rs",
        "sso-broker/src/site/session.rs",
        "sso-handoff/src/actix/leaving.rs",
        "sso-handoff/src/actix/landing.rs",
    ];
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

/// The documents name tests in backticks. A name of three or more words with underscores that looks like a test's must be one, so that a
/// test that is renamed or removed takes its row along.
#[test]
fn the_documents_name_tests_that_exist() {
    let mut tests = BTreeSet::new();
    for folder in ["crates", "demo", "tests"] {
        functions_below(&root().join(folder), &mut tests);
    }
    let mut found = 0;
    for document in ["docs/threats.md", "docs/asvs.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for name in text.split('`').skip(1).step_by(2).filter(|name| is_a_tests_name(name)) {
            assert!(tests.contains(name), "{document}: there is no test `{name}`");
            found += 1;
        }
    }
    assert!(found > 100, "{found}");
}

fn is_a_tests_name(text: &str) -> bool {
    let is_identifier = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    is_identifier && text.matches('_').count() >= 3
}

/// The names of all functions in Rust files below `folder`.
fn functions_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with(".venv") {
            functions_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let after = text.split("fn ").skip(1);
            names.extend(after.filter_map(|rest| rest.split(['(', '<']).next()).map(str::to_owned));
        }
    }
}

/// What stands in the documentation of a file, without the lines of its examples that are not shown.
fn documentation(file: &str) -> String {
    let text = fs::read_to_string(root().join("crates").join(file)).unwrap();
    let shown = text.lines().filter_map(|line| line.trim_start().strip_prefix("///"));
    lines(shown.filter(|line| !line.trim_start().starts_with("# ")))
}

/// Lines that are not empty, without their margin.
fn lines<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let lines = lines.map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

/// What a package declares as the Rust that it needs, to compare.
fn needed_rust(package: &Value) -> Option<Vec<u32>> {
    let version = package["rust_version"].as_str()?;
    let mut numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
    numbers.resize(3, 0);
    Some(numbers)
}

#[test]
fn asks_for_the_rust_that_every_dependency_needs() {
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let about = run("rustc", &["-vV"]);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Only what a build here needs as well.
    let cargo = std::env::var("CARGO").unwrap_or("cargo".into());
    let found = run(&cargo, &["metadata", "--locked", "--format-version", "1", "--filter-platform", host]);
    let found: Value = serde_json::from_str(&found).unwrap();
    let (ours, others): (Vec<&Value>, Vec<&Value>) =
        found["packages"].as_array().unwrap().iter().partition(|package| package["source"].is_null());

    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let asked = readme.split_once("You need Rust ").unwrap().1.split(' ').next().unwrap();
    for package in &ours {
        assert_eq!(package["rust_version"].as_str(), Some(asked), "{} and README.md", package["name"]);
    }
    let declared = needed_rust(ours[0]);
    assert!(ours.len() > 3 && others.iter().filter(|package| needed_rust(package).is_some()).count() > 50);
    let newer: Vec<_> = others.iter().filter(|package| needed_rust(package) > declared).collect();
    let newer: Vec<_> =
        newer.iter().map(|package| format!("{} {}", package["name"], package["rust_version"])).collect();
    assert!(newer.is_empty(), "Rust {asked} is asked for; these need a newer one: {newer:?}");
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
