//! The server on actix-web: HTTP in and out, nothing decided here.
//!
//! ```no_run
//! use actix_web::{App, HttpServer};
//! use sso_server::web::Site;
//!
//! # async fn run(server: sso_server::Server) -> std::io::Result<()> {
//! let site = Site::new(server);
//! let app = move || App::new().wrap(site.headers()).configure(site.routes());
//! HttpServer::new(app).bind("127.0.0.1:8000")?.run().await
//! # }
//! ```
//!
//! - `attach`: `/attach`, with its login form; `login`: `/login` and `/logout`; `api`: what brokers call;
//!   `access_token`: access tokens and the keys for those; `status`: what the server's own pages ask by script
//! - `account`: `/account` and `/confirm`
//! - [`ApiCall`], [`PageVisit`], [`RememberMeVisit`], [`FormTokens`]: extractors for routes of your own
//! - [`Pages`]: how the pages look
//! - `headers`: what every answer carries
//! - `cookie`: the three cookies; `clear`: when a browser sends two of one name
//! - `request`: what a request says of itself; `body`: what is sent with it; `answer`: how errors become HTTP

mod access_token;
mod account;
mod answer;
mod api;
mod attach;
mod body;
mod clear;
mod cookie;
mod extract;
mod form_tokens;
mod headers;
mod login;
mod pages;
mod request;
mod status;

use std::sync::Arc;

use actix_web::{
    Error, HttpRequest, HttpResponse, Route,
    body::MessageBody,
    cookie::Cookie,
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    guard,
    http::header,
    middleware::from_fn,
    web,
};

pub use answer::page_headers;
pub use extract::{ApiCall, PageVisit, RememberMeVisit};
pub use form_tokens::{FormTokens, LOGOUT_FORM};
pub use pages::{AccountNotice, AccountPage, ConfirmPage, ErrorPage, LoginPage, Pages, PasswordForm, PlainPages};
pub use request::accepts_html;

use crate::{
    server::{
        Server,
        browser::{Browser, Remember},
    },
    session::{CookieValue, family::browser_name},
};
use cookie::Cookies;
use sso_core::BaseHeaders;

/// A server with its web settings. Cheap to clone.
#[derive(Clone)]
pub struct Site(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    server: Server,
    pages: Arc<dyn Pages>,
    cookies: Cookies,
    php_routes: bool,
}

impl Site {
    /// The site with plain pages, and cookies as strict as the public URL's scheme allows.
    pub fn new(server: Server) -> Self {
        let cookies = Cookies::new(server.session_name(), server.public_url().scheme() == "https");
        Self(Arc::new(Settings { server, pages: Arc::new(PlainPages), cookies, php_routes: false }))
    }

    /// Pages with a look of your own.
    #[must_use]
    pub fn pages(self, pages: impl Pages) -> Self {
        self.with(|settings| settings.pages = Arc::new(pages))
    }

    /// Also answer `/attach.php`, `/api/info.php`, `/api/login.php` and `/api/logout.php`, where jasny/sso's brokers
    /// call.
    #[must_use]
    pub fn php_routes(self, on: bool) -> Self {
        self.with(|settings| settings.php_routes = on)
    }

    /// `__Host-` and `Secure` cookies also over http. Chromium and Firefox accept them on loopback names, WebKit does
    /// not.
    #[must_use]
    pub fn secure_cookies(self) -> Self {
        self.with(|settings| settings.cookies.secure = true)
    }

    /// Let the session cookie go with requests from other sites (`SameSite=None`, where it is `Secure`): silent attach
    /// needs it.
    #[must_use]
    pub fn cross_site_cookie(self, on: bool) -> Self {
        self.with(|settings| settings.cookies.cross_site = on)
    }

    /// What the browser that sent this request shows of itself.
    pub(crate) fn browser(&self, request: &HttpRequest) -> Browser {
        let fingerprint = self.server().fingerprint(
            request::header_text(request, header::USER_AGENT),
            request::header_text(request, header::ACCEPT_LANGUAGE),
        );
        let name = request::header_text(request, header::USER_AGENT).and_then(browser_name);
        let remember = self.0.cookies.remember(request);
        let navigates = extract::is_navigation(request);
        Browser { cookie: self.0.cookies.session(request), fingerprint, name, remember, navigates }
    }

    /// The same at a page that logs remembered browsers in: only a person's navigation does that.
    pub(crate) fn returning_browser(&self, request: &HttpRequest) -> Browser {
        let browser = self.browser(request);
        if extract::is_visit(request) { browser } else { Browser { remember: None, ..browser } }
    }

    /// The cookies that a visit sets.
    fn cookies(&self, session: Option<&CookieValue>, remember: &Remember) -> Vec<Cookie<'static>> {
        let session = session.map(|value| self.0.cookies.set_session(value));
        session.into_iter().chain(self.remember_cookie(remember)).collect()
    }

    fn remember_cookie(&self, remember: &Remember) -> Option<Cookie<'static>> {
        let (cookies, lifetime) = (&self.0.cookies, self.server().remembers_for().unwrap_or_default());
        match remember {
            Remember::Keep => None,
            Remember::Set(token) => Some(cookies.set_remember(Some(token), lifetime)),
            Remember::Forget => Some(cookies.set_remember(None, lifetime)),
        }
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.0.server
    }

    /// The headers that every answer should carry, for `App::wrap`, last of all (as the outermost layer it sees every
    /// answer): no sniffing, no frames, no window that another site's page holds, no use by other sites' pages, https
    /// only where the public URL is https. What an answer says itself stands.
    pub fn headers<S, B>(
        &self,
    ) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<B>, Error = Error, InitError = ()> + use<S, B>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        let base = Arc::new(BaseHeaders::new(self.server().public_url()));
        from_fn(move |request, next| headers::with_base_headers(base.clone(), request, next))
    }

    /// Everything the protocol needs, for `App::configure`. A home page is yours to add.
    pub fn routes(&self) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        let site = self.clone();
        move |app| {
            let php = site.0.php_routes;
            app.app_data(web::Data::new(site))
                .configure(|app| attach::routes(app, php))
                .configure(login::routes)
                .configure(account::routes)
                .configure(|app| api::routes(app, php))
                .configure(status::routes)
                .configure(clear::routes)
                .route("/.well-known/jwks.json", get_or_head().to(access_token::jwks))
                .route("/healthz", get_or_head().to(HttpResponse::Ok))
                .route("/readyz", get_or_head().to(ready));
        }
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Arc::unwrap_or_clone(self.0);
        change(&mut settings);
        Self(Arc::new(settings))
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("server", &self.0.server).finish_non_exhaustive()
    }
}

/// A route for GET and HEAD: what checks a page's health or follows a link asks with either. HEAD is GET without a
/// body, but no person's visit: it uses up nothing that is good once, such as what remembers a browser.
pub fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// The store answers too.
async fn ready(site: web::Data<Site>) -> HttpResponse {
    match site.server().ready().await {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(error) => answer::again(&error.into(), HttpResponse::ServiceUnavailable().finish()),
    }
}
