//! `/login` and `/logout`: the server's own forms.

use actix_web::{HttpRequest, HttpResponse, cookie::Cookie, http::StatusCode, web};
use serde::Deserialize;
use sso_core::{BrokerId, wire::for_pages};

use super::{
    FormTokens, LOGOUT_FORM, LoginPage, PageVisit, RememberMeVisit, Site,
    answer::{again, failed_page, page, see_other, status_of},
    get_or_head,
};
use crate::{
    error::Error,
    operations::{form_token::TimeLimit, login::Credentials},
    server::browser::{Browser, Remember, Visit},
    session::Session,
};

/// The login form's name in its tokens.
const LOGIN_FORM: &str = "login";
/// Where the logout form of any page is sent, and the page that asks.
const LOGOUT: &str = "/logout";

/// Where to go after a login without a broker. Only paths of this site are followed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ReturnTo {
    return_url: Option<String>,
}

/// The fields of the login form; all of them may be missing in what a stranger posts.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LoginFields {
    username: String,
    password: String,
    form_token: String,
    /// The box; a browser sends it if it is ticked.
    remember: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LogoutFields {
    form_token: String,
}

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/login").route(get_or_head().to(show)).route(web::post().to(submit)))
        .service(web::resource(LOGOUT).route(get_or_head().to(ask_for_logout)).route(web::post().to(log_out)));
}

async fn show(
    request: HttpRequest,
    site: web::Data<Site>,
    visitor: RememberMeVisit,
    form: FormTokens,
    to: Option<web::Query<ReturnTo>>,
) -> HttpResponse {
    if visitor.visitor.session.as_ref().is_some_and(|session| session.user().is_some()) {
        return see_other(&local_path(&site, to), visitor.cookies());
    }
    LoginForm::new(&site, &form, &request).visitor(&visitor.visitor).show(StatusCode::OK)
}

async fn submit(
    request: HttpRequest,
    site: web::Data<Site>,
    form: FormTokens,
    to: Option<web::Query<ReturnTo>>,
    fields: Option<web::Form<LoginFields>>,
) -> HttpResponse {
    let login_form = LoginForm::new(&site, &form, &request);
    match login_form.submit(fields).await {
        Ok(visit) => see_other(&local_path(&site, to), site.cookies(visit.set_cookie.as_ref(), &visit.remember)),
        Err(refused) => refused,
    }
}

/// Where it cannot be known whether the visitor wants to. Whose session it is does not matter, so none is looked up.
async fn ask_for_logout(site: web::Data<Site>, form: FormTokens) -> HttpResponse {
    page(StatusCode::OK, &[], form.set_cookie(), site.0.pages.log_out(&form.token(LOGOUT_FORM)))
}

async fn log_out(
    request: HttpRequest,
    site: web::Data<Site>,
    form: FormTokens,
    fields: Option<web::Form<LogoutFields>>,
) -> HttpResponse {
    let token = fields.map(|fields| fields.into_inner().form_token).unwrap_or_default();
    // Logging out is never too late.
    if form.check(LOGOUT_FORM, &token, TimeLimit::None).is_err() {
        // No answer to a POST of another site could have a form that works: that came without the form's cookie.
        return see_other(LOGOUT, None);
    }
    match site.server().log_out(site.browser(&request)).await {
        Ok(cookie) => see_other("/", site.cookies(cookie.as_ref(), &Remember::Forget)),
        Err(error) => failed_page(&site, &error.into()),
    }
}

/// The login form of a request, shown at `/login` and on the way through `/attach`. It posts back to where it was asked
/// for.
pub(super) struct LoginForm<'a> {
    site: &'a Site,
    form: &'a FormTokens,
    request: &'a HttpRequest,
    session: Option<&'a Session>,
    /// The visit may have replaced the session's cookie.
    renewed: Option<Cookie<'static>>,
    broker: Option<&'a BrokerId>,
    /// Where the answer to the form leads.
    target: Option<String>,
    typed: Credentials,
    error: Option<String>,
    is_wrong: bool,
}

impl<'a> LoginForm<'a> {
    pub(super) fn new(site: &'a Site, form: &'a FormTokens, request: &'a HttpRequest) -> Self {
        Self {
            site,
            form,
            request,
            session: None,
            renewed: None,
            broker: None,
            target: None,
            typed: Credentials::default(),
            error: None,
            is_wrong: false,
        }
    }

    fn visitor(mut self, visitor: &'a PageVisit) -> Self {
        self.renewed.clone_from(&visitor.set_cookie);
        self.session(visitor.session.as_deref())
    }

    /// The browser's session. Its user logs in again and stays remembered unless they choose otherwise.
    pub(super) fn session(mut self, session: Option<&'a Session>) -> Self {
        self.session = session;
        if let Some(login) = session.and_then(|session| session.login.as_ref()) {
            self.typed.username.clone_from(&login.user.username);
            self.typed.remember = login.family.is_some();
        }
        self
    }

    /// The visitor returns to this broker, at this origin.
    pub(super) fn for_broker(mut self, broker: &'a BrokerId, origin: Option<String>) -> Self {
        self.broker = Some(broker);
        self.target = origin;
        self
    }

    pub(super) fn show(self, status: StatusCode) -> HttpResponse {
        let action = self.request.uri().path_and_query().map_or("/login", |uri| uri.as_str());
        let html = self.site.0.pages.login(&LoginPage {
            action,
            form_token: &self.form.token(LOGIN_FORM),
            username: &self.typed.username,
            remembers_for: self.site.server().remembers_for(),
            remember: self.typed.remember,
            error: self.error.as_deref(),
            is_wrong: self.is_wrong,
            broker: self.broker,
            session: self.session,
        });
        page(status, self.target.as_slice(), self.form.set_cookie().into_iter().chain(self.renewed), html)
    }

    /// Logs in with what was typed, or gives the form again with what was wrong.
    pub(super) async fn submit(mut self, fields: Option<web::Form<LoginFields>>) -> Result<Visit, HttpResponse> {
        let LoginFields { username, password, form_token, remember } =
            fields.map(web::Form::into_inner).unwrap_or_default();
        self.typed = Credentials { username, password, remember: remember.is_some() };
        if let Err(refusal) = self.form.check(LOGIN_FORM, &form_token, TimeLimit::FormTimeout) {
            self.error = Some(refusal.of_password_form());
            return Err(self.show(StatusCode::FORBIDDEN));
        }
        // The token proves that our own page was sent.
        let browser = Browser { navigates: true, ..self.site.browser(self.request) };
        self.site.server().log_in(browser, &self.typed).await.map_err(|error| {
            self.error = Some(for_pages(&error.to_string()).to_owned());
            self.is_wrong = error == Error::InvalidCredentials;
            again(&error, self.show(status_of(&error)))
        })
    }
}

/// A path of this site, or `/`.
pub(super) fn local_path(site: &Site, wanted: Option<web::Query<ReturnTo>>) -> String {
    let base = site.server().public_url();
    wanted
        .and_then(|query| query.into_inner().return_url)
        .filter(|path| path.starts_with('/') && !path.contains(|c: char| c == '\\' || c.is_control()))
        .and_then(|path| base.join(&path).ok())
        .filter(|url| url.origin() == base.origin())
        .map(|url| url[url::Position::BeforePath..].to_owned())
        // `/.//host` is a path here, but as a `Location` by itself it would be `//host`: another site.
        .filter(|path| !path.starts_with("//"))
        .unwrap_or_else(|| "/".to_owned())
}
