//! `/account`, the user's sessions, remembered browsers and password; `/confirm`, which asks for the password again.

use actix_web::{FromRequest, HttpRequest, HttpResponse, cookie::Cookie, dev::Payload, http::StatusCode, web};
use serde::Deserialize;
use sso_core::wire::{User, for_pages};

use super::{
    AccountNotice, AccountPage, ConfirmPage, ErrorPage, FormTokens, LOGOUT_FORM, PageVisit, PasswordForm, Site,
    answer::{again, failed_page, page, see_other, show_error, status_of},
    extract::Extracting,
    get_or_head,
    login::{ReturnTo, local_path},
};
use crate::{
    error::{Error, PasswordError},
    operations::{
        account::AccountChange,
        change_password::PasswordChange,
        form_token::{FormError, TimeLimit},
        login::Credentials,
    },
    server::browser::Browser,
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

/// A request for one of these pages, and what it is answered with.
struct AccountRequest {
    request: HttpRequest,
    site: web::Data<Site>,
    visitor: PageVisit,
    form: FormTokens,
}

impl FromRequest for AccountRequest {
    type Error = actix_web::Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let parts = <(HttpRequest, web::Data<Site>, PageVisit, FormTokens)>::from_request(request, payload);
        Box::pin(async {
            let (request, site, visitor, form) = parts.await?;
            Ok(Self { request, site, visitor, form })
        })
    }
}

impl AccountRequest {
    /// The browser with the cookie that it has by now.
    fn browser(&self) -> Browser {
        self.visitor.browser(self.site.browser(&self.request))
    }

    /// For a form that is good for this user only: who logs in meanwhile does not end somebody else's sessions.
    fn token(&self, form: &str, user: &User) -> String {
        self.form.token(&format!("{form} {}", user.username))
    }

    fn check(&self, form: &str, user: &User, token: &str, limit: TimeLimit) -> Result<(), FormError> {
        self.form.check(&format!("{form} {}", user.username), token, limit)
    }

    /// The visit may have replaced the session's cookie, and the old one may be dead.
    fn cookies(&self) -> impl Iterator<Item = Cookie<'static>> + use<> {
        self.form.set_cookie().into_iter().chain(self.visitor.set_cookie.clone())
    }

    fn go(&self, to: &str) -> HttpResponse {
        see_other(to, self.visitor.set_cookie.clone())
    }

    /// To the account page, which then says this first. A link of a stranger's cannot make it say so: the proof is good
    /// for this browser, this user, and these news.
    fn go_with(&self, news: AccountNotice, user: &User) -> String {
        let name = news.name();
        format!("{ACCOUNT}?done={name}&proof={}", self.token(&format!("news of {name}"), user))
    }

    /// Who is not logged in types the password there instead.
    fn log_in(&self, to: Option<web::Query<ReturnTo>>) -> HttpResponse {
        let to: String = url::form_urlencoded::byte_serialize(local_path(&self.site, to).as_bytes()).collect();
        self.go(&format!("/login?return_url={to}"))
    }

    fn page(&self, status: StatusCode, html: String) -> HttpResponse {
        page(status, &[], self.cookies(), html)
    }

    async fn account_page(&self, status: StatusCode, say: Say<'_>) -> HttpResponse {
        let Some((session, user)) = self.visitor.user() else { return self.go(LOGIN) };
        let account = match self.site.server().account(session).await {
            Ok(Some(account)) => account,
            Ok(None) => return self.go(LOGIN),
            Err(error) => return self.failed(&error.into()),
        };
        let password_token = self.token("password", user);
        let password = PasswordForm { form_token: &password_token, error: say.error, wrong: say.wrong };
        let html = self.site.0.pages.account(&AccountPage {
            account: &account,
            form_token: &self.token("account", user),
            news: say.news,
            password: account.can_change_password.then_some(password),
            logout_token: &self.form.token(LOGOUT_FORM),
            session,
        });
        self.page(status, html)
    }

    fn confirm_page(&self, status: StatusCode, user: &User, error: Option<&str>) -> HttpResponse {
        let html = self.site.0.pages.confirm(&ConfirmPage {
            action: self.request.uri().path_and_query().map_or("/confirm", |uri| uri.as_str()),
            form_token: &self.token("confirm", user),
            username: &user.username,
            error,
            logout_token: &self.form.token(LOGOUT_FORM),
            session: self.visitor.session.as_deref(),
        });
        self.page(status, html)
    }

    /// An error page for a user who is logged in, and may want to log out there.
    fn problem(&self, status: StatusCode, message: &str) -> HttpResponse {
        let (session, token) = (self.visitor.session.as_deref(), self.form.token(LOGOUT_FORM));
        let error = ErrorPage { status: status.as_u16(), message, session, logout_token: Some(&token), clear: None };
        show_error(&self.site, &error, self.cookies())
    }

    fn failed(&self, error: &Error) -> HttpResponse {
        again(error, self.problem(status_of(error), &error.to_string()))
    }
}

/// What the account page says besides what it lists.
#[derive(Clone, Copy, Default)]
struct Say<'a> {
    news: Option<AccountNotice>,
    /// Why the password was not changed.
    error: Option<&'a str>,
    /// The field of that.
    wrong: Option<&'a str>,
}

async fn show(request: AccountRequest, query: Option<web::Query<News>>) -> HttpResponse {
    let news = query.zip(request.visitor.user()).and_then(|(query, (_, user))| {
        let news = AccountNotice::named(&query.done)?;
        let proven = request.check(&format!("news of {}", news.name()), user, &query.proof, TimeLimit::FormTimeout);
        proven.is_ok().then_some(news)
    });
    request.account_page(StatusCode::OK, Say { news, ..Say::default() }).await
}

async fn submit(request: AccountRequest, fields: Option<web::Form<ChangeFields>>) -> HttpResponse {
    let ChangeFields { form_token, action, handle } = fields.map(web::Form::into_inner).unwrap_or_default();
    let Some((session, user)) = request.visitor.user() else { return request.go(LOGIN) };
    // There is nothing to type on the page, so it may lie open.
    if let Err(refusal) = request.check("account", user, &form_token, TimeLimit::None) {
        return request.problem(StatusCode::FORBIDDEN, &refusal.to_string());
    }
    let (change, news) = match action.as_str() {
        "end" => (AccountChange::End(handle), AccountNotice::SessionEnded),
        "end_others" => (AccountChange::EndOthers, AccountNotice::OthersEnded),
        "forget" => (AccountChange::Forget(handle), AccountNotice::BrowserForgotten),
        _ => return request.problem(StatusCode::BAD_REQUEST, "Nothing was chosen."),
    };
    match request.site.server().change_account(session, &change).await {
        Ok(()) => request.go(&request.go_with(news, user)),
        Err(Error::AlreadyEnded) => request.go(&request.go_with(AccountNotice::AlreadyEnded, user)),
        Err(Error::NotLoggedIn) => request.go(LOGIN),
        Err(Error::PasswordNeeded) => request.go(CONFIRM),
        Err(error) => request.failed(&error),
    }
}

async fn change_password(request: AccountRequest, fields: Option<web::Form<PasswordFields>>) -> HttpResponse {
    let PasswordFields { form_token, old, new, again: repeated } =
        fields.map(web::Form::into_inner).unwrap_or_default();
    let Some((_, user)) = request.visitor.user() else { return request.go(LOGIN) };
    if let Err(refusal) = request.check("password", user, &form_token, TimeLimit::FormTimeout) {
        let why = refusal.of_password_form();
        return request.account_page(StatusCode::FORBIDDEN, Say { error: Some(&why), ..Say::default() }).await;
    }
    let change = PasswordChange { old, new, again: repeated };
    let error = match request.site.server().change_password(request.browser(), &change).await {
        Ok(visit) => {
            let to = request.go_with(AccountNotice::PasswordChanged, user);
            let cookies = request.site.cookies(visit.set_cookie.as_ref(), &visit.remember);
            // Where it got none, the one that this visit was due for.
            let renewed = request.visitor.set_cookie.clone().filter(|_| visit.set_cookie.is_none());
            return see_other(&to, cookies.into_iter().chain(renewed));
        }
        Err(error) => error,
    };
    let why = error.to_string();
    let (why, wrong) = match &error {
        Error::NotLoggedIn => return request.go(LOGIN),
        // This session is of the password before, too, and has nothing more to see of the account.
        Error::Password(PasswordError::ChangedMeanwhile) => return failed_page(&request.site, &error),
        // There is no form for it, so nobody has come from here.
        Error::Password(PasswordError::CannotChange) | Error::Unavailable(_) => return request.failed(&error),
        Error::InvalidCredentials => ("The current password is incorrect.", Some("old")),
        Error::Password(PasswordError::NotRepeated) => (why.as_str(), Some("again")),
        Error::Password(_) => (why.as_str(), Some("new")),
        _ => (why.as_str(), None),
    };
    again(&error, request.account_page(status_of(&error), Say { error: Some(why), wrong, news: None }).await)
}

async fn show_confirm(request: AccountRequest, to: Option<web::Query<ReturnTo>>) -> HttpResponse {
    match request.visitor.user() {
        Some((_, user)) => request.confirm_page(StatusCode::OK, user, None),
        None => request.log_in(to),
    }
}

async fn submit_confirm(
    request: AccountRequest,
    to: Option<web::Query<ReturnTo>>,
    fields: Option<web::Form<ConfirmFields>>,
) -> HttpResponse {
    let ConfirmFields { form_token, password } = fields.map(web::Form::into_inner).unwrap_or_default();
    let Some((_, user)) = request.visitor.user() else { return request.log_in(to) };
    if let Err(refusal) = request.check("confirm", user, &form_token, TimeLimit::FormTimeout) {
        return request.confirm_page(StatusCode::FORBIDDEN, user, Some(&refusal.of_password_form()));
    }
    let credentials = Credentials { username: user.username.clone(), password, ..Credentials::default() };
    match request.site.server().confirm_password(request.browser(), &credentials).await {
        Ok(visit) => {
            let cookies = request.site.cookies(visit.set_cookie.as_ref(), &visit.remember);
            see_other(&local_path(&request.site, to), cookies)
        }
        Err(Error::NotLoggedIn) => request.log_in(to),
        Err(error) => {
            let page = request.confirm_page(status_of(&error), user, Some(for_pages(&error.to_string())));
            again(&error, page)
        }
    }
}
