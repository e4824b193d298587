//! `/attach`: every check, in its order, and the way on which its refusal goes back.

use actix_web::http::{Method, StatusCode};
use sso_core::Token;
use sso_server::Remember;

use crate::{
    common::{Browser, MINUTE, World, key, ticked},
    http::{Answer, HTML, attach_uri, pair, send, session_cookie},
};

/// A page of the server, not a redirect: there is no checked place to go to.
fn is_page(answer: &Answer, status: StatusCode, message: &str) {
    assert_eq!(answer.status, status);
    answer.is_safe_page("");
    assert_eq!(answer.header("Location"), "");
    assert!(answer.body.contains(message), "{}", answer.body);
    assert!(answer.sets_no_cookie());
}

/// A redirect to the broker, with the error as the last parameter.
fn is_sent_back(answer: &Answer, message: &str) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.header("Location").starts_with("https://alice.example/sso/return?state=s&sso_error="));
    assert_eq!(answer.query("sso_error").as_deref(), Some(message));
    assert_eq!(answer.query("sso_verify"), None);
    assert!(answer.sets_no_cookie());
}

#[actix_web::test]
async fn a_good_attach_goes_back_with_the_code() {
    let world = World::new();
    let token = Token::generate();
    let navigation = [HTML, ("Sec-Fetch-Dest", "document"), ("Referer", "https://greg.example/a-link")];
    let answer = world.get(&attach_uri("Alice", &token, ""), &navigation).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let code = answer.query("sso_verify").unwrap();
    assert_eq!(answer.header("Location"), format!("https://alice.example/sso/return?state=s&sso_verify={code}"));
    assert_eq!(answer.header("Cache-Control"), "no-store");
    assert_eq!(answer.header("Referrer-Policy"), "no-referrer");
    let set_cookie = answer.header("Set-Cookie");
    assert!(set_cookie.starts_with("__Host-sso_session="));
    for attribute in ["; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/"] {
        assert!(set_cookie.contains(attribute), "{set_cookie}");
    }
    assert!(!set_cookie.contains("Domain") && !set_cookie.contains("Max-Age") && !set_cookie.contains(&code));

    // The same again in the same browser: the same code, and no cookie but the one it has.
    let cookie = answer.cookie("__Host-sso_session").unwrap();
    let again = world.get(&attach_uri("Alice", &token, ""), &[HTML, ("Cookie", &cookie)]).await;
    assert_eq!(again.query("sso_verify"), Some(code));
    assert!(again.sets_no_cookie());
}

#[actix_web::test]
async fn malformed_parameters_are_named_on_a_page() {
    let world = World::new();
    let token = Token::generate();
    let good = attach_uri("Alice", &token, "");
    for name in ["broker", "token", "checksum", "return_url"] {
        let kept: Vec<_> = good.trim_start_matches("/attach?").split('&').filter(|p| !p.starts_with(name)).collect();
        let without = format!("/attach?{}", kept.join("&"));
        is_page(
            &world.get(&without, &[HTML]).await,
            StatusCode::BAD_REQUEST,
            &format!("Missing '{name}' query parameter"),
        );
        for extra in [format!("&{name}=x"), format!("&{name}%5B%5D=x"), format!("&{name}[a]=x")] {
            let answer = world.get(&(good.clone() + &extra), &[HTML]).await;
            is_page(&answer, StatusCode::BAD_REQUEST, &format!("Invalid '{name}' query parameter"));
        }
    }
    for (bad, name) in [
        (good.replace(token.as_str(), "short"), "token"),
        (good.replace(token.as_str(), ""), "token"),
        (good.replace("checksum=", "checksum=%00"), "checksum"),
        (good.replace("broker=Alice", "broker=Al-ice"), "broker"),
        (good.replace("broker=Alice", "broker=%FF"), "broker"),
        (good.clone() + "&prompt=none", "prompt"),
    ] {
        let answer = world.get(&bad, &[HTML]).await;
        is_page(&answer, StatusCode::BAD_REQUEST, &format!("Invalid '{name}' query parameter"));
    }
    assert_eq!(world.store.calls(), [""; 0], "nothing is stored");
    assert_eq!(world.get(&good, &[HTML]).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_megabyte_of_parameter_is_refused() {
    let world = World::new();
    let good = attach_uri("Alice", &Token::generate(), "");
    let huge = "a".repeat(60_000);
    for name in ["broker", "token", "checksum"] {
        let answer = world.get(&good.replace(&format!("{name}="), &format!("{name}={huge}")), &[HTML]).await;
        is_page(&answer, StatusCode::BAD_REQUEST, &format!("Invalid '{name}' query parameter"));
        assert!(answer.body.len() < 2_000);
    }
}

#[actix_web::test]
async fn an_unknown_broker_and_a_weak_one_get_a_page() {
    let world = World::new();
    let good = attach_uri("Alice", &Token::generate(), "");
    let unknown = good.replace("broker=Alice", "broker=Nobody");
    is_page(&world.get(&unknown, &[HTML]).await, StatusCode::FORBIDDEN, "Broker is unknown or disabled");
    let weak = attach_uri("Weak", &Token::generate(), "");
    is_page(&world.get(&weak, &[HTML]).await, StatusCode::FORBIDDEN, "Broker is unknown or disabled");
    assert_eq!(world.get(&good, &[HTML]).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_wrong_checksum_is_told_to_the_broker() {
    let world = World::new();
    let token = Token::generate();
    let good = attach_uri("Alice", &token, "");
    let wrong = good.replace(key("Alice").attach(&token).as_str(), key("Greg").attach(&token).as_str());
    is_sent_back(&world.get(&wrong, &[HTML]).await, "Invalid attach checksum");
    assert!(world.get(&good, &[HTML]).await.query("sso_verify").is_some());
}

#[actix_web::test]
async fn only_a_navigation_is_a_redirect_attach() {
    let world = World::new();
    let uri = || attach_uri("Alice", &Token::generate(), "");
    for dest in ["iframe", "image", "empty", "script", ""] {
        let answer = world.get(&uri(), &[HTML, ("Sec-Fetch-Dest", dest)]).await;
        is_sent_back(&answer, "Attach must be a navigation of the whole page");
    }
    for headers in [&[HTML, ("Sec-Fetch-Dest", "document")][..], &[HTML], &[]] {
        assert!(world.get(&uri(), headers).await.query("sso_verify").is_some());
    }
}

#[actix_web::test]
async fn a_foreign_origin_is_refused_and_a_foreign_referer_is_not() {
    let world = World::new();
    let uri = || attach_uri("Alice", &Token::generate(), "");
    for origin in ["https://evil.example", "null", "https://greg.example", "https://alice.example:444", "\u{e9}"] {
        let answer = world.get(&uri(), &[HTML, ("Origin", origin)]).await;
        is_sent_back(&answer, "Domain of origin is not allowed");
    }
    for header in [("Origin", "https://alice.example"), ("Referer", "https://greg.example/")] {
        assert!(world.get(&uri(), &[HTML, header]).await.query("sso_verify").is_some());
    }
}

#[actix_web::test]
async fn a_token_of_another_browser_is_taken_until_its_session_ends() {
    let world = World::new();
    let (mut attacker, mut victim) = (Browser::default(), Browser::default());
    let link = world.attach(&mut attacker, "Alice").await;
    world.attach(&mut victim, "Greg").await;
    let cookie = session_cookie(victim.cookie.as_ref().unwrap());
    let uri = attach_uri("Alice", &link.token, "");
    is_sent_back(&world.get(&uri, &[HTML, ("Cookie", &cookie)]).await, "Token is already attached");
    is_sent_back(&world.get(&uri, &[HTML]).await, "Token is already attached");
    world.advance(21 * MINUTE);
    let code = world.get(&uri, &[HTML, ("Cookie", &cookie)]).await.query("sso_verify").unwrap();
    assert_ne!(code, link.code.as_str());
}

#[actix_web::test]
async fn checks_come_in_the_order_of_the_protocol() {
    let world = World::new();
    let token = Token::generate();
    let taken = world.attach(&mut Browser::default(), "Alice").await.token;
    let checksum = |token: &Token| format!("checksum={}", key("Alice").attach(token).as_str());
    // Everything is wrong; each step mends the first thing that is reported.
    let foreign = pair("return_url", "https://evil.example/");
    let own = pair("return_url", "https://alice.example/sso/return?state=s");
    let evil = [HTML, ("Origin", "https://evil.example"), ("Sec-Fetch-Dest", "iframe")];
    let query = |parts: [&str; 4]| format!("/attach?{}", parts.join("&"));
    let (bad, fine) = (format!("token={}", token.as_str()), format!("token={}", taken.as_str()));

    let answer = world.get(&query(["broker=Nobody", "token=x", "checksum=1", &foreign]), &evil).await;
    is_page(&answer, StatusCode::BAD_REQUEST, "Invalid 'token' query parameter");
    let answer = world.get(&query(["broker=Nobody", &bad, "checksum=1", &foreign]), &evil).await;
    is_page(&answer, StatusCode::FORBIDDEN, "Broker is unknown or disabled");
    let answer = world.get(&query(["broker=Alice", &bad, "checksum=1", &foreign]), &evil).await;
    is_page(&answer, StatusCode::BAD_REQUEST, "Domain of return_url is not allowed");
    let answer = world.get(&query(["broker=Alice", &fine, "checksum=1", &own]), &evil).await;
    is_sent_back(&answer, "Invalid attach checksum");
    let proven = query(["broker=Alice", &fine, &checksum(&taken), &own]);
    is_sent_back(&world.get(&proven, &evil).await, "Domain of origin is not allowed");
    is_sent_back(&world.get(&proven, &[evil[0], evil[2]]).await, "Attach must be a navigation of the whole page");
    is_sent_back(&world.get(&proven, &[HTML]).await, "Token is already attached");
    let good = query(["broker=Alice", &bad, &checksum(&token), &own]);
    assert!(world.get(&good, &[HTML]).await.query("sso_verify").is_some());
}

#[actix_web::test]
async fn php_paths_are_there_only_when_switched_on() {
    let world = World::new();
    let uri = || attach_uri("Php", &Token::generate(), "").replace("/attach?", "/attach.php?");
    let off = send(world.site(), Method::GET, &uri(), &[HTML], "").await;
    assert_eq!(off.status, StatusCode::NOT_FOUND);
    let on = send(world.site().php_routes(true), Method::GET, &uri(), &[HTML], "").await;
    assert!(on.query("sso_verify").is_some());
    for path in ["/api/info.php", "/api/logout.php", "/api/login.php"] {
        let method = || if path == "/api/info.php" { Method::GET } else { Method::POST };
        let off = send(world.site(), method(), path, &[], "").await;
        assert_eq!(off.status, StatusCode::NOT_FOUND, "{path}");
        assert!(off.json()["error"].is_string());
        let on = send(world.site().php_routes(true), method(), path, &[], "").await;
        assert_eq!(on.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[actix_web::test]
async fn a_remembered_browser_gets_its_next_token_also_when_the_attach_fails() {
    let world = World::new();
    let token = Token::generate();
    let uri = attach_uri("Alice", &token, "");
    // Another browser's: whoever is lured here with it must not lose what remembers them.
    assert!(world.get(&uri, &[HTML]).await.query("sso_verify").is_some());
    let visit = world.server.log_in(None, &ticked("jackie")).await.unwrap();
    let Remember::Set(remembered) = visit.remember else { panic!("the browser is not remembered") };
    let cookie = format!("__Host-sso_session_remember={}", remembered.expose());
    let looked = send(world.site(), Method::HEAD, &uri, &[HTML, ("Cookie", &cookie)], "").await;
    assert_eq!(looked.status, StatusCode::SEE_OTHER);
    assert_eq!(looked.cookie("__Host-sso_session_remember"), None, "HEAD is nobody's visit, and uses nothing up");
    let answer = world.get(&uri, &[HTML, ("Cookie", &cookie)]).await;
    assert_eq!(answer.query("sso_error").as_deref(), Some("Token is already attached"));
    let next = answer.cookie("__Host-sso_session_remember").unwrap();
    world.advance(MINUTE);
    let back = world.get("/login", &[HTML, ("Cookie", &next)]).await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "it is the family's current one");
    assert!(answer.cookie("__Host-sso_session").is_some());
}
