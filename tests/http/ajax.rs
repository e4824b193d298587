//! The commands that the script of a broker's page may give.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sso_tests::{Demo, Visitor, visitor::send};

use crate::broker::is_json_attach;

/// One command of Julius' script.
fn command(visitor: &Visitor, demo: &Demo, name: &str, body: &Value) -> RequestBuilder {
    visitor.request(Method::POST, &demo.url("julius", &format!("/sso/ajax/{name}"))).json(body)
}

#[tokio::test]
async fn the_script_attaches_logs_in_and_out_without_leaving_the_page() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    let own =
        |name: &str, body: Value| send(command(&visitor, &demo, name, &body).header("Sec-Fetch-Site", "same-origin"));
    let get = async |name: &str| visitor.get(&demo.url("julius", &format!("/sso/ajax/{name}"))).await;
    assert!(is_json_attach(&get("info").await) && is_json_attach(&get("data").await));
    assert!(is_json_attach(&own("login", json!({ "username": "john", "password": "john123" })).await));

    // A session to join.
    visitor.visit(&demo.url("alice", "/")).await;
    let started = own("attach", json!({})).await;
    let (url, state) = (started.json()["url"].clone(), started.json()["state"].clone());
    assert_eq!((started.status, started.json()["mode"].as_str()), (200, Some("json")));
    let julius = demo.url("julius", "");
    let silent = send(visitor.request(Method::GET, url.as_str().unwrap()).header("Origin", &julius)).await;
    let verify = silent.json()["verify"].clone();
    let wrong = own("verify", json!({ "state": "0".repeat(50), "verify": verify })).await;
    assert!(wrong.status == 400 && wrong.json()["attach"] == "redirect" && wrong.header("set-cookie").is_empty());
    assert_eq!(own("verify", json!({ "state": state, "verify": verify })).await.status, 204);
    assert_eq!(own("verify", json!({ "state": state, "verify": verify })).await.status, 400, "once only");
    assert_eq!(get("info").await.status, 204);

    let wrong = own("login", json!({ "username": "john", "password": "x" })).await;
    assert_eq!((wrong.status, wrong.json()["error"].as_str()), (400, Some("Invalid credentials")));
    let login = own("login", json!({ "username": "john", "password": "john123" })).await;
    assert_eq!((login.status, login.json()["username"].as_str()), (200, Some("john")));
    assert_eq!(get("info").await.json()["fullname"], "John Doe");
    let data = own("data", json!({ "theme": "ocean" })).await;
    assert_eq!((data.status, data.json()), (200, json!({ "theme": "ocean" })));
    assert_eq!(get("data").await.json()["theme"], "ocean");
    let alice = visitor.visit(&demo.url("alice", "/")).await;
    assert!(alice.heading() == "Logged in as john" && alice.body.contains("data-theme=\"ocean\""));
    assert_eq!((own("logout", json!({})).await.status, get("info").await.status), (204, 204));
}

#[tokio::test]
async fn commands_of_other_pages_or_unknown_ones_are_refused_in_json() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    let julius = demo.url("julius", "");
    let commands = ["attach", "verify", "login", "logout", "data"];
    for name in commands {
        let plain = || command(&visitor, &demo, name, &json!({}));
        let text = |kind: &str| {
            let url = demo.url("julius", &format!("/sso/ajax/{name}"));
            visitor.request(Method::POST, &url).header("Content-Type", kind).header("Sec-Fetch-Site", "same-origin")
        };
        for (status, request) in [
            (403, plain()),
            (403, plain().header("Sec-Fetch-Site", "cross-site")),
            (403, plain().header("Sec-Fetch-Site", "same-site")),
            (403, plain().header("Sec-Fetch-Site", "none")),
            (403, plain().header("Origin", "http://evil.localhost:1")),
            (403, plain().header("Origin", "null")),
            (403, plain().header("Origin", &julius).header("Sec-Fetch-Site", "cross-site")),
            (415, text("text/plain").body("{}")),
            (415, text("application/x-www-form-urlencoded").body("a=b")),
            (400, text("application/json").body("{")),
            (400, text("application/json").body("[1]")),
            (413, text("application/json").body(format!("{{\"a\":\"{}\"}}", "x".repeat(16 << 10)))),
        ] {
            let answer = send(request).await;
            assert_eq!((answer.status, answer.header("set-cookie")), (status, ""), "{name} {answer:?}");
            assert!(answer.json()["error"].is_string() && answer.json().get("attach").is_none(), "{name} {answer:?}");
        }
        // The twin: nobody is attached, but the command itself is heard. By `Origin`, where a browser says no more.
        let accepted = send(plain().header("Origin", &julius)).await;
        assert!(!matches!(accepted.status, 403 | 404 | 405 | 415), "{name} {accepted:?}");
    }
    for (method, path, status) in [
        (Method::GET, "nothing", 404),
        (Method::POST, "nothing", 404),
        (Method::GET, "info/x", 404),
        (Method::GET, "..%2f..%2fapi%2finfo", 404),
        (Method::GET, "%2e%2e%2fadmin", 404),
        (Method::GET, "", 404),
        (Method::GET, "logout", 405),
        (Method::GET, "login", 405),
        (Method::GET, "attach", 405),
        (Method::POST, "info", 405),
        (Method::DELETE, "data", 405),
    ] {
        let answer = send(visitor.request(method.clone(), &demo.url("julius", &format!("/sso/ajax/{path}")))).await;
        assert_eq!(answer.status, status, "{method} {path} {answer:?}");
        assert!(answer.json()["error"].is_string(), "{method} {path}");
    }
}
