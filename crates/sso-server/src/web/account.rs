//! `/account`, the user's sessions, remembered browsers and password; `/confirm`, which asks for the password again.

use actix_web::{HttpRequest, HttpResponse, cookie::Cookie, http::StatusCode, web};
use serde::Deserialize;
use sso_core::wire::for_pages;

use super::{
    AccountNews, AccountPage, ConfirmPage, ErrorPage, Form, LOGOUT_FORM, PasswordForm, Site, Visitor,
    answer::{again_after, error_page, login_refused, page, see_other, show_error},
    get_or_head,
    login::{ReturnTo, local_path},
};
use crate::{
    Credentials,
    account::{AccountChange, AccountError},
    change_password::{PasswordChange, PasswordError},
    form::TimeLimit,
    login::LoginError,
};

const ACCOUNT: &str = "/account";
const LOGIN: &str = "/login?return_url=/account";
const CONFIRM: &str = "/confirm?return_url=/account";
const PASSWORD: &str = "/account/password";

/// What the account page's forms send; all of it may be missing in what a stranger posts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ChangeFields {
    form_token: String,
    action: String,
    handle: String,
}

/// What the account page is to say first, and what shows that it is true.
#[derive(Deserialize)]
struct News {
    done: String,
    proof: String,
}

/// The form of a proof: good for this browser, this user, and these news.
fn news_form(news: AccountNews, username: &str) -> String {
    form_name(&format!("news of {}", news.name()), username)
}

/// To the account page, which then says this first. A link of a stranger's cannot make it say so.
fn account_with(news: AccountNews, form: &Form, username: &str) -> String {
    format!("{ACCOUNT}?done={}&proof={}", news.name(), form.token(&news_form(news, username)))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PasswordFields {
    form_token: String,
    old: String,
    new: String,
    again: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfirmFields {
    form_token: String,
    password: String,
}

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource(ACCOUNT).route(get_or_head().to(show)).route(web::post().to(submit)))
        .service(web::resource(PASSWORD).route(web::post().to(change_password)))
        .service(web::resource("/confirm").route(get_or_head().to(show_confirm)).route(web::post().to(submit_confirm)));
}

/// A form that is good for this user only: who logs in meanwhile does not end somebody else's sessions.
fn form_name(form: &str, username: &str) -> String {
    format!("{form} {username}")
}

async fn show(site: web::Data<Site>, visitor: Visitor, form: Form, news: Option<web::Query<News>>) -> HttpResponse {
    let username = visitor.session.as_ref().and_then(|session| session.user()).map(|user| user.username.as_str());
    let news = news.zip(username).and_then(|(told, username)| {
        let news = AccountNews::named(&told.done)?;
        form.check(&news_form(news, username), &told.proof, TimeLimit::FormTimeout).is_ok().then_some(news)
    });
    account_page(&site, &visitor, &form, StatusCode::OK, Say { news, ..Say::default() }).await
}

/// What the account page says besides what it lists.
#[derive(Clone, Copy, Default)]
struct Say<'a> {
    news: Option<AccountNews>,
    /// Why the password was not changed.
    error: Option<&'a str>,
    /// The field of that.
    wrong: Option<&'a str>,
}

async fn account_page(site: &Site, visitor: &Visitor, form: &Form, status: StatusCode, say: Say<'_>) -> HttpResponse {
    let set_cookie = visitor.set_cookie.clone();
    let Some(session) = &visitor.session else { return see_other(LOGIN, set_cookie) };
    let account = match site.server().account(session).await {
        Ok(Some(account)) => account,
        Ok(None) => return see_other(LOGIN, set_cookie),
        Err(error) => {
            return problem(site, visitor, form, StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
        }
    };
    let username = &account.user.username;
    let password_token = form.token(&form_name("password", username));
    let password = PasswordForm { form_token: &password_token, error: say.error, wrong: say.wrong };
    let html = site.0.pages.account(&AccountPage {
        account: &account,
        form_token: &form.token(&form_name("account", username)),
        news: say.news,
        password: account.can_change_password.then_some(password),
        logout_token: &form.token(LOGOUT_FORM),
        session,
    });
    form_page(status, visitor, form, html)
}

async fn change_password(
    request: HttpRequest,
    site: web::Data<Site>,
    visitor: Visitor,
    form: Form,
    fields: Option<web::Form<PasswordFields>>,
) -> HttpResponse {
    let PasswordFields { form_token, old, new, again } = fields.map(web::Form::into_inner).unwrap_or_default();
    let Some(user) = visitor.session.as_ref().and_then(|session| session.user()) else {
        return see_other(LOGIN, visitor.set_cookie);
    };
    let refused = async |status, why: &str, wrong| {
        account_page(&site, &visitor, &form, status, Say { error: Some(why), wrong, news: None }).await
    };
    if let Err(refusal) = form.check(&form_name("password", &user.username), &form_token, TimeLimit::FormTimeout) {
        return refused(StatusCode::FORBIDDEN, &refusal.of_password_form(), None).await;
    }
    let browser = visitor.browser(site.browser(&request));
    match site.server().change_password(browser, &PasswordChange { old, new, again }).await {
        Ok(visit) => {
            let to = account_with(AccountNews::PasswordChanged, &form, &user.username);
            see_other(&to, site.cookies(visit.set_cookie.as_ref(), &visit.remember))
        }
        Err(PasswordError::NotLoggedIn) => see_other(LOGIN, visitor.set_cookie),
        // There is no form for it, so nobody has come from here.
        Err(error @ PasswordError::CannotChange) => {
            problem(&site, &visitor, &form, StatusCode::NOT_FOUND, &error.to_string())
        }
        Err(error @ PasswordError::TooManyFailures { retry_after }) => {
            again_after(retry_after, refused(StatusCode::TOO_MANY_REQUESTS, &error.to_string(), None).await)
        }
        Err(PasswordError::Unavailable) => {
            let text = PasswordError::Unavailable.to_string();
            problem(&site, &visitor, &form, StatusCode::SERVICE_UNAVAILABLE, &text)
        }
        // This session is of the password before, too, and has nothing more to see of the account.
        Err(error @ PasswordError::ChangedMeanwhile) => error_page(&site, StatusCode::CONFLICT, &error.to_string()),
        Err(error @ PasswordError::InvalidCredentials) => {
            refused(StatusCode::BAD_REQUEST, &error.to_string(), Some("old")).await
        }
        Err(error @ PasswordError::NotRepeated) => {
            refused(StatusCode::BAD_REQUEST, &error.to_string(), Some("again")).await
        }
        Err(error @ (PasswordError::Unfit(_) | PasswordError::Unchanged)) => {
            refused(StatusCode::BAD_REQUEST, &error.to_string(), Some("new")).await
        }
    }
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
        return problem(&site, &visitor, &form, StatusCode::FORBIDDEN, &refusal.to_string());
    }
    let (change, news) = match action.as_str() {
        "end" => (AccountChange::End(handle), AccountNews::SessionEnded),
        "end_others" => (AccountChange::EndOthers, AccountNews::OthersEnded),
        "forget" => (AccountChange::Forget(handle), AccountNews::BrowserForgotten),
        _ => return problem(&site, &visitor, &form, StatusCode::BAD_REQUEST, "Nothing was chosen."),
    };
    match site.server().change_account(session, &change).await {
        Ok(()) => see_other(&account_with(news, &form, &user.username), visitor.set_cookie),
        Err(AccountError::NotFound) => {
            see_other(&account_with(AccountNews::AlreadyEnded, &form, &user.username), visitor.set_cookie)
        }
        Err(AccountError::NotLoggedIn) => see_other(LOGIN, visitor.set_cookie),
        Err(AccountError::PasswordNeeded) => see_other(CONFIRM, visitor.set_cookie),
        Err(AccountError::Unavailable(error)) => {
            problem(&site, &visitor, &form, StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
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
        return again(StatusCode::FORBIDDEN, &refusal.of_password_form());
    }
    let browser = visitor.browser(site.browser(&request));
    let credentials = Credentials { username: user.username.clone(), password };
    match site.server().confirm_password(browser, &credentials).await {
        Ok(visit) => {
            let cookie = visit.set_cookie.map(|value| site.0.cookies.set_session(&value));
            see_other(&local_path(&site, to), cookie)
        }
        Err(LoginError::NoSession) => see_other(&login_path(&site, to), visitor.set_cookie),
        Err(error) => login_refused(error, |status| again(status, for_pages(&error.to_string()))),
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
        logout_token: &form.token(LOGOUT_FORM),
        session: visitor.session.as_deref(),
    });
    form_page(status, visitor, form, html)
}

/// Who is not logged in types the password there instead.
fn login_path(site: &Site, to: Option<web::Query<ReturnTo>>) -> String {
    let to: String = url::form_urlencoded::byte_serialize(local_path(site, to).as_bytes()).collect();
    format!("/login?return_url={to}")
}

fn form_page(status: StatusCode, visitor: &Visitor, form: &Form, html: String) -> HttpResponse {
    page(status, &[], cookies(visitor, form), html)
}

/// An error page for a user who is logged in, and may want to log out there.
fn problem(site: &Site, visitor: &Visitor, form: &Form, status: StatusCode, message: &str) -> HttpResponse {
    let (session, token) = (visitor.session.as_deref(), form.token(LOGOUT_FORM));
    let error = ErrorPage { status: status.as_u16(), message, session, logout_token: Some(&token), clear: None };
    show_error(site, &error, cookies(visitor, form))
}

/// The visit may have replaced the session's cookie, and the old one may be dead.
fn cookies(visitor: &Visitor, form: &Form) -> impl Iterator<Item = Cookie<'static>> + use<> {
    form.set_cookie().into_iter().chain(visitor.set_cookie.clone())
}
