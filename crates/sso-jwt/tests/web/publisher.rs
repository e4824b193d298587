//! A server that publishes keys, and access tokens made with them.

use std::{
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use actix_web::{App, HttpResponse, HttpServer, web};
use sso_jwt::{AccessClaims, AccessVerifier, Algorithm, JwksKeys, KeySet, Registered, SharedKeys};

pub(crate) const ISSUER: &str = "https://sso.example";
pub(crate) const API: &str = "https://api.example";

/// A document that takes all keys away.
const NO_KEYS: &str = r#"{"keys":[]}"#;

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

pub(crate) fn keys() -> KeySet {
    KeySet::generate(Algorithm::EdDsa, now()).unwrap()
}

pub(crate) fn claims(audience: &str) -> AccessClaims {
    let registered = Registered::new(ISSUER, "jackie", audience, now(), Duration::from_secs(300));
    AccessClaims { registered, client: "Alice".into(), session: None }
}

pub(crate) fn token(keys: &KeySet) -> String {
    keys.sign(&claims(API), now()).unwrap()
}

/// What publishes keys: how often it was asked, and whether it is up.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) url: String,
    pub(crate) keys: SharedKeys,
    asked: Arc<AtomicUsize>,
    broken: Arc<Mutex<Option<&'static str>>>,
}

impl Publisher {
    pub(crate) fn start(keys: &KeySet) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://sso.localhost:{}/.well-known/jwks.json", listener.local_addr().unwrap().port());
        let (keys, asked, broken) = (SharedKeys::new(keys.clone()), Arc::default(), Arc::default());
        let publisher = Self { url, keys, asked, broken };
        let data = web::Data::new(publisher.clone());
        let http = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/.well-known/jwks.json", web::get().to(jwks))
                .route("/no-keys.json", web::get().to(async || NO_KEYS))
        });
        actix_web::rt::spawn(http.workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap().run());
        publisher
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn breaks(&self, answer: Option<&'static str>) {
        *self.broken.lock().unwrap() = answer;
    }

    pub(crate) fn verifier(&self, max_age: Duration, min_pause: Duration) -> AccessVerifier {
        AccessVerifier::new(ISSUER, API, JwksKeys::with_times(&self.url, max_age, min_pause).unwrap())
    }
}

async fn jwks(publisher: web::Data<Publisher>) -> HttpResponse {
    publisher.asked.fetch_add(1, Ordering::SeqCst);
    actix_web::rt::time::sleep(Duration::from_millis(20)).await;
    match *publisher.broken.lock().unwrap() {
        None => HttpResponse::Ok().json(publisher.keys.current().jwks(now())),
        Some("503") => HttpResponse::ServiceUnavailable().finish(),
        Some("large") => HttpResponse::Ok().body(format!("{NO_KEYS}{}", " ".repeat(1 << 20))),
        Some("redirect") => HttpResponse::Found().insert_header(("Location", "/no-keys.json")).finish(),
        Some(nonsense) => HttpResponse::Ok().body(nonsense),
    }
}
