//! The hand-off on actix-web: [`leave`] answers `GET /external?url=…` where the user goes away; [`Landing`] has the routes where users arrive.
//!
//! A form from another site comes without the `SameSite=Lax` cookies, so who is logged in here is not known when a token arrives. What it
//! says is put into a signed cookie of a minute, and the next request, which has all cookies, takes it from there: it begins the session, or
//! asks first if somebody else is logged in.

use std::{sync::Arc, time::SystemTime};

use super::asker::header as header_text;
use crate::{
    LocalPath,
    handoff::{Arrival, Handoff, HandoffError, Issuer, Receiver, Source, Way},
};
use actix_session::{Session, SessionExt};
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Route,
    cookie::{Cookie, SameSite, time::Duration},
    guard,
    http::{StatusCode, header},
    web::{self, ServiceConfig},
};
use serde::{Deserialize, Serialize};
use sso_core::{FormKey, base36, random};

/// Where the user of an application's own session stands in it.
const USER: &str = "sso_linked_user";
const TICKET: &str = "sso-handoff";
const TICKET_SECONDS: i64 = 60;
const SCRIPT_PATH: &str = "/sso/handoff.js";

/// Who is logged in to the application's own session.
pub fn user_of(session: &Session) -> Option<String> {
    session.get(USER).ok().flatten()
}

/// Logs a user in to the application's own session; its cookie gets a new value, and nothing of a user before stays.
pub fn sign_in(session: &Session, username: &str) {
    session.clear();
    session.renew();
    if let Err(error) = session.insert(USER, username) {
        tracing::error!(%error, "a user cannot be kept in the session");
    }
}

/// The pages on the way out. No inline script or style: the CSP forbids it.
pub trait LeavingPages: Send + Sync + 'static {
    /// On the way out: a form with `id="handoff"`, a POST of the hidden field `token` to `action`, and the script `script`, which sends it.
    fn leaving(&self, page: &LeavingPage<'_>) -> String;
    /// Before going out, where another site's page asked for that: a link to `href`, and where it leads.
    fn may_leave(&self, target: &str, href: &str) -> String;
    /// The address is not on the list, or the way is closed.
    fn cannot_leave(&self, problem: &str) -> String;
}

/// The pages where users arrive. No inline script or style: the CSP forbids it.
pub trait LandingPages: Send + Sync + 'static {
    /// Where `current` is logged in: a POST of the hidden fields `form_token` and `choice` (`switch` or `stay`) to `action`.
    fn switch_user(&self, page: &SwitchPage<'_>) -> String;
    /// The token was no good: the login page, with a plain message. Its status becomes 401.
    fn refused(&self) -> String;
}

/// See [`LeavingPages::leaving`].
#[derive(Clone, Copy, Debug)]
pub struct LeavingPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// The hidden field `token`.
    pub token: &'a str,
    /// The origin that it leads to.
    pub target: &'a str,
    /// The script that sends the form.
    pub script: &'a str,
}

/// See [`LandingPages::switch_user`].
#[derive(Clone, Copy, Debug)]
pub struct SwitchPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// The hidden field `form_token`.
    pub form_token: &'a str,
    /// Who is logged in.
    pub current: &'a str,
    /// Who arrives.
    pub arriving: &'a str,
    /// From where.
    pub issuer: &'a str,
}

/// The script that sends the form on the way out, for applications without a [`Landing`].
pub fn script_route(config: &mut ServiceConfig) {
    config.route(SCRIPT_PATH, get_or_head().to(script));
}

fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("text/javascript; charset=utf-8")
        .body("document.getElementById(\"handoff\").submit();\n")
}

/// Answers `GET /external?url=…` for a user who is logged in.
///
/// It acts by itself only for a link on a page of this very site. Any other page could send a visitor on a way that they did not choose, so
/// from there a page with a link comes first.
pub fn leave(
    request: &HttpRequest,
    issuer: &Issuer,
    pages: &dyn LeavingPages,
    username: &str,
    url: &str,
) -> HttpResponse {
    if !issuer.allows(url) {
        return page(StatusCode::BAD_REQUEST, "", "same-origin")
            .body(pages.cannot_leave(&HandoffError::ForeignTarget.to_string()));
    }
    if !is_from_own_page(request, &issuer.origin()) {
        let href = request.uri().path_and_query().map_or("/", |path| path.as_str());
        return page(StatusCode::OK, "", "same-origin").body(pages.may_leave(url, href));
    }
    match issuer.hand_off(username, url, now()) {
        Ok(handoff) => send(&handoff, pages),
        Err(error) => {
            page(StatusCode::SERVICE_UNAVAILABLE, "", "same-origin").body(pages.cannot_leave(&error.to_string()))
        }
    }
}

fn send(handoff: &Handoff, pages: &dyn LeavingPages) -> HttpResponse {
    let location = handoff.location();
    if handoff.way == Way::Redirect {
        return page(StatusCode::SEE_OTHER, "", "strict-origin").insert_header((header::LOCATION, location)).finish();
    }
    let shown = LeavingPage { action: &location, token: &handoff.token, target: &handoff.target, script: SCRIPT_PATH };
    // The receiver wants to see our `Origin`: under `no-referrer` it would be `null`.
    page(StatusCode::OK, &handoff.target, "strict-origin").body(pages.leaving(&shown))
}

/// Whether a page of this site led here.
fn is_from_own_page(request: &HttpRequest, origin: &str) -> bool {
    match header_text(request, "Sec-Fetch-Site") {
        Some(site) => site == "same-origin",
        // Browsers from before 2023: our pages let them say where they are.
        None => header_text(request, "Referer")
            .and_then(|referer| referer.parse::<url::Url>().ok())
            .is_some_and(|referer| referer.origin().ascii_serialization() == origin),
    }
}

/// A page, or a redirect, that nobody keeps and nobody frames.
fn page(status: StatusCode, form_target: &str, referrer_policy: &str) -> HttpResponseBuilder {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self' {form_target}; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::REFERRER_POLICY, referrer_policy))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("text/html; charset=utf-8");
    response
}

/// Seconds since 1970-01-01 UTC.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The routes where users arrive, in an application with an actix-session of its own.
#[derive(Clone)]
pub struct Landing(Arc<Parts>);

struct Parts {
    receiver: Receiver,
    pages: Box<dyn LandingPages>,
    key: FormKey,
}

/// What a good token said, on its way to the next request.
#[derive(Serialize, Deserialize)]
struct Ticket {
    /// Its own name: it is good for one login.
    id: String,
    username: String,
    page: String,
    issuer: String,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice {
    form_token: String,
    choice: String,
}

impl Landing {
    /// `secret`: the application's own, such as the key of its sessions.
    pub fn new(receiver: Receiver, pages: impl LandingPages, secret: &[u8]) -> Self {
        Self(Arc::new(Parts { receiver, pages: Box::new(pages), key: FormKey::new(secret) }))
    }

    /// For `App::configure`, inside the session's middleware.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let landing = self.clone();
        move |config| {
            let path = landing.0.receiver.landing_path().to_owned();
            config
                .app_data(web::Data::new(landing))
                .service(web::resource(&path).route(web::post().to(by_form)).route(web::get().to(by_query)))
                .service(web::resource(format!("{path}/in")).route(web::get().to(arrive)).route(web::post().to(choose)))
                .configure(script_route);
        }
    }

    fn refused(&self) -> HttpResponse {
        page(StatusCode::UNAUTHORIZED, "", "same-origin").cookie(self.cookie("", 0)).body(self.0.pages.refused())
    }

    fn arrived(&self, arrival: Arrival) -> HttpResponse {
        let Arrival { username, page: wanted, issuer } = arrival;
        let id = base36::exact(&random::bytes());
        let ticket = Ticket { id, username, page: wanted.as_str().to_owned(), issuer };
        let Ok(json) = serde_json::to_string(&ticket) else { return self.refused() };
        let sealed = format!("{}|{json}", self.0.key.token(&json, TICKET, now()));
        page(StatusCode::SEE_OTHER, "", "no-referrer")
            .cookie(
                self.cookie(
                    &url::form_urlencoded::byte_serialize(sealed.as_bytes()).collect::<String>(),
                    TICKET_SECONDS,
                ),
            )
            .insert_header((header::LOCATION, format!("{}/in", self.0.receiver.landing_path())))
            .finish()
    }

    /// The ticket that this browser holds, and its text.
    fn ticket(&self, request: &HttpRequest) -> Option<(Ticket, String)> {
        let cookie = request.cookie_raw(&self.cookie_name())?;
        let (sealed, _) = url::form_urlencoded::parse(cookie.value().as_bytes()).next()?;
        let (mac, json) = sealed.split_once('|')?;
        let age = now() - self.0.key.served(json, TICKET, mac).ok()?;
        let ticket = serde_json::from_str(json).ok().filter(|_| (-5..TICKET_SECONDS).contains(&age))?;
        Some((ticket, sealed.into_owned()))
    }

    /// Begins the session of the user on the ticket, unless a copy of the ticket was used before.
    fn let_in(&self, session: &Session, ticket: &Ticket) -> HttpResponse {
        let now = now();
        if !self.0.receiver.first_use(&format!("ticket {}", ticket.id), now + TICKET_SECONDS, now) {
            return self.refused();
        }
        sign_in(session, &ticket.username);
        tracing::info!(username = %ticket.username, issuer = %ticket.issuer, "a user was handed over");
        self.go(&ticket.page)
    }

    fn is_secure(&self) -> bool {
        self.0.receiver.origin().scheme() == "https"
    }

    fn cookie_name(&self) -> String {
        if self.is_secure() { format!("__Host-{TICKET}") } else { TICKET.to_owned() }
    }

    fn cookie(&self, value: &str, seconds: i64) -> Cookie<'static> {
        let cookie =
            Cookie::build(self.cookie_name(), value.to_owned()).path("/").http_only(true).secure(self.is_secure());
        cookie.same_site(SameSite::Lax).max_age(Duration::seconds(seconds)).finish()
    }

    /// On to the page that was linked; the ticket is used up.
    fn go(&self, wanted: &str) -> HttpResponse {
        let base = self.0.receiver.origin();
        let wanted = LocalPath::parse(wanted, base).unwrap_or_else(LocalPath::root);
        page(StatusCode::SEE_OTHER, "", "no-referrer")
            .cookie(self.cookie("", 0))
            .insert_header((header::LOCATION, wanted.as_str()))
            .finish()
    }
}

/// A token in a form. No cookie of ours came with it, and the session is not touched.
async fn by_form(request: HttpRequest, landing: web::Data<Landing>, form: Option<web::Form<Token>>) -> HttpResponse {
    let origin = header_text(&request, "Origin");
    let token = form.map(|form| form.into_inner().token).unwrap_or_default();
    match landing.0.receiver.receive(&token, Source::Post { origin }, now()) {
        Ok(arrival) => landing.arrived(arrival),
        Err(_) => landing.refused(),
    }
}

/// A token in the address, where the issuer may send it so.
async fn by_query(request: HttpRequest, landing: web::Data<Landing>, query: Option<web::Query<Token>>) -> HttpResponse {
    let referer = header_text(&request, "Referer");
    let token = query.map(|query| query.into_inner().token).unwrap_or_default();
    match landing.0.receiver.receive(&token, Source::Query { referer }, now()) {
        Ok(arrival) => landing.arrived(arrival),
        Err(_) => landing.refused(),
    }
}

/// The request after it, with all cookies.
async fn arrive(request: HttpRequest, landing: web::Data<Landing>) -> HttpResponse {
    let Some((ticket, sealed)) = landing.ticket(&request) else { return landing.refused() };
    let session = request.get_session();
    match user_of(&session) {
        Some(current) if current != ticket.username => {
            let shown = SwitchPage {
                action: request.uri().path(),
                form_token: &landing.0.key.token(&switch_form(&current), &sealed, now()),
                current: &current,
                arriving: &ticket.username,
                issuer: &ticket.issuer,
            };
            page(StatusCode::OK, "", "same-origin").body(landing.0.pages.switch_user(&shown))
        }
        Some(_) => landing.go(&ticket.page),
        None => landing.let_in(&session, &ticket),
    }
}

/// The form's name: the question is answered by the user who was asked.
fn switch_form(current: &str) -> String {
    format!("switch {current}")
}

/// What the user answered, who was asked.
async fn choose(request: HttpRequest, landing: web::Data<Landing>, form: Option<web::Form<Choice>>) -> HttpResponse {
    let Choice { form_token, choice } = form.map(web::Form::into_inner).unwrap_or_default();
    let Some((ticket, sealed)) = landing.ticket(&request) else { return landing.refused() };
    let session = request.get_session();
    let current = user_of(&session).unwrap_or_default();
    let origin = landing.0.receiver.origin().origin().ascii_serialization();
    let is_ours = header_text(&request, "Origin").is_none_or(|shown| shown == origin)
        && landing.0.key.served(&switch_form(&current), &sealed, &form_token).is_ok();
    if !is_ours {
        return landing.refused();
    }
    if choice == "switch" { landing.let_in(&session, &ticket) } else { landing.go(&ticket.page) }
}
