//! What a broker's `GET /api/info` costs with each store, as a ratio to the store in memory: `cargo bench`.
//!
//! All are measured in turns in one run, in process and without HTTP's sockets, so that the store is what differs; on a
//! busy machine the ratios hold better than the times. Beside them stands what one bare question to the same engine
//! costs, over the same kind of connection: an `info` asks its store once. Redis and PostgreSQL are started for the
//! run; where one is not installed, that is said and the others are measured.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpResponse,
    dev::{Service, ServiceResponse},
    rt, test, web,
};
use serde_json::json;
use sso_core::{
    AllowedOrigins, AttachRequest, BearerToken, BrowserHeaders, ChecksumKey, Encoding, ReturnPages, Secret, Token,
};
use sso_engines::Engine;
use sso_server::{
    Account, AttachOutcome, Broker, BrokerList, Credentials, MemoryStore, PasswordHash, Server, Store, UserList,
    clock::SystemClock,
    store::{RedisStore, SqlStore, StoreKeys},
    web::Site,
};
use tempfile::TempDir;

const ROUNDS: usize = 15;
const CALLS: usize = 2_000;
/// Of the callers at once; they share one worker, as in one thread of the server.
const CALLERS: usize = 64;

type Call = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>>;

/// Something to measure: a call, and how long it took in each round.
struct Subject {
    name: &'static str,
    call: Call,
    one: Vec<Duration>,
    many: Vec<Duration>,
}

#[actix_web::main]
async fn main() {
    for (program, what) in sso_engines::missing() {
        eprintln!("{program} is not there, so {what} is not measured; tests/run installs it on Debian");
    }
    let has = |what: &str| sso_engines::missing().iter().all(|(_, missing)| *missing != what);
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("sso.db");
    let keys = StoreKeys::generate;

    let (server, bearer) = logged_in(MemoryStore::new(SystemClock)).await;
    let mut subjects = vec![bare_handler(&bearer).await, info("memory", server, bearer).await];
    let sqlite = SqlStore::sqlite(&file, keys(), SystemClock).await.unwrap();
    let (server, bearer) = logged_in(sqlite).await;
    subjects.push(info("sqlite", server, bearer).await);
    subjects.push(select_1("sqlite: SELECT 1", &format!("sqlite:{}", file.display())).await);
    let postgres = has("PostgreSQL").then(Engine::postgres);
    if let Some(engine) = &postgres {
        let url = engine.new_store();
        let (server, bearer) = logged_in(SqlStore::postgres(&url, keys(), SystemClock).await.unwrap()).await;
        subjects.push(info("postgres", server, bearer).await);
        subjects.push(select_1("postgres: SELECT 1", &url).await);
    }
    let redis = has("Redis").then(Engine::redis);
    if let Some(engine) = &redis {
        let (server, bearer) = logged_in(RedisStore::open(&engine.url(), keys(), SystemClock).unwrap()).await;
        subjects.push(info("redis", server, bearer).await);
        subjects.push(get("redis: GET", &engine.url()).await);
    }

    for _ in 0..ROUNDS {
        for subject in &mut subjects {
            subject.one.push(time(&subject.call, 1).await);
            subject.many.push(time(&subject.call, CALLERS).await);
        }
    }
    report(&subjects);
}

/// A call's time, on average over many, by so many callers at once.
async fn time(call: &Call, callers: usize) -> Duration {
    let left = Rc::new(Cell::new(CALLS));
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (call, left) = (call.clone(), left.clone());
            rt::spawn(async move {
                while let Some(rest) = left.get().checked_sub(1) {
                    left.set(rest);
                    call().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed() / u32::try_from(CALLS).unwrap()
}

fn report(subjects: &[Subject]) {
    let memory = subjects.iter().find(|subject| subject.name == "memory").unwrap();
    let (one, many) = (median(&memory.one), median(&memory.many));
    println!(
        "\n{:<20} {:>12} {:>10} {:>14} {:>10}",
        "info by bearer", "one caller", "/ memory", "64 callers", "/ memory"
    );
    for subject in subjects {
        let (alone, together) = (median(&subject.one), median(&subject.many));
        println!(
            "{:<20} {:>9.1} µs {:>10.2} {:>11.1} µs {:>10.2}",
            subject.name,
            micros(alone),
            alone.as_secs_f64() / one.as_secs_f64(),
            micros(together),
            together.as_secs_f64() / many.as_secs_f64(),
        );
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).copied().unwrap()
}

fn subject<F: Future<Output = ()> + 'static>(name: &'static str, call: impl Fn() -> F + 'static) -> Subject {
    Subject { name, call: Rc::new(move || Box::pin(call())), one: Vec::new(), many: Vec::new() }
}

/// A handler that only answers.
async fn bare_handler(bearer: &str) -> Subject {
    let user = json!({ "username": "jackie", "fullname": "Jackie Black", "email": "jackie.black@example.com" });
    let bare = web::get().to(move || {
        let user = user.clone();
        async move { HttpResponse::Ok().json(user) }
    });
    let app = Rc::new(test::init_service(App::new().route("/bare", bare)).await);
    let bearer = bearer.to_owned();
    subject("a bare handler", move || ask(app.clone(), "/bare", bearer.clone()))
}

async fn info(store: &'static str, server: Server, bearer: String) -> Subject {
    let app = Rc::new(test::init_service(App::new().configure(Site::new(server).routes())).await);
    subject(store, move || ask(app.clone(), "/api/info", bearer.clone()))
}

async fn ask<B>(
    app: Rc<impl Service<actix_http::Request, Response = ServiceResponse<B>, Error = actix_web::Error>>,
    path: &'static str,
    bearer: String,
) {
    let request = test::TestRequest::get().uri(path).insert_header(("Authorization", bearer)).to_request();
    let response = app.call(request).await.unwrap();
    assert_eq!(response.status(), 200);
}

/// A prepared statement that reads no table, over a pool as the store has it.
async fn select_1(name: &'static str, url: &str) -> Subject {
    sqlx::any::install_default_drivers();
    let options = sqlx::any::AnyPoolOptions::new().max_connections(16).test_before_acquire(false);
    let pool = options.connect(url).await.unwrap();
    subject(name, move || {
        let pool = pool.clone();
        async move {
            let one: i32 = sqlx::query_scalar::<sqlx::Any, _>("SELECT 1").fetch_one(&pool).await.unwrap();
            assert_eq!(one, 1);
        }
    })
}

async fn get(name: &'static str, url: &str) -> Subject {
    let client = redis::Client::open(url).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    subject(name, move || {
        let mut connection = connection.clone();
        async move {
            let nothing: Option<String> = redis::cmd("GET").arg("nothing").query_async(&mut connection).await.unwrap();
            assert_eq!(nothing, None);
        }
    })
}

/// A server on this store, and the `Authorization` of a broker whose visitor is logged in.
async fn logged_in(store: impl Store) -> (Server, String) {
    let secret = Secret::generate();
    let origins = AllowedOrigins::new(&["https://alice.example"], ReturnPages::Any).unwrap();
    let alice = Broker::new("Alice".parse().unwrap(), &secret, Encoding::Exact, origins);
    let jackie = Account::new("jackie", PasswordHash::new("jackie123").unwrap())
        .attribute("fullname", "Jackie Black")
        .attribute("email", "jackie.black@example.com");
    let (brokers, users) = (BrokerList::from_iter([alice]), UserList::from_iter([jackie]));
    let builder = Server::builder("https://sso.example".parse().unwrap(), brokers, users);
    let server = builder.store(store).build().unwrap();

    let (key, token) = (ChecksumKey::new(&secret, Encoding::Exact), Token::generate());
    let query = format!(
        "broker=Alice&token={}&checksum={}&return_url=https://alice.example/",
        token.as_str(),
        key.attach(&token).as_str()
    );
    let request = AttachRequest::parse(&query, true).unwrap();
    let checked = server.check_attach(request, BrowserHeaders::default()).await.unwrap();
    let credentials = Credentials { username: "jackie".into(), password: "jackie123".into(), ..Credentials::default() };
    let visit = server.log_in(None, &credentials).await.unwrap();
    let outcome = server.attach(&checked, visit.set_cookie.as_ref()).await.outcome;
    let AttachOutcome::Linked(code) = outcome.unwrap() else { unreachable!("somebody is logged in") };
    let bearer = BearerToken::new("Alice".parse().unwrap(), token, &code, &key);
    (server, format!("Bearer {}", bearer.to_wire()))
}
