//! What becomes of another service's failures: nothing that has to do with the login.

use serde_json::json;
use sso_broker::{AccessToken, ServiceError};

use crate::{
    browser::Browser,
    server::{NOBODY_LISTENS, Server},
    site::Site,
};

#[actix_web::test]
async fn a_services_failure_is_a_bad_gateway_and_the_visitor_stays_who_they_are() {
    // The service is no server of logins, but has the same odd answers.
    let (server, service) = (Server::start(), Server::start());
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    browser.arrive(&server, "/page").await;
    server.state().user = Some("jackie".into());
    browser.visit("/page").await;
    let cookies = browser.cookies.clone();

    let good = browser.visit(&format!("/service/{}/odd/good", service.origin)).await;
    assert_eq!((good.status, good.json()), (200, json!({ "a": 1 })));
    let odd = ["gateway", "barred", "ended", "html", "broken", "no-text", "nothing"];
    let failing = odd.map(|what| format!("{}/odd/{what}", service.origin)).into_iter();
    for url in failing.chain([NOBODY_LISTENS, "http://service.example.com/"].map(str::to_owned)) {
        let page = browser.visit(&format!("/service/{url}")).await;
        let told = json!({ "error": "A service that this page needs does not do its part" });
        assert_eq!((page.status, page.json()), (502, told), "{url}");
        assert_eq!(
            (browser.visit("/page").await.body.as_str(), &browser.cookies),
            ("jackie down=false problem=None", &cookies)
        );
    }
    assert_eq!(server.state().attached.len(), 1, "nobody was sent to attach anew");
}

#[actix_web::test]
async fn a_handler_can_tell_the_failures_apart() {
    let (server, service) = (Server::start(), Server::start());
    let broker = server.broker().public_url("http://alice.localhost").build().unwrap();
    let token = AccessToken { access_token: "A".into(), token_type: "Bearer".into(), expires_in: 300 };
    let get = async |url: &str| broker.client().get_from_service(&url.parse().unwrap(), &token).await;
    let odd = async |what: &str| get(&format!("{}/odd/{what}", service.origin)).await;

    assert_eq!(odd("good").await, Ok(Some(json!({ "a": 1 }))));
    for (what, status, error) in [("barred", 403, "Not yours"), ("ended", 401, "Too late"), ("no-text", 400, "")] {
        assert_eq!(odd(what).await, Err(ServiceError::Refused { status, error: error.into() }));
    }
    for what in ["html", "broken", "redirect", "large"] {
        assert!(matches!(odd(what).await, Err(ServiceError::BadAnswer(_))), "{what}");
    }
    assert!(matches!(odd("gateway").await, Err(ServiceError::Unreachable(_))));
    assert!(matches!(get(NOBODY_LISTENS).await, Err(ServiceError::Unreachable(_))));
    let insecure = get("http://service.example.com/a").await;
    assert_eq!(insecure, Err(ServiceError::Insecure("http://service.example.com".into())));
    assert!(broker.client().is_reachable().await);
}
