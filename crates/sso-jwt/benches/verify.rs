//! What our verification of an access token costs, as a ratio to `jsonwebtoken`'s own `decode`:
//! `cargo bench -p sso-jwt`.
//!
//! Both check signature, times, issuer and audience of the same token, in turns in one run; ours also finds the key by
//! its `kid` and checks the token's use. On a busy machine the ratio holds better than the times.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::{
    hint::black_box,
    time::{Duration, Instant, SystemTime},
};

use jsonwebtoken::{DecodingKey, Validation, decode};
use sso_core::random;
use sso_jwt::{AccessClaims, Algorithm, Expected, Key, KeySet, Registered};

const ROUNDS: usize = 60;
const CALLS: u32 = 2_000;
const ISSUER: &str = "https://sso.example.com";
const AUDIENCE: &str = "https://api.example.com";

fn main() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let secret = random::bytes();
    let hs256 = KeySet::new(vec![Key::hs256("1", &secret).unwrap()]).unwrap();
    compare("HS256", &hs256, &DecodingKey::from_secret(&secret), jsonwebtoken::Algorithm::HS256, now);
    let eddsa = KeySet::generate(Algorithm::EdDsa, now).unwrap();
    let public = DecodingKey::from_jwk(eddsa.jwks(now).keys.first().unwrap()).unwrap();
    compare("EdDSA", &eddsa, &public, jsonwebtoken::Algorithm::EdDSA, now);
}

fn compare(name: &str, keys: &KeySet, key: &DecodingKey, algorithm: jsonwebtoken::Algorithm, now: i64) {
    let registered = Registered::new(ISSUER, "jackie", AUDIENCE, now, Duration::from_secs(300));
    let claims = AccessClaims { registered, client: "Alice".into(), session: Some("s".repeat(50)) };
    let token = keys.sign(&claims, now).unwrap();
    let mut validation = Validation::new(algorithm);
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    let expected = Expected { issuer: ISSUER, audience: AUDIENCE, now };

    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(time(|| decode::<AccessClaims>(black_box(&token), key, &validation).unwrap().claims));
        ours.push(time(|| keys.verify::<AccessClaims>(black_box(&token), &expected).unwrap()));
    }
    let (theirs, ours) = (median(theirs), median(ours));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("{name}: jsonwebtoken {theirs:>9.2?}  ours {ours:>9.2?}  ratio {ratio:.2}");
}

/// A call's time, on average over many.
fn time<T>(mut call: impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..CALLS {
        black_box(call());
    }
    start.elapsed() / CALLS
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap()
}
