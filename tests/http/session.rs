//! How much of a session is left, to stay, and how it ends: from outside.

use reqwest::Method;
use serde_json::Value;
use sso_tests::{Demo, Visitor, visitor::send};

use crate::peer::until;

/// What a site's page is told by script.
async fn status(visitor: &Visitor, demo: &Demo, site: &str) -> (u16, Value) {
    let request = visitor.request(Method::GET, &demo.url(site, "/sso/session"));
    let answer = send(request.header("Sec-Fetch-Site", "same-origin")).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    (answer.status, answer.json())
}

fn left(status: &Value) -> u64 {
    status["expires_in"].as_u64().unwrap_or_else(|| panic!("{status}"))
}

#[tokio::test]
async fn every_site_tells_what_is_left_and_asking_extends_nothing() {
    let demo = Demo::start(&["--idle-timeout", "10s", "--warn-before", "2s"]);
    let visitor = Visitor::new();
    assert_eq!(status(&visitor, &demo, "alice").await.1["authenticated"], false);
    visitor.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
    visitor.visit(&demo.url("julius", "/sso/attach?to=/")).await;
    for site in ["sso", "alice", "julius"] {
        let (code, told) = status(&visitor, &demo, site).await;
        assert_eq!((code, &told["authenticated"], &told["username"]), (200, &true.into(), &"jackie".into()), "{site}");
        assert!(
            left(&told) <= 10 && told["warn_before"] == 2 && told["absolute_expires_in"].as_u64().unwrap() > 40_000
        );
    }
    // Each of them asks until it is over; a session that asking extends would never end.
    for site in ["alice", "julius", "sso"] {
        until("the login ends", async || status(&visitor, &demo, site).await.1["authenticated"] == false).await;
        let ended = status(&visitor, &demo, site).await.1["ended"].clone();
        assert_eq!((&ended["reason"], &ended["n"]), (&"expired".into(), &2.into()), "{site}");
    }
    let page = visitor.visit(&demo.url("alice", "/")).await;
    assert!(demo.site.log().contains("a login has ended"), "the log says so");
    assert!(page.heading() == "You are logged out" && page.body.contains("Your session has expired"));
}

#[tokio::test]
async fn staying_is_for_own_pages_only_and_moves_the_end() {
    let demo = Demo::start(&["--idle-timeout", "40s"]);
    let visitor = Visitor::new();
    visitor.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
    let stay = |site: &'static str, from: &'static str, kind: &'static str| {
        let request = visitor.request(Method::POST, &demo.url(site, "/sso/session/keepalive"));
        send(request.header("Sec-Fetch-Site", from).header("Content-Type", kind).body("{}"))
    };
    until("some of it is used", async || left(&status(&visitor, &demo, "alice").await.1) <= 35).await;
    for site in ["alice", "sso"] {
        assert_eq!(stay(site, "cross-site", "application/json").await.status, 403);
        assert_eq!(stay(site, "same-origin", "text/plain").await.status, 415);
        assert!(left(&status(&visitor, &demo, site).await.1) <= 35);
    }
    let stayed = stay("alice", "same-origin", "application/json").await;
    // Use is written down every four seconds, so as much may be left besides.
    assert!(stayed.status == 200 && (40..=44).contains(&left(&stayed.json())), "{stayed:?}");
    assert!(left(&status(&visitor, &demo, "sso").await.1) > 35, "for all sites");
    until("some of it is used", async || left(&status(&visitor, &demo, "sso").await.1) <= 35).await;
    let stayed = stay("sso", "same-origin", "application/json").await.json();
    assert!((40..=44).contains(&left(&stayed)), "{stayed}");
}

#[tokio::test]
async fn a_cookie_in_another_browser_ends_the_session_and_the_log_says_why() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    visitor.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
    let cookie = visitor.cookies(&demo.url("sso", "/"));
    let copied = |agent: &'static str| {
        let request = Visitor::new().request(Method::GET, &demo.url("sso", "/")).header("Cookie", &cookie);
        let request = request.header("Sec-Fetch-Mode", "navigate").header("Sec-Fetch-Dest", "document");
        send(request.header("User-Agent", agent))
    };
    assert!(copied("Mozilla/6.1 (tests)").await.body.contains("Jackie Black"), "an update is the same browser");
    assert!(!copied("Thief/1.0").await.body.contains("Jackie Black"));
    assert!(demo.site.log().contains("FingerprintChanged"));
    // Its brokers are told, and attach anew.
    let page = visitor.visit(&demo.url("alice", "/")).await;
    assert!(page.heading() == "You are logged out" && page.body.contains("Your session has expired"), "{}", page.body);
}

#[test]
fn the_story_with_nothing_but_curl() {
    let demo = Demo::start(&["--same-site"]);
    let dir = tempfile::tempdir().unwrap();
    let script = include_str!("curl_story.sh");
    let mut curl = std::process::Command::new("bash");
    curl.args(["-euc", script, "story", &demo.url("alice", ""), &demo.url("greg", ""), &demo.url("sso", "")]);
    let done = curl.current_dir(dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(said, "out\njackie\njackie\nout\nout\n");
}

#[tokio::test]
async fn what_no_person_asked_for_extends_nothing() {
    let demo = Demo::start(&["--idle-timeout", "40s"]);
    let visitor = Visitor::new();
    visitor.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
    until("some of it is used", async || left(&status(&visitor, &demo, "sso").await.1) <= 35).await;
    for (name, value) in [
        ("Sec-Purpose", "prefetch"),
        ("SSO-Activity", "None"),
        ("Sec-Fetch-Mode", "no-cors"),
        ("Sec-Fetch-Dest", "iframe"),
    ] {
        for site in ["sso", "alice"] {
            let page = send(visitor.request(Method::GET, &demo.url(site, "/")).header(name, value)).await;
            assert!(page.body.contains("Jackie Black"), "{site} {name}");
            assert!(left(&status(&visitor, &demo, site).await.1) <= 35, "{site} {name}");
        }
    }
    visitor.visit(&demo.url("sso", "/")).await;
    assert!(left(&status(&visitor, &demo, "sso").await.1) > 35);
}
