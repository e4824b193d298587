//! Sessions that an operator lists and ends.

use sso_engines::{new_postgres_store, new_redis_store};
use sso_tests::Visitor;

use crate::directory::Nodes;

use super::refused;

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
    assert_eq!(left, [200, 204]);
    let again = ["sessions", "revoke", "--user", "ada", "--session", handle];
    refused(&nodes.run(&again, ""), 1, "user ada has no session");
    assert_eq!(
        nodes.sso(&["sessions", "revoke", "--user", "ada"], ""),
        "1 session and 0 remembered browsers of user ada in the store in Redis at 127.0.0.1 ended\n"
    );
    for link in [&first, &second] {
        assert_eq!(link.get("/api/info").await.status, 204);
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
