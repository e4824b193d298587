//! Engines do what they are told, and leave nothing behind.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sso_engines::{Engine, postgres_bin};

/// Asks something in the shell; `None` if there is no answer. One that is paused is given little time.
fn ask(program: &Path, args: &[&str]) -> Option<String> {
    ask_for("60", program, args)
}

fn ask_for(seconds: &str, program: &Path, args: &[&str]) -> Option<String> {
    let answer = Command::new("timeout").arg(seconds).arg(program).args(args).output().unwrap();
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
    assert_eq!(ask_for("2", program, read), None);
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
        let kind = kind.to_str().unwrap();
        let mut engine = if kind.contains("redis") { Engine::redis() } else { Engine::postgres() };
        if kind.starts_with("paused") {
            engine.pause();
        }
        println!("\nat {}", engine.dir().display());
        loop {
            thread::park();
        }
    }
    for kind in ["redis", "paused redis", "postgres", "paused postgres"] {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["engines_end_with_a_program_that_is_killed", "--exact", "--nocapture"]).env(HOLD, kind);
        let mut program = program.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
        let dir = lines.find_map(|line| line.strip_prefix("at ").map(str::to_owned)).expect("it tells its directory");
        assert!(Path::new(&dir).exists());
        let memory = kind.contains("postgres").then(|| memory_of(Path::new(&dir)));
        program.kill().unwrap();
        program.wait().unwrap();
        let killed = Instant::now();
        while Path::new(&dir).exists() {
            assert!(killed.elapsed() < Duration::from_secs(60), "{kind}: {dir} is still there");
            thread::sleep(Duration::from_millis(20));
        }
        let left = Command::new("pgrep").args(["-f", &dir]).output().unwrap();
        assert!(left.stdout.is_empty(), "{left:?}");
        if let Some(memory) = memory {
            assert!(!is_there(&memory), "{kind}");
        }
    }
}

/// The segment of shared memory by which a PostgreSQL guards its directory. All else that it shares is in the directory, or goes with it.
fn memory_of(dir: &Path) -> String {
    let lock = fs::read_to_string(dir.join("data/postmaster.pid")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{}/maps", lock.lines().next().unwrap())).unwrap();
    assert!(maps.contains("/pg_dynshmem/") && !maps.contains("/dev/shm/"), "{maps}");
    let segment = lock.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().to_owned();
    assert!(is_there(&segment));
    segment
}

fn is_there(segment: &str) -> bool {
    let list = Command::new("ipcs").arg("-m").output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    list.lines().any(|line| line.split_whitespace().nth(1) == Some(segment))
}

#[test]
fn nothing_of_a_postgresql_is_left_however_it_ends() {
    let ends: [fn(&mut Engine); 4] = [|_| (), Engine::stop, Engine::kill, Engine::pause];
    for (n, end) in ends.into_iter().enumerate() {
        let mut engine = Engine::postgres();
        let (dir, memory) = (engine.dir().to_owned(), memory_of(engine.dir()));
        end(&mut engine);
        drop(engine);
        assert!(!dir.exists() && !is_there(&memory), "end {n}");
    }
}

/// One that is woken whenever it is stopped, and starts more and more, for a minute.
const RESTLESS: &str = "(setsid sh -c 'while kill -s CONT $0 2>/dev/null; do sleep 0.001; done' $$ &)
for n in $(seq 300); do sleep 5 & sleep 0.2; done";

#[test]
fn an_engine_that_is_woken_ends_all_the_same() {
    let dir = tempfile::TempDir::new().unwrap().keep();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine.sh");
    let mut keeper = Command::new("sh");
    keeper.arg(script).arg(&dir).args(["TERM", "sh", "-c", RESTLESS]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut keeper = keeper.spawn().unwrap();
    keeper.stdin.as_mut().unwrap().write_all(b"start\n").unwrap();
    thread::sleep(Duration::from_millis(500));
    drop(keeper.stdin.take());
    let told = Instant::now();
    while keeper.try_wait().unwrap().is_none() {
        assert!(told.elapsed() < Duration::from_secs(120), "it does not end");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!dir.exists());
}
