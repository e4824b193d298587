//! The SSO server of the tests: links tokens, answers bearers, and misbehaves when told to.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer, web};
use serde_json::{Map, Value, json};
use sso_broker::{Broker, BrokerBuilder, Secret};
use sso_core::{
    AllowedOrigins, AttachRequest, BearerToken, ChecksumKey, Encoding, Mode, ReturnPages, VerificationCode,
    wire::{ACTIVITY_HEADER, BearerErrorCode, ENDED_HEADER, EndReason, Ended, RESUME_HEADER},
};

/// An origin where nobody listens: only the system may, and does not.
pub(crate) const NOBODY_LISTENS: &str = "http://127.0.0.1:1";

pub(crate) const SECRET: &str = "a secret of the tests, long enough for every check";

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) origin: String,
    state: Arc<Mutex<State>>,
}

/// What is left of a session that was just used, in seconds.
pub(crate) const IDLE: u64 = 1200;

#[derive(Default)]
pub(crate) struct State {
    /// Token to code.
    pub(crate) links: BTreeMap<String, VerificationCode>,
    /// Tokens whose links are older than the login that is there now.
    pub(crate) superseded: BTreeSet<String>,
    /// Tokens whose links saw the login that ended last.
    pub(crate) saw: BTreeSet<String>,
    /// Tokens of sessions that are over, as jasny/sso's server says, and ours did.
    pub(crate) over: BTreeSet<String>,
    pub(crate) user: Option<String>,
    /// How the last login ended, and which end that was.
    pub(crate) last_end: Option<(EndReason, u64)>,
    /// A remembered browser's new attach logs it in again.
    pub(crate) is_remembered: bool,
    /// What is left of the session; a call with a person behind it sets it to [`IDLE`].
    pub(crate) left: u64,
    pub(crate) data: Map<String, Value>,
    /// Every bearer is refused with this.
    pub(crate) refuse: Option<BearerErrorCode>,
    /// Method, path, and body of each call of the API.
    pub(crate) calls: Vec<String>,
    /// What each call said of who is behind it.
    pub(crate) activity: Vec<String>,
    pub(crate) encoding: Encoding,
    /// Answer as jasny/sso's server does: no `code` in errors, other paths.
    pub(crate) is_php: bool,
    /// The attach requests carried out.
    pub(crate) attached: Vec<AttachRequest>,
}

impl State {
    /// The login ends, for all who share the session.
    pub(crate) fn end(&mut self, reason: EndReason) {
        if self.user.take().is_some() {
            let n = self.last_end.map_or(0, |(_, n)| n);
            self.last_end = Some((reason, n + 2));
            self.saw = self.links.keys().cloned().collect();
        }
    }

    /// Somebody logs in at another site: no link that is there now sees that.
    pub(crate) fn log_in_elsewhere(&mut self, user: &str) {
        self.end(EndReason::LoggedOut);
        self.superseded.extend(self.links.keys().cloned());
        self.user = Some(user.into());
    }

    /// The session is over, as jasny/sso's server says, and ours did.
    pub(crate) fn be_over(&mut self) {
        self.over.extend(self.links.keys().cloned());
        self.user = None;
    }

    /// What a visitor is told to whom nobody is logged in.
    fn told(&self, token: &str) -> Option<Ended> {
        let (reason, n) = self.last_end.filter(|_| self.saw.contains(token) && !self.is_php)?;
        Some(Ended { reason, n, seconds_ago: 5 })
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://sso.localhost:{}", listener.local_addr().unwrap().port());
        let server = Self { origin, state: Arc::default() };
        let data = web::Data::new(server.clone());
        let http = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/healthz", web::get().to(async || "ok"))
                .route("/odd/{what}", web::route().to(odd))
                .route("/api/{call:.*}", web::route().to(api))
        });
        actix_web::rt::spawn(http.workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap().run());
        server
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A broker of this server's.
    pub(crate) fn broker(&self) -> BrokerBuilder {
        Broker::builder(&format!("{}/attach", self.origin), "Alice".parse().unwrap(), Secret::new(SECRET))
    }

    pub(crate) fn key(&self) -> ChecksumKey {
        ChecksumKey::new(&Secret::new(SECRET), self.state().encoding)
    }

    /// What a browser is answered at an attach URL: the URL it is sent back to.
    pub(crate) fn attach(&self, url: &str) -> String {
        let request = self.checked(url);
        let code = self.link(&request);
        return_url(&request).with_code(&code)
    }

    /// The same for an attach that the server refuses.
    pub(crate) fn refuse_attach(&self, url: &str, error: &str) -> String {
        return_url(&self.checked(url)).with_error(error)
    }

    /// What a script is answered at an attach URL: the code.
    pub(crate) fn attach_silently(&self, url: &str) -> String {
        let request = self.checked(url);
        assert_eq!(request.mode, Mode::Json);
        self.link(&request).as_str().to_owned()
    }

    fn checked(&self, url: &str) -> AttachRequest {
        let query = url.strip_prefix(&format!("{}/attach?", self.origin)).unwrap();
        let request = AttachRequest::parse(query, false).unwrap();
        assert_eq!(request.checksum, self.key().attach(&request.token));
        self.state().attached.push(request.clone());
        request
    }

    fn link(&self, request: &AttachRequest) -> VerificationCode {
        let code = VerificationCode::generate();
        let before = self.state().links.insert(request.token.as_str().to_owned(), code.clone());
        assert!(before.is_none(), "a token is attached once only");
        code
    }

    fn answer(&self, request: &HttpRequest, body: &str) -> HttpResponse {
        let key = self.key();
        let mut state = self.state();
        state.calls.push(format!("{} {} {body}", request.method(), request.path()));
        let activity = request.headers().get(ACTIVITY_HEADER).map_or("", |value| value.to_str().unwrap());
        state.activity.push(activity.to_owned());
        let authorization = request.headers().get("Authorization").unwrap().to_str().unwrap();
        let bearer = BearerToken::from_authorization(authorization).unwrap().unwrap();
        let proven = state.links.get(bearer.token.as_str()).is_some_and(|code| bearer.is_proven(code, &key));
        let superseded = state.superseded.contains(bearer.token.as_str()).then_some(BearerErrorCode::Superseded);
        let over = state.over.contains(bearer.token.as_str()).then_some(BearerErrorCode::SessionEnded);
        let call = request.match_info().get("call").unwrap();
        // Who may not use the broker can be logged out by it.
        let refuse = state.refuse.filter(|code| !(*code == BearerErrorCode::UserNotAllowed && call == "logout"));
        if let Some(code) = refuse.or((!proven).then_some(BearerErrorCode::NotAttached)).or(superseded).or(over) {
            let status = code.status().try_into().unwrap();
            return HttpResponse::build(status).json(match state.is_php {
                true => json!({"error": code.message()}),
                false => json!({"error": code.message(), "code": code}),
            });
        }
        if activity != "none" {
            state.left = IDLE;
        }
        match (request.method().as_str(), if state.is_php { call.strip_suffix(".php").unwrap() } else { call }) {
            ("GET", "info") => match &state.user {
                Some(user) => HttpResponse::Ok().json(json!({"username": user, "email": "j@example.com"})),
                None => {
                    let mut nobody = nobody(state.told(bearer.token.as_str()));
                    if state.is_remembered {
                        nobody.insert_header((RESUME_HEADER, "1"));
                    }
                    nobody.finish()
                }
            },
            ("POST", "login") if body == "username=jackie&password=jackie123" => {
                state.user = Some("jackie".into());
                HttpResponse::Ok().json(json!({"username": "jackie"}))
            }
            ("POST", "login") => HttpResponse::BadRequest().json(json!({"error": "Invalid credentials"})),
            ("POST", "logout") => {
                state.end(EndReason::LoggedOut);
                nobody(state.told(bearer.token.as_str())).finish()
            }
            ("GET", "session") | ("POST", "session/keepalive") => {
                HttpResponse::Ok().json(status(&state, bearer.token.as_str()))
            }
            ("GET", "data") => HttpResponse::Ok().json(&state.data),
            ("POST", "data") => {
                let changes: Map<String, Value> = serde_json::from_str(body).unwrap();
                state.data.extend(changes);
                state.data.retain(|_, value| !value.is_null());
                HttpResponse::Ok().json(&state.data)
            }
            _ => HttpResponse::Forbidden().json(json!({"error": "Not for you"})),
        }
    }
}

/// Nobody is logged in.
fn nobody(ended: Option<Ended>) -> HttpResponseBuilder {
    let mut answer = HttpResponse::NoContent();
    if let Some(ended) = ended {
        answer.insert_header((ENDED_HEADER, ended.header()));
    }
    answer
}

/// With nobody logged in there is nothing to warn of.
fn status(state: &State, token: &str) -> Value {
    let left = state.user.as_ref().map(|_| state.left);
    let ended = state.told(token).filter(|_| left.is_none());
    let mut status = json!({
        "authenticated": state.user.is_some(), "username": state.user, "expires_in": left, "idle_expires_in": left,
        "absolute_expires_in": left.map(|_| 43_187), "warn_before": 120, "auth_time": left.map(|_| 1_700_000_000),
    });
    if let Some(ended) = ended {
        status["ended"] = json!(ended);
    }
    status
}

fn return_url(request: &AttachRequest) -> sso_core::ReturnUrl {
    let Mode::Redirect(url) = &request.mode else { panic!("not a redirect: {request:?}") };
    let hosts = ["alice.localhost", "localhost", "127.0.0.1"];
    let origins = AllowedOrigins::new(&hosts, ReturnPages::Paths(vec!["/sso/return".into()]));
    origins.unwrap().return_url(url).unwrap()
}

async fn api(server: web::Data<Server>, request: HttpRequest, body: String) -> HttpResponse {
    server.answer(&request, &body)
}

/// Answers that no server should give.
async fn odd(what: web::Path<String>) -> HttpResponse {
    match what.as_str() {
        "html" => HttpResponse::Ok().content_type("text/html").body("{}"),
        "broken" => HttpResponse::Ok().content_type("application/json").body("{\"a\":"),
        "good" => HttpResponse::Ok().content_type("application/json; charset=utf-8").body("{\"a\":1}"),
        "redirect" => HttpResponse::Found().insert_header(("Location", "/odd/good")).json(json!({})),
        "fits" => HttpResponse::Ok().json("x".repeat((1 << 20) - 2)),
        "large" => HttpResponse::Ok().json("x".repeat((1 << 20) - 1)),
        "silent" => std::future::pending().await,
        "gateway" => HttpResponse::BadGateway().content_type("text/html").body("<h1>Bad gateway</h1>"),
        "fatal" => HttpResponse::InternalServerError().content_type("text/html").body("<b>Fatal error</b>"),
        "no-text" => HttpResponse::BadRequest().json(json!({"message": "x"})),
        "barred" => HttpResponse::Forbidden().json(json!({"error": "Not yours", "code": "user_not_allowed"})),
        "ended" => HttpResponse::Unauthorized().json(json!({"error": "Too late", "code": "session_ended"})),
        "unknown-code" => HttpResponse::Forbidden().json(json!({"error": "No", "code": "something_new"})),
        _ => HttpResponse::NotFound().json(json!({"error": "No such call"})),
    }
}
