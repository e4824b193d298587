//! Access tokens: who gets one, what it says, how long it lives, and who is told about it.

use actix_web::http::{Method, StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sso_jwt::{AccessClaims, Algorithm, Expected, KeySet, SharedKeys};
use sso_server::{
    Policy,
    clock::{Clock, SystemClock},
};

use crate::{
    common::{API, Attached, Browser, HOUR, MINUTE, OTHER_API, World, secret},
    http::{Answer, pair, send},
};

/// A world in which the test holds the keys, and jackie is logged in at Alice.
async fn world() -> (World, SharedKeys, Browser, Attached) {
    world_with(Policy::default()).await
}

async fn world_with(policy: Policy) -> (World, SharedKeys, Browser, Attached) {
    let keys = SharedKeys::new(KeySet::generate(Algorithm::EdDsa, SystemClock.now().as_millis() / 1_000 - 1).unwrap());
    let world = World::with("https://sso.example", |builder| builder.policy(policy).access_keys(keys.clone()));
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let alice = world.attach(&mut browser, "Alice").await;
    (world, keys, browser, alice)
}

fn seconds(world: &World) -> i64 {
    world.clock.now().as_millis() / 1_000
}

async fn ask(world: &World, link: &Attached, body: &str) -> Answer {
    let bearer = link.authorization();
    world.post("/api/token", &[("Authorization", bearer.as_str())], body).await
}

/// The token of a good answer.
async fn token(world: &World, link: &Attached, body: &str) -> String {
    let answer = ask(world, link, body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn claims(world: &World, keys: &SharedKeys, token: &str, audience: &str) -> Option<AccessClaims> {
    let expected = Expected { issuer: "https://sso.example", audience, now: seconds(world) };
    keys.current().verify(token, &expected).ok()
}

fn basic(broker: &str) -> String {
    let secret = String::from_utf8(secret(broker).expose().to_vec()).unwrap();
    format!("Basic {}", STANDARD.encode(format!("{broker}:{secret}")))
}

async fn introspect(world: &World, authorization: &str, token: &str) -> Answer {
    world.post("/api/introspect", &[("Authorization", authorization)], &pair("token", token)).await
}

async fn known(world: &World, broker: &str, token: &str) -> Value {
    let answer = introspect(world, &basic(broker), token).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header("Cache-Control"), "no-store");
    answer.json()
}

#[actix_web::test]
async fn a_token_says_who_calls_through_whom_and_where() {
    let (world, keys, _, alice) = world().await;
    for (body, audience) in
        [(String::new(), API), (pair("audience", API), API), (pair("audience", OTHER_API), OTHER_API)]
    {
        let answer = ask(&world, &alice, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!((answer.header("Cache-Control"), answer.header("Pragma")), ("no-store", "no-cache"));
        assert!(answer.sets_no_cookie());
        let json = answer.json();
        assert_eq!((&json["token_type"], &json["expires_in"]), (&json!("Bearer"), &json!(300)));
        let token = json["access_token"].as_str().unwrap();
        let claims = claims(&world, &keys, token, audience).unwrap();
        let registered = &claims.registered;
        assert_eq!((registered.iss.as_str(), registered.sub.as_str()), ("https://sso.example", "jackie"));
        assert_eq!((registered.exp - registered.iat, registered.iat), (300, seconds(&world)));
        assert_eq!(claims.client, "Alice");
    }
    let json = r#"{"audience":"https://other-api.example"}"#;
    let headers = [("Authorization", alice.authorization()), ("Content-Type", "application/json".into())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(send(world.site(), Method::POST, "/api/token", &headers, json).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_broker_gets_tokens_for_its_own_audiences_and_for_a_user_only() {
    let (world, _, mut browser, alice) = world().await;
    let greg = world.attach(&mut browser, "Greg").await;
    let jsonp = world.attach(&mut browser, "Jsonp").await;
    let none = r#"{"error":"This broker has no audiences configured"}"#;
    let foreign = r#"{"error":"This audience is not among the broker's"}"#;
    for (link, body, error) in [
        (&greg, String::new(), none),
        (&greg, pair("audience", API), none),
        (&jsonp, pair("audience", API), foreign),
        (&alice, pair("audience", "https://sso.example"), foreign),
        (&alice, pair("audience", ""), foreign),
    ] {
        let refused = ask(&world, link, &body).await;
        assert_eq!((refused.status, refused.body.as_str()), (StatusCode::FORBIDDEN, error), "{body}");
    }
    assert_eq!(ask(&world, &jsonp, "").await.status, StatusCode::OK);

    world.server.log_out(browser.cookie.as_ref()).await.unwrap();
    let nobody = ask(&world, &alice, "").await;
    assert_eq!((nobody.status, nobody.body.as_str()), (StatusCode::FORBIDDEN, r#"{"error":"Nobody is logged in"}"#));
    let unproven = world.post("/api/token", &[("Authorization", &alice.wrong_authorization())], "").await;
    assert_eq!(unproven.status, StatusCode::FORBIDDEN);
    assert_eq!(world.post("/api/token", &[], "").await.status, StatusCode::UNAUTHORIZED);
    world.advance(2 * HOUR);
    assert_eq!(ask(&world, &alice, "").await.json()["code"], "not_attached", "the session is gone");
}

#[actix_web::test]
async fn a_token_ends_with_the_login_at_the_latest() {
    let minutes = |n| n * MINUTE;
    let policy = Policy { absolute_lifetime: minutes(22), ..Policy::default() };
    let (world, keys, _, alice) = world_with(policy).await;
    world.advance(minutes(19));
    let answer = ask(&world, &alice, "").await.json();
    assert_eq!(answer["expires_in"], 180);
    let token = answer["access_token"].as_str().unwrap();
    world.advance(minutes(3) - std::time::Duration::from_secs(1));
    assert!(claims(&world, &keys, token, API).is_some());
    world.advance(std::time::Duration::from_secs(1));
    assert!(claims(&world, &keys, token, API).is_none());
}

#[actix_web::test]
async fn who_is_among_the_audience_is_told_all_of_a_good_token() {
    let (world, _, _, alice) = world().await;
    let token = token(&world, &alice, &pair("audience", OTHER_API)).await;
    for broker in ["Alice", "Jsonp"] {
        let known = known(&world, broker, &token).await;
        let now = seconds(&world);
        for (name, value) in [
            ("active", json!(true)),
            ("iss", json!("https://sso.example")),
            ("sub", json!("jackie")),
            ("username", json!("jackie")),
            ("aud", json!(OTHER_API)),
            ("client_id", json!("Alice")),
            ("iat", json!(now)),
            ("exp", json!(now + 300)),
            ("token_type", json!("Bearer")),
        ] {
            assert_eq!(known[name], value, "{name}");
        }
        assert!(known["jti"].is_string() && known.get("sid").is_none());
    }
}

#[actix_web::test]
async fn of_any_other_token_nothing_is_told() {
    let (world, keys, _, alice) = world().await;
    let inactive = json!({"active": false});
    let good = token(&world, &alice, "").await;
    assert_eq!(known(&world, "Jsonp", &good).await, inactive, "for another audience");
    assert_eq!(known(&world, "Greg", &good).await, inactive, "for who has none");
    let mut tampered = good.clone();
    tampered
        .replace_range(good.len() - 8..good.len() - 7, if good.as_bytes()[good.len() - 8] == b'A' { "B" } else { "A" });
    for forged in ["", "x", "a.b.c", &tampered] {
        assert_eq!(known(&world, "Alice", forged).await, inactive, "{forged}");
    }
    assert_eq!(known(&world, "Alice", &good).await["active"], true);
    let mut foreign = claims(&world, &keys, &good, API).unwrap();
    foreign.session = None;
    let nameless = keys.current().sign(&foreign, seconds(&world)).unwrap();
    assert_eq!(known(&world, "Alice", &nameless).await, inactive, "of no login");
    world.advance(5 * MINUTE);
    assert_eq!(known(&world, "Alice", &good).await, inactive, "expired");
}

#[actix_web::test]
async fn a_logout_ends_a_token_before_its_time_and_another_login_does_not_bring_it_back() {
    let (world, keys, mut browser, alice) = world().await;
    let token = token(&world, &alice, "").await;
    let mut other = Browser::default();
    world.log_in(&mut other, "jackie").await;
    assert_eq!(known(&world, "Alice", &token).await["active"], true);
    let cookie = world.server.log_out(browser.cookie.as_ref()).await.unwrap();
    browser.receive(cookie);
    assert_eq!(known(&world, "Alice", &token).await, json!({"active": false}));
    world.log_in(&mut browser, "jackie").await;
    assert_eq!(known(&world, "Alice", &token).await, json!({"active": false}));
    assert!(claims(&world, &keys, &token, API).is_some(), "who does not ask does not know");
}

#[actix_web::test]
async fn only_a_broker_with_its_secret_may_ask() {
    let (world, _, _, alice) = world().await;
    let token = token(&world, &alice, "").await;
    let wrong = |credentials: &str| format!("Basic {}", STANDARD.encode(credentials));
    for authorization in [
        wrong("Alice:wrong"),
        wrong("Alice:"),
        wrong("Alice"),
        wrong("Nobody:x"),
        wrong("A-B:x"),
        wrong(":"),
        "Basic §".into(),
        "Basic".into(),
        alice.authorization(),
    ] {
        let refused = introspect(&world, &authorization, &token).await;
        assert_eq!(
            (refused.status, refused.body.as_str()),
            (StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#)
        );
        assert_eq!(refused.header("WWW-Authenticate"), "Basic realm=\"sso\"");
    }
    let nameless = world.post("/api/introspect", &[], &pair("token", &token)).await;
    assert_eq!(nameless.status, StatusCode::UNAUTHORIZED);
    let empty = world.post("/api/introspect", &[("Authorization", &basic("Alice"))], "").await;
    assert_eq!(empty.status, StatusCode::BAD_REQUEST);

    // Whoever guesses must wait; who has the secret must not.
    let guesses = guess(&world, &wrong("Alice:guess"), &token, 12).await;
    assert!(guesses.contains(&StatusCode::TOO_MANY_REQUESTS), "{guesses:?}");
    assert_eq!(known(&world, "Alice", &token).await["active"], true);
    assert_eq!(introspect(&world, &wrong("Greg:guess"), &token).await.status, StatusCode::UNAUTHORIZED);
    world.advance(MINUTE);
    assert_eq!(introspect(&world, &wrong("Alice:guess"), &token).await.status, StatusCode::UNAUTHORIZED);
}

async fn guess(world: &World, authorization: &str, token: &str, count: usize) -> Vec<StatusCode> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(introspect(world, authorization, token).await.status);
    }
    statuses
}

#[actix_web::test]
async fn the_published_keys_verify_and_hold_nothing_that_signs() {
    let (world, _, _, alice) = world().await;
    let answer = world.get("/.well-known/jwks.json", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let published = KeySet::from_jwks(&answer.body).unwrap();
    let expected = Expected { issuer: "https://sso.example", audience: API, now: seconds(&world) };
    assert!(published.verify::<AccessClaims>(&token(&world, &alice, "").await, &expected).is_ok());
    let keys = answer.json()["keys"].clone();
    assert_eq!(keys.as_array().unwrap().len(), 1);
    assert_eq!((&keys[0]["kty"], &keys[0]["crv"], &keys[0]["use"]), (&json!("OKP"), &json!("Ed25519"), &json!("sig")));
    assert!(keys[0].get("d").is_none() && keys[0].get("k").is_none());

    let secret = SharedKeys::new(KeySet::generate(Algorithm::Hs256, 0).unwrap());
    let symmetric = World::with("https://sso.example", |builder| builder.access_keys(secret));
    assert_eq!(symmetric.get("/.well-known/jwks.json", &[]).await.json(), json!({"keys": []}));
}
