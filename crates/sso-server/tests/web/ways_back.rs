//! Where an attach may lead, and where it must not (threats: URLs that parse two ways, open redirects, header
//! injection).

use actix_web::http::StatusCode;
use sso_core::Token;

use crate::{
    common::World,
    http::{HTML, pair, silent_uri},
};

fn uri(broker: &str, return_url: &str) -> String {
    silent_uri(broker, &Token::generate(), &format!("&{}", pair("return_url", return_url)))
}

#[actix_web::test]
async fn nothing_but_the_brokers_own_pages_is_redirected_to() {
    let world = World::new();
    for (broker, evil) in [
        ("Alice", "https://evil.example/sso/return"),
        ("Alice", "https://alice.example.evil.example/sso/return"),
        ("Alice", "https://alice.example@evil.example/sso/return"),
        ("Alice", "https://evil.example\\@alice.example/sso/return"),
        ("Alice", "http://alice.example/sso/return"),
        ("Alice", "https://alice.example:8443/sso/return"),
        ("Alice", "https://alice.example/redirect?to=https://evil.example"),
        ("Alice", "https://alice.example/sso/return/../../redirect"),
        ("Alice", "//alice.example/sso/return"),
        ("Alice", "/sso/return"),
        ("Alice", ""),
        ("Alice", "javascript:alert(1)"),
        ("Alice", "data:text/html,x"),
        ("Alice", "https://alice.example/sso/return\r\nSet-Cookie: a=b"),
        ("Alice", "https://alice.example/sso/return\0"),
        ("Php", "https://evil\\@php.example/"),
        ("Php", "https://php.example\\@evil.example/"),
        ("Php", "https://user@php.example/"),
        ("Php", "https://sub.php.example/"),
    ] {
        for wrong_checksum in [false, true] {
            let mut uri = uri(broker, evil);
            if wrong_checksum {
                uri = uri.replace("checksum=", "checksum=0");
            }
            let answer = world.get(&uri, &[HTML]).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{evil:?}");
            assert_eq!(answer.header("Location"), "", "{evil:?}");
            assert!(answer.body.contains("Domain of return_url is not allowed"));
            assert!(answer.sets_no_cookie());
        }
    }
    assert_eq!(world.store.calls(), [""; 0]);
}

#[actix_web::test]
async fn what_is_redirected_to_is_what_was_checked() {
    let world = World::new();
    for (broker, wanted, sent) in [
        ("Alice", "HTTPS://ALICE.example:443/x/../sso/return", "https://alice.example/sso/return?"),
        (
            "Alice",
            "https://alice.example/sso/return?a=%22&b=<c>#top",
            "https://alice.example/sso/return?a=%22&b=%3Cc%3E&",
        ),
        ("Php", "http://php.example:8080/any/page?x=1", "http://php.example:8080/any/page?x=1&"),
        ("Php", "https://php.example/?sso_verify=e&sso_error=e&sso.verify=e&q=1", "https://php.example/?q=1&"),
    ] {
        let answer = world.get(&uri(broker, wanted), &[HTML]).await;
        let location = answer.header("Location");
        let rest = location.strip_prefix(sent).unwrap_or_else(|| panic!("{location}"));
        assert!(rest.starts_with("sso_verify="), "{location}");
        assert_eq!(rest.matches("sso_").count(), 1);
        assert_eq!(location.ends_with("#top"), wanted.ends_with("#top"));
        let refused = world.get(&uri(broker, wanted).replace("checksum=", "checksum=0"), &[HTML]).await;
        assert_eq!(refused.header("Location").strip_prefix(sent).map(|rest| &rest[..9]), Some("sso_error"));
        assert_eq!(refused.header("Cache-Control"), "no-store");
        assert_eq!(refused.header("Referrer-Policy"), "no-referrer");
    }
}

#[actix_web::test]
async fn what_comes_in_is_not_written_into_the_error_page() {
    let world = World::new();
    let evil = "<script>alert(1)</script>\"'";
    for uri in [
        uri("Alice", evil),
        format!("/attach?{}", pair("broker", evil)),
        format!("{}&{}", uri("Alice", "https://alice.example/sso/return"), pair("prompt", evil)),
    ] {
        let answer = world.get(&uri, &[HTML]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        answer.is_safe_page("");
        assert!(!answer.body.contains("script") && !answer.body.contains("alert"), "{}", answer.body);
    }
}
