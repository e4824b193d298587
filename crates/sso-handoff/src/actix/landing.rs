//! Where users arrive: the token, the ticket it becomes, the question if somebody else is logged in.
//!
//! A form from another site comes without the `SameSite=Lax` cookies, so who is logged in here is not known when a
//! token arrives. What it says is put into a signed cookie of a minute, and the next request, which has all cookies,
//! takes it from there: it begins the session, or asks first if somebody else is logged in.

use std::{sync::Arc, time::SystemTime};

use actix_session::{Session, SessionExt};
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    http::{
        Method, StatusCode,
        header::{self, HeaderName},
    },
    web::{self, ServiceConfig},
};
use serde::Deserialize;
use sso_broker::actix::{PlainCookies, get_or_head, sent_by};
use sso_core::{FormKey, SentBy, SentCookies, unix_time};
use url::form_urlencoded::{self, byte_serialize};

use super::{now, page, script_route, sign_in, user_of};
use crate::{Arrival, LandingPages, LocalPath, Receiver, Source, SwitchPage, Ticket, TicketKey};

const TICKET: &str = "sso-handoff";

/// The routes where users arrive, in an application with an actix-session of its own.
///
/// ```
/// # use actix_session::{Session, SessionMiddleware};
/// # use actix_web::{App, cookie::Key, web::get};
/// # use sso_handoff::{LandingPages, NotAnOrigin, Receiver, SwitchPage, TrustedIssuer, jwt::SharedKeys};
/// # use sso_handoff::actix::{self as handoff, Landing, MemorySessions};
/// # struct MyPages;
/// # impl LandingPages for MyPages {
/// #     fn switch_user(&self, page: &SwitchPage<'_>) -> String { String::new() }
/// #     fn refused(&self) -> String { String::new() }
/// # }
/// # fn app(keys: SharedKeys, session_key: &[u8]) -> Result<(), NotAnOrigin> {
/// let shop = TrustedIssuer::new("https://shop.example.com", keys)?;
/// let receiver = Receiver::new("https://forum.example.com")?.trust(shop);
/// let landing = Landing::new(receiver, MyPages, session_key);
/// let (sessions, key) = (MemorySessions::default(), Key::derive_from(session_key));
/// let app = move || {
///     let sessions = SessionMiddleware::builder(sessions.clone(), key.clone());
///     let sessions = sessions.cookie_name("__Host-id".into()).build();
///     let cookies = landing.plain_cookies("__Host-id");
///     App::new().wrap(sessions).wrap(cookies.layer()).configure(landing.routes()).route("/", get().to(home))
/// };
/// async fn home(session: Session) -> String {
///     format!("{:?} is logged in", handoff::user_of(&session))
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Landing(Arc<Parts>);

struct Parts {
    receiver: Receiver,
    pages: Box<dyn LandingPages>,
    tickets: TicketKey,
    /// Of the question whether the user is to be another one.
    forms: FormKey,
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
        let landing = format!("{}{}", receiver.origin().origin().ascii_serialization(), receiver.landing_path());
        let (tickets, forms) = (TicketKey::new(secret, &landing), FormKey::new(secret));
        Self(Arc::new(Parts { receiver, pages: Box::new(pages), tickets, forms }))
    }

    /// For `App::configure`, inside the session's middleware.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let landing = self.clone();
        move |config| {
            let path = landing.0.receiver.landing_path().to_owned();
            config
                .app_data(web::Data::new(landing))
                .service(web::resource(&path).route(web::post().to(by_form)).route(get_or_head().to(by_query)))
                .service(
                    web::resource(format!("{path}/in")).route(get_or_head().to(arrive)).route(web::post().to(choose)),
                )
                .configure(script_route);
        }
    }

    /// What to wrap around all, outside of the session's middleware, whose cookie has this name: see [`PlainCookies`].
    pub fn plain_cookies(&self, session_cookie: &str) -> PlainCookies {
        PlainCookies::new(self.0.receiver.origin().clone(), session_cookie).guard(self.cookie_name())
    }

    fn refused(&self) -> HttpResponse {
        page(StatusCode::UNAUTHORIZED, "", "same-origin").cookie(self.cookie("", 0)).body(self.0.pages.refused())
    }

    /// To HEAD, with which a program looks at a link before a person follows it: what is good once is not used up by
    /// that.
    fn unused(&self) -> HttpResponse {
        page(StatusCode::UNAUTHORIZED, "", "same-origin").body(self.0.pages.refused())
    }

    async fn receive(&self, token: Option<Token>, source: Source<'_>) -> HttpResponse {
        let token = token.map(|token| token.token).unwrap_or_default();
        match self.0.receiver.receive(&token, source, now()).await {
            Ok(arrival) => self.arrived(arrival),
            Err(_) => self.refused(),
        }
    }

    fn arrived(&self, arrival: Arrival) -> HttpResponse {
        let sealed = self.0.tickets.seal(&Ticket::new(arrival, now()));
        let sealed: String = byte_serialize(sealed.as_bytes()).collect();
        page(StatusCode::SEE_OTHER, "", "no-referrer")
            .cookie(self.cookie(&sealed, Ticket::SECONDS))
            .insert_header((header::LOCATION, format!("{}/in", self.0.receiver.landing_path())))
            .finish()
    }

    /// The ticket that this browser holds, and its text.
    fn ticket(&self, request: &HttpRequest) -> Option<(Ticket, String)> {
        let cookies = SentCookies::read(request.headers().get_all(header::COOKIE).map(|field| field.as_bytes()));
        let cookie = cookies.get(&self.cookie_name()).ok()??;
        let (sealed, _) = form_urlencoded::parse(cookie.as_bytes()).next()?;
        Some((self.0.tickets.open(&sealed, now())?, sealed.into_owned()))
    }

    /// Begins the session of the user on the ticket, unless a copy of the ticket was used before.
    async fn let_in(&self, session: &Session, ticket: &Ticket) -> HttpResponse {
        let now = now();
        if !self.0.receiver.first_use(&format!("ticket {}", ticket.id), ticket.end(), now).await {
            return self.refused();
        }
        sign_in(session, &ticket.username, self.0.receiver.login_limits());
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

fn text_of(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

/// A token in a form. No cookie of ours came with it, and the session is not touched.
async fn by_form(request: HttpRequest, landing: web::Data<Landing>, form: Option<web::Form<Token>>) -> HttpResponse {
    let source = Source::Post { origin: text_of(&request, header::ORIGIN) };
    landing.receive(form.map(|form| form.into_inner()), source).await
}

/// A token in the address, where the issuer may send it so.
async fn by_query(request: HttpRequest, landing: web::Data<Landing>, query: Option<web::Query<Token>>) -> HttpResponse {
    if request.method() == Method::HEAD {
        return landing.unused();
    }
    let source = Source::Query { referer: text_of(&request, header::REFERER) };
    landing.receive(query.map(|query| query.into_inner()), source).await
}

/// The request after it, with all cookies.
async fn arrive(request: HttpRequest, landing: web::Data<Landing>) -> HttpResponse {
    if request.method() == Method::HEAD {
        return landing.unused();
    }
    let Some((ticket, sealed)) = landing.ticket(&request) else { return landing.refused() };
    let session = request.get_session();
    match user_of(&session) {
        Some(current) if current != ticket.username => {
            let shown = SwitchPage {
                action: request.uri().path(),
                form_token: &landing.0.forms.token(
                    &switch_form(&current),
                    &sealed,
                    unix_time::millis(SystemTime::now()),
                ),
                current: &current,
                arriving: &ticket.username,
                issuer: &ticket.issuer,
            };
            page(StatusCode::OK, "", "same-origin").body(landing.0.pages.switch_user(&shown))
        }
        // The same user too: the other side has judged them again, so their time begins again.
        _ => landing.let_in(&session, &ticket).await,
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
    let is_ours = sent_by(&request, landing.0.receiver.origin()) != SentBy::Other
        && landing.0.forms.served(&switch_form(&current), &sealed, &form_token).is_ok();
    if !is_ours {
        return landing.refused();
    }
    if choice == "switch" { landing.let_in(&session, &ticket).await } else { landing.go(&ticket.page) }
}
