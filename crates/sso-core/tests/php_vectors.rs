//! What we compute is what PHP computes: `data/jasny-php.json` was made by PHP 8.2 with its own `base_convert`,
//! `hash_hmac` and jasny/sso's recipes.

#![allow(clippy::unwrap_used)]

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sso_core::{ChecksumKey, Encoding, Secret, Token, VerificationCode, base36, bearer::BearerToken};

#[derive(Deserialize)]
struct Vectors {
    base_convert: Vec<Conversion>,
    protocol: Vec<Handshake>,
}

#[derive(Deserialize)]
struct Conversion {
    hex: String,
    base36: String,
}

#[derive(Deserialize)]
struct Handshake {
    broker: String,
    secret: String,
    token: String,
    session_id: String,
    attach_checksum: String,
    verification_code: String,
    bearer_checksum: String,
    bearer_token: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("data/jasny-php.json")).unwrap()
}

fn php_hmac(secret: &str, text: String) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    base36::php(&mac.chain_update(text).finalize().into_bytes())
}

#[test]
fn base_convert() {
    let conversions = vectors().base_convert;
    assert_eq!(conversions.len(), 216);
    for Conversion { hex, base36 } in conversions {
        assert_eq!(base36::php_base_convert(&hex), base36, "{hex}");
    }
}

/// All 200, below the validated types: 29 of the tokens are shorter than what we accept on the wire.
#[test]
fn checksums_and_codes() {
    let handshakes = vectors().protocol;
    assert_eq!(handshakes.len(), 200);
    for v in handshakes {
        let code = Sha256::digest(format!("{}{}{}", v.broker, v.token, v.session_id));
        assert_eq!(base36::php(&code), v.verification_code);
        assert_eq!(php_hmac(&v.secret, format!("attach:{}", v.token)), v.attach_checksum);
        let bearer = format!("bearer:{}:{}", v.verification_code, v.token);
        assert_eq!(php_hmac(&v.secret, bearer), v.bearer_checksum);
    }
}

/// Those that are long enough, through the types that the server and the broker use.
#[test]
fn whole_handshakes() {
    let mut accepted = 0;
    for v in vectors().protocol {
        let Ok(token) = v.token.parse::<Token>() else {
            assert!(v.token.len() < 32, "{}", v.token);
            continue;
        };
        accepted += 1;
        let key = ChecksumKey::new(&Secret::new(v.secret), Encoding::Php);
        let code: VerificationCode = v.verification_code.parse().unwrap();
        assert_eq!(key.attach(&token).as_str(), v.attach_checksum);
        assert_eq!(key.bearer(&code, &token).as_str(), v.bearer_checksum);
        let bearer = BearerToken::new(v.broker.parse().unwrap(), token, &code, &key);
        assert_eq!(bearer.to_wire(), v.bearer_token);
        assert!(v.bearer_token.parse::<BearerToken>().unwrap().is_proven(&code, &key));
    }
    assert_eq!(accepted, 171);
}
