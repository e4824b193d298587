//! HEAD is GET without a body, at every address of every site; and no person's visit.

use std::{collections::BTreeSet, path::Path, process::Command};

use reqwest::Method;
use sso_tests::{
    Demo, Visitor,
    visitor::{Answer, send},
};

use crate::peer::Peer;

/// What GET answers, by site.
const PAGES: &[(&str, &[&str])] = &[
    (
        "sso",
        &[
            "/",
            "/login",
            "/account",
            "/confirm",
            "/profile",
            "/external?url=x",
            "/attach",
            "/sso/session",
            "/sso/handoff.js",
            "/healthz",
            "/readyz",
            "/.well-known/jwks.json",
            "/api/info",
            "/api/data",
            "/api/session",
            "/static/sso.css",
            "/nowhere",
        ],
    ),
    (
        "alice",
        &[
            "/",
            "/about",
            "/reports",
            "/sso/attach",
            "/sso/login",
            "/sso/logout",
            "/sso/return",
            "/sso/session",
            "/static/sso.css",
            "/x",
        ],
    ),
    ("greg", &["/", "/login", "/sso/session"]),
    ("julius", &["/", "/sso/attach", "/sso/session", "/sso/ajax/info", "/sso/ajax/data", "/sso/ajax/x"]),
    (
        "nora",
        &["/", "/about", "/reports/2", "/login", "/external?url=x", "/sso/landing", "/sso/landing/in", "/healthz"],
    ),
    ("api", &["/me", "/reports", "/x"]),
];

/// What only GET answers, of its own addresses, and POST.
const POSTS: &[(&str, &str, &str)] = &[
    ("sso", "/attach", "GET, HEAD, OPTIONS, POST"),
    ("sso", "/sso/session", "GET, HEAD"),
    ("sso", "/sso/session/logout", "POST"),
    ("sso", "/api/info", "GET, HEAD"),
    ("sso", "/api/data", "GET, HEAD, POST"),
    ("alice", "/sso/attach", "GET, HEAD"),
    ("alice", "/sso/return", "GET, HEAD"),
    ("alice", "/sso/logout", "GET, HEAD, POST"),
    ("alice", "/sso/session", "GET, HEAD"),
    ("alice", "/sso/session/keepalive", "POST"),
    ("julius", "/sso/ajax/data", "GET, HEAD, POST"),
    ("nora", "/sso/landing", "GET, HEAD, POST"),
];

/// The headers that say what there is, without the values of cookies and what is made for each answer.
fn said(answer: &Answer) -> BTreeSet<(String, String)> {
    let headers = answer.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "content-length"));
    let text = headers.map(|(name, value)| {
        let value = value.to_str().unwrap();
        let value = if name == "set-cookie" { value.split(['=', '-']).next().unwrap() } else { value };
        (name.to_string(), value.split("token=").next().unwrap().to_owned())
    });
    text.collect()
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let demo = Demo::start(&[]);
    for (site, paths) in PAGES {
        for path in *paths {
            let ask = async |method| {
                send(Visitor::new().request(method, &demo.url(site, path)).header("Accept", "text/html")).await
            };
            let (get, head) = (ask(Method::GET).await, ask(Method::HEAD).await);
            assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{site}{path}");
            if !path.starts_with("/sso/landing") {
                assert_eq!(said(&head), said(&get), "{site}{path}");
            }
        }
    }
    for (site, path, allowed) in POSTS {
        let answer = send(Visitor::new().request(Method::DELETE, &demo.url(site, path))).await;
        let mut allow: Vec<_> = answer.header("allow").split(", ").collect();
        allow.sort_unstable();
        assert_eq!((answer.status, allow.join(", ").as_str()), (405, *allowed), "{site}{path}");
    }
}

#[tokio::test]
async fn a_bearer_call_by_head_says_what_get_says() {
    let demo = Demo::start(&[]);
    let peer =
        Peer::new(&demo.url("sso", ""), "Alice", "8iwzik1bwd", sso_core::Encoding::Exact, &demo.url("alice", ""));
    let link = peer.log_in(&Visitor::new(), "jackie", "jackie123").await;
    for path in ["/api/info", "/api/data", "/api/session"] {
        let (get, head) = (link.get(path).await, send(link.call(Method::HEAD, path)).await);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

/// `curl -I -L`, as people look at a site: to the server and back.
#[tokio::test]
async fn curl_follows_with_head_to_the_page() {
    let demo = Demo::start(&[]);
    let jar = tempfile::NamedTempFile::new().unwrap();
    let curl = async |url: String, jar: &Path| {
        let jar = jar.to_str().unwrap().to_owned();
        let curl =
            move || Command::new("curl").args(["-sS", "-I", "-L", "-c", &jar, "-b", &jar, &url]).output().unwrap();
        let output = tokio::task::spawn_blocking(curl).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let statuses = text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
        statuses.map(|status| status.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(curl(demo.url("alice", "/"), jar.path()).await, ["303", "303", "303", "200"]);
    assert_eq!(curl(demo.url("alice", "/"), jar.path()).await, ["200"], "it has a session now");
    assert_eq!(curl(demo.url("greg", "/sso/attach?to=/"), jar.path()).await, ["303", "303", "303", "200"]);
    assert_eq!(curl(demo.url("alice", "/sso/login?to=/"), jar.path()).await, ["303", "200"], "the login form");
}
