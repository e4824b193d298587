//! Keys of tokens: the commands, their files, and a server that takes up changes while it works.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sso_jwt::{KeySet, key_id};
use sso_tests::{Site, Visitor, process::sso_bin};

use crate::{
    key_files::{Keys, now, token},
    peer::until,
};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn keys_are_made_listed_rotated_and_retired_and_are_their_owners_only() {
    let keys = Keys::none();
    let missing = keys.try_run(&["list"]);
    assert_eq!((missing.status.code(), missing.stdout.len()), (Some(1), 0));
    assert_eq!(String::from_utf8(missing.stderr).unwrap().lines().count(), 1);

    keys.run(&["new"]);
    assert_eq!(mode(&keys.dir()), 0o700);
    let (access, remember) = (keys.file("access"), keys.file("remember"));
    assert_eq!((mode(&access), mode(&remember)), (0o600, 0o600));
    let before = fs::read(&access).unwrap();
    assert_eq!(keys.try_run(&["new"]).status.code(), Some(1), "never over others");
    assert_eq!(fs::read(&access).unwrap(), before);

    let old = keys.ids("access", "EdDSA signing").remove(0);
    assert_eq!(keys.ids("remember", "HS256 signing").len(), 1);
    keys.run(&["rotate", "--purpose", "access"]);
    assert_eq!(keys.ids("access", "signing since"), [old.as_str()], "the new one waits");
    let new = keys.ids("access", "published").remove(0);
    assert_eq!(keys.ids("remember", "").len(), 1, "another purpose is left alone");
    for (kid, why) in [(&old, "rotate first"), (&new, "rotate first"), (&"nothing".to_owned(), "there is no key")] {
        let refused = keys.try_run(&["retire", kid]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(1) && said.contains(why), "{said}");
    }

    keys.run(&["rotate", "--purpose", "access", "--publish-for", "0s"]);
    assert_eq!(keys.ids("access", "signing since").len(), 1);
    assert_eq!(keys.ids("access", "retiring until"), [old.as_str(), &new], "the one that waited gives way");
    keys.run(&["retire", &old]);
    keys.run(&["retire", &new]);
    assert_eq!(keys.ids("access", "").len(), 1);
    assert_eq!((mode(&access), fs::read_dir(keys.dir()).unwrap().count()), (0o600, 2));

    let secrets: Vec<String> = [&access, &remember].map(|file| fs::read_to_string(file).unwrap()).into();
    let list = keys.run(&["list"]);
    for secret in secrets.iter().flat_map(|text| text.split("\"secret\": \"").skip(1)) {
        assert!(!list.contains(secret.split('"').next().unwrap()));
    }
}

#[test]
fn the_configuration_tells_where_the_keys_are_and_how_long_the_old_ones_are_needed() {
    let parent = tempfile::TempDir::new().unwrap();
    let (dir, file) = (parent.path().join("here"), parent.path().join("sso.toml"));
    let sso = |args: &[&str]| {
        let mut command = Command::new(sso_bin());
        command.arg("keys").args(args).arg("--config").arg(&file).current_dir(&parent).output().unwrap()
    };
    assert_eq!(sso(&["list"]).status.code(), Some(2), "there is no such file");
    fs::write(&file, "[jwt]\nkeys = \"here\"\nremember_lifetime = \"90 days\"\n").unwrap();
    for args in [&["new"][..], &["rotate", "--publish-for", "0s"]] {
        let output = sso(args);
        assert!(output.status.success(), "{output:?}");
    }
    for (purpose, lifetime) in [("access", 5 * 60), ("remember", 90 * 24 * 60 * 60)] {
        let keys = KeySet::from_json(&fs::read_to_string(dir.join(format!("{purpose}.json"))).unwrap()).unwrap();
        let [old, new] = keys.keys() else { panic!("{keys:?}") };
        let needed = old.times().retires.unwrap() - new.times().signs_from;
        assert!((lifetime..lifetime + 5 * 60).contains(&needed), "{purpose}: {needed} s");
    }
    fs::write(&file, "[jwt]\nremember_lifetime = \"long\"\n").unwrap();
    let wrong = sso(&["rotate"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("sso.toml:2: "));
}

#[test]
fn a_server_does_not_start_with_keys_that_are_missing_broken_or_open() {
    let keys = Keys::new();
    let dir = keys.dir();
    let start = || {
        let environment = [
            ("SSO_PUBLIC_URL", "http://localhost:1"),
            ("SSO_LISTEN", "127.0.0.1:0"),
            ("SSO_JWT_KEYS", dir.to_str().unwrap()),
            ("RUST_LOG", "error"),
        ];
        Site::try_start(&["server"], &environment).map_err(|failed| {
            assert_eq!((failed.status, failed.said.lines().count()), (2, 1), "{failed:?}");
            failed.said
        })
    };
    assert!(start().is_ok());
    let file = keys.file("remember");
    let good = fs::read(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(start().err().unwrap().contains("remember.json can be read or changed by others"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, &good[..good.len() / 2]).unwrap();
    assert!(start().err().unwrap().contains("remember.json: not a key file"));
    fs::remove_file(&file).unwrap();
    assert!(start().err().unwrap().contains("remember.json is not there"));
    fs::write(&file, &good).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(start().is_ok());
}

#[tokio::test]
async fn changes_are_taken_up_by_themselves_or_at_once_by_sighup_and_broken_files_are_not() {
    let keys = Keys::new();
    let server = keys.server();
    let visitor = Visitor::new();
    // Only a signal makes it read a file that has not changed.
    server.site.signal("HUP");
    until("SIGHUP is heard", async || server.site.log().matches("keys reloaded").count() == 2).await;
    let first = keys.ids("access", "signing");
    assert_eq!(server.published(&visitor).await, first);

    keys.run(&["rotate", "--purpose", "access"]);
    server.site.signal("HUP");
    until("the new key is published", async || server.published(&visitor).await.len() == 2).await;
    let both = server.published(&visitor).await;
    assert!(both.contains(&first[0]));

    let good = fs::read(keys.file("access")).unwrap();
    fs::write(keys.file("access"), "{\"keys\": [").unwrap();
    until("the broken file is told", async || server.site.log().contains("cannot reload keys")).await;
    assert_eq!(server.published(&visitor).await, both);
    assert!(server.accepts(&visitor, &token(&server.log_in().await).await).await);

    fs::write(keys.file("access"), good).unwrap();
    keys.run(&["rotate", "--purpose", "access"]);
    until("the change is seen without a signal", async || server.published(&visitor).await.len() == 3).await;
    let log = server.site.log();
    for purpose in ["access", "remember"] {
        let text = fs::read_to_string(keys.file(purpose)).unwrap();
        for secret in text.split("\"secret\": \"").skip(1) {
            assert!(!log.contains(secret.split('"').next().unwrap()), "a secret is in the log");
        }
    }
}

/// What the log advises is all that has to be done.
#[tokio::test]
async fn keys_that_are_refused_for_their_mode_are_taken_up_when_that_is_mended() {
    let keys = Keys::new();
    let server = keys.server();
    let (visitor, file, dir) = (Visitor::new(), keys.file("access"), keys.dir());
    let set_mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let told = |advice: &str| server.site.log().matches(advice).count();
    for (path, bad, good, advice) in [
        (&file, 0o644, 0o600, "must have mode 0600 (it has 0644)"),
        (&dir, 0o777, 0o700, "must have mode 0700 (it has 0777)"),
    ] {
        let before = server.published(&visitor).await;
        set_mode(path, bad);
        let mut newer = keys.read("access");
        newer.rotate(now(), Duration::from_secs(600), Duration::from_secs(300)).unwrap();
        fs::write(&file, newer.to_json()).unwrap();
        until("the mode is told", async || told(advice) == 1).await;
        // Told once, however often it is tried.
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!((told(advice), server.published(&visitor).await), (1, before.clone()));
        set_mode(path, good);
        until("the keys are taken up", async || server.published(&visitor).await.len() == before.len() + 1).await;
    }
}

#[tokio::test]
async fn hs256_keys_are_never_published() {
    let keys = Keys::none();
    keys.run(&["new", "--purpose", "access", "--algorithm", "HS256"]);
    keys.run(&["new", "--purpose", "remember", "--algorithm", "EdDSA"]);
    let server = keys.server();
    let visitor = Visitor::new();
    let jwks = visitor.get(&format!("{}/.well-known/jwks.json", server.origin)).await;
    assert_eq!((jwks.status, jwks.json()), (200, serde_json::json!({ "keys": [] })));
    assert!(server.accepts(&visitor, &token(&server.log_in().await).await).await);
}

/// Tokens of the old key, of the new one, and both at once, while keys are replaced: none is refused. A retired key's are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_under_load_refuses_nothing_good_and_a_retired_key_at_once() {
    let keys = Keys::new();
    let server = Arc::new(keys.server());
    let link = server.log_in().await;
    let visitor = Visitor::new();
    let old = token(&link).await;
    let goes_on = Arc::new(AtomicBool::new(true));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (server, link, old, goes_on) = (server.clone(), link.clone(), old.clone(), goes_on.clone());
            tokio::spawn(async move {
                let (visitor, mut seen) = (Visitor::new(), std::collections::HashSet::new());
                loop {
                    // One round more after the last change.
                    let is_last = !goes_on.load(Ordering::SeqCst);
                    let new = token(&link).await;
                    seen.insert(key_id(&new).unwrap());
                    assert!(server.accepts(&visitor, &new).await && server.accepts(&visitor, &old).await);
                    if is_last {
                        break;
                    }
                }
                seen
            })
        })
        .collect();
    for _ in 0..2 {
        let before = key_id(&token(&link).await).unwrap();
        keys.run(&["rotate", "--purpose", "access", "--publish-for", "3s"]);
        server.site.signal("HUP");
        until("the new key signs", async || key_id(&token(&link).await).unwrap() != before).await;
    }
    goes_on.store(false, Ordering::SeqCst);
    let mut seen = std::collections::HashSet::from([key_id(&old).unwrap()]);
    for caller in callers {
        seen.extend(caller.await.unwrap());
    }
    assert!(seen.len() >= 3, "the callers saw both changes");

    let young = token(&link).await;
    assert!(server.accepts(&visitor, &old).await);
    keys.run(&["retire", &key_id(&old).unwrap()]);
    server.site.signal("HUP");
    until("the retired key counts no more", async || !server.accepts(&visitor, &old).await).await;
    assert!(server.accepts(&visitor, &young).await);
}
