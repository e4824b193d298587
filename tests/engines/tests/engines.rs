//! Engines do what they are told, and leave nothing behind.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sso_engines::{Engine, postgres_bin};

/// Asks something in the shell; `None` if there is no answer within two seconds.
fn ask(program: &Path, args: &[&str]) -> Option<String> {
    let answer = Command::new("timeout").arg("2").arg(program).args(args).output().unwrap();
    answer.status.success().then(|| String::from_utf8(answer.stdout).unwrap().trim().to_owned())
}

/// `write` puts something in, and `read` then says `yes`.
fn obeys(mut engine: Engine, program: &Path, write: &[&str], read: &[&str]) {
    let dir = engine.dir().to_owned();
    assert!(ask(program, write).is_some());
    assert_eq!(ask(program, read).as_deref(), Some("yes"));
    for _ in 0..2 {
        engine.kill();
        assert_eq!(ask(program, read), None);
        engine.start();
        assert_eq!(ask(program, read).as_deref(), Some("yes"), "after a kill");
    }
    engine.stop();
    assert_eq!(ask(program, read), None);
    engine.start();
    assert_eq!(ask(program, read).as_deref(), Some("yes"), "after a stop");
    engine.pause();
    assert_eq!(ask(program, read), None);
    engine.resume();
    assert_eq!(ask(program, read).as_deref(), Some("yes"), "after a pause");
    engine.pause();
    drop(engine);
    assert_eq!(ask(program, read), None);
    assert!(!dir.exists());
}

#[test]
fn a_redis_obeys() {
    let engine = Engine::redis();
    let url = engine.url();
    let (write, read) = (["-u", &url, "SET", "there", "yes"], ["-u", &url, "GET", "there"]);
    obeys(engine, "redis-cli".as_ref(), &write, &read);
}

#[test]
fn a_postgresql_obeys() {
    let engine = Engine::postgres();
    let url = engine.new_store();
    let write = ["-qd", &url, "-c", "CREATE TABLE there AS SELECT 'yes' AS answer"];
    let read = ["-Atd", &url, "-c", "SELECT answer FROM there"];
    obeys(engine, &postgres_bin("psql"), &write, &read);
}

/// Says that this program is to start an engine and to wait for its own end.
const HOLD: &str = "SSO_ENGINES_HOLD";

#[test]
fn engines_end_with_a_program_that_is_killed() {
    if let Some(kind) = std::env::var_os(HOLD) {
        let engine = if kind == "redis" { Engine::redis() } else { Engine::postgres() };
        println!("\nat {}", engine.dir().display());
        loop {
            thread::park();
        }
    }
    for kind in ["redis", "postgres"] {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["engines_end_with_a_program_that_is_killed", "--exact", "--nocapture"]).env(HOLD, kind);
        let mut program = program.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
        let dir = lines.find_map(|line| line.strip_prefix("at ").map(str::to_owned)).expect("it tells its directory");
        assert!(Path::new(&dir).exists());
        program.kill().unwrap();
        program.wait().unwrap();
        let killed = Instant::now();
        while Path::new(&dir).exists() {
            assert!(killed.elapsed() < Duration::from_secs(60), "{dir} is still there");
            thread::sleep(Duration::from_millis(20));
        }
        let left = Command::new("pgrep").args(["-f", &dir]).output().unwrap();
        assert!(left.stdout.is_empty(), "{left:?}");
    }
}
