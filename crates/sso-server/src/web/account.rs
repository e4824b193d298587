//! `/account`, the user's sessions and remembered browsers; `/confirm`, which asks for the password again.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header, web};
use serde::Deserialize;

use super::{
    AccountPage, ConfirmPage, Form, Site, Visitor,
    answer::{error_page, page_headers, see_other},
    get_or_head,
    login::{ReturnTo, local_path, retry_after},
};
use crate::{
    Credentials,
    account::{AccountChange, AccountError},
    form::TimeLimit,
    login::LoginError,
};

const ACCOUNT: &str = "/account";
const LOGIN: &str = "/login?return_url=/account";
const CONFIRM: &str = "/confirm?return_url=/account";

/// What the account page's forms send; all of it may be missing in what a stranger posts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ChangeFields {
    form_token: String,
    action: String,
    handle: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfirmFields {
    form_token: String,
    password: String,
}

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource(ACCOUNT).route(get_or_head().to(show)).route(web::post().to(submit)))
        .service(web::resource("/confirm").route(get_or_head().to(show_confirm)).route(web::post().to(submit_confirm)));
}

/// A form that is good for this user only: who logs in meanwhile does not end somebody else's sessions.
fn form_name(form: &str, username: &str) -> String {
    format!("{form} {username}")
}

async fn show(site: web::Data<Site>, visitor: Visitor, form: Form) -> HttpResponse {
    let Some(session) = &visitor.session else { return see_other(LOGIN, visitor.set_cookie) };
    let account = match site.server().account(session).await {
        Ok(Some(account)) => account,
        Ok(None) => return see_other(LOGIN, visitor.set_cookie),
        Err(error) => {
            return error_page(&site, StatusCode::SERVICE_UNAVAILABLE, &error.to_string(), Some(&**session));
        }
    };
    let html = site.0.pages.account(&AccountPage {
        account: &account,
        form_token: &form.token(&form_name("account", &account.user.username)),
        logout_token: &form.token(super::login::LOGOUT_FORM),
        session,
    });
    page(StatusCode::OK, &visitor, &form, html)
}

async fn submit(
    site: web::Data<Site>,
    visitor: Visitor,
    form: Form,
    fields: Option<web::Form<ChangeFields>>,
) -> HttpResponse {
    let ChangeFields { form_token, action, handle } = fields.map(web::Form::into_inner).unwrap_or_default();
    let Some((session, user)) = visitor.session.as_ref().and_then(|session| Some((session, session.user()?))) else {
        return see_other(LOGIN, visitor.set_cookie);
    };
    // There is nothing to type on the page, so it may lie open.
    if let Err(refusal) = form.check(&form_name("account", &user.username), &form_token, TimeLimit::None) {
        return error_page(&site, StatusCode::FORBIDDEN, &refusal.to_string(), Some(&**session));
    }
    let change = match action.as_str() {
        "end" => AccountChange::End(handle),
        "end_others" => AccountChange::EndOthers,
        "forget" => AccountChange::Forget(handle),
        _ => return error_page(&site, StatusCode::BAD_REQUEST, "Nothing was chosen.", Some(&**session)),
    };
    match site.server().change_account(session, &change).await {
        // What has ended already is not there any more; the page shows that.
        Ok(()) | Err(AccountError::NotFound) => see_other(ACCOUNT, visitor.set_cookie),
        Err(AccountError::NotLoggedIn) => see_other(LOGIN, visitor.set_cookie),
        Err(AccountError::PasswordNeeded) => see_other(CONFIRM, visitor.set_cookie),
        Err(AccountError::Unavailable(error)) => {
            error_page(&site, StatusCode::SERVICE_UNAVAILABLE, &error.to_string(), Some(&**session))
        }
    }
}

async fn show_confirm(
    request: HttpRequest,
    site: web::Data<Site>,
    visitor: Visitor,
    form: Form,
    to: Option<web::Query<ReturnTo>>,
) -> HttpResponse {
    let username = visitor.session.as_ref().and_then(|session| session.user()).map(|user| user.username.clone());
    match username {
        Some(username) => confirm_page(&request, &site, &visitor, &form, &username, StatusCode::OK, None),
        None => see_other(&login_path(&site, to), visitor.set_cookie),
    }
}

async fn submit_confirm(
    request: HttpRequest,
    site: web::Data<Site>,
    visitor: Visitor,
    form: Form,
    to: Option<web::Query<ReturnTo>>,
    fields: Option<web::Form<ConfirmFields>>,
) -> HttpResponse {
    let ConfirmFields { form_token, password } = fields.map(web::Form::into_inner).unwrap_or_default();
    let Some(user) = visitor.session.as_ref().and_then(|session| session.user()) else {
        return see_other(&login_path(&site, to), visitor.set_cookie);
    };
    let again =
        |status, problem: &str| confirm_page(&request, &site, &visitor, &form, &user.username, status, Some(problem));
    if let Err(refusal) = form.check(&form_name("confirm", &user.username), &form_token, TimeLimit::FormTimeout) {
        return again(StatusCode::FORBIDDEN, &refusal.to_string());
    }
    let mut browser = site.browser(&request);
    // The visit may have replaced the one that was sent.
    let renewed = visitor.set_cookie.as_ref().and_then(|cookie| cookie.value().parse().ok());
    browser.cookie = renewed.or(browser.cookie);
    let credentials = Credentials { username: user.username.clone(), password };
    match site.server().confirm_password(browser, &credentials).await {
        Ok(visit) => {
            let cookie = visit.set_cookie.map(|value| site.0.cookies.set_session(&value));
            see_other(&local_path(&site, to), cookie)
        }
        Err(LoginError::SessionEnded) => see_other(&login_path(&site, to), None),
        Err(error) => {
            let mut response = again(error_status(error), &error.to_string());
            if let Some(seconds) = retry_after(&error) {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            response
        }
    }
}

fn error_status(error: LoginError) -> StatusCode {
    match error {
        LoginError::TooManyFailures { .. } => StatusCode::TOO_MANY_REQUESTS,
        LoginError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn confirm_page(
    request: &HttpRequest,
    site: &Site,
    visitor: &Visitor,
    form: &Form,
    username: &str,
    status: StatusCode,
    error: Option<&str>,
) -> HttpResponse {
    let html = site.0.pages.confirm(&ConfirmPage {
        action: request.uri().path_and_query().map_or("/confirm", |uri| uri.as_str()),
        form_token: &form.token(&form_name("confirm", username)),
        username,
        error,
        session: visitor.session.as_deref(),
    });
    page(status, visitor, form, html)
}

/// Who is not logged in types the password there instead.
fn login_path(site: &Site, to: Option<web::Query<ReturnTo>>) -> String {
    let to: String = url::form_urlencoded::byte_serialize(local_path(site, to).as_bytes()).collect();
    format!("/login?return_url={to}")
}

fn page(status: StatusCode, visitor: &Visitor, form: &Form, html: String) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    page_headers(&mut response, &[]);
    for cookie in form.set_cookie().into_iter().chain(visitor.set_cookie.clone()) {
        response.cookie(cookie);
    }
    response.body(html)
}
