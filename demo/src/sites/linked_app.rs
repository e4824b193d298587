//! Nora and Otto: applications with sessions of their own, which hand their users to each other.

use std::{sync::Arc, time::Duration};

use actix_session::{Session, SessionMiddleware};
use actix_web::{
    App, HttpRequest, HttpResponse,
    cookie::{Key as CookieKey, SameSite},
    http::StatusCode,
    web,
};
use serde::Deserialize;
use sso_broker::actix::{PlainCookies, base_headers, sent_by};
use sso_core::{BaseHeaders, SentBy, headers::page_policy, wire::WRONG_CREDENTIALS};
use sso_handoff::{
    Issuer, LandingPages, Leaver, Limits, Login, Receiver, SwitchPage, Target, TrustedIssuer,
    actix::{self as handoff, Landing, Leaving},
};
use sso_jwt::SharedKeys;
use sso_server::{
    Passwords, UserList, Users,
    clock::{Clock, SystemClock},
    humanize,
    rate_limit::RateLimiter,
    username::canonical,
    web::get_or_head,
};
use sso_site::{NO_THEME, PageLink, SiteFrame, SiteInfo, assets, html, no_store, page, see_other};
use url::Url;

use super::{
    error::SetupError,
    linked_sessions::Sessions,
    service::SiteService,
    shared_pages::{SharedPages, linked_sites, not_found},
};
use crate::pages::{LinkedLogin, LinkedPage, SwitchUser};

/// Another application, the keys that this pair shares, and which way users go.
pub struct Peer {
    /// Where it is.
    pub origin: String,
    /// The keys of this pair.
    pub keys: SharedKeys,
    /// Whether users are handed to it, too; from it they always come.
    pub is_target: bool,
}

/// What an application needs.
pub struct Setup {
    /// The application itself.
    pub site: SiteInfo,
    /// All sites to link to.
    pub all: Vec<SiteInfo>,
    /// Those that it exchanges users with.
    pub peers: Vec<Peer>,
    /// Who may log in here.
    pub users: UserList,
    /// The session cookie's name, without a prefix; applications on one host with the same name, key and store share
    /// one sign-on.
    pub session_name: String,
    /// The key of its sessions, at least 32 bytes.
    pub session_key: Vec<u8>,
    /// Where its sessions are.
    pub sessions: Sessions,
}

/// A linked application.
#[derive(Clone)]
pub struct LinkedApp(Arc<Parts>);

struct Parts {
    frame: SiteFrame,
    origin: Url,
    leaving: Leaving,
    landing: Landing,
    users: UserList,
    passwords: Passwords,
    failures: RateLimiter,
    session_name: String,
    session_key: CookieKey,
    sessions: Sessions,
    limits: Limits,
}

impl LinkedApp {
    /// Sets the application up.
    pub fn new(setup: Setup) -> Result<Self, SetupError> {
        let Setup { site, all, peers, users, session_name, session_key, sessions } = setup;
        let mut issuer = Issuer::new(&site.url)?;
        let mut receiver = Receiver::new(&site.url)?;
        if let Sessions::Shared(shared) = &sessions {
            receiver = receiver.used_ids(shared.clone());
        }
        for Peer { origin, keys, is_target } in &peers {
            if *is_target {
                issuer = issuer.target(Target::new(origin, keys.clone())?);
            }
            receiver = receiver.trust(TrustedIssuer::new(origin, keys.clone())?);
        }
        let frame = SiteFrame::new(&site, &all);
        let origin = receiver.origin().clone();
        Ok(Self(Arc::new(Parts {
            limits: *receiver.login_limits(),
            landing: Landing::new(receiver, SharedPages(frame.clone()), &session_key),
            leaving: Leaving::new(issuer, SharedPages(frame.clone()), &session_key),
            frame,
            origin,
            users,
            passwords: Passwords::new()?,
            failures: RateLimiter::new(5, Duration::from_secs(30)),
            session_name,
            session_key: CookieKey::derive_from(&session_key),
            sessions,
        })))
    }

    /// The site, for one thread.
    pub fn app(self) -> App<impl SiteService> {
        App::new()
            .wrap(self.sessions())
            .wrap(self.cookies().layer())
            .wrap(no_store())
            .wrap(base_headers(BaseHeaders::new(&self.0.origin).page_policy(page_policy("", "", ""))))
            .configure(self.0.landing.routes())
            .configure(assets::routes)
            .app_data(web::Data::new(self.0.frame.clone()))
            .app_data(web::Data::new(self))
            .route("/", get_or_head().to(home))
            .route("/about", get_or_head().to(about))
            .route("/reports/{number}", get_or_head().to(report))
            .route(Leaving::PATH, get_or_head().to(external))
            .service(web::resource("/login").route(get_or_head().to(show_login)).route(web::post().to(log_in)))
            .route("/logout", web::post().to(log_out))
            .route("/healthz", get_or_head().to(HttpResponse::Ok))
            .default_service(web::to(not_found))
    }

    /// The session's cookie is read as browsers mean it.
    fn cookies(&self) -> PlainCookies {
        self.0.landing.plain_cookies(&self.session_cookie()).pages(SharedPages(self.0.frame.clone()))
    }

    fn session_cookie(&self) -> String {
        let prefix = if self.0.origin.scheme() == "https" { "__Host-" } else { "" };
        format!("{prefix}{}", self.0.session_name)
    }

    /// `Lax`: under `Strict` a user who comes from another application would seem to be nobody.
    fn sessions(&self) -> SessionMiddleware<Sessions> {
        let is_https = self.0.origin.scheme() == "https";
        SessionMiddleware::builder(self.0.sessions.clone(), self.0.session_key.clone())
            .cookie_name(self.session_cookie())
            .cookie_secure(is_https)
            .cookie_http_only(true)
            .cookie_same_site(SameSite::Lax)
            .cookie_path("/".into())
            .build()
    }

    fn page(&self, request: &HttpRequest, session: &Session, heading: &str) -> HttpResponse {
        let (frame, login) = (&self.0.frame, handoff::login_of(session));
        let deep = linked_sites(frame, &self.0.leaving, login.as_ref().map(Leaver::from));
        let own = [("Home page", "/"), ("Report 2", "/reports/2"), ("About", "/about")];
        let own = own.iter().map(|(label, href)| PageLink { label, href });
        let pages: Vec<_> = own.chain(deep.iter().map(|(label, href)| PageLink { label, href })).collect();
        let to: String = url::form_urlencoded::byte_serialize(request.uri().path().as_bytes()).collect();
        page(
            StatusCode::OK,
            &LinkedPage {
                layout: frame.layout(NO_THEME),
                heading,
                user: login.as_ref().map(Login::username),
                login: &format!("/login?to={to}"),
                pages: &pages,
            },
        )
    }

    /// Whether a form came from a page of this very site; browsers say so by themselves.
    fn sent_it(&self, request: &HttpRequest) -> bool {
        sent_by(request, &self.0.origin) == SentBy::OwnPage
    }
}

impl LandingPages for SharedPages {
    fn switch_user(&self, page: &SwitchPage<'_>) -> String {
        let SwitchPage { action, form_token, current, arriving, issuer } = *page;
        html(&SwitchUser { layout: self.0.layout(NO_THEME), action, form_token, current, arriving, issuer })
    }

    fn refused(&self) -> String {
        let error = Some("That link could not log you in. Log in here, or follow the link again.");
        html(&LinkedLogin {
            layout: self.0.layout(NO_THEME),
            action: "/login?to=/",
            username: "",
            error,
            is_wrong: false,
        })
    }
}

async fn home(request: HttpRequest, session: Session, app: web::Data<LinkedApp>) -> HttpResponse {
    let heading = match handoff::user_of(&session) {
        Some(user) => format!("Logged in as {user}"),
        None => "You are logged out".to_owned(),
    };
    app.page(&request, &session, &heading)
}

async fn about(request: HttpRequest, session: Session, app: web::Data<LinkedApp>) -> HttpResponse {
    app.page(&request, &session, "About")
}

/// A deep page, for users only.
async fn report(
    request: HttpRequest,
    session: Session,
    app: web::Data<LinkedApp>,
    number: web::Path<u32>,
) -> HttpResponse {
    match handoff::user_of(&session) {
        Some(user) => app.page(&request, &session, &format!("Report {number} of {user}")),
        None => see_other(&format!("/login?to=/reports/{number}")),
    }
}

async fn external(request: HttpRequest, session: Session, app: web::Data<LinkedApp>) -> HttpResponse {
    app.0.leaving.answer(&request, handoff::login_of(&session).as_ref().map(Leaver::from), "/login?to=")
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct To {
    to: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LoginFields {
    username: String,
    password: String,
}

async fn show_login(request: HttpRequest, frame: web::Data<SiteFrame>) -> HttpResponse {
    login_page(&request, &frame, StatusCode::OK, "", None)
}

fn login_page(
    request: &HttpRequest,
    frame: &SiteFrame,
    status: StatusCode,
    username: &str,
    error: Option<&str>,
) -> HttpResponse {
    let action = request.uri().path_and_query().map_or("/login", |path| path.as_str());
    let is_wrong = status == StatusCode::BAD_REQUEST;
    page(status, &LinkedLogin { layout: frame.layout(NO_THEME), action, username, error, is_wrong })
}

async fn log_in(
    request: HttpRequest,
    session: Session,
    app: web::Data<LinkedApp>,
    query: web::Query<To>,
    fields: Option<web::Form<LoginFields>>,
) -> HttpResponse {
    let LoginFields { username, password } = fields.map(web::Form::into_inner).unwrap_or_default();
    match app.validate(&request, &username, &password).await {
        Ok(username) => {
            handoff::sign_in(&session, &username, &app.0.limits);
            see_other(&app.local_page(&query.to))
        }
        Err((status, error)) => login_page(&request, &app.0.frame, status, &username, Some(&error)),
    }
}

impl LinkedApp {
    /// The user who may log in now, with this name and password.
    async fn validate(
        &self,
        request: &HttpRequest,
        typed: &str,
        password: &str,
    ) -> Result<String, (StatusCode, String)> {
        if !self.sent_it(request) {
            return Err((StatusCode::FORBIDDEN, "This form is no longer valid. Try again.".into()));
        }
        let busy = || (StatusCode::SERVICE_UNAVAILABLE, "The server is busy. Try again.".to_owned());
        let turn = self.0.passwords.turn().await.ok_or_else(busy)?;
        let (username, now) = (&*canonical(typed), SystemClock.now());
        self.0.failures.check(username, now).map_err(|early| {
            let text = format!("Too many failed attempts. Try again in {}.", humanize::limit(early.retry_after));
            (StatusCode::TOO_MANY_REQUESTS, text)
        })?;
        let account = self.0.users.find(username).await.map_err(|_| busy())?;
        let hash = account.as_ref().map(|account| account.password.clone());
        let matches = turn.verify(hash, password).await;
        if let Some(account) = account.filter(|_| matches) {
            self.0.failures.succeeded(username);
            return Ok(account.user.username.clone());
        }
        self.0.failures.failed(username, now);
        Err((StatusCode::BAD_REQUEST, WRONG_CREDENTIALS.into()))
    }

    /// The page of this site that was asked for before the login.
    fn local_page(&self, to: &str) -> String {
        let page = sso_core::LocalPath::parse(to, &self.0.origin);
        page.map_or_else(|| "/".to_owned(), |page| page.as_str().to_owned())
    }
}

async fn log_out(request: HttpRequest, session: Session, app: web::Data<LinkedApp>) -> HttpResponse {
    if app.sent_it(&request) {
        handoff::sign_out(&session);
    }
    see_other("/")
}
