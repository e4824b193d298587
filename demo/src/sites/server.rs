//! The SSO server's site: the protocol's routes, in the demo's look, a home page, and a form.

use std::net::TcpListener;

use actix_web::{App, HttpRequest, HttpResponse, dev::Server as Running, http::StatusCode, web};
use sso_core::Secret;
use sso_handoff::{
    Issuer, Leaver,
    actix::{self as handoff, Leaving},
};
use sso_server::{
    Server, Session,
    web::{
        AccountPage, ConfirmPage, ErrorPage, Form, LOGOUT_FORM, LoginPage, Pages, ReturningVisitor, Site, Visitor,
        get_or_head, page_headers,
    },
};

use super::{
    account,
    chrome::{Chrome, NO_THEME, theme_of},
    profile,
    response::html,
};
use crate::{
    Failure, assets,
    pages::{ServerError, ServerHome, ServerLogin, ServerLogout, User, Way},
    run,
};

/// The server's site.
#[derive(Clone)]
pub(crate) struct ServerSite {
    site: Site,
    look: Look,
    /// Hands users over to linked applications, if there are any.
    leaving: Option<Leaving>,
}

/// How the server's pages look.
#[derive(Clone)]
pub(crate) struct Look {
    pub(crate) chrome: Chrome,
    /// (username, password) pairs to try the demo with.
    pub(crate) test_users: Vec<(&'static str, &'static str)>,
}

impl ServerSite {
    /// `cross_site`: some broker attaches silently, so the session cookie must go with requests from other sites.
    pub(crate) fn new(server: Server, look: Look, cross_site: bool, secure_cookies: bool, php_routes: bool) -> Self {
        let mut site = Site::new(server).pages(look.clone()).cross_site_cookie(cross_site).php_routes(php_routes);
        if secure_cookies {
            site = site.secure_cookies();
        }
        Self { site, look, leaving: None }
    }

    /// Hands users over to the applications on the issuer's list.
    pub(crate) fn linked_to(self, issuer: Issuer) -> Self {
        // The links are good until the server is started again, and ask from then on.
        let leaving = Leaving::new(issuer, self.look.chrome.clone(), Secret::generate().expose());
        Self { leaving: Some(leaving), ..self }
    }

    pub(crate) fn serve(self, listeners: Vec<TcpListener>, workers: usize) -> Result<Running, Failure> {
        actix_web::rt::spawn(self.site.server().clone().settle());
        run::serve(listeners, workers, move || {
            let leaving = self.leaving.clone();
            App::new()
                .wrap(self.site.headers())
                .configure(self.site.routes())
                .configure(|app| {
                    if let Some(leaving) = leaving {
                        app.app_data(web::Data::new(leaving))
                            .route(Leaving::PATH, get_or_head().to(external))
                            .configure(handoff::script_route);
                    }
                })
                .configure(assets::routes)
                .configure(profile::routes)
                .app_data(web::Data::new(self.look.clone()))
                .app_data(web::Data::new(self.look.chrome.clone()))
                .route("/", get_or_head().to(home))
                .default_service(web::to(not_found))
        })
    }
}

impl Pages for Look {
    fn login(&self, page: &LoginPage<'_>) -> String {
        html(&ServerLogin {
            layout: self.chrome.layout(theme_of(page.session)),
            action: page.action,
            form_token: page.form_token,
            notice: page.notice(),
            username: page.username,
            remember_days: page.remembers_for.map(|time| time.as_secs().div_ceil(24 * 60 * 60)),
            remember: page.remember,
            error: page.error,
            is_wrong: page.is_wrong,
            continue_to: page.broker.map(|id| id.as_str()),
            test_users: &self.test_users,
        })
    }

    fn account(&self, page: &AccountPage<'_>) -> String {
        account::account(&self.chrome, page)
    }

    fn confirm(&self, page: &ConfirmPage<'_>) -> String {
        account::confirm(&self.chrome, page)
    }

    fn log_out(&self, logout_token: &str) -> String {
        html(&ServerLogout { layout: self.chrome.layout(NO_THEME), logout_token })
    }

    fn error(&self, page: &ErrorPage<'_>) -> String {
        let mut ways = vec![Way { label: "Go to the server's home page", href: "/" }];
        let layout = self.chrome.layout(theme_of(page.session));
        ways.extend(
            layout.sites.iter().filter(|site| !site.current).map(|site| Way { label: site.name, href: site.url }),
        );
        html(&ServerError {
            ways: &ways,
            layout,
            status: page.status,
            message: page.message,
            logout_token: page.logout_token,
            clear: page.clear,
        })
    }
}

/// On to a page of a linked application.
async fn external(
    request: HttpRequest,
    visitor: Visitor,
    site: web::Data<Site>,
    leaving: web::Data<Leaving>,
) -> HttpResponse {
    let user = LoggedIn::of(&site, visitor.session.as_deref());
    let mut response = leaving.answer(&request, user.as_ref().map(LoggedIn::leaver), "/login?return_url=");
    if let Some(cookie) = visitor.set_cookie
        && let Err(error) = response.add_cookie(&cookie)
    {
        tracing::error!(%error, "a cookie cannot be set");
    }
    response
}

/// A user of this session, for whom links to other applications are written.
struct LoggedIn {
    username: String,
    login: String,
}

impl LoggedIn {
    fn of(site: &Site, session: Option<&Session>) -> Option<Self> {
        let session = session?;
        let username = session.user()?.username.clone();
        Some(Self { username, login: site.server().login_name(session) })
    }

    fn leaver(&self) -> Leaver<'_> {
        Leaver { username: &self.username, login: &self.login }
    }
}

async fn home(
    returning: ReturningVisitor,
    form: Form,
    chrome: web::Data<Chrome>,
    site: web::Data<Site>,
    leaving: Option<web::Data<Leaving>>,
) -> HttpResponse {
    let session = returning.visitor.session.as_deref();
    let user = session.and_then(Session::user);
    let has_profile = match user {
        Some(user) if profile::has_room(user) => {
            site.server().can_set_attributes(&user.username).await.unwrap_or_default()
        }
        _ => false,
    };
    let logged_in = LoggedIn::of(&site, session);
    let linked = leaving
        .map(|leaving| chrome.linked_sites(&leaving, logged_in.as_ref().map(LoggedIn::leaver)))
        .unwrap_or_default();
    let linked: Vec<_> = linked.iter().map(|(label, href)| Way { label, href }).collect();
    let html = html(&ServerHome {
        linked: &linked,
        layout: chrome.layout(theme_of(session)),
        user: user.map(User::of),
        has_profile,
        logout_token: &form.token(LOGOUT_FORM),
    });
    let mut response = HttpResponse::Ok();
    page_headers(&mut response, &[]);
    for cookie in returning.cookies().chain(form.set_cookie()) {
        response.cookie(cookie);
    }
    response.body(html)
}

/// Whoever it is: where that cannot be known now, the page is nobody's.
async fn not_found(visitor: Option<Visitor>, form: Option<Form>, look: web::Data<Look>) -> HttpResponse {
    let mut response = HttpResponse::NotFound();
    page_headers(&mut response, &[]);
    let Visitor { session, set_cookie } = visitor.unwrap_or(Visitor { session: None, set_cookie: None });
    let form = form.filter(|_| session.as_ref().is_some_and(|session| session.user().is_some()));
    let logout_token = form.as_ref().map(|form| form.token(LOGOUT_FORM));
    for cookie in set_cookie.into_iter().chain(form.and_then(|form| form.set_cookie())) {
        response.cookie(cookie);
    }
    response.body(look.error(&ErrorPage {
        status: StatusCode::NOT_FOUND.as_u16(),
        message: "There is nothing at this address.",
        session: session.as_deref(),
        logout_token: logout_token.as_deref(),
        clear: None,
    }))
}
