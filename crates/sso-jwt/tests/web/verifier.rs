//! A service that takes access tokens: the verifier with keys at hand and with published ones, and the extractor.

use std::time::Duration;

use actix_web::{App, http::StatusCode, test, web};
use sso_jwt::{Access, AccessVerifier, Algorithm, InvalidToken, JwksError, JwksKeys, KeySet, SharedKeys};

use crate::publisher::{API, ISSUER, Publisher, claims, keys, now, token};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[actix_web::test]
async fn keys_at_hand_are_used_and_may_be_replaced() {
    let secret = SharedKeys::new(KeySet::generate(Algorithm::Hs256, now()).unwrap());
    let verifier = AccessVerifier::new(ISSUER, API, secret.clone());
    let good = token(&secret.current());
    assert_eq!(verifier.verify(&good).await.unwrap().registered.sub, "jackie");
    let foreign = secret.current().sign(&claims("https://other.example"), now()).unwrap();
    for bad in [foreign.as_str(), "", "x", &token(&keys())] {
        assert_eq!(verifier.verify(bad).await, Err(InvalidToken), "{bad}");
    }
    let later = AccessVerifier::with_clock(ISSUER, API, secret.clone(), || now() + 300);
    assert_eq!(later.verify(&good).await, Err(InvalidToken), "expired");
    secret.replace(keys());
    assert_eq!(verifier.verify(&good).await, Err(InvalidToken), "its key is gone");
}

#[actix_web::test]
async fn published_keys_are_fetched_once_for_all_who_wait() {
    let keys = keys();
    let publisher = Publisher::start(&keys);
    let verifier = publisher.verifier(HOUR, HOUR);
    assert_eq!(publisher.asked(), 0, "nothing before it is needed");
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token(&keys));
            actix_web::rt::spawn(async move { verifier.verify(&token).await.is_ok() })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert_eq!(publisher.asked(), 1);
}

#[actix_web::test]
async fn a_flood_of_unknown_keys_does_not_hammer_the_publisher() {
    let known = keys();
    let publisher = Publisher::start(&known);
    let verifier = publisher.verifier(HOUR, HOUR);
    assert!(verifier.verify(&token(&known)).await.is_ok());
    for _ in 0..50 {
        assert_eq!(verifier.verify(&token(&keys())).await, Err(InvalidToken));
    }
    assert_eq!(publisher.asked(), 1, "the pause is not over");
    assert_eq!(verifier.verify("no token at all").await, Err(InvalidToken));

    // A key that is new at the publisher is known after the pause, and the old ones go.
    let verifier = publisher.verifier(HOUR, Duration::from_millis(300));
    assert!(verifier.verify(&token(&known)).await.is_ok());
    let new = keys();
    publisher.keys.replace(new.clone());
    actix_web::rt::time::sleep(Duration::from_millis(310)).await;
    assert!(verifier.verify(&token(&known)).await.is_ok(), "a known key asks for nothing");
    assert!(verifier.verify(&token(&new)).await.is_ok());
    assert_eq!(publisher.asked(), 3);
    assert_eq!(verifier.verify(&token(&known)).await, Err(InvalidToken), "retired");
}

#[actix_web::test]
async fn retired_keys_go_with_age_and_keys_stay_while_the_publisher_is_down() {
    let (old, new) = (keys(), keys());
    let publisher = Publisher::start(&old);
    let verifier = publisher.verifier(Duration::from_millis(50), Duration::from_millis(10));
    assert!(verifier.verify(&token(&old)).await.is_ok());
    for broken in ["503", "<html>", "{}", "{\"keys\":1}", "large", "redirect"] {
        publisher.breaks(Some(broken));
        actix_web::rt::time::sleep(Duration::from_millis(60)).await;
        assert!(verifier.verify(&token(&old)).await.is_ok(), "{broken}");
    }
    publisher.breaks(None);
    publisher.keys.replace(new);
    actix_web::rt::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(verifier.verify(&token(&old)).await, Err(InvalidToken));
}

#[actix_web::test]
async fn without_any_key_no_token_is_good() {
    let keys = keys();
    let publisher = Publisher::start(&keys);
    publisher.breaks(Some("503"));
    let verifier = publisher.verifier(HOUR, Duration::from_millis(100));
    assert_eq!(verifier.verify(&token(&keys)).await, Err(InvalidToken));
    publisher.breaks(None);
    actix_web::rt::time::sleep(Duration::from_millis(110)).await;
    assert!(verifier.verify(&token(&keys)).await.is_ok());
    for far in ["http://sso.example/jwks.json", "file:///etc/passwd", "sso.example", ""] {
        assert!(matches!(JwksKeys::new(far), Err(JwksError::Url(_))), "{far}");
    }
}

#[actix_web::test]
async fn the_extractor_lets_a_good_token_in_and_tells_nothing_of_others() {
    let shared = SharedKeys::new(keys());
    let verifier = AccessVerifier::new(ISSUER, API, shared.clone());
    let app = App::new()
        .app_data(web::Data::new(verifier))
        .route("/me", web::get().to(async |Access(claims): Access| claims.registered.sub));
    let app = test::init_service(app).await;
    let good = format!("Bearer {}", token(&shared.current()));
    let foreign = shared.current().sign(&claims("https://other.example"), now()).unwrap();
    let ask = |headers: Vec<String>| {
        let request = test::TestRequest::get().uri("/me");
        headers.into_iter().fold(request, |request, value| request.append_header(("Authorization", value)))
    };
    for headers in [vec![good.clone()], vec![good.replace("Bearer", "bearer ")]] {
        let answer = test::call_service(&app, ask(headers).to_request()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(test::read_body(answer).await, "jackie");
    }
    let bad = [format!("Bearer {foreign}"), "Bearer".into(), "Bearer x".into(), good.replace("Bearer", "Basic")];
    let refused = bad.into_iter().map(|one| vec![one]).chain([vec![], vec![good.clone(), good.clone()]]);
    for headers in refused {
        let answer = test::call_service(&app, ask(headers.clone()).to_request()).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{headers:?}");
        assert_eq!(answer.headers().get("WWW-Authenticate").unwrap(), "Bearer");
        assert_eq!(test::read_body(answer).await, r#"{"error":"Invalid token"}"#);
    }
}
