//! What `sso users`, `sso brokers` and `sso sessions` show, refuse and end.

use std::{
    net::TcpListener,
    process::Command,
    time::{Duration, Instant},
};

use sso_core::Encoding;
use sso_engines::{Engine, new_postgres_store, new_redis_store, postgres_bin};
use sso_tests::{
    Visitor,
    process::{PATIENCE, free_ports},
};
use tempfile::TempDir;

use crate::{
    directory::{Nodes, Said, run_in, secret_in},
    key_files::Keys,
    outage::HASH,
    peer::Peer,
};

const KEY: &str = "0123456789abcdef0123456789abcdef";

pub fn refused(said: &Said, status: i32, what: &str) {
    assert_eq!((said.status, said.out.as_str(), said.err.trim_end().lines().count()), (status, "", 1), "{said:?}");
    assert!(said.err.starts_with("sso: ") && said.err.contains(what), "{what}\n{said:?}");
}

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

/// The table of users is open to other programs, and not all of them write what can be read.
#[tokio::test]
async fn a_user_who_cannot_be_read_is_listed_with_the_others_and_can_be_kept_out_and_repaired() {
    let store = new_postgres_store();
    let by_hand = |statement: &str| {
        let done = Command::new(postgres_bin("psql")).args(["-qX", &store, "-c", statement]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let nodes = Nodes::start(&store, None);
    nodes.sso(&["users", "add", "ada"], "ada's long password\n");
    by_hand("INSERT INTO sso_users (username, password) VALUES ('bob', 'bob123')");
    let listed = nodes.sso(&["users", "list"], "");
    let line = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("ada").contains("active") && line("bob").contains("unreadable: its password"), "{listed}");
    let json = nodes.json(&["users", "list", "--json"]);
    let bob = json.as_array().unwrap().iter().find(|user| user["username"] == "bob").unwrap();
    assert_eq!(bob["unreadable"], "password");
    assert!(!listed.contains("bob123") && !json.to_string().contains("bob123"));
    nodes.sso(&["sessions", "list"], "");

    refused(&nodes.run(&["users", "show", "bob"], ""), 1, "the password of \"bob\" cannot be read");
    assert!(nodes.sso(&["users", "disable", "bob"], "").contains("user bob disabled"));
    let [url, _] = nodes.urls();
    assert!(nodes.sso(&["users", "set-password", "bob"], "bob's long password\n").contains("has another password"));
    assert_eq!(nodes.json(&["users", "show", "bob"])["disabled"], true);
    assert!(!crate::directory::lets_in(&url, "bob", "bob's long password").await);
    nodes.sso(&["users", "enable", "bob"], "");
    let lets_in = async || crate::directory::lets_in(&url, "bob", "bob's long password").await;
    crate::peer::until("bob is let in", lets_in).await;

    by_hand("UPDATE sso_users SET member_of = 'staff' WHERE username = 'bob'");
    refused(&nodes.run(&["users", "set", "bob", "--group", "x"], ""), 1, "the groups of \"bob\" cannot be read");
    assert!(nodes.sso(&["users", "remove", "bob"], "").contains("user bob removed"));
    refused(&nodes.run(&["users", "set-password", "bob"], "bob's long password\n"), 1, "there is no user bob");
}

#[test]
fn names_that_are_taken_or_that_nobody_has_are_told() {
    let nodes = Nodes::start("sqlite:FILE.db", None);
    nodes.sso(&["users", "add", "ada"], "a rather long password\n");
    refused(&nodes.run(&["users", "add", "ada"], "another\n"), 1, "user ada is there already");
    refused(&nodes.run(&["users", "add", "bob"], "\n"), 1, "the password is empty");
    refused(&nodes.run(&["users", "add", "bob"], ""), 1, "the password is empty");
    // The rules of the page: 14 characters, more than 1024 bytes, the name.
    let too_long = format!("{}\n", "x".repeat(1_025));
    for (password, what) in [("fourteen chars\n", "at least 15 characters"), (&too_long, "at most 1024 bytes")] {
        refused(&nodes.run(&["users", "add", "bob"], password), 1, what);
        refused(&nodes.run(&["users", "set-password", "ada"], password), 1, what);
    }
    // What everybody tries first.
    for common in ["passwordpassword\n", "1q2w3e4r5t6y7u8i\n", "thisismypassword\n"] {
        refused(&nodes.run(&["users", "add", "bob"], common), 1, "easy to guess: it is a common one");
        refused(&nodes.run(&["users", "set-password", "ada"], common), 1, "easy to guess: it is a common one");
    }
    let own = "easy to guess: it is made of the account's own name";
    refused(&nodes.run(&["users", "add", "bob@shop.example"], "Bob@shop.example\n"), 1, own);
    let about = ["--attribute", "fullname=Bob Bobson", "--attribute", "email=bob@shop.example"];
    for password in ["Bobson-Bob-1987!\n", "bobson@shop.example\n", "bob.sso.localhost\n"] {
        refused(&nodes.run(&[&["users", "add", "bob"][..], &about].concat(), password), 1, own);
    }
    nodes.sso(&["users", "set", "ada", "--attribute", "fullname=Ada Lovelace"], "");
    refused(&nodes.run(&["users", "set-password", "ada"], "lovelace.lovelace\n"), 1, own);
    let told = nodes.sso(&["users", "set-password", "ada"], "15 odd letters!\n");
    assert_eq!(told, "user ada has another password; 0 sessions and 0 remembered browsers ended\n");
    refused(&nodes.run(&["users", "add", "bob", "--hash"], "not a hash\n"), 1, "not an argon2");
    for (name, what) in [
        ("", "a user's name has 1 to 256 bytes"),
        (" ", "1 to 256 bytes"),
        ("b\u{200b}ob", "U+200B is one"),
        ("b\tob", "U+0009"),
    ] {
        refused(&nodes.run(&["users", "add", name], "a rather long password\n"), 1, what);
    }
    for action in ["show", "set", "disable", "enable", "set-password", "remove"] {
        refused(&nodes.run(&["users", action, "bob"], "x\n"), 1, "there is no user bob in the directory");
    }
    assert_eq!(nodes.run(&["users", "add", "bob", "--attribute", "nonsense"], "x\n").status, 2);
    for (option, text) in
        [("--json-attribute", "age=?"), ("--json-attribute", "username=1"), ("--attribute", "username=ada")]
    {
        assert_eq!(nodes.run(&["users", "add", "bob", option, text], "x\n").status, 2, "{text}");
    }
    nodes.sso(&["users", "add", "bob", "--hash"], &format!("{HASH}\n"));

    nodes.sso(&["brokers", "add", "Shop", "http://shop.localhost:1"], "");
    refused(&nodes.run(&["brokers", "add", "Shop", "http://shop.localhost:1"], ""), 1, "broker Shop is there already");
    refused(
        &nodes.run(&["brokers", "add", "Mall", "http://mall/page"], ""),
        1,
        "broker Mall: `http://mall/page` has more",
    );
    let bad_path = ["brokers", "add", "Mall", "http://mall", "--return-path", "back"];
    refused(&nodes.run(&bad_path, ""), 1, "the return path `back`");
    refused(&nodes.run(&["brokers", "add", "Mall", "http://mall", "--secret-stdin"], "\n"), 1, "the secret is empty");
    let missing = ["brokers", "add", "Mall", "http://mall", "--secret-file", "none"];
    refused(&nodes.run(&missing, ""), 1, "cannot read none");
    refused(&nodes.run(&["brokers", "set", "Shop", "--origin", "x/y"], ""), 1, "broker Shop: `x/y`");
    for action in ["show", "set", "disable", "enable", "rotate-secret", "remove"] {
        refused(&nodes.run(&["brokers", action, "Mall"], ""), 1, "there is no broker Mall in the directory");
    }
    for args in [&["brokers", "add", "no-word", "http://mall"][..], &["brokers", "add", "Mall"], &["users", "add"]] {
        assert_eq!(nodes.run(args, "").status, 2, "{args:?}");
    }
    // As in the file: on a network a secret has 128 bits.
    let network = [("SSO_PUBLIC_URL", "https://sso.example.com"), ("SSO_BROKERS", "[]")];
    let weak = ["brokers", "add", "Mall", "https://mall.example", "--secret-stdin"];
    refused(&nodes.run_with(&weak, "short\n", &network), 1, "broker Mall: the secret has less than 128 bits");
    assert_eq!(nodes.run_with(&weak, &format!("{KEY}\n"), &network).status, 0);
    let weak = ["brokers", "rotate-secret", "Mall", "--secret-stdin"];
    refused(&nodes.run_with(&weak, "short\n", &network), 1, "less than 128 bits");
    refused(&nodes.run_with(&weak, &format!("{KEY}\n"), &network), 1, "has this secret already");
}

/// However a name is typed, it is one user's; and two users can be told apart by looking.
#[tokio::test]
async fn names_that_differ_in_nothing_that_can_be_seen_are_one_name() {
    let store = new_postgres_store();
    let nodes = Nodes::start(&store, None);
    let (nfc, nfd) = ("Zo\u{eb}", "Zoe\u{308}");
    assert_eq!(nodes.sso(&["users", "add", " Zoe\u{308} "], "a rather long password\n"), "user Zo\u{eb} added\n");
    let [url, _] = nodes.urls();
    for typed in [nfc, nfd, "Zo\u{eb} ", "\u{3000}Zoe\u{308}"] {
        assert!(crate::directory::lets_in(&url, typed, "a rather long password").await, "{typed:?}");
        assert_eq!(nodes.json(&["users", "show", typed])["username"], nfc);
        refused(&nodes.run(&["users", "add", typed], "a rather long password\n"), 1, "user Zo\u{eb} is there already");
    }
    refused(&nodes.run(&["users", "add", "jackie "], "x\n"), 1, "user jackie is in the configuration");
    assert_eq!(nodes.json(&["sessions", "list", nfd, "--json"]).as_array().unwrap().len(), 4);
    assert!(nodes.sso(&["sessions", "revoke", "--user", nfd], "").contains("4 sessions"));
    nodes.sso(&["users", "set-password", nfd], "stra\u{df}e u\u{308}ber ko\u{308}ln\n");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(crate::directory::lets_in(&url, nfc, "stra\u{df}e \u{fc}ber k\u{f6}ln").await);

    // Another program may write what it likes: that is listed, kept apart, and found to the letter.
    for odd in ["ad\u{200b}a", " eve", "Rene\u{301}"] {
        let insert = format!("INSERT INTO sso_users (username, password) VALUES ('{odd}', '{HASH}')");
        let done = Command::new(postgres_bin("psql")).args(["-qX", &store, "-c", &insert]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    for (name, twin) in [("ada", "ad\\u{200b}a"), ("eve", " eve"), ("Ren\u{e9}", "Rene\\u{301}")] {
        let what = format!("user {name}: {twin} is there already, which differs only in");
        refused(&nodes.run(&["users", "add", name], "a rather long password\n"), 1, &what);
    }
    let listed = nodes.sso(&["users", "list"], "");
    for what in ["odd name: a user's name has no invisible", "odd name: a user's name has no white space"] {
        assert!(listed.contains(what), "{listed}");
    }
    assert_eq!(listed.matches("odd name").count(), 3, "{listed}");
    assert!(nodes.json(&["users", "show", " eve"])["odd_name"].is_string());
    assert!(nodes.json(&["users", "show", nfc])["odd_name"].is_null());
    assert!(crate::directory::lets_in(&url, "Rene\u{301}", "jackie123").await);
    assert!(nodes.sso(&["users", "remove", "Rene\u{301}"], "").contains("removed"));
    nodes.sso(&["users", "add", "Ren\u{e9}"], "a rather long password\n");
}

#[test]
fn lists_show_everything_but_secrets() {
    let nodes = Nodes::start(&new_postgres_store(), None);
    let about = ["--attribute", "fullname=Ada L.", "--group", "staff", "--group", "night"];
    nodes.sso(&[&["users", "add", "ada"][..], &about].concat(), "a rather long password\n");
    nodes.sso(&["users", "set", "ada", "--drop-group", "night", "--json-attribute", "tags=[1]"], "");
    nodes.sso(&["users", "disable", "ada"], "");
    let user = nodes.json(&["users", "show", "ada"]);
    assert_eq!((&user["username"], &user["disabled"]), (&"ada".into(), &true.into()));
    assert_eq!(user["attributes"], serde_json::json!({ "fullname": "Ada L.", "tags": [1] }));
    assert_eq!(user["groups"], serde_json::json!(["staff"]));
    let listed = nodes.json(&["users", "list", "--json"]);
    assert_eq!(listed.as_array().unwrap().iter().map(|user| &user["username"]).collect::<Vec<_>>(), ["jackie", "ada"]);
    assert_eq!(listed[1], user);
    let table = nodes.sso(&["users", "list"], "");
    assert!(table.lines().any(|line| line.starts_with("ada     directory      disabled  staff")), "{table}");

    let rules =
        ["--checksum", "php", "--password-login", "--silent=jsonp", "--silent-start", "--audience", "https://api"];
    let rules = [&rules[..], &["--allow-user", "ada", "--allow-user", "bob", "--allow-group", "staff"]].concat();
    let printed =
        nodes.sso(&[&["brokers", "add", "Shop", "https://shop.example", "shop.example"][..], &rules].concat(), "");
    let secret = secret_in(&printed);
    let broker = nodes.json(&["brokers", "show", "Shop"]);
    let wanted = serde_json::json!({
        "origins": ["https://shop.example", "shop.example"], "checksum": "php", "silent": "jsonp", "silent_start": true,
        "password_login": true, "audiences": ["https://api"], "allow_users": ["ada", "bob"], "allow_groups": ["staff"],
    });
    assert_eq!(broker["settings"], wanted);
    let set = ["--origin", "https://new.example", "--password-login=false", "--allow-user", "", "--attribute", ""];
    nodes.sso(&[&["brokers", "set", "Shop", "--checksum", "exact"][..], &set].concat(), "");
    let wanted = serde_json::json!({
        "origins": ["https://new.example"], "silent": "jsonp", "silent_start": true,
        "audiences": ["https://api"], "allow_groups": ["staff"], "attributes": [],
    });
    assert_eq!(nodes.json(&["brokers", "show", "Shop"])["settings"], wanted);
    nodes.sso(&["brokers", "set", "Shop", "--all-attributes"], "");
    let listed = nodes.json(&["brokers", "list", "--json"]);
    assert_eq!((&listed[0]["id"], &listed[1]["id"]), (&"Alice".into(), &"Shop".into()));
    assert!(listed[1]["settings"].get("attributes").is_none());
    nodes.sso(&["brokers", "rotate-secret", "Shop"], "");
    assert!(nodes.json(&["brokers", "show", "Shop"])["previous_secret_until"].is_string());
    nodes.sso(&["brokers", "rotate-secret", "Shop", "--keep-old", "0s"], "");
    assert!(nodes.json(&["brokers", "show", "Shop"])["previous_secret_until"].is_null());
    for list in [&["users", "list", "--json"][..], &["users", "show", "ada"], &["brokers", "list", "--json"]] {
        let told = nodes.sso(list, "");
        assert!(
            !told.contains(&secret) && !told.contains("argon2") && !told.contains("a rather long password"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let nodes = Nodes::start(&new_redis_store(), Some("sqlite:FILE.db"));
    nodes.sso(&["users", "add", "ada"], "a rather long password\n");
    let [one, other] = nodes.peers("Alice", "s", "http://alice.localhost:1");
    let jackie = one.log_in(&Visitor::new(), "jackie", "jackie123").await;
    let (first, second) = (
        one.log_in(&Visitor::new(), "ada", "a rather long password").await,
        other.log_in(&Visitor::new(), "ada", "a rather long password").await,
    );
    let listed = nodes.json(&["sessions", "list", "--json"]);
    let users: Vec<_> = listed.as_array().unwrap().iter().map(|session| session["user"].as_str().unwrap()).collect();
    assert_eq!(users, ["ada", "ada", "jackie"]);
    assert_eq!(listed[0]["brokers"], serde_json::json!(["Alice"]));
    assert_eq!((&listed[0]["remembered"], listed[0]["since"].is_string()), (&false.into(), true));
    let table = nodes.sso(&["sessions", "list", "jackie"], "");
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(!table.contains(jackie.token.as_str()) && !table.contains(&jackie.code));

    // The account page names them alike.
    let handle = listed[0]["handle"].as_str().unwrap();
    refused(
        &nodes.run(&["sessions", "revoke", "--user", "jackie", "--session", handle], ""),
        1,
        "user jackie has no session",
    );
    nodes.sso(&["sessions", "revoke", "--user", "ada", "--session", handle], "");
    let mut left = [first.get("/api/info").await.status, second.get("/api/info").await.status];
    left.sort();
    assert_eq!(left, [200, 401]);
    let again = ["sessions", "revoke", "--user", "ada", "--session", handle];
    refused(&nodes.run(&again, ""), 1, "user ada has no session");
    assert_eq!(
        nodes.sso(&["sessions", "revoke", "--user", "ada"], ""),
        "1 session and 0 remembered browsers of user ada in the store in Redis at 127.0.0.1 ended\n"
    );
    for link in [&first, &second] {
        assert_eq!(link.get("/api/info").await.status, 401);
    }
    assert_eq!(jackie.user().await.as_deref(), Some("jackie"));
    assert_eq!(
        nodes.sso(&["sessions", "revoke", "--broker", "Alice"], ""),
        "3 links of broker Alice in the store in Redis at 127.0.0.1 cut\n"
    );
    assert_eq!(jackie.get("/api/info").await.status, 403);
    assert_eq!(
        nodes.json(&["sessions", "list", "--json"]).as_array().unwrap().len(),
        1,
        "nobody is logged out by that"
    );
    for args in [
        &["sessions", "revoke"][..],
        &["sessions", "revoke", "--session", handle],
        &["sessions", "revoke", "--user", "ada", "--broker", "Alice"],
    ] {
        assert_eq!(nodes.run(args, "").status, 2, "{args:?}");
    }
}

#[tokio::test]
async fn everything_is_ended_if_that_is_said_twice() {
    for store in [new_redis_store().as_str(), &new_postgres_store(), "sqlite:FILE.db"] {
        let nodes = Nodes::start(store, None);
        let [one, other] = nodes.peers("Alice", "s", "http://alice.localhost:1");
        let link = one.log_in(&Visitor::new(), "jackie", "jackie123").await;
        let nobody = other.attach(&Visitor::new()).await;
        refused(&nodes.run(&["sessions", "revoke", "--all"], "yes\n"), 2, "there is no terminal to ask: say --yes");
        assert_eq!((link.user().await.as_deref(), nobody.user().await), (Some("jackie"), None), "nothing was ended");
        let said = nodes.sso(&["sessions", "revoke", "--all", "--yes"], "");
        assert!(
            said.starts_with("2 sessions and 0 remembered browsers in the store ") && said.ends_with(" ended\n"),
            "{said}"
        );
        assert!(!said.contains('@') && !said.contains("://"), "{said}");
        for link in [&link, &nobody] {
            assert_eq!(link.get("/api/info").await.status, 403);
        }
        assert!(nodes.json(&["sessions", "list", "--json"]).as_array().unwrap().is_empty());
        let again = other.log_in(&Visitor::new(), "jackie", "jackie123").await;
        assert_eq!(again.user().await.as_deref(), Some("jackie"), "and it goes on");
    }
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
