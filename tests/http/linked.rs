//! Applications with sessions of their own, each a process: what a session's name does, and the hand-off between two of them.

use std::os::unix::fs::PermissionsExt;

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
    start_with(port, session_name, session_key, peer, "memory:")
}

fn start_with(port: u16, session_name: &str, session_key: &str, peer: Option<u16>, store: &str) -> Site {
    let (listen, url) = (format!("127.0.0.1:{port}"), origin(port));
    let peer = peer.map(origin);
    let mut environment = vec![
        ("SSO_USERS", USERS),
        ("SSO_SESSION_KEY", session_key),
        ("SSO_APP_URL", &url),
        ("SSO_SESSION_NAME", session_name),
        ("SSO_SESSION_STORE", store),
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

async fn log_out(visitor: &Visitor, port: u16) {
    let out = visitor.request(Method::POST, &format!("{}/logout", origin(port))).header("Origin", origin(port));
    assert_eq!(send(out).await.status, 303);
}

#[tokio::test]
async fn the_same_session_name_key_and_store_on_one_host_are_one_sign_on() {
    let dir = tempfile::TempDir::new().unwrap();
    let (one, two) = (dir.path().join("one.db"), dir.path().join("two.db"));
    let (one, two) = (format!("sqlite:{}", one.display()), format!("sqlite:{}", two.display()));
    for (names, keys, stores, shared) in [
        (["sso_both", "sso_both"], [KEY, KEY], [one.as_str(), &one], true),
        (["sso_one", "sso_two"], [KEY, KEY], [&one, &one], false),
        (["sso_both", "sso_both"], [KEY, OTHER_KEY], [&one, &one], false),
        (["sso_both", "sso_both"], [KEY, KEY], [&one, &two], false),
        (["sso_both", "sso_both"], [KEY, KEY], ["memory:", "memory:"], false),
    ] {
        let port = free_ports(2);
        let _sites = [0, 1].map(|n| start_with(port + n as u16, names[n], keys[n], None, stores[n]));
        let visitor = Visitor::new();
        assert_eq!(log_in(&visitor, port).await.heading(), IN);
        assert_eq!(heading(&visitor, port + 1).await, if shared { IN } else { OUT }, "{names:?} {stores:?}");
        if names[0] == names[1] && !shared {
            continue;
        }
        // Neither ends the other's session, unless it is the same; then it ends for whoever copied its cookie, too.
        let copy = Visitor::new();
        copy.set_cookie(&origin(port), &format!("{}; Path=/", visitor.cookies(&origin(port))));
        assert_eq!(heading(&copy, port).await, IN);
        log_out(&visitor, port + 1).await;
        for visitor in [&visitor, &copy] {
            assert_eq!(heading(visitor, port).await, if shared { OUT } else { IN }, "{names:?}");
        }
    }
}

#[tokio::test]
async fn sessions_in_a_file_survive_a_restart_and_say_nothing_that_lets_anybody_in() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("sessions.db");
    let (port, store) = (free_ports(1), format!("sqlite:{}", file.display()));
    let site = start_with(port, "sso_one", KEY, None, &store);
    let visitor = Visitor::new();
    log_in(&visitor, port).await;
    drop(site);
    let _site = start_with(port, "sso_one", KEY, None, &store);
    assert_eq!(heading(&visitor, port).await, IN);
    let kept = std::fs::read(&file).unwrap();
    for kept in std::fs::read_dir(dir.path()).unwrap() {
        let kept = kept.unwrap();
        assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{kept:?}");
    }
    let cookie = visitor.cookies(&origin(port));
    // The cookie is `name=<signature><key>`; the key, at its end, is what must not be found.
    let key = &cookie.as_bytes()[cookie.len() - 50..];
    assert!(kept.windows(6).any(|part| part == b"jackie"), "the file that is meant");
    assert!(!kept.windows(key.len()).any(|part| part == key));
}

#[tokio::test]
async fn two_processes_hand_their_users_to_each_other() {
    let port = free_ports(2);
    let _sites = [start(port, "sso_one", KEY, Some(port + 1)), start(port + 1, "sso_two", OTHER_KEY, Some(port))];
    for (here, there) in [(port, port + 1), (port + 1, port)] {
        let visitor = Visitor::new();
        log_in(&visitor, here).await;
        let external = format!("{}/external?url={}/reports/7", origin(here), origin(there));
        let asked = visitor.get(&external).await;
        let (action, fields) = asked.form("/external");
        let leaving = visitor.get(reqwest::Url::parse_with_params(&action, &fields).unwrap().as_str()).await;
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
        (
            vec![("SSO_USERS", USERS), ("SSO_SESSION_KEY", KEY), ("SSO_SESSION_STORE", "redis://localhost")],
            "a linked application keeps its sessions in memory: or sqlite:FILE",
        ),
    ] {
        let failed = Site::try_start(&["linked-app", "--listen", &listen], &environment).err().expect("a refusal");
        assert!(failed.status == 2 && failed.said.contains(what) && !failed.said.contains("short\n"), "{failed:?}");
    }
}
