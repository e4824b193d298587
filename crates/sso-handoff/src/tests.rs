//! Each refusal beside the good case that it differs from in one thing.

use sso_jwt::{AccessClaims, Algorithm, InvalidToken, Key, KeySet, Registered, SharedKeys};

use super::*;

const NOW: i64 = 1_800_000_000;
const SHOP: &str = "https://shop.example";
const FORUM: &str = "https://forum.example";
const FROM_SHOP: Source<'static> = Source::Post { origin: Some(SHOP) };

fn pair_keys(secret: u8) -> SharedKeys {
    SharedKeys::new(KeySet::new(vec![Key::hs256("pair", &[secret; 32]).unwrap()]).unwrap())
}

fn issuer(keys: &SharedKeys) -> Issuer {
    Issuer::new(SHOP).unwrap().target(Target::new(FORUM, keys.clone()).unwrap())
}

fn receiver(keys: &SharedKeys) -> Receiver {
    Receiver::new(FORUM).unwrap().trust(TrustedIssuer::new(SHOP, keys.clone()).unwrap())
}

fn token(keys: &SharedKeys) -> String {
    issuer(keys).hand_off("jackie", "https://forum.example/a/b?c=d#e", NOW).unwrap().token
}

#[tokio::test]
async fn a_user_arrives_once_at_the_page_that_was_linked() {
    for keys in [pair_keys(1), SharedKeys::new(KeySet::generate(Algorithm::EdDsa, NOW).unwrap())] {
        let receiver = receiver(&keys);
        let token = token(&keys);
        let arrival = receiver.receive(&token, FROM_SHOP, NOW).await.unwrap();
        assert_eq!((arrival.username.as_str(), arrival.page.as_str()), ("jackie", "/a/b?c=d#e"));
        assert_eq!(receiver.receive(&token, FROM_SHOP, NOW).await, Err(InvalidToken), "used up");
    }
}

#[tokio::test]
async fn everything_else_is_refused_without_a_reason() {
    let keys = pair_keys(1);
    let receive = async |token: &str, source, now| receiver(&keys).receive(token, source, now).await.err();
    let good = token(&keys);
    assert_eq!(receive(&good, FROM_SHOP, NOW + 59).await, None);
    assert_eq!(receive(&good, FROM_SHOP, NOW + 60).await, Some(InvalidToken), "expired");
    assert_eq!(receive(&good, FROM_SHOP, NOW - 31).await, Some(InvalidToken), "not yet");
    for origin in [None, Some("null"), Some(FORUM), Some("https://evil.example"), Some("https://shop.example:444")] {
        assert_eq!(receive(&good, Source::Post { origin }, NOW).await, Some(InvalidToken), "{origin:?}");
    }
    assert_eq!(receive(&good, Source::Query { referer: None }, NOW).await, Some(InvalidToken), "not this issuer's way");
    assert_eq!(receive(&token(&pair_keys(2)), FROM_SHOP, NOW).await, Some(InvalidToken), "another pair's key");
    assert_eq!(receive(&format!("{good}x"), FROM_SHOP, NOW).await, Some(InvalidToken));

    let sign = |iss: &str, aud: &str| {
        let registered = Registered::new(iss, "jackie", aud, NOW, Issuer::LIFETIME);
        keys.current().sign(&sso_jwt::HandoffClaims { registered, path: "/".into() }, NOW).unwrap()
    };
    assert_eq!(receive(&sign(SHOP, FORUM), FROM_SHOP, NOW).await, None);
    assert_eq!(receive(&sign(SHOP, SHOP), FROM_SHOP, NOW).await, Some(InvalidToken), "for another application");
    assert_eq!(receive(&sign(FORUM, FORUM), FROM_SHOP, NOW).await, Some(InvalidToken), "by another application");
    let registered = Registered::new(SHOP, "jackie", FORUM, NOW, Issuer::LIFETIME);
    let access = keys.current().sign(&AccessClaims { registered, client: "Alice".into(), session: None }, NOW).unwrap();
    assert_eq!(receive(&access, FROM_SHOP, NOW).await, Some(InvalidToken), "an access token");
}

#[tokio::test]
async fn a_token_of_another_kind_of_time_is_refused() {
    let keys = pair_keys(1);
    let receive = async |change: &dyn Fn(&mut Registered)| {
        let mut registered = Registered::new(SHOP, "jackie", FORUM, NOW, Issuer::LIFETIME);
        change(&mut registered);
        let claims = sso_jwt::HandoffClaims { registered, path: "/".into() };
        receiver(&keys).receive(&keys.current().sign(&claims, NOW).unwrap(), FROM_SHOP, NOW).await.is_ok()
    };
    for (good, change) in [
        (true, (0, 0, 60)),
        (true, (0, 0, 120)),
        (true, (-59, -59, 1)),
        // The maker's clock is ahead.
        (true, (30, 30, 90)),
        // The maker allows for a receiver's that is behind.
        (true, (0, -30, 60)),
        (false, (0, 0, 121)),
        (false, (0, 0, 10 * 365 * 24 * 60 * 60)),
        (false, (0, 0, i64::MAX - NOW)),
        (false, (31, 0, 60)),
        (false, (i64::MAX - NOW, 0, 60)),
        (false, (i64::MIN + NOW, 0, 60)),
        // Made long ago.
        (false, (-61, -61, 60)),
        (false, (-300, -300, 60)),
        (false, (0, 20, 10)),
    ] {
        let (iat, nbf, exp) = change;
        let accepted = receive(&|claims| {
            (claims.iat, claims.nbf, claims.exp) = (NOW + iat, NOW + nbf, NOW + exp);
        })
        .await;
        assert_eq!(accepted, good, "{change:?}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_is_never_the_destination() {
    let keys = pair_keys(1);
    for path in ["//evil.example", "/\\evil.example", "https://evil.example/", "", "/.//evil.example"] {
        let registered = Registered::new(SHOP, "jackie", FORUM, NOW, Issuer::LIFETIME);
        let claims = sso_jwt::HandoffClaims { registered, path: path.into() };
        let token = keys.current().sign(&claims, NOW).unwrap();
        assert_eq!(receiver(&keys).receive(&token, FROM_SHOP, NOW).await, Err(InvalidToken), "{path}");
    }
}

#[test]
fn only_listed_applications_are_targets() {
    let issuer = issuer(&pair_keys(1));
    let page = |length: usize| format!("https://forum.example/{}", "x".repeat(length - 1));
    for good in ["https://forum.example", "https://forum.example/a", "https://FORUM.example:443/a?b", &page(512)] {
        assert!(issuer.hand_off("jackie", good, NOW).is_ok(), "{good}");
    }
    for bad in [
        "",
        "/a",
        "https://evil.example/",
        "http://forum.example/",
        "https://forum.example:444/",
        "https://forum.example.evil.example/",
        "https://evil\\@forum.example/",
        "https://user@forum.example/",
        "//forum.example/",
        "https://forum.example/\n",
        "javascript:alert(1)",
        // The other side would refuse these pages, and the token is used up then.
        "https://forum.example//a",
        &page(513),
    ] {
        assert_eq!(issuer.hand_off("jackie", bad, NOW).err(), Some(HandoffError::ForeignTarget), "{bad}");
    }
}

#[tokio::test]
async fn the_older_form_is_for_those_who_agreed_on_it() {
    let keys = pair_keys(1);
    let target = Target::new(FORUM, keys.clone()).unwrap().way(Way::Redirect).landing("/in");
    let handoff = Issuer::new(SHOP).unwrap().target(target).hand_off("jackie", "https://forum.example/a", NOW).unwrap();
    assert!(handoff.location().starts_with("https://forum.example/in?token=ey"));
    let receiver = Receiver::new(FORUM).unwrap().trust(TrustedIssuer::new(SHOP, keys).unwrap().way(Way::Redirect));
    assert_eq!(receiver.receive(&handoff.token, FROM_SHOP, NOW).await, Err(InvalidToken));
    for referer in [None, Some("https://evil.example/"), Some("https://shop.example.evil.example/")] {
        let source = Source::Query { referer };
        assert_eq!(receiver.receive(&handoff.token, source, NOW).await, Err(InvalidToken), "{referer:?}");
    }
    assert!(
        receiver.receive(&handoff.token, Source::Query { referer: Some("https://shop.example/") }, NOW).await.is_ok()
    );
    assert!(!format!("{handoff:?}").contains(&handoff.token));
}

#[test]
fn an_application_lives_at_an_origin() {
    for good in
        ["https://shop.example", "https://shop.example:8443/", "http://localhost:8004", "http://nora.localhost:1"]
    {
        assert!(Issuer::new(good).is_ok() && Receiver::new(good).is_ok(), "{good}");
    }
    for bad in
        ["", "shop.example", "http://shop.example", "https://shop.example/a", "https://a@shop.example", "ftp://a"]
    {
        assert!(Issuer::new(bad).is_err() && Receiver::new(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn the_public_key_is_no_secret_to_sign_with() {
    let server = KeySet::generate(Algorithm::EdDsa, NOW).unwrap();
    let jwks = serde_json::to_string(&server.jwks(NOW)).unwrap();
    let kid = server.keys()[0].kid().to_owned();
    let receiver = receiver(&SharedKeys::new(KeySet::from_jwks(&jwks).unwrap()));
    let confused = KeySet::new(vec![Key::hs256(&kid, jwks.as_bytes()).unwrap()]).unwrap();
    assert_eq!(receiver.receive(&token(&SharedKeys::new(confused)), FROM_SHOP, NOW).await, Err(InvalidToken));
    assert!(receiver.receive(&token(&SharedKeys::new(server)), FROM_SHOP, NOW).await.is_ok());
}

#[test]
fn a_page_in_a_handoff_is_short() {
    let site = FORUM.parse().unwrap();
    let len = |len: usize| page_of(&site, &format!("/{}", "x".repeat(len - 1))).map(|page| page.as_str().len());
    assert_eq!((len(512), len(513)), (Some(512), None));
}
