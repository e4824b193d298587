//! Applications with sessions of their own, each a process: what a session's name does, and the hand-off between two of them.

use reqwest::Method;
use sso_tests::{
    Site, Visitor,
    process::free_ports,
    visitor::{Answer, send},
};

const USERS: &str =
    "[{ username = \"jackie\", password = \"$2y$04$OIBKLwL8PMvhb0NgeiM19edlddeOZYHMDz1aoEhGA13OGONdE2cMK\" }]";
const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";

/// An application at this port of `localhost`.
fn start(port: u16, session_name: &str, session_key: &str, peer: Option<u16>) -> Site {
    let (listen, url) = (format!("127.0.0.1:{port}"), origin(port));
    let peer = peer.map(origin);
    let mut environment = vec![
        ("SSO_USERS", USERS),
        ("SSO_SESSION_KEY", session_key),
        ("SSO_APP_URL", &url),
        ("SSO_SESSION_NAME", session_name),
    ];
    if let Some(peer) = &peer {
        environment.extend([("SSO_PEER", peer.as_str()), ("SSO_PAIR_KEY", KEY)]);
    }
    Site::try_start(&["linked-app", "--listen", &listen], &environment).unwrap_or_else(|failed| panic!("{failed:?}"))
}

fn origin(port: u16) -> String {
    format!("http://localhost:{port}")
}

async fn log_in(visitor: &Visitor, port: u16) -> Answer {
    let fields = [("username", "jackie"), ("password", "jackie123")];
    let login = visitor.request(Method::POST, &format!("{}/login", origin(port)));
    let sent = send(login.header("Origin", origin(port)).form(&fields)).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    visitor.follow(sent).await
}

async fn heading(visitor: &Visitor, port: u16) -> String {
    visitor.visit(&format!("{}/", origin(port))).await.heading().to_owned()
}

const IN: &str = "Logged in as jackie";
const OUT: &str = "You are logged out";

#[tokio::test]
async fn the_same_session_name_and_key_on_one_host_are_one_sign_on() {
    for (names, keys, shared) in [
        (["sso_both", "sso_both"], [KEY, KEY], true),
        (["sso_one", "sso_two"], [KEY, KEY], false),
        (["sso_both", "sso_both"], [KEY, OTHER_KEY], false),
    ] {
        let port = free_ports(2);
        let _sites = [start(port, names[0], keys[0], None), start(port + 1, names[1], keys[1], None)];
        let visitor = Visitor::new();
        assert_eq!(log_in(&visitor, port).await.heading(), IN);
        assert_eq!(heading(&visitor, port + 1).await, if shared { IN } else { OUT }, "{names:?}");
        if names[0] == names[1] && !shared {
            continue;
        }
        // Neither ends the other's session, unless it is the same.
        let out =
            visitor.request(Method::POST, &format!("{}/logout", origin(port + 1))).header("Origin", origin(port + 1));
        send(out).await;
        assert_eq!(heading(&visitor, port).await, if shared { OUT } else { IN }, "{names:?}");
    }
}

#[tokio::test]
async fn two_processes_hand_their_users_to_each_other() {
    let port = free_ports(2);
    let _sites = [start(port, "sso_one", KEY, Some(port + 1)), start(port + 1, "sso_two", OTHER_KEY, Some(port))];
    for (here, there) in [(port, port + 1), (port + 1, port)] {
        let visitor = Visitor::new();
        log_in(&visitor, here).await;
        let external = format!("{}/external?url={}/reports/7", origin(here), origin(there));
        let leaving = send(visitor.request(Method::GET, &external).header("Sec-Fetch-Site", "same-origin")).await;
        let (action, fields) = leaving.form("http");
        assert_eq!(action, format!("{}/sso/landing", origin(there)));
        assert!(leaving.header("content-security-policy").contains(&format!("form-action 'self' {}", origin(there))));
        let landing = visitor.request(Method::POST, &action).header("Origin", origin(here)).form(&fields);
        let page = visitor.follow(send(landing).await).await;
        assert_eq!(page.heading(), "Report 7 of jackie");
        assert_eq!(page.url.as_str(), format!("{}/reports/7", origin(there)));
    }
}

#[test]
fn wrong_settings_are_told_and_nothing_is_started() {
    let listen = format!("127.0.0.1:{}", free_ports(1));
    for (environment, what) in [
        (vec![("SSO_USERS", USERS)], "SSO_SESSION_KEY is not set"),
        (vec![("SSO_USERS", USERS), ("SSO_SESSION_KEY", "short")], "SSO_SESSION_KEY is shorter than 32 bytes"),
        (vec![("SSO_SESSION_KEY", KEY)], "SSO_USERS is not set"),
        (
            vec![("SSO_USERS", USERS), ("SSO_SESSION_KEY", KEY), ("SSO_PEER", "http://localhost:1")],
            "SSO_PAIR_KEY is not set",
        ),
    ] {
        let failed = Site::try_start(&["linked-app", "--listen", &listen], &environment).err().expect("a refusal");
        assert!(failed.status == 2 && failed.said.contains(what) && !failed.said.contains("short\n"), "{failed:?}");
    }
}
