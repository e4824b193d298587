//! `sso backup`: what it copies and says, and when it refuses.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sso_tests::{Site, process::PATIENCE};

use super::place::Place;
use crate::frozen::Lock;

const SHOP: &str = "store_key_file = \"a key\"\n[[brokers]]\nid = \"Shop\"\nsecret_file = \"shop.txt\"\nprevious_secret_file = \"old.txt\"\norigins = [\"http://shop.localhost:1\"]\n";

/// A server that was started once. The key and a broker's secret are in files of their own.
fn place() -> Place {
    let place = Place::new(None);
    place.write_key("a key");
    fs::write(place.home().join("shop.txt"), "the secret of a shop\n").unwrap();
    fs::write(place.home().join("old.txt"), "its secret of last year\n").unwrap();
    place.set_up(SHOP);
    place
}

/// The exit status and what it said, which is one line; and nothing was made.
fn refusal(place: &Place, script: &str) -> (i32, String) {
    let output = place.command(script);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.lines().count() == 1 && said.starts_with("sso: ") && output.stdout.is_empty(), "{said}");
    let left = fs::read_dir(place.backup.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["home"], "{said}");
    (output.status.code().unwrap(), said)
}

#[test]
fn it_copies_every_file_that_the_configuration_names_and_says_what_is_elsewhere() {
    let place = place();
    let said = place.run("SSO_LISTEN=127.0.0.1:1 sso backup \"$BACKUP/\"");
    for (copy, original) in [
        ("sso.toml", "sso.toml"),
        ("store.key", "a key"),
        ("brokers/Shop.secret", "shop.txt"),
        ("brokers/Shop.previous_secret", "old.txt"),
        ("keys/access.json", "keys/access.json"),
    ] {
        let read = |file| fs::read_to_string(file).unwrap();
        assert_eq!(read(place.backup.join("secrets").join(copy)), read(place.home().join(original)), "{copy}");
    }
    for what in ["data/sso.db", "without sessions", "secrets/store.key", "secrets/keys/", "secrets/brokers/Shop.secret"]
    {
        assert!(said.contains(what), "{what}\n{said}");
    }
    assert!(said.ends_with("Not in it, since it was in the environment: SSO_LISTEN\n"), "{said}");
    assert!(!place.backup.join("secrets/sso.db.key").exists(), "there is no second key");
}

#[test]
fn what_cannot_be_a_whole_backup_is_refused() {
    let place = place();
    let (status, said) = refusal(&place, "SSO_STORE=postgres://nowhere/sso sso backup \"$BACKUP\"");
    assert!(status == 2 && said.contains("`sso backup --files-only` copies the rest"), "{said}");
    let (status, said) = refusal(&place, "SSO_DIRECTORY=postgres://nowhere/sso sso backup \"$BACKUP\"");
    assert!(status == 2 && said.contains("`sso backup --files-only` copies the rest"), "{said}");
    let (status, said) = refusal(&place, "sso backup --store sqlite:other.db \"$BACKUP\"");
    assert!(status == 1 && said.contains("there is no store other.db"), "{said}");
    assert!(!place.home().join("other.db").exists());
    let (status, said) = refusal(&place, "sso backup \"$BACKUP/deeper\"");
    assert!(status == 1 && said.contains("No such file or directory"), "{said}");
    fs::write(place.home().join("a key"), "ffffffffffffffffffffffffffffffff").unwrap();
    let (status, said) = refusal(&place, "sso backup \"$BACKUP\"");
    assert!(status == 1 && said.contains("another key than store_key"), "{said}");
}

#[test]
fn a_key_of_the_store_that_others_can_read_is_refused() {
    let place = place();
    let set_mode = |mode| fs::set_permissions(place.home().join("a key"), fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o640, 0o604, 0o620] {
        set_mode(mode);
        let (status, said) = refusal(&place, "sso backup \"$BACKUP\"");
        assert!(status == 2 && said.contains("sso.toml") && said.contains("must have mode 0600"), "{said}");
    }
    set_mode(0o400);
    place.run("sso backup \"$BACKUP\"");
}

/// Holds the database, so that nobody can read it, until its standard input ends.
const HOLD: &str = "import sqlite3, sys
db = sqlite3.connect('sso.db')
db.execute('PRAGMA locking_mode = EXCLUSIVE')
db.execute('BEGIN EXCLUSIVE')
print('locked', flush=True)
sys.stdin.read()";

/// What there is beside the server's directory, but the backup itself.
fn unfinished(place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.backup.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| *path != place.home() && *path != place.backup).collect()
}

#[test]
fn one_that_is_interrupted_leaves_nothing_and_one_that_is_killed_is_in_nobodys_way() {
    let place = place();
    let lock = Lock::of(Command::new("python3").args(["-c", HOLD]).current_dir(place.home()), "");

    for signal in ["INT", "TERM", "KILL"] {
        let mut backup = place.shell("exec sso backup \"$BACKUP\"");
        let mut backup = backup.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let started = Instant::now();
        while !unfinished(&place).iter().any(|draft| draft.join("data/sso.db").exists()) {
            assert!(started.elapsed() < PATIENCE, "it does not begin");
            thread::sleep(Duration::from_millis(10));
        }
        assert!(backup.try_wait().unwrap().is_none(), "it waits for the database");
        assert!(Command::new("kill").args(["-s", signal, &backup.id().to_string()]).status().unwrap().success());
        let told = Instant::now();
        let output = backup.wait_with_output().unwrap();
        assert!(told.elapsed() < PATIENCE, "{:?}", told.elapsed());
        if signal == "KILL" {
            assert_eq!((output.status.code(), unfinished(&place).len()), (None, 1));
        } else {
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(said, "sso: the backup was interrupted\n");
            assert_eq!((output.status.code(), unfinished(&place)), (Some(1), vec![]), "{signal}");
        }
        assert!(!place.backup.exists());
    }

    drop(lock);
    place.run("sso backup \"$BACKUP\"");
    assert!(place.backup.join("data/sso.db").exists());
}

/// What only the tools of PostgreSQL and Redis copy is left to them.
#[test]
fn all_but_another_ones_database_is_copied_if_that_is_what_is_asked_for() {
    let place = place();
    let said = place.run("SSO_STORE=redis://nowhere sso backup --files-only \"$BACKUP\"");
    assert!(said.contains("secrets/store.key") && !said.contains("data/"), "{said}");
    assert_eq!(fs::read_dir(place.backup.join("data")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_demo_has_a_key_for_its_store() {
    let engine = sso_engines::Engine::redis();
    let dir = tempfile::TempDir::new().unwrap();
    let key = dir.path().join("key");
    fs::write(&key, "0123456789abcdef0123456789abcdef\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let port = sso_tests::process::free_ports(7).to_string();
    let (url, key) = (engine.new_store(), key.to_str().unwrap());
    let start = |more: &[&str], environment: &[(&str, &str)]| {
        let args = [&["demo", "--base-port", &port, "--store", &url], more].concat();
        Site::try_start_in(dir.path(), &args, environment)
    };
    for environment in [&[][..], &[("SSO_STORE_KEY", "short")]] {
        let failed = start(&[], environment).err().unwrap();
        assert_eq!((failed.status, failed.said.lines().count()), (2, 1), "{}", failed.said);
    }
    let both =
        start(&["--store-key-file", key], &[("SSO_STORE_KEY", "0123456789abcdef0123456789abcdef")]).err().unwrap();
    assert!(both.status == 2 && both.said.contains("expected either"), "{}", both.said);
    assert!(start(&["--store-key-file", "none"], &[]).err().unwrap().said.contains("cannot read none"));
    assert!(start(&["--store-key-file", key], &[]).is_ok());
    assert!(start(&[], &[("SSO_STORE_KEY_FILE", key)]).is_ok());
    assert!(start(&[], &[("SSO_STORE_KEY", "0123456789abcdef0123456789abcdef")]).is_ok());
}
