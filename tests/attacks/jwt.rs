//! Access tokens that are not what they seem, shown to the demo's service: threat 20. Each must fail without a word of why.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use sso_jwt::{AccessClaims, Algorithm, Claims, HandoffClaims, Key, KeySet, Registered, RememberClaims};
use sso_tests::{
    Demo, Site, Visitor,
    process::free_ports,
    visitor::{Answer, send},
};

use crate::ground::peer_of;

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

async fn call(url: &str, token: &str) -> Answer {
    send(Visitor::new().request(Method::GET, url).bearer_auth(token)).await
}

/// The refusal, and nothing more.
async fn refused(url: &str, token: &str, what: &str) {
    let answer = call(url, token).await;
    assert_eq!((answer.status, answer.body.as_str()), (401, r#"{"error":"Invalid token"}"#), "{what}");
    assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn read(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A key of the attacker's own, under the name of another.
fn renamed(keys: &KeySet, kid: &str) -> KeySet {
    KeySet::from_json(&keys.to_json().replace(keys.keys()[0].kid(), kid)).unwrap()
}

#[tokio::test]
async fn threat_20_a_forged_access_token_opens_nothing_and_nothing_is_told_of_it() {
    let demo = Demo::start(&[]);
    let link = peer_of(&demo, "Alice").log_in(&Visitor::new(), "jackie", "jackie123").await;
    let answer = link.post("/api/token", &[]).await;
    let good = answer.json()["access_token"].as_str().unwrap().to_owned();
    let me = demo.url("api", "/me");
    let honest = call(&me, &good).await;
    assert_eq!((honest.status, &honest.json()["username"]), (200, &json!("jackie")));

    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{}", parts.len()) };
    let (mut own_header, mut own_claims) = (read(header), read(claims));
    let kid = own_header["kid"].as_str().unwrap().to_owned();
    assert_eq!(own_header["typ"], "at+jwt");
    own_claims["sub"] = "john".into();
    let john = part(&own_claims);

    let mut forged = vec![
        ("tampered payload", format!("{header}.{john}.{signature}")),
        ("no signature", format!("{header}.{john}.")),
        ("two parts", format!("{header}.{john}")),
        ("cut signature", good[..good.len() - 2].to_owned()),
    ];
    for algorithm in ["none", "None", "NONE", "nOnE", "", "HS512", "RS256", "ES256"] {
        own_header["alg"] = algorithm.into();
        forged.push(("another algorithm", format!("{}.{john}.", part(&own_header))));
        forged.push(("another algorithm, old signature", format!("{}.{claims}.{signature}", part(&own_header))));
    }
    // The public key, in every form that somebody may take for a secret.
    let published = Visitor::new().get(&demo.url("sso", "/.well-known/jwks.json")).await;
    let jwk = published.json()["keys"][0].clone();
    assert_eq!(jwk["kid"], json!(kid));
    let x = jwk["x"].as_str().unwrap();
    let claims = AccessClaims {
        registered: Registered::new(demo.url("sso", ""), "john", demo.url("api", ""), now(), Duration::from_secs(60)),
        client: "Alice".into(),
        session: None,
    };
    let secrets = [URL_SAFE_NO_PAD.decode(x).unwrap(), x.into(), jwk.to_string().into(), published.body.clone().into()];
    for secret in secrets {
        let confused = KeySet::new(vec![Key::hs256(&kid, &secret).unwrap()]).unwrap();
        forged.push(("HS256 with the public key", confused.sign(&claims, now()).unwrap()));
    }
    // Keys of the attacker's own: under the right name, under another, and offered in the header.
    let own = KeySet::generate(Algorithm::EdDsa, now()).unwrap();
    forged.push(("another key", renamed(&own, &kid).sign(&claims, now()).unwrap()));
    forged.push(("unknown key", own.sign(&claims, now()).unwrap()));
    let theirs = own.sign(&claims, now()).unwrap();
    let (_, rest) = theirs.split_once('.').unwrap();
    for offer in [
        json!({ "jwk": own.keys()[0].public() }),
        json!({ "jku": "http://evil.localhost/jwks.json" }),
        json!({ "kid": "../x" }),
    ] {
        let mut header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
        header.as_object_mut().unwrap().extend(offer.as_object().unwrap().clone());
        forged.push(("a key in the header", format!("{}.{rest}", part(&header))));
    }
    for (what, token) in &forged {
        refused(&me, token, what).await;
        refused(&demo.url("api", "/reports"), token, what).await;
    }
    assert_eq!(call(&me, &good).await.status, 200, "the honest one still works");

    // Nor does the log tell anything, at its most talkative.
    let log = demo.site.log();
    let secret_parts = [signature, john.as_str(), parts[1], theirs.as_str(), read(parts[1])["jti"].as_str().unwrap()]
        .map(str::to_owned);
    for secret in secret_parts.iter().chain(forged.iter().map(|(_, token)| token)) {
        assert_eq!(log.lines().find(|line| line.contains(secret.as_str())), None, "{secret}");
    }
}

/// Publishes keys, and counts how often it is asked.
fn publish(jwks: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            count.fetch_add(1, Ordering::SeqCst);
            let length = jwks.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ";
            let _ = stream.write_all(format!("{head}{length}\r\n\r\n{jwks}").as_bytes());
        }
    });
    (origin, asked)
}

/// The service with keys that the test holds.
struct Service {
    site: Site,
    me: String,
    issuer: String,
    audience: String,
    keys: KeySet,
    asked: Arc<AtomicUsize>,
}

impl Service {
    fn start() -> Self {
        let keys = KeySet::generate(Algorithm::EdDsa, now()).unwrap();
        let (issuer, asked) = publish(serde_json::to_string(&keys.jwks(now())).unwrap());
        let listen = format!("127.0.0.1:{}", free_ports(1));
        let site = Site::try_start(&["api", "--listen", &listen, "--server", &issuer], &[]).unwrap();
        let audience = format!("http://{listen}");
        Self { site, me: format!("{audience}/me"), issuer, audience, keys, asked }
    }

    fn registered(&self) -> Registered {
        Registered::new(&self.issuer, "jackie", &self.audience, now(), Duration::from_secs(60))
    }

    fn access(&self, change: impl FnOnce(&mut Registered)) -> String {
        let mut registered = self.registered();
        change(&mut registered);
        self.sign(&AccessClaims { registered, client: "Alice".into(), session: None })
    }

    fn sign(&self, claims: &impl Claims) -> String {
        self.keys.sign(claims, now()).unwrap()
    }
}

#[tokio::test]
async fn threat_20_a_token_of_another_time_place_or_use_opens_nothing() {
    let service = Service::start();
    let good = service.access(|_| {});
    assert_eq!(call(&service.me, &good).await.json()["username"], "jackie");
    let remember = RememberClaims { registered: service.registered(), family: "f".into() };
    let handoff = HandoffClaims { registered: service.registered(), path: "/".into() };
    let others = [
        ("expired", service.access(|claims| claims.exp = now() - 1)),
        ("expired just now", service.access(|claims| claims.exp = now())),
        ("not yet valid", service.access(|claims| claims.nbf = now() + KeySet::LEEWAY + 30)),
        ("another audience", service.access(|claims| claims.aud = "http://other.localhost".into())),
        ("a longer audience", service.access(|claims| claims.aud += "/")),
        ("no audience", service.access(|claims| claims.aud.clear())),
        ("another issuer", service.access(|claims| claims.iss = "http://evil.localhost".into())),
        ("a remember-me token", service.sign(&remember)),
        ("a hand-off", service.sign(&handoff)),
    ];
    for (what, token) in &others {
        refused(&service.me, token, what).await;
    }
    for header in ["", "Bearer", "Bearer ", "Basic eDp5", &format!("Token {good}"), &format!("Bearer {good},{good}")] {
        let request = Visitor::new().request(Method::GET, &service.me).header("Authorization", header);
        let answer = send(request).await;
        assert_eq!((answer.status, answer.body.as_str()), (401, r#"{"error":"Invalid token"}"#), "{header}");
    }
    assert_eq!(call(&service.me, &good).await.status, 200);
    let log = service.site.log();
    for (what, token) in others.iter().chain([&("good", good)]) {
        assert!(!log.contains(token.as_str()), "{what}");
    }
    assert!(!log.contains("expired") && !log.contains("Expired") && !log.contains("InvalidAudience"), "no reason");
}

#[tokio::test]
async fn threat_20_a_flood_of_unknown_keys_does_not_reach_the_server() {
    let service = Service::start();
    assert_eq!(call(&service.me, &service.access(|_| {})).await.status, 200);
    let claims = AccessClaims { registered: service.registered(), client: "Alice".into(), session: None };
    for _ in 0..40 {
        let foreign = KeySet::generate(Algorithm::EdDsa, now()).unwrap();
        refused(&service.me, &foreign.sign(&claims, now()).unwrap(), "unknown key").await;
    }
    assert_eq!(service.asked.load(Ordering::SeqCst), 1);
    assert_eq!(call(&service.me, &service.access(|_| {})).await.status, 200);
}
