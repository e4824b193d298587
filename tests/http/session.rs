//! How much of a session is left, to stay, and how it ends: from outside.

use reqwest::Method;
use serde_json::Value;
use sso_tests::{Demo, Site, Visitor, visitor::send};

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

/// A site that is to be sure of its visitor: it looks at `auth_time`, and sends them to type the password again.
#[tokio::test]
async fn threat_34_a_site_asks_who_typed_the_password_too_long_ago_to_type_it_again() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    visitor.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
    visitor.visit(&demo.url("greg", "/sso/attach?to=/")).await;
    let auth_time = async |site| status(&visitor, &demo, site).await.1["auth_time"].as_i64().unwrap();
    let first = auth_time("alice").await;
    let again = |max_age: &str| demo.url("alice", &format!("/sso/login?max_age={max_age}&to=/about"));
    let page = visitor.visit(&again("3600")).await;
    assert_eq!((page.url.path(), auth_time("alice").await), ("/about", first), "not long enough ago");

    until("two seconds have passed", async || {
        let form = visitor.visit(&again("2")).await;
        form.url.path() == "/attach" && form.body.contains("Enter your password again")
    })
    .await;
    let form = visitor.visit(&again("2")).await;
    assert!(form.body.contains("value=\"jackie\""), "{}", form.body);
    let fields = [("username", "jackie"), ("password", "jackie123")];
    let page = visitor.follow(visitor.submit(&form, "/attach", &fields).await).await;
    assert_eq!((page.url.path(), page.status), ("/about", 200));
    for site in ["alice", "greg"] {
        assert!(auth_time(site).await >= first + 2, "{site}: the same login, at all sites");
    }

    // Whoever leaves it out of the address is not asked, and has not typed it: the site sees that.
    let typed = auth_time("alice").await;
    let attach = visitor.get(&again("0")).await.location().unwrap();
    let page = visitor.visit(&attach.replace("&max_age=0", "")).await;
    assert_eq!((page.url.path(), auth_time("alice").await), ("/about", typed));

    // Somebody else at that form is another login, and the sites are told.
    let form = visitor.visit(&again("0")).await;
    let sent = visitor.submit(&form, "/attach", &[("username", "john"), ("password", "john123")]).await;
    visitor.follow(sent).await;
    for site in ["alice", "greg"] {
        visitor.visit(&demo.url(site, "/")).await;
        assert_eq!(status(&visitor, &demo, site).await.1["username"], "john", "{site}");
    }
    // The server itself refuses what is no age, and an age without a login.
    let attach = visitor.get(&again("60")).await.location().unwrap();
    for spoiled in [attach.replace("max_age=60", "max_age=1h"), attach.replace("prompt=login&", "")] {
        assert_ne!(spoiled, attach);
        let refused = visitor.get(&spoiled).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body.contains("max_age"), "{}", refused.body);
    }
}

#[tokio::test]
async fn a_setting_says_how_many_logins_a_user_may_have() {
    let configuration = |max: &str| {
        format!(
            r#"
            public_url = "http://sso.localhost:PORT"
            [session]
            {max}
            [[users]]
            username = "jackie"
            password = "$argon2id$v=19$m=19456,t=2,p=1$d+d/Lmz5RSSm3s9/crB7Kg$OZZ0W55NHpsZzf9w0I3SPMgzrjJ51OzUXB7u5hco5qY"
            "#
        )
    };
    for (setting, is_out) in [("max_sessions_per_user = 1", true), ("max_sessions_per_user = 2", false), ("", false)] {
        let (_server, port) = Site::server(&configuration(setting));
        let url = |path: &str| format!("http://sso.localhost:{port}{path}");
        let (old, new) = (Visitor::new(), Visitor::new());
        for visitor in [&old, &new] {
            let form = visitor.get(&url("/login")).await;
            let sent = visitor.submit(&form, "/login", &[("username", "jackie"), ("password", "jackie123")]).await;
            assert_eq!(sent.status, 303);
        }
        assert_eq!(new.get(&url("/account")).await.status, 200);
        let page = old.visit(&url("/account")).await;
        assert_eq!(page.url.path() == "/login", is_out, "{setting}");
        assert_eq!(page.body.contains("you are logged in at too many places"), is_out, "{}", page.body);
    }
}
