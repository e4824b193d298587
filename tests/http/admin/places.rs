//! Where users and brokers are, and that commands say so where they cannot be changed or reached.

use std::{net::TcpListener, time::Instant};

use sso_core::Encoding;
use sso_engines::{Engine, new_redis_store};
use sso_tests::{
    Visitor,
    process::{PATIENCE, free_ports},
};
use tempfile::TempDir;

use crate::{
    directory::{Nodes, run_in, secret_in},
    key_files::Keys,
    outage::HASH,
    peer::Peer,
};

use super::{KEY, refused};

#[tokio::test]
async fn what_the_configuration_has_comes_first_and_is_not_changed() {
    let nodes = Nodes::start("sqlite:FILE.db", None);
    for args in [
        &["users", "add", "jackie"][..],
        &["users", "set", "jackie", "--group", "staff"],
        &["users", "show", "jackie"],
        &["users", "disable", "jackie"],
        &["users", "enable", "jackie"],
        &["users", "set-password", "jackie"],
        &["users", "remove", "jackie"],
    ] {
        refused(&nodes.run(args, "other password\n"), 1, "user jackie is in the configuration, which comes first");
    }
    for args in [
        &["brokers", "add", "Alice", "https://evil.example"][..],
        &["brokers", "set", "Alice", "--password-login"],
        &["brokers", "show", "Alice"],
        &["brokers", "disable", "Alice"],
        &["brokers", "rotate-secret", "Alice"],
        &["brokers", "remove", "Alice"],
    ] {
        refused(&nodes.run(args, ""), 1, "broker Alice is in the configuration, which comes first");
    }
    // A name that the configuration got later hides the one in the directory.
    nodes.sso(&["users", "add", "ada"], "ada's long password\n");
    nodes.sso(&["brokers", "add", "Shop", "http://shop.localhost:1"], "");
    let later = nodes.with(&[
        ("SSO_USERS", &format!("[{{ username = \"ada\", password = \"{HASH}\" }}]")),
        ("SSO_BROKERS", "[{ id = \"Shop\", secret = \"s\", origins = [\"http://shop.localhost:1\"] }]"),
    ]);
    let [url, _] = later.urls();
    let peer = Peer::new(&url, "Shop", "s", Encoding::Exact, "http://shop.localhost:1");
    assert_eq!(peer.log_in(&Visitor::new(), "ada", "jackie123").await.user().await.as_deref(), Some("ada"));
    assert!(!crate::directory::lets_in(&url, "ada", "ada's long password").await);
    for list in [&["users", "list"][..], &["brokers", "list"]] {
        let told = later.sso(list, "");
        assert!(told.contains("hidden by the configuration") && told.contains("active"), "{told}");
    }
}

/// Whoever must be kept out is kept out, whatever is wrong with the keys of tokens: those are the server's.
#[test]
fn commands_work_with_keys_of_tokens_that_are_broken_and_no_server_starts() {
    let nodes = Nodes::start("sqlite:FILE.db", None);
    nodes.sso(&["users", "add", "ada"], "ada's long password\n");
    let keys = Keys::new();
    std::fs::write(keys.file("remember"), "{\"keys\": [").unwrap();
    let dir = keys.dir();
    let variable = [("SSO_JWT_KEYS", dir.to_str().unwrap()), ("RUST_LOG", "error")];
    let said = nodes.run_with(&["users", "disable", "ada"], "", &variable);
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
    assert!(nodes.sso(&["users", "list"], "").contains("disabled"));
    let listen = ["server", "--listen", "127.0.0.1:0"];
    refused(&nodes.run_with(&listen, "", &variable), 2, "remember.json: not a key file");
}

#[test]
fn what_is_in_a_servers_memory_is_out_of_reach_and_without_a_directory_there_is_nothing_to_change() {
    let nodes = Nodes::start("memory:", None);
    for args in [&["sessions", "list"][..], &["sessions", "revoke", "--user", "jackie"]] {
        refused(&nodes.run(args, ""), 2, "in the server's own memory");
    }
    for args in [&["users", "add", "ada"][..], &["users", "disable", "ada"], &["brokers", "add", "Shop", "http://shop"]]
    {
        refused(&nodes.run(args, "a rather long password\n"), 2, "there is no directory: set `directory`");
    }
    assert!(nodes.sso(&["users", "list"], "").contains("jackie"));
    refused(
        &nodes.run_with(&["users", "list"], "", &[("SSO_DIRECTORY", "redis://a")]),
        2,
        "SSO_DIRECTORY: users and brokers cannot be kept there",
    );
    refused(&nodes.run(&["users", "list", "--config", "none.toml"], ""), 2, "cannot read none.toml");
}

#[test]
fn a_database_that_cannot_be_opened_is_one_line_within_bounded_time() {
    let dir = TempDir::new().unwrap();
    // One that takes connections and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("postgres://sso@127.0.0.1:{}/sso", silent.local_addr().unwrap().port());
    let nobody = format!("postgres://sso@127.0.0.1:{}/sso", free_ports(1));
    for (url, what) in
        [(silent.as_str(), "cannot open the"), (&nobody, "cannot open the"), ("sqlite:/dev/null/sso.db", "cannot")]
    {
        for variables in [&[("SSO_STORE", url)][..], &[("SSO_STORE", "memory:"), ("SSO_DIRECTORY", url)]] {
            for command in [&["server", "--listen", "127.0.0.1:0"][..], &["users", "list"]] {
                let common = [("SSO_PUBLIC_URL", "http://localhost"), ("SSO_STORE_KEY", KEY), ("RUST_LOG", "error")];
                let started = Instant::now();
                let said = run_in(dir.path(), command, "", &[&common, variables].concat());
                refused(&said, 1, what);
                assert!(started.elapsed() < PATIENCE, "{url} {:?}", started.elapsed());
            }
        }
    }
    for variables in [&[("SSO_STORE", &*nobody)][..], &[("SSO_STORE", "memory:"), ("SSO_DIRECTORY", &*nobody)]] {
        let said = run_in(
            dir.path(),
            &["users", "list"],
            "",
            &[&[("SSO_PUBLIC_URL", "http://localhost")], variables].concat(),
        );
        refused(&said, 2, "in PostgreSQL needs store_key or store_key_file");
    }
}

#[test]
fn only_what_adds_makes_a_store_and_all_others_say_that_there_is_none() {
    let dir = TempDir::new().unwrap();
    let run = |args: &[&str]| {
        run_in(
            dir.path(),
            args,
            "correct horse battery\n",
            &[("SSO_PUBLIC_URL", "http://localhost"), ("RUST_LOG", "error")],
        )
    };
    let others = [
        &["users", "list"][..],
        &["users", "set-password", "ada"],
        &["users", "disable", "ada"],
        &["brokers", "list"],
        &["brokers", "disable", "Shop"],
        &["sessions", "list"],
        &["sessions", "revoke", "--all", "--yes"],
        &["backup", "copy"],
    ];
    for args in others {
        refused(&run(args), 1, "there is no store sso.db");
        let named = run(&[args, &["--store", "sqlite:other.db"]].concat());
        refused(&named, 1, "there is no store other.db");
    }
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "nothing was made");
    // Before the first start of the server.
    assert_eq!(run(&["users", "add", "ada"]).out, "user ada added\n");
    assert_eq!(run(&["brokers", "add", "Shop", "http://shop", "--store", "sqlite:other.db"]).status, 0);
    assert!(run(&["users", "list"]).out.contains("ada"));
    assert!(!run(&["users", "list", "--store", "sqlite:other.db"]).out.contains("ada"));
    assert!(run(&["brokers", "list", "--store", "sqlite:other.db"]).out.contains("Shop"));
    let ended = run(&["sessions", "revoke", "--all", "--yes", "--store", "sqlite:other.db"]);
    assert_eq!(ended.out, "0 sessions and 0 remembered browsers in the store other.db ended\n");
    assert_eq!(run(&["backup", "copy"]).status, 0);
    // Without its key a store is worth nothing, and another key would only hide that it is lost.
    std::fs::remove_file(dir.path().join("sso.db.key")).unwrap();
    refused(&run(&["users", "list"]), 1, "there is no key sso.db.key of the store");
    assert!(!dir.path().join("sso.db.key").exists());
}

/// The directory freezes, and then it goes; the store stays.
#[tokio::test]
async fn while_the_directory_does_not_answer_the_server_says_so_and_then_goes_on() {
    let mut engine = Engine::postgres();
    let nodes = Nodes::start(&new_redis_store(), Some(&engine.new_store()));
    nodes.sso(&["users", "add", "ada"], "a rather long password\n");
    let secret = secret_in(&nodes.sso(&["brokers", "add", "Shop", "http://shop.localhost:1"], ""));
    let [peer, _] = nodes.peers("Shop", &secret, "http://shop.localhost:1");
    let (link, visitor) = (peer.log_in(&Visitor::new(), "ada", "a rather long password").await, Visitor::new());
    let ready = format!("{}/readyz", peer.server);
    let alice = Peer::new(&peer.server, "Alice", "s", Encoding::Exact, "http://alice.localhost:1");
    for gone in [false, true] {
        if gone {
            engine.kill()
        } else {
            engine.pause()
        }
        crate::peer::until("nothing is remembered any more", async || link.get("/api/info").await.status == 503).await;
        let started = Instant::now();
        let answer = link.get("/api/info").await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{answer:?}");
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
        assert_eq!(visitor.get(&ready).await.status, 503);
        // Whom the configuration has is not asked for elsewhere.
        let jackie = alice.log_in(&Visitor::new(), "jackie", "jackie123").await;
        assert_eq!(jackie.user().await.as_deref(), Some("jackie"));
        if gone {
            engine.start()
        } else {
            engine.resume()
        }
        crate::peer::until("it works again", async || link.get("/api/info").await.status == 200).await;
        assert_eq!(visitor.get(&ready).await.status, 200);
    }
}
