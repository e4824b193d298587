//! Against a server that speaks as jasny/sso's does.

use serde_json::json;
use sso_core::{Encoding, wire::BearerErrorCode};

use crate::{browser::Browser, server::Server, site::Site};

fn php_server() -> Server {
    let server = Server::start();
    server.state().encoding = Encoding::Php;
    server.state().is_php = true;
    server
}

#[actix_web::test]
async fn checksums_paths_and_healing_are_phps() {
    let server = php_server();
    let mut browser = Browser::new(&Site::start(server.broker().php_server()));
    server.state().user = Some("jackie".into());
    // The test's server checks both checksums, in PHP's encoding.
    assert_eq!(browser.arrive(&server, "/page").await.body, "jackie down=false problem=None");
    assert_eq!(server.state().calls, ["GET /api/info.php "]);
    for code in [BearerErrorCode::NotAttached, BearerErrorCode::SessionEnded] {
        server.state().refuse = Some(code);
        let page = browser.visit("/page").await;
        server.state().refuse = None;
        let back = server.attach(page.location());
        assert_eq!(browser.visit(&back).await.location(), "/page");
        assert_eq!(browser.visit("/page").await.status, 200);
    }
}

#[actix_web::test]
async fn it_tells_no_limits() {
    let server = php_server();
    let mut browser = Browser::new(&Site::start(server.broker().php_server()));
    server.state().user = Some("jackie".into());
    browser.arrive(&server, "/page").await;
    for user in [Some("jackie"), None] {
        server.state().user = user.map(str::to_owned);
        server.state().calls.clear();
        let known = json!({"authenticated": user.is_some(), "username": user, "expires_in": null,
            "idle_expires_in": null, "absolute_expires_in": null, "warn_before": 0, "auth_time": null});
        assert_eq!(browser.get("/sso/session", &[]).await.json(), known);
        assert_eq!(browser.post_json("/sso/session/keepalive", &json!({})).await.json(), known);
        assert_eq!(server.state().calls, ["GET /api/info.php ", "GET /api/info.php "]);
    }
    // Its errors, told by text.
    server.state().user = Some("jackie".into());
    browser.visit("/page").await;
    server.state().be_over();
    let gone = browser.get("/sso/session", &[]).await;
    assert_eq!((gone.status, gone.json()["attach"].as_str()), (401, Some("redirect")));
    assert_eq!(browser.arrive(&server, "/page").await.body, "nobody down=false problem=None", "without words");
}

#[actix_web::test]
async fn its_texts_mean_nothing_from_our_own_server() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    browser.arrive(&server, "/page").await;
    let kept = browser.cookies.clone();
    // The same error without `code`: a refusal, shown as a problem.
    server.state().is_php = true;
    server.state().refuse = Some(BearerErrorCode::NotAttached);
    assert!(browser.visit("/page").await.body.contains("problem=Some(\"Invalid or expired bearer token\")"));
    assert_eq!(browser.cookies, kept);
}
