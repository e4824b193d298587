//! The broker API's refusals: always JSON with a string `error`, for anything else crashes a jasny/sso broker.

use actix_web::http::{Method, StatusCode};
use serde_json::json;
use sso_core::Token;
use sso_server::Session;

use crate::{
    common::{Attached, Browser, World},
    http::{Answer, send},
};

const CALLS: [(&str, Method); 5] = [
    ("/api/info", Method::GET),
    ("/api/login", Method::POST),
    ("/api/logout", Method::POST),
    ("/api/data", Method::GET),
    ("/api/data", Method::POST),
];

async fn attached(world: &World) -> Attached {
    world.attach(&mut Browser::default(), "Alice").await
}

fn is_error(answer: &Answer, status: StatusCode) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.json()["error"].is_string());
    assert_eq!(answer.header("Cache-Control"), "no-store");
    assert_eq!(answer.header("X-Content-Type-Options"), "nosniff");
    assert!(answer.sets_no_cookie());
}

#[actix_web::test]
async fn without_a_bearer_it_is_401_with_the_scheme() {
    let world = World::new();
    for (path, method) in CALLS {
        for headers in [&[][..], &[("Authorization", "Basic abc")], &[("Authorization", "Bearer")]] {
            let answer = send(world.site(), method.clone(), path, headers, "").await;
            is_error(&answer, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.header("WWW-Authenticate"), "Bearer");
            assert!(answer.json().get("code").is_none());
        }
    }
}

#[actix_web::test]
async fn the_four_bad_bearers_are_one_answer_byte_for_byte() {
    let world = World::new();
    let link = attached(&world).await;
    let good = link.authorization();
    let bad = [
        "Bearer nonsense".to_owned(),
        good.replace("Alice", "Nobody"),
        good.replace(link.token.as_str(), Token::generate().as_str()),
        link.wrong_authorization(),
    ];
    for (path, method) in CALLS {
        let ok = send(world.site(), method.clone(), path, &[("Authorization", &good)], "").await;
        assert!(ok.status.is_success() || path == "/api/login", "{path}");
        for bad in &bad {
            let answer = send(world.site(), method.clone(), path, &[("Authorization", bad)], "").await;
            is_error(&answer, StatusCode::FORBIDDEN);
            assert_eq!(answer.body, r#"{"error":"Invalid or expired bearer token","code":"not_attached"}"#);
            let mut names: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            assert_eq!(names, ["cache-control", "content-type", "x-content-type-options"]);
        }
    }
}

#[actix_web::test]
async fn unknown_calls_and_methods_are_json_too() {
    let world = World::new();
    let bearer = attached(&world).await.authorization();
    let headers = [("Authorization", bearer.as_str())];
    for path in ["/api", "/api/", "/api/nothing", "/api/info/", "/api/info.php", "/api/../api/x", "/api//info"] {
        is_error(&send(world.site(), Method::GET, path, &headers, "").await, StatusCode::NOT_FOUND);
    }
    for (path, method) in [
        ("/api/info", Method::POST),
        ("/api/login", Method::GET),
        ("/api/logout", Method::GET),
        ("/api/data", Method::DELETE),
        ("/api/info", Method::OPTIONS),
    ] {
        is_error(&send(world.site(), method, path, &headers, "").await, StatusCode::METHOD_NOT_ALLOWED);
    }
    let info = send(world.site(), Method::GET, "/api/info", &headers, "").await;
    assert_eq!(info.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn bodies_have_a_limit_and_so_has_the_data() {
    let world = World::new();
    let bearer = attached(&world).await.authorization();
    let headers = [("Authorization", bearer.as_str())];
    for path in ["/api/data", "/api/login"] {
        let answer = send(world.site(), Method::POST, path, &headers, &"x".repeat(1_000_000)).await;
        is_error(&answer, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let too_much = format!("a={}", "x".repeat(Session::MAX_DATA));
    let answer = send(world.site(), Method::POST, "/api/data", &headers, &too_much).await;
    is_error(&answer, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["error"], "Session data is limited to 16 KiB");
    assert_eq!(world.get("/api/data", &headers).await.json(), json!({}));
    // What form encoding triples is still accepted.
    let fits = format!("a={}", "%2F".repeat(Session::MAX_DATA - 8));
    assert_eq!(send(world.site(), Method::POST, "/api/data", &headers, &fits).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn missing_repeated_and_wrong_fields_are_named() {
    let world = World::new();
    let bearer = attached(&world).await.authorization();
    let json = ("Content-Type", "application/json");
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for (kind, body, error) in [
        (form, "", "Missing 'username' parameter"),
        (form, "username=jackie", "Missing 'password' parameter"),
        (form, "username[]=jackie&password=jackie123", "Missing 'username' parameter"),
        (form, "username=a&username=jackie&password=jackie123", "The parameter 'username' is given twice"),
        (json, r#"{"username":["jackie"],"password":"jackie123"}"#, "Invalid 'username' parameter"),
        (json, r#"{"username":"jackie","password":1}"#, "Invalid 'password' parameter"),
    ] {
        let answer = send(world.site(), Method::POST, "/api/login", &[("Authorization", &bearer), kind], body).await;
        is_error(&answer, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["error"], error);
    }
    for (kind, body) in [(json, "[]"), (json, "{"), (json, ""), (json, "\"x\""), (form, "a=1&a=2")] {
        let answer = send(world.site(), Method::POST, "/api/data", &[("Authorization", &bearer), kind], body).await;
        is_error(&answer, StatusCode::BAD_REQUEST);
    }
    assert_eq!(world.get("/api/data", &[("Authorization", &bearer)]).await.json(), json!({}));
}

#[actix_web::test]
async fn deep_json_does_no_harm() {
    let world = World::new();
    let bearer = attached(&world).await.authorization();
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let answer = send(world.site(), Method::POST, "/api/data", &headers, &nested(10_000)).await;
    is_error(&answer, StatusCode::BAD_REQUEST);
    assert_eq!(send(world.site(), Method::POST, "/api/data", &headers, &nested(50)).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn too_many_failures_say_when_to_try_again() {
    let world = World::new();
    let (link, other) = (attached(&world).await, attached(&world).await);
    let wrong = link.wrong_authorization();
    for _ in 0..11 {
        is_error(&world.get("/api/info", &[("Authorization", &wrong)]).await, StatusCode::FORBIDDEN);
    }
    let answer = world.get("/api/info", &[("Authorization", &wrong)]).await;
    is_error(&answer, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("Retry-After"), "1");
    let answer = world.get("/api/info", &[("Authorization", &other.authorization())]).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);

    let bearer = other.authorization();
    for _ in 0..6 {
        let answer = world.post("/api/login", &[("Authorization", &bearer)], "username=jackie&password=x").await;
        is_error(&answer, StatusCode::BAD_REQUEST);
    }
    let answer = world.post("/api/login", &[("Authorization", &bearer)], "username=jackie&password=jackie123").await;
    is_error(&answer, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("Retry-After"), "1");
}
