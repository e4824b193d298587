//! Access tokens in the demo: Alice's page with data of a service that has no session, and the service itself.

use reqwest::Method;
use serde_json::json;
use sso_core::Encoding;
use sso_tests::{Demo, Visitor, visitor::send};

use crate::peer::Peer;

#[tokio::test]
async fn alice_shows_what_the_service_answers_for_her_visitor() {
    for options in [&[][..], &["--same-site"]] {
        let demo = Demo::start(options);
        let (visitor, reports) = (Visitor::new(), demo.url("alice", "/reports"));
        let page = visitor.visit(&reports).await;
        assert_eq!((page.status, page.heading()), (200, "Reports"));
        assert!(page.body.contains("/sso/login?to=/reports") && !page.body.contains("<pre"));

        let form = visitor.visit(&demo.url("alice", "/sso/login?to=/reports")).await;
        let sent = visitor.submit(&form, "/attach", &[("username", "jackie"), ("password", "jackie123")]).await;
        let page = visitor.follow(sent).await;
        assert_eq!((page.status, page.url.as_str()), (200, reports.as_str()));
        assert!(page.body.contains("What jackie bought"), "{}", page.body);
        assert!(
            !page.body.contains("eyJ") && !visitor.cookies(&reports).contains("eyJ"),
            "the token stays at the back end"
        );
        assert!(visitor.visit(&demo.url("alice", "/")).await.body.contains("href=\"/reports\""));
        assert_eq!(visitor.get(&demo.url("greg", "/reports")).await.status, 404, "Greg has no such page");
    }
}

#[tokio::test]
async fn a_service_knows_the_user_without_asking_the_server() {
    let demo = Demo::start(&[]);
    let peer = Peer::new(&demo.url("sso", ""), "Alice", "8iwzik1bwd", Encoding::Exact, &demo.url("alice", ""));
    let visitor = Visitor::new();
    let nobody = peer.attach(&visitor).await;
    assert_eq!(nobody.post("/api/token", &[]).await.json(), json!({ "error": "Nobody is logged in" }));

    let link = peer.log_in(&visitor, "jackie", "jackie123").await;
    let answer = link.post("/api/token", &[("audience", &demo.url("api", ""))]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    assert_eq!((&answer.json()["token_type"], &answer.json()["expires_in"]), (&json!("Bearer"), &json!(300)));
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    for (path, name) in [("/me", "username"), ("/reports", "owner")] {
        let answer = send(Visitor::new().request(Method::GET, &demo.url("api", path)).bearer_auth(&token)).await;
        assert_eq!((answer.status, &answer.json()[name]), (200, &json!("jackie")), "{path}");
        let refused = Visitor::new().get(&demo.url("api", path)).await;
        assert_eq!((refused.status, refused.body.as_str()), (401, r#"{"error":"Invalid token"}"#));
    }
    assert_eq!(Visitor::new().get(&demo.url("api", "/none")).await.status, 404);

    // It goes on until its time is up; who must know asks.
    assert_eq!(link.post("/api/logout", &[]).await.status, 204);
    let me = Visitor::new().request(Method::GET, &demo.url("api", "/me")).bearer_auth(&token);
    assert_eq!(send(me).await.status, 200);
    let ask = Visitor::new().request(Method::POST, &demo.url("sso", "/api/introspect"));
    let answer = send(ask.basic_auth("Alice", Some("8iwzik1bwd")).form(&[("token", &token)])).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "active": false })));
}
