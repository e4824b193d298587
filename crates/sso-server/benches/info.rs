//! What a broker's `GET /api/info` costs, as a ratio to a handler that only answers: `cargo bench -p sso-server`.
//!
//! Both are measured in turns in one run, without sockets; on a busy machine the ratio holds better than the times.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use actix_web::{
    App, Error, HttpResponse,
    body::MessageBody,
    dev::{Service, ServiceResponse},
    test, web,
};
use serde_json::json;
use sso_server::{
    Account, Broker, BrokerList, Credentials, PasswordHash, Server, UserList,
    attach::AttachOutcome,
    core::{
        AllowedOrigins, AttachRequest, BearerToken, BrowserHeaders, ChecksumKey, Encoding, ReturnPages, Secret, Token,
    },
    web::Site,
};

const ROUNDS: usize = 40;
const CALLS: u32 = 5_000;

#[actix_web::main]
async fn main() {
    let (server, bearer) = logged_in().await;
    let user = json!({ "username": "jackie", "fullname": "Jackie Black", "email": "jackie.black@example.com" });
    let bare = web::get().to(move || {
        let user = user.clone();
        async move { HttpResponse::Ok().json(user) }
    });
    let app = App::new().route("/bare", bare).configure(Site::new(server).routes());
    let app = test::init_service(app).await;

    let (mut bare, mut info) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(time(&app, "/bare", &bearer).await);
        info.push(time(&app, "/api/info", &bearer).await);
    }
    let (bare, info) = (median(bare), median(info));
    println!("bare handler    {bare:>8.2?} a call");
    println!("info by bearer  {info:>8.2?} a call");
    println!("throughput of info / bare handler: {:.2}", bare.as_secs_f64() / info.as_secs_f64());
}

/// A call's time, on average over many.
async fn time<B: MessageBody>(
    app: &impl Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    path: &str,
    bearer: &str,
) -> Duration {
    let start = Instant::now();
    for _ in 0..CALLS {
        let request = test::TestRequest::get().uri(path).insert_header(("Authorization", bearer)).to_request();
        let response = app.call(request).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    start.elapsed() / CALLS
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap()
}

/// A server, and the `Authorization` of a broker whose visitor is logged in.
async fn logged_in() -> (Server, String) {
    let secret = Secret::generate();
    let origins = AllowedOrigins::new(&["https://alice.example"], ReturnPages::Any).unwrap();
    let alice = Broker::new("Alice".parse().unwrap(), &secret, Encoding::Exact, origins);
    let jackie = Account::new("jackie", PasswordHash::new("jackie123").unwrap())
        .attribute("fullname", "Jackie Black")
        .attribute("email", "jackie.black@example.com");
    let (brokers, users) = (BrokerList::from_iter([alice]), UserList::from_iter([jackie]));
    let server = Server::builder("https://sso.example".parse().unwrap(), brokers, users).build().unwrap();

    let (key, token) = (ChecksumKey::new(&secret, Encoding::Exact), Token::generate());
    let query = format!(
        "broker=Alice&token={}&checksum={}&return_url=https://alice.example/",
        token.as_str(),
        key.attach(&token).as_str()
    );
    let request = AttachRequest::parse(&query, true).unwrap();
    let checked = server.check_attach(request, BrowserHeaders::default()).await.unwrap();
    let credentials = Credentials { username: "jackie".into(), password: "jackie123".into() };
    let visit = server.log_in(None, &credentials).await.unwrap();
    let outcome = server.attach(&checked, visit.set_cookie.as_ref()).await.outcome;
    let AttachOutcome::Linked(code) = outcome.unwrap() else { unreachable!("somebody is logged in") };
    let bearer = BearerToken::new("Alice".parse().unwrap(), token, &code, &key);
    (server, format!("Bearer {}", bearer.to_wire()))
}
