//! Each refusal beside the good case that it differs from in one thing.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const ME: Expected<'static> = Expected { issuer: "https://sso.example", audience: "https://api.example", now: NOW };

fn claims() -> AccessClaims {
    let registered = Registered::new(ME.issuer, "jackie", ME.audience, NOW, Duration::from_secs(300));
    AccessClaims { registered, client: "Alice".into(), session: None }
}

fn set(algorithm: Algorithm) -> KeySet {
    KeySet::generate(algorithm, NOW).unwrap()
}

/// The token with another header, and the signature as it was.
fn with_header(token: &str, change: impl Fn(&mut Value)) -> String {
    let (head, rest) = token.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

#[test]
fn what_is_signed_is_read() {
    for algorithm in [Algorithm::Hs256, Algorithm::EdDsa] {
        let (keys, claims) = (set(algorithm), claims());
        let token = keys.sign(&claims, NOW).unwrap();
        assert_eq!(keys.verify::<AccessClaims>(&token, &ME), Ok(claims));
    }
}

#[test]
fn everything_else_is_refused_without_a_reason() {
    for algorithm in [Algorithm::Hs256, Algorithm::EdDsa] {
        let keys = set(algorithm);
        let token = keys.sign(&claims(), NOW).unwrap();
        let verify = |token: &str, expected: Expected<'_>| keys.verify::<AccessClaims>(token, &expected).err();
        assert_eq!(verify(&token, ME), None);
        let last_second = Expected { now: NOW + 299, ..ME };
        assert_eq!(verify(&token, last_second), None);

        assert_eq!(verify(&token, Expected { now: NOW + 300, ..ME }), Some(InvalidToken), "expired");
        assert_eq!(verify(&token, Expected { now: NOW - 31, ..ME }), Some(InvalidToken), "not yet");
        assert_eq!(verify(&token, Expected { now: NOW - 30, ..ME }), None, "a clock that is behind");
        assert_eq!(verify(&token, Expected { audience: "https://other.example", ..ME }), Some(InvalidToken));
        assert_eq!(verify(&token, Expected { issuer: "https://other.example", ..ME }), Some(InvalidToken));
        assert_eq!(set(algorithm).verify::<AccessClaims>(&token, &ME), Err(InvalidToken), "another key");
        assert_eq!(keys.verify::<HandoffClaims>(&token, &ME), Err(InvalidToken), "another use");
        assert_eq!(keys.verify::<RememberClaims>(&token, &ME), Err(InvalidToken), "another use");

        let none = with_header(&token, |header| header["alg"] = json!("none"));
        let (unsigned, _) = none.rsplit_once('.').unwrap();
        let other = if algorithm == Algorithm::Hs256 { "EdDSA" } else { "HS256" };
        let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
        parts[1] = URL_SAFE_NO_PAD.encode(json!({ "sub": "john" }).to_string());
        for forged in [
            none.as_str(),
            &format!("{unsigned}."),
            &with_header(&token, |header| header["alg"] = json!(other)),
            &with_header(&token, |header| header["kid"] = json!("unknown")),
            &with_header(&token, |header| drop(header.as_object_mut().unwrap().remove("kid"))),
            &parts.join("."),
            &token[..token.len() - 4],
            &format!("{token}.x"),
            "",
            "..",
        ] {
            assert_eq!(verify(forged, ME), Some(InvalidToken), "{forged}");
        }
    }
}

/// The old trick: the verifier's public key as an HMAC secret.
#[test]
fn a_public_key_is_no_secret() {
    let keys = set(Algorithm::EdDsa);
    let jwks = serde_json::to_value(keys.jwks(NOW)).unwrap();
    let public = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
    let forger = KeySet::new(vec![Key::hs256(keys.keys()[0].kid(), &public).unwrap()]).unwrap();
    let forged = forger.sign(&claims(), NOW).unwrap();
    assert_eq!(keys.verify::<AccessClaims>(&forged, &ME), Err(InvalidToken));
    assert!(forger.verify::<AccessClaims>(&forged, &ME).is_ok());
}

#[test]
fn a_jwks_verifies_and_gives_no_secret_away() {
    let keys = set(Algorithm::EdDsa);
    let json = serde_json::to_string(&keys.jwks(NOW)).unwrap();
    assert!(!json.contains("\"d\""), "{json}");
    let verifier = KeySet::from_jwks(&json).unwrap();
    assert!(verifier.verify::<AccessClaims>(&keys.sign(&claims(), NOW).unwrap(), &ME).is_ok());
    assert_eq!(verifier.sign(&claims(), NOW), Err(SignError), "who verifies cannot sign");

    assert!(set(Algorithm::Hs256).jwks(NOW).keys.is_empty(), "an HMAC secret is not public");
    let secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";
    let symmetric = json!({ "keys": [{ "kty": "oct", "kid": "a", "alg": "HS256", "k": secret }] });
    assert!(KeySet::from_jwks(&symmetric.to_string()).unwrap().keys().is_empty());
}

/// What is signed so many seconds after [`NOW`] is good at once, and in its last second.
fn all_tokens_are_good_to_their_end(keys: &KeySet, longest: Duration, made: impl IntoIterator<Item = i64>) {
    for made in made.into_iter().map(|after| NOW + after) {
        let registered = Registered::new(ME.issuer, "jackie", ME.audience, made, longest);
        let token = keys.sign(&AccessClaims { registered, client: "Alice".into(), session: None }, made).unwrap();
        for now in [made, made + i64::try_from(longest.as_secs()).unwrap() - 1] {
            assert!(keys.verify::<AccessClaims>(&token, &Expected { now, ..ME }).is_ok(), "{made} {now}");
        }
    }
}

#[test]
fn a_key_that_waits_gives_way_to_one_that_signs_sooner() {
    let longest = Duration::from_secs(1_200);
    let publish =
        |keys: &mut KeySet, seconds| keys.rotate(NOW, Duration::from_secs(seconds), longest).unwrap().kid().to_owned();
    for (first, second) in [(600, 0), (600, 300), (600, 600), (600, 900)] {
        let mut keys = set(Algorithm::EdDsa);
        let waiting = publish(&mut keys, first);
        let last = publish(&mut keys, second);
        let signs = |keys: &KeySet, after: i64| keys.signing(NOW + after).unwrap().kid().to_owned();
        for after in [i64::try_from(second).unwrap(), 900, 1_500, 5_000] {
            assert_eq!(signs(&keys, after), last, "{first} {second} {after}");
        }
        assert_eq!(signs(&keys, 899) == waiting, second == 900, "{first} {second}");
        all_tokens_are_good_to_their_end(&keys, longest, (0..3_000).step_by(50));
    }
}

#[test]
fn whoever_signs_in_the_place_of_a_retired_key_that_waited_has_its_time() {
    let (mut keys, longest) = (set(Algorithm::EdDsa), Duration::from_secs(1_200));
    let waiting = keys.rotate(NOW, Duration::from_secs(600), longest).unwrap().kid().to_owned();
    keys.rotate(NOW, Duration::from_secs(3_600), longest).unwrap();
    all_tokens_are_good_to_their_end(&keys, longest, (0..5_000).step_by(50));
    keys.retire(&waiting, NOW).unwrap();
    all_tokens_are_good_to_their_end(&keys, longest, (0..5_000).step_by(50));
}

#[test]
fn keys_follow_each_other_without_a_gap() {
    let (publish_for, longest) = (Duration::from_secs(600), Duration::from_secs(300));
    let mut keys = set(Algorithm::EdDsa);
    let old = keys.keys()[0].kid().to_owned();
    let new = keys.rotate(NOW, publish_for, longest).unwrap().kid().to_owned();
    let stages = |now: i64| keys.keys().iter().map(|key| keys.stage(key, now)).collect::<Vec<_>>();
    assert_eq!(stages(NOW), [Stage::Signing, Stage::Published]);
    assert_eq!(stages(NOW + 599), [Stage::Signing, Stage::Published]);
    assert_eq!(stages(NOW + 600), [Stage::Retiring, Stage::Signing]);
    assert_eq!(stages(NOW + 900), [Stage::Retired, Stage::Signing]);
    assert_eq!(keys.jwks(NOW).keys.len(), 2, "published before it signs");
    assert_eq!(keys.jwks(NOW + 900).keys.len(), 1);
    all_tokens_are_good_to_their_end(&keys, longest, [0, 599, 600]);
    // In the midst of a rotation another one shortens nobody's time.
    keys.rotate(NOW + 10, publish_for, longest).unwrap();
    assert_eq!(keys.signing(NOW + 605).unwrap().kid(), new);
    assert_eq!(keys.retire(&old, NOW + 10), Err(InvalidKeys::StillSigning(old.clone())));
    assert_eq!(keys.retire(&old, NOW + 605), Ok(()));
    assert_eq!(keys.retire(&old, NOW + 605), Err(InvalidKeys::Unknown(old)));
}

#[test]
fn a_key_file_comes_back_as_it_was() {
    let keys = KeySet::new(vec![
        Key::generate(Algorithm::Hs256, NOW).unwrap(),
        Key::generate(Algorithm::EdDsa, NOW + 1).unwrap(),
    ]);
    let keys = keys.unwrap();
    let read = KeySet::from_json(&keys.to_json()).unwrap();
    let token = keys.sign(&claims(), NOW + 1).unwrap();
    assert!(read.verify::<AccessClaims>(&token, &Expected { now: NOW + 1, ..ME }).is_ok());
    assert_eq!(format!("{read:?}"), format!("{keys:?}"));
    let debug = format!("{keys:?}");
    for stored in serde_json::from_str::<Value>(&keys.to_json()).unwrap()["keys"].as_array().unwrap() {
        assert!(!debug.contains(stored["secret"].as_str().unwrap()));
    }
}

#[test]
fn bad_keys_are_refused_and_not_repeated() {
    assert_eq!(Key::hs256("a", &[1; 31]).err(), Some(InvalidKeys::BadKey("a".into())));
    assert!(Key::hs256("a", &[1; 32]).is_ok());
    let key = Key::hs256("a", &[1; 32]).unwrap();
    assert_eq!(KeySet::new(vec![key.clone(), key]).err(), Some(InvalidKeys::Twice("a".into())));
    for text in ["", "[]", "{\"keys\":[{\"kid\":\"a\",\"alg\":\"none\",\"secret\":\"hush\"}]}"] {
        let error = KeySet::from_json(text).unwrap_err();
        assert!(matches!(error, InvalidKeys::Malformed(_)) && !error.to_string().contains("hush"), "{error}");
    }
    let bad = json!({ "keys": [{ "kid": "a", "alg": "EdDSA", "secret": "aaaa", "published": 1, "signs_from": 1 }] });
    assert_eq!(KeySet::from_json(&bad.to_string()).err(), Some(InvalidKeys::BadKey("a".into())));
}

#[test]
fn a_secret_always_gives_the_same_key_and_another_one_another() {
    for algorithm in [Algorithm::Hs256, Algorithm::EdDsa] {
        let [one, again, other] =
            [[1; 32], [1; 32], [2; 32]].map(|secret| KeySet::derived(algorithm, &secret).unwrap());
        let claims = claims();
        let token = one.sign(&claims, NOW).unwrap();
        assert_eq!(again.verify::<AccessClaims>(&token, &ME), Ok(claims));
        assert!(other.verify::<AccessClaims>(&token, &ME).is_err());
        let public = |keys: &KeySet| serde_json::to_string(&keys.jwks(NOW)).unwrap();
        assert_eq!(public(&one), public(&again));
        assert_ne!(one.keys()[0].kid(), other.keys()[0].kid());
        // Its secret is not the one that it was made from, of which others are made too.
        assert_ne!(one.keys()[0].private.as_ref().unwrap().secret.as_slice(), [1; 32]);
    }
}
