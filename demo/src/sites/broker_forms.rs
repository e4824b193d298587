//! What both kinds of broker answer beside their own pages: the forms for the theme and the logout, the login form of
//! jasny/sso's demo brokers, and what every broker has.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use sso_broker::{RequestError, Sso, SsoSession, Visitor};
use sso_core::wire::for_pages;
use sso_server::web::get_or_head;
use sso_site::{NO_THEME, SiteFrame, THEMES, assets, page, see_other, theme_in};

use super::shared_pages::not_found;
use crate::pages::BrokerLogin;

/// The forms of the home page, of which other pages have the logout, share one token.
pub(super) const HOME_FORM: &str = "home";
pub(super) const LOGIN_FORM: &str = "login";

/// All but the site's own pages.
pub(super) fn routes(sso: &Sso, frame: &SiteFrame) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let (sso, frame) = (sso.routes(), web::Data::new(frame.clone()));
    move |app| {
        app.configure(sso)
            .configure(assets::routes)
            .app_data(frame)
            .route("/theme", web::post().to(set_theme))
            .route("/logout", web::post().to(log_out))
            .route("/healthz", get_or_head().to(HttpResponse::Ok))
            .default_service(web::to(not_found));
    }
}

/// A login form of the site's own: the password passes through it.
pub(super) fn login_routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/login").route(get_or_head().to(show_login)).route(web::post().to(log_in)));
}

/// Ties the logout of a page for a user to this browser. A page for nobody has none, and makes no cookie for it.
pub(super) fn logout_token(visitor: &Visitor) -> String {
    visitor.user.as_ref().map(|_| visitor.form_token(HOME_FORM)).unwrap_or_default()
}

async fn show_login(visitor: Visitor, frame: web::Data<SiteFrame>) -> HttpResponse {
    if visitor.user.is_some() || !visitor.session.is_attached() {
        // Somebody is logged in already; or there is a problem, which the home page tells.
        return see_other("/");
    }
    login_page(&frame, &visitor.session, StatusCode::OK, "", None).await
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
    frame: web::Data<SiteFrame>,
    fields: web::Form<LoginFields>,
) -> Result<HttpResponse, actix_web::Error> {
    session.check_form(LOGIN_FORM, &fields.form_token).await?;
    match session.login(&fields.username, &fields.password).await {
        Ok(_) => Ok(see_other("/")),
        Err(RequestError::Refused { status, error }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            Ok(login_page(&frame, &session, status, &fields.username, Some(for_pages(&error))).await)
        }
        Err(error) => Err(error.into()),
    }
}

async fn login_page(
    frame: &SiteFrame,
    session: &SsoSession,
    status: StatusCode,
    username: &str,
    error: Option<&str>,
) -> HttpResponse {
    let theme = theme_in_session(session).await;
    let template = BrokerLogin {
        layout: frame.layout(&theme),
        form_token: &session.form_token(LOGIN_FORM),
        username,
        error,
        is_wrong: status == StatusCode::BAD_REQUEST,
    };
    page(status, &template)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HomeFields {
    form_token: String,
    theme: String,
}

/// Puts the theme where every site finds it: into the shared session.
async fn set_theme(session: SsoSession, fields: web::Form<HomeFields>) -> Result<HttpResponse, actix_web::Error> {
    session.check_form(HOME_FORM, &fields.form_token).await?;
    if THEMES.iter().any(|(value, _)| *value == fields.theme) {
        session.set_data("theme", fields.theme.as_str()).await?;
    }
    Ok(see_other("/"))
}

async fn log_out(session: SsoSession, fields: web::Form<HomeFields>) -> Result<HttpResponse, actix_web::Error> {
    session.check_logout(HOME_FORM, &fields.form_token).await?;
    session.logout().await?;
    Ok(see_other("/"))
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
