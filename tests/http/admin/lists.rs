//! What lists show, and what they never show.

use std::process::Command;

use sso_engines::{new_postgres_store, postgres_bin};

use crate::directory::{Nodes, secret_in};

use super::refused;

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
