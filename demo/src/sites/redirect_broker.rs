//! Alice and Greg: brokers whose pages attach by redirect.

use std::net::TcpListener;

use actix_web::{App, HttpResponse, dev::Server, http::StatusCode, web};
use serde::Deserialize;
use sso_broker::{Broker, OptionalVisitor, RequestError, Sso, SsoSession, User, Visitor};
use sso_core::wire::for_pages;
use sso_server::web::get_or_head;

use super::{Chrome, NO_THEME, attributes, no_store, page, page_policy, reports::reports, see_other, theme_in};
use crate::{
    Failure, assets,
    pages::{self, BrokerAbout, BrokerHome, BrokerLogin, BrokerProblem, THEMES, Way},
    run,
};

/// The forms of the home page, of which other pages have the logout, share one token.
pub(super) const HOME_FORM: &str = "home";
const LOGIN_FORM: &str = "login";

/// A broker site with redirects.
#[derive(Clone)]
pub(crate) struct RedirectBroker {
    sso: Sso,
    chrome: Chrome,
    /// Whether it also has a login form of its own, as jasny/sso's brokers do.
    own_form: bool,
    /// The origin of a service whose data it shows at `/reports`.
    api: Option<String>,
}

impl RedirectBroker {
    pub(crate) fn new(broker: Broker, chrome: Chrome, own_form: bool) -> Self {
        let sso = Sso::new(broker).pages(chrome.clone()).page_policy(page_policy("", ""));
        Self { sso, chrome, own_form, api: None }
    }

    /// Also shows data of the service at this origin.
    pub(crate) fn with_api(self, origin: &str) -> Self {
        Self { api: Some(origin.to_owned()), ..self }
    }

    pub(super) fn api(&self) -> Option<&str> {
        self.api.as_deref()
    }

    pub(super) fn chrome(&self) -> &Chrome {
        &self.chrome
    }

    pub(crate) fn serve(self, listeners: Vec<TcpListener>, workers: usize) -> Result<Server, Failure> {
        run::serve(listeners, workers, move || {
            let site = self.clone();
            let (own_form, has_api) = (site.own_form, site.api.is_some());
            App::new()
                .wrap(site.sso.middleware())
                .wrap(no_store())
                .configure(site.sso.routes())
                .configure(assets::routes)
                .app_data(web::Data::new(site))
                .route("/", get_or_head().to(home))
                .route("/about", get_or_head().to(about))
                .route("/theme", web::post().to(set_theme))
                .route("/logout", web::post().to(log_out))
                .route("/healthz", get_or_head().to(HttpResponse::Ok))
                .configure(|app| {
                    if own_form {
                        app.service(
                            web::resource("/login").route(get_or_head().to(show_login)).route(web::post().to(log_in)),
                        );
                    }
                    if has_api {
                        app.route("/reports", get_or_head().to(reports));
                    }
                })
                .default_service(web::to(not_found))
        })
    }
}

/// The first page. Taking a [`Visitor`] is all it does to be attached.
async fn home(visitor: Visitor, site: web::Data<RedirectBroker>) -> HttpResponse {
    let theme = theme_of(&visitor).await;
    // Without a token, or without the server, a form would lead nowhere.
    let form_token = Some(visitor.form_token(HOME_FORM)).filter(|token| !token.is_empty() && !visitor.server_down);
    let details = visitor.user.as_ref().map(attributes).unwrap_or_default();
    let links = site.chrome.links();
    page(
        StatusCode::OK,
        &BrokerHome {
            layout: site.chrome.layout(&links, &theme),
            user: shown(visitor.user.as_ref(), &details),
            form_token: form_token.as_deref(),
            own_form: site.own_form,
            has_reports: site.api.is_some(),
            server_down: visitor.server_down,
            problem: visitor.problem.as_deref(),
            expired: visitor.expired,
        },
    )
}

/// A page that likes to know its visitor, and sends nobody away for it.
async fn about(OptionalVisitor(visitor): OptionalVisitor, site: web::Data<RedirectBroker>) -> HttpResponse {
    let theme = theme_of(&visitor).await;
    let details = visitor.user.as_ref().map(attributes).unwrap_or_default();
    let links = site.chrome.links();
    page(
        StatusCode::OK,
        &BrokerAbout {
            layout: site.chrome.layout(&links, &theme),
            user: shown(visitor.user.as_ref(), &details),
            logout_token: &visitor.form_token(HOME_FORM),
            attached: visitor.session.is_attached(),
            not_allowed: visitor.not_allowed,
            expired: visitor.expired,
        },
    )
}

/// The form of jasny/sso's demo brokers: the password passes through this site.
async fn show_login(visitor: Visitor, site: web::Data<RedirectBroker>) -> HttpResponse {
    if visitor.user.is_some() || !visitor.session.is_attached() {
        // Somebody is logged in already; or there is a problem, which the home page tells.
        return see_other("/");
    }
    login_page(&site, &visitor.session, StatusCode::OK, "", None).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LoginFields {
    form_token: String,
    username: String,
    password: String,
}

async fn log_in(
    session: SsoSession,
    site: web::Data<RedirectBroker>,
    fields: web::Form<LoginFields>,
) -> Result<HttpResponse, actix_web::Error> {
    session.check_form(LOGIN_FORM, &fields.form_token)?;
    match session.login(&fields.username, &fields.password).await {
        Ok(_) => Ok(see_other("/")),
        Err(RequestError::Refused { status, error }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            Ok(login_page(&site, &session, status, &fields.username, Some(for_pages(&error))).await)
        }
        Err(error) => Err(error.into()),
    }
}

async fn login_page(
    site: &RedirectBroker,
    session: &SsoSession,
    status: StatusCode,
    username: &str,
    error: Option<&str>,
) -> HttpResponse {
    let theme = theme_in_session(session).await;
    let links = site.chrome.links();
    let layout = site.chrome.layout(&links, &theme);
    page(status, &BrokerLogin { layout, form_token: &session.form_token(LOGIN_FORM), username, error })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HomeFields {
    form_token: String,
    theme: String,
}

/// Puts the theme where every site finds it: into the shared session.
async fn set_theme(session: SsoSession, fields: web::Form<HomeFields>) -> Result<HttpResponse, actix_web::Error> {
    session.check_form(HOME_FORM, &fields.form_token)?;
    if THEMES.iter().any(|(value, _)| *value == fields.theme) {
        session.set_data("theme", fields.theme.as_str()).await?;
    }
    Ok(see_other("/"))
}

async fn log_out(session: SsoSession, fields: web::Form<HomeFields>) -> Result<HttpResponse, actix_web::Error> {
    session.check_form(HOME_FORM, &fields.form_token)?;
    session.logout().await?;
    Ok(see_other("/"))
}

async fn not_found(site: web::Data<RedirectBroker>) -> HttpResponse {
    not_found_page(&site.chrome)
}

/// The answer of either kind of broker to an address that it does not have.
pub(super) fn not_found_page(chrome: &Chrome) -> HttpResponse {
    let links = chrome.links();
    let layout = chrome.layout(&links, NO_THEME);
    let ways = [Way { label: "Go to the home page", href: "/" }];
    let text = "There is nothing at this address.";
    page(
        StatusCode::NOT_FOUND,
        &BrokerProblem { layout, heading: "Page not found", text, form_token: None, ways: &ways },
    )
}

fn shown<'a>(user: Option<&'a User>, details: &'a [(String, String)]) -> Option<pages::User<'a>> {
    user.map(|user| pages::User { username: &user.username, attributes: details })
}

/// The theme of the visitor's shared session. A server that is down is not asked again.
pub(super) async fn theme_of(visitor: &Visitor) -> String {
    if visitor.server_down || visitor.not_allowed {
        NO_THEME.to_owned()
    } else {
        theme_in_session(&visitor.session).await
    }
}

/// The theme of the shared session. Without it the page is only less colourful.
async fn theme_in_session(session: &SsoSession) -> String {
    if !session.is_attached() {
        return NO_THEME.to_owned();
    }
    session.data().await.map(|data| theme_in(&data).to_owned()).unwrap_or_default()
}
