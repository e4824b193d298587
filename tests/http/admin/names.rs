//! Which names the commands take, and which they say are taken or not there.

use std::{process::Command, time::Duration};

use sso_engines::{new_postgres_store, postgres_bin};

use crate::{directory::Nodes, outage::HASH};

use super::{KEY, refused};

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
