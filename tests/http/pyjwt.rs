//! Tokens made here verify with PyJWT, an independent library, and tokens made there verify here.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use sso_jwt::{AccessClaims, Expected, Registered};
use sso_tests::Visitor;

use crate::key_files::{AUDIENCE, Keys, now, token};

/// What the script makes of this.
fn python(work: &Value) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(root.join(".venv/bin/python"))
        .arg(root.join("http/python/tokens.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("tests/.venv is not there ({error}): run tests/run"));
    child.stdin.take().unwrap().write_all(work.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn altered(token: &str) -> String {
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    format!("{rest}.{first}{}", &signature[1..])
}

#[tokio::test]
async fn tokens_cross_over_both_ways_with_ed25519_and_hs256() {
    for algorithm in ["EdDSA", "HS256"] {
        let keys = Keys::none();
        keys.run(&["new", "--purpose", "access", "--algorithm", algorithm]);
        keys.run(&["new", "--purpose", "remember"]);
        let server = keys.server();
        let (visitor, link) = (Visitor::new(), server.log_in().await);
        let file: Value = serde_json::from_str(&fs::read_to_string(keys.file("access")).unwrap()).unwrap();
        let trust = match algorithm {
            "EdDSA" => ("jwks", visitor.get(&format!("{}/.well-known/jwks.json", server.origin)).await.json()),
            _ => ("file", file.clone()),
        };
        let verify = |token: &str, audience: &str| {
            python(&json!({ "do": "verify", trust.0: trust.1, "token": token, "iss": server.origin, "aud": audience }))
        };

        // Made here, verified there.
        let ours = token(&link).await;
        let known = verify(&ours, AUDIENCE);
        assert_eq!((&known["typ"], &known["claims"]["sub"]), (&json!("at+jwt"), &json!("jackie")), "{known}");
        assert_eq!(known["claims"]["client_id"], "Alice");
        assert_eq!(verify(&altered(&ours), AUDIENCE), json!({ "refused": "InvalidSignatureError" }));
        assert_eq!(verify(&ours, "http://other.localhost"), json!({ "refused": "InvalidAudienceError" }));

        // Made there, verified here.
        let claims = |lifetime| AccessClaims {
            registered: Registered::new(&server.origin, "jackie", AUDIENCE, now() - 30, Duration::from_secs(lifetime)),
            client: "Alice".to_owned(),
            session: None,
        };
        let sign = |claims: &AccessClaims, typ: &str| {
            let signed = python(&json!({ "do": "sign", "file": file, "typ": typ, "claims": claims }));
            signed["token"].as_str().unwrap().to_owned()
        };
        let set = keys.read("access");
        let judge = |token: &str| {
            set.verify::<AccessClaims>(token, &Expected { issuer: &server.origin, audience: AUDIENCE, now: now() })
        };
        let good = claims(120);
        let theirs = sign(&good, "at+jwt");
        assert_eq!(judge(&theirs), Ok(good));
        assert!(judge(&altered(&theirs)).is_err());
        assert!(judge(&sign(&claims(20), "at+jwt")).is_err(), "expired");
        assert!(judge(&sign(&claims(120), "remember+jwt")).is_err(), "of another use");
        assert!(server.accepts(&visitor, &ours).await);
    }
}
