//! Tokens for the services of others, and questions about them: the part of threat 24 that is about access tokens.

use reqwest::Method;
use serde_json::{Value, json};
use sso_core::Encoding;
use sso_tests::{
    Demo, Site, Visitor,
    visitor::{Answer, send},
};

use crate::{ground::peer_of, peer::Peer};

const API: &str = "http://api.localhost:1";
const OTHER_API: &str = "http://other-api.localhost:1";

/// A server at which Alice and Greg have a service each.
fn server() -> (Site, impl Fn(&str) -> Peer) {
    let (site, port) = Site::server(
        r#"
        public_url = "http://sso.localhost:PORT"
        brokers = [
            { id = "Alice", secret = "a secret of Alice, which nobody can guess", origins = ["http://alice.localhost:1"], audiences = ["http://api.localhost:1"] },
            { id = "Greg", secret = "a secret of Greg's, which nobody can guess", origins = ["http://greg.localhost:1"], audiences = ["http://other-api.localhost:1"] },
            { id = "Poor", secret = "a secret of Poor's, which nobody can guess", origins = ["http://poor.localhost:1"] },
        ]
        [[users]]
        username = "jackie"
        password = "$argon2id$v=19$m=19456,t=2,p=1$d+d/Lmz5RSSm3s9/crB7Kg$OZZ0W55NHpsZzf9w0I3SPMgzrjJ51OzUXB7u5hco5qY"
        "#,
    );
    let peer = move |id: &str| {
        let origin = format!("http://{}.localhost:1", id.to_ascii_lowercase());
        Peer::new(&format!("http://sso.localhost:{port}"), id, secret(id), Encoding::Exact, &origin)
    };
    (site, peer)
}

fn secret(id: &str) -> &'static str {
    match id {
        "Alice" => "a secret of Alice, which nobody can guess",
        "Greg" => "a secret of Greg's, which nobody can guess",
        _ => "a secret of Poor's, which nobody can guess",
    }
}

async fn introspect(server: &str, id: &str, secret: &str, token: &str) -> Answer {
    let request = Visitor::new().request(Method::POST, &format!("{server}/api/introspect"));
    send(request.basic_auth(id, Some(secret)).form(&[("token", token)])).await
}

async fn known(server: &str, id: &str, token: &str) -> Value {
    let answer = introspect(server, id, secret(id), token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn threat_24_a_broker_gets_no_token_for_the_service_of_another() {
    let (site, peer) = server();
    let visitor = Visitor::new();
    let alice = peer("Alice").log_in(&visitor, "jackie", "jackie123").await;
    let (greg, poor) = (peer("Greg").attach(&visitor).await, peer("Poor").attach(&visitor).await);
    for (link, audience) in [
        (&alice, OTHER_API),
        (&alice, "http://api.localhost:1/"),
        (&alice, "http://sso.localhost"),
        (&alice, ""),
        (&greg, API),
        (&poor, API),
    ] {
        let refused = link.post("/api/token", &[("audience", audience)]).await;
        assert_eq!(refused.status, 403, "{audience}: {refused:?}");
        assert!(!refused.body.contains("eyJ") && refused.json().get("access_token").is_none());
    }
    let both = send(alice.call(Method::POST, "/api/token").form(&[("audience", API), ("audience", OTHER_API)])).await;
    assert_eq!(both.status, 400, "two audiences are none");
    assert_eq!(poor.post("/api/token", &[]).await.status, 403);
    for (link, audience) in [(&alice, API), (&greg, OTHER_API)] {
        assert_eq!(link.post("/api/token", &[("audience", audience)]).await.status, 200);
        assert_eq!(link.post("/api/token", &[]).await.status, 200);
    }
    assert!(!site.log().contains("eyJ"), "a token is in the log");
}

#[tokio::test]
async fn threat_24_nobody_is_told_of_tokens_for_others_or_without_their_secret() {
    let (site, peer) = server();
    let alice = peer("Alice").log_in(&Visitor::new(), "jackie", "jackie123").await;
    let server = &alice.peer.server;
    let token = alice.post("/api/token", &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(known(server, "Alice", &token).await["active"], true);
    for id in ["Greg", "Poor"] {
        assert_eq!(known(server, id, &token).await, json!({ "active": false }), "{id}");
    }
    for (id, secret) in [
        ("Alice", ""),
        ("Alice", "a secret of Greg's, which nobody can guess"),
        ("Alice", "a secret of Alice, which nobody can guess "),
        ("Nobody", "a secret of Alice, which nobody can guess"),
        ("", ""),
    ] {
        let refused = introspect(server, id, secret, &token).await;
        assert_eq!((refused.status, refused.body.as_str()), (401, r#"{"error":"invalid_client"}"#), "{id}");
        assert!(refused.header("www-authenticate").starts_with("Basic"));
    }
    let nameless = Visitor::new().request(Method::POST, &format!("{server}/api/introspect"));
    assert_eq!(send(nameless.form(&[("token", &token)])).await.status, 401);
    let bearer = alice.post("/api/introspect", &[("token", &token)]).await;
    assert_eq!(bearer.status, 401, "a visitor's bearer is no credential of the broker");

    // Guessing is slowed down, and does not keep the honest one out.
    let mut slowed = false;
    for _ in 0..15 {
        slowed |= introspect(server, "Alice", "a guess", &token).await.status == 429;
    }
    assert!(slowed);
    assert_eq!(known(server, "Alice", &token).await["active"], true);

    // A logout ends it for those who ask.
    assert_eq!(alice.post("/api/logout", &[]).await.status, 204);
    assert_eq!(known(server, "Alice", &token).await, json!({ "active": false }));
    let log = site.log();
    assert!(log.contains("wrong secret at introspection"));
    assert!(!log.contains(&token) && !log.contains("which nobody can guess") && !log.contains("a guess"));
}

#[tokio::test]
async fn threat_24_only_the_broker_that_has_audiences_gets_tokens_in_the_demo() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    let alice = peer_of(&demo, "Alice").log_in(&visitor, "jackie", "jackie123").await;
    let (greg, api) = (peer_of(&demo, "Greg").attach(&visitor).await, demo.url("api", ""));
    assert_eq!(greg.post("/api/token", &[("audience", &api)]).await.status, 403);
    assert_eq!(alice.post("/api/token", &[("audience", &demo.url("greg", ""))]).await.status, 403);
    assert_eq!(alice.post("/api/token", &[("audience", &api)]).await.status, 200);
}
