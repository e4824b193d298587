//! The broker API: each call of the protocol's table, with a good bearer token.

use reqwest::Method;
use serde_json::json;
use sso_core::Encoding;
use sso_tests::{
    Site, Visitor,
    visitor::{Answer, send},
};

use crate::peer::{Link, Peer, raw};

pub struct Api {
    _server: Site,
    port: u16,
}

impl Api {
    /// Alice may not post passwords, Greg may, and Paula is a PHP broker that may.
    pub fn start(session: &str) -> Self {
        let config = r#"
            public_url = "http://sso.localhost:PORT"
            php_routes = true
            brokers = [
                { id = "Alice", secret = "s-Alice", origins = ["http://alice.localhost:1"] },
                { id = "Greg", secret = "s-Greg", origins = ["http://greg.localhost:1"], password_login = true },
                { id = "Paula", secret = "s-Paula", origins = ["http://paula.localhost:1"], checksum = "php", password_login = true },
            ]
            [[users]]
            username = "jackie"
            password = "$argon2id$v=19$m=19456,t=2,p=1$d+d/Lmz5RSSm3s9/crB7Kg$OZZ0W55NHpsZzf9w0I3SPMgzrjJ51OzUXB7u5hco5qY"
            attributes = { fullname = "Jackie Black", email = "jackie.black@example.com" }
            "#;
        let (server, port) = Site::server(&format!("{config}\n[session]\n{session}\n"));
        Self { _server: server, port }
    }

    pub fn peer(&self, id: &str) -> Peer {
        let encoding = if id == "Paula" { Encoding::Php } else { Encoding::Exact };
        let origin = format!("http://{}.localhost:1", id.to_ascii_lowercase());
        Peer::new(&format!("http://sso.localhost:{}", self.port), id, &format!("s-{id}"), encoding, &origin)
    }

    pub async fn link(&self, id: &str) -> Link {
        self.peer(id).attach(&Visitor::new()).await
    }
}

pub const JACKIE: [(&str, &str); 2] = [("username", "jackie"), ("password", "jackie123")];

/// What every answer of the API has, and must not have.
pub fn check_form(answer: &Answer) {
    assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
    assert_eq!((answer.header("cache-control"), answer.header("x-content-type-options")), ("no-store", "nosniff"));
    if answer.status == 204 {
        assert_eq!(answer.body, "");
    } else {
        assert_eq!(answer.header("content-type"), "application/json", "{answer:?}");
    }
}

pub fn is_error(answer: &Answer, status: u16, error: &str) {
    check_form(answer);
    assert_eq!((answer.status, answer.json()["error"].as_str()), (status, Some(error)), "{answer:?}");
}

/// Somebody has logged in since the link was made.
pub fn is_superseded(answer: &Answer) {
    check_form(answer);
    assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("superseded")), "{answer:?}");
}

#[tokio::test]
async fn login_info_and_logout() {
    let api = Api::start("");
    for (id, suffix) in [("Greg", ""), ("Greg", ".php"), ("Paula", ""), ("Paula", ".php")] {
        let link = api.link(id).await;
        let path = |call: &str| format!("/api/{call}{suffix}");
        let nobody = link.get(&path("info")).await;
        check_form(&nobody);
        assert_eq!(nobody.status, 204);

        let user = json!({ "username": "jackie", "fullname": "Jackie Black", "email": "jackie.black@example.com" });
        let login = link.post(&path("login"), &JACKIE).await;
        check_form(&login);
        assert_eq!((login.status, login.json()), (200, user.clone()));
        let info = link.get(&path("info")).await;
        check_form(&info);
        assert_eq!((info.status, info.json()), (200, user));

        let logout = link.post(&path("logout"), &[]).await;
        check_form(&logout);
        assert_eq!((logout.status, link.user().await), (204, None));
        assert_eq!(link.post(&path("logout"), &[]).await.status, 204, "once more");
    }
}

#[tokio::test]
async fn logout_needs_neither_content_type_nor_content_length() {
    let api = Api::start("");
    let link = api.link("Greg").await;
    assert_eq!(link.post("/api/login", &JACKIE).await.status, 200);
    let head = "POST /api/logout HTTP/1.1\r\nHost: sso.localhost\r\nConnection: close\r\n";
    let refused = raw(api.port, format!("{head}\r\n").as_bytes());
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert_eq!(link.user().await.as_deref(), Some("jackie"));
    let answer = raw(api.port, format!("{head}Authorization: Bearer {}\r\n\r\n", link.bearer()).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(link.user().await, None);
}

#[tokio::test]
async fn login_is_for_brokers_that_may_with_two_good_fields() {
    let api = Api::start("");
    is_error(
        &api.link("Alice").await.post("/api/login", &JACKIE).await,
        403,
        "This broker may not log users in itself",
    );
    let link = api.link("Greg").await;
    for (fields, error) in [
        (&[("username", "jackie"), ("password", "wrong")][..], "Invalid credentials"),
        (&[("username", "nobody"), ("password", "jackie123")], "Invalid credentials"),
        (&[("username", "jackie"), ("password", "")], "Invalid credentials"),
        (&[("username", "jackie")], "Missing 'password' parameter"),
        (&[("password", "jackie123")], "Missing 'username' parameter"),
        (&[], "Missing 'username' parameter"),
        (
            &[("username", "jackie"), ("username", "jackie"), ("password", "jackie123")],
            "The parameter 'username' is given twice",
        ),
        (&[("username[]", "jackie"), ("password", "jackie123")], "Missing 'username' parameter"),
    ] {
        is_error(&link.post("/api/login", fields).await, 400, error);
    }
    for (body, is_good) in [
        (r#"{"username":"jackie","password":["jackie123"]}"#, false),
        (r#"{"username":"jackie""#, false),
        (r#"["jackie","jackie123"]"#, false),
        (r#"{"username":"jackie","password":"jackie123"}"#, true),
    ] {
        let request = link.call(Method::POST, "/api/login").header("Content-Type", "application/json");
        let answer = send(request.body(body)).await;
        check_form(&answer);
        assert_eq!(answer.status, if is_good { 200 } else { 400 }, "{body}");
    }
}

#[tokio::test]
async fn data_are_shared_merged_limited_and_wiped() {
    let api = Api::start("");
    let visitor = Visitor::new();
    let (alice, greg) = (api.peer("Alice").attach(&visitor).await, api.peer("Greg").attach(&visitor).await);
    assert_eq!(alice.get("/api/data").await.json(), json!({}));
    let set = async |link: &Link, data: serde_json::Value| {
        let answer = send(link.call(Method::POST, "/api/data").json(&data)).await;
        check_form(&answer);
        answer
    };
    assert_eq!(
        set(&alice, json!({ "a": 1, "b": { "c": [true] } })).await.json(),
        json!({ "a": 1, "b": { "c": [true] } })
    );
    assert_eq!(set(&greg, json!({ "a": null, "d": "x" })).await.json(), json!({ "b": { "c": [true] }, "d": "x" }));
    assert_eq!(greg.post("/api/data", &[("d", "by form")]).await.json()["d"], "by form");
    assert_eq!(alice.get("/api/data").await.json(), json!({ "b": { "c": [true] }, "d": "by form" }));
    is_error(&set(&alice, json!([1])).await, 400, set(&alice, json!([1])).await.json()["error"].as_str().unwrap());

    // 16 KiB as JSON, to the byte. {"b":null} removes first.
    set(&alice, json!({ "b": null, "d": null })).await;
    let full = 16 * 1024 - r#"{"k":""}"#.len();
    assert_eq!(set(&alice, json!({ "k": "x".repeat(full) })).await.status, 200);
    is_error(&set(&alice, json!({ "k": "y".repeat(full + 1) })).await, 413, "Session data is limited to 16 KiB");
    assert!(greg.get("/api/data").await.json()["k"].as_str().unwrap().starts_with('x'));

    assert_eq!(greg.post("/api/login", &JACKIE).await.status, 200);
    assert_eq!(set(&greg, json!({ "k": null, "mine": 1 })).await.status, 200);
    is_superseded(&set(&alice, json!({ "k": null })).await);
    assert_eq!(greg.post("/api/logout", &[]).await.status, 204);
    assert_eq!(alice.get("/api/data").await.json(), json!({}));
}

#[tokio::test]
async fn other_paths_methods_and_sizes_are_refused_in_json() {
    let api = Api::start("");
    let link = api.link("Greg").await;
    for path in [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/info/",
        "/api/info/x",
        "/api/Info",
        "/api/data.php",
        "/api/%FF",
        "/api//info",
    ] {
        for method in [Method::GET, Method::POST, Method::PUT] {
            is_error(&send(link.call(method, path)).await, 404, "There is no such API call");
        }
    }
    for (path, allowed, others) in [
        ("info", "GET, HEAD", [Method::POST, Method::DELETE, Method::OPTIONS]),
        ("login", "POST", [Method::GET, Method::PUT, Method::OPTIONS]),
        ("logout", "POST", [Method::GET, Method::PUT, Method::PATCH]),
        ("logout.php", "POST", [Method::GET, Method::PUT, Method::PATCH]),
        ("data", "GET, HEAD, POST", [Method::PUT, Method::DELETE, Method::OPTIONS]),
    ] {
        for method in others {
            let answer = send(link.call(method, &format!("/api/{path}"))).await;
            is_error(&answer, 405, &format!("Expected {allowed}"));
            assert_eq!(answer.header("allow"), allowed, "{path}");
        }
    }
    for path in ["/api/login", "/api/login.php", "/api/data"] {
        let answer = send(link.call(Method::POST, path).form(&[("username", "x".repeat(60_000))])).await;
        check_form(&answer);
        assert!(answer.status == 413 && answer.json()["error"].is_string(), "{path} {answer:?}");
    }
    assert_eq!(link.user().await, None);
}
