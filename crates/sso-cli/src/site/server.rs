//! The SSO server's site: the protocol's routes, in the look of its pages, a home page, and a form.

use std::{net::TcpListener, sync::Arc};

use actix_web::{App, HttpResponse, dev::Server as Running, http::StatusCode, web};
use sso_server::{
    Server, Session,
    web::{
        AccountPage, ConfirmPage, ErrorPage, FormTokens, LOGOUT_FORM, LoginPage, PageVisit, Pages, RememberMeVisit,
        Site, get_or_head, page_headers,
    },
};
use sso_site::{NO_THEME, PageLink, SiteFrame, UserView, assets, html, theme_of};

use super::{account, profile};
use crate::{
    Failure,
    pages::{ServerError, ServerHome, ServerLogin, ServerLogout},
    run,
};

/// The server's site.
#[derive(Clone)]
pub(crate) struct ServerSite {
    site: Site,
    pages: ServerPages,
}

/// How the server's pages look.
#[derive(Clone)]
pub(crate) struct ServerPages {
    pub(crate) frame: SiteFrame,
    /// (username, password) pairs to try the demo with.
    pub(crate) test_users: Vec<(&'static str, &'static str)>,
    /// Links to other applications on the home page.
    pub(crate) links: Option<Links>,
}

/// Links for the visitor of this session, as (label, address).
pub(crate) type Links = Arc<dyn Fn(&Site, Option<&Session>) -> Vec<(String, String)> + Send + Sync>;

impl ServerSite {
    /// `cross_site`: some broker attaches silently, so the session cookie must go with requests from other sites.
    pub(crate) fn new(
        server: Server,
        pages: ServerPages,
        cross_site: bool,
        secure_cookies: bool,
        php_routes: bool,
    ) -> Self {
        let mut site = Site::new(server).pages(pages.clone()).cross_site_cookie(cross_site).php_routes(php_routes);
        if secure_cookies {
            site = site.secure_cookies();
        }
        Self { site, pages }
    }

    /// `more`: routes beside the server's own.
    pub(crate) fn serve(
        self,
        listeners: Vec<TcpListener>,
        workers: usize,
        more: impl FnOnce(&mut web::ServiceConfig) + Send + Clone + 'static,
    ) -> Result<Running, Failure> {
        actix_web::rt::spawn(self.site.server().clone().settle_forever());
        run::serve(listeners, workers, move || {
            App::new()
                .wrap(self.site.headers())
                .configure(self.site.routes())
                .configure(more.clone())
                .configure(assets::routes)
                .configure(profile::routes)
                .app_data(web::Data::new(self.pages.clone()))
                .app_data(web::Data::new(self.pages.frame.clone()))
                .route("/", get_or_head().to(home))
                .default_service(web::to(not_found))
        })
    }
}

impl Pages for ServerPages {
    fn login(&self, page: &LoginPage<'_>) -> String {
        html(&ServerLogin {
            layout: self.frame.layout(theme_of(page.session)),
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
        account::account(&self.frame, page)
    }

    fn confirm(&self, page: &ConfirmPage<'_>) -> String {
        account::confirm(&self.frame, page)
    }

    fn log_out(&self, logout_token: &str) -> String {
        html(&ServerLogout { layout: self.frame.layout(NO_THEME), logout_token })
    }

    fn error(&self, page: &ErrorPage<'_>) -> String {
        let mut links = vec![PageLink { label: "Go to the server's home page", href: "/" }];
        let layout = self.frame.layout(theme_of(page.session));
        links.extend(
            layout.sites.iter().filter(|site| !site.current).map(|site| PageLink { label: site.name, href: site.url }),
        );
        html(&ServerError {
            links: &links,
            layout,
            status: page.status,
            message: page.message,
            logout_token: page.logout_token,
            clear: page.clear,
        })
    }
}

async fn home(
    returning: RememberMeVisit,
    form: FormTokens,
    pages: web::Data<ServerPages>,
    site: web::Data<Site>,
) -> HttpResponse {
    let session = returning.visitor.session.as_deref();
    let user = session.and_then(Session::user);
    let has_profile = match user {
        Some(user) if profile::has_room(user) => {
            site.server().can_set_attributes(&user.username).await.unwrap_or_default()
        }
        _ => false,
    };
    let linked = pages.links.as_ref().map(|links| links(&site, session)).unwrap_or_default();
    let linked: Vec<_> = linked.iter().map(|(label, href)| PageLink { label, href }).collect();
    let html = html(&ServerHome {
        linked: &linked,
        layout: pages.frame.layout(theme_of(session)),
        user: user.map(UserView::of),
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
async fn not_found(
    visitor: Option<PageVisit>,
    form: Option<FormTokens>,
    pages: web::Data<ServerPages>,
) -> HttpResponse {
    let mut response = HttpResponse::NotFound();
    page_headers(&mut response, &[]);
    let PageVisit { session, set_cookie } = visitor.unwrap_or(PageVisit { session: None, set_cookie: None });
    let form = form.filter(|_| session.as_ref().is_some_and(|session| session.user().is_some()));
    let logout_token = form.as_ref().map(|form| form.token(LOGOUT_FORM));
    for cookie in set_cookie.into_iter().chain(form.and_then(|form| form.set_cookie())) {
        response.cookie(cookie);
    }
    response.body(pages.error(&ErrorPage {
        status: StatusCode::NOT_FOUND.as_u16(),
        message: "There is nothing at this address.",
        session: session.as_deref(),
        logout_token: logout_token.as_deref(),
        clear: None,
    }))
}
