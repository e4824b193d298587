//! The server's profile form: two pages, of which the second has a time limit.
//!
//! The form counts as started once its first page was sent, so that page may lie open for as long as its user likes.
//! What was typed there travels on in hidden fields: nothing is kept of a form that is never finished. A finished one
//! is kept with the account, and each site is told of it as its `attributes` say. Where accounts cannot be changed, as
//! those in `sso.toml`, there is no form.

mod answers;

use std::pin::Pin;

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{StatusCode, header},
    web,
};
use askama::Template;
use serde::Deserialize;
use sso_server::{
    FormError, SetOutcome, TimeLimit, Unavailable,
    core::wire::User,
    web::{FormTokens, LOGOUT_FORM, PageVisit, Site, get_or_head, page_headers},
};
use sso_site::{PageLink, SiteFrame, html, see_other, theme_of};

use crate::pages::{Field, ServerError, ServerProfile, ServerProfileDone};
pub(super) use answers::has_room;
use answers::{ATTRIBUTE, Profile};

const START: &str = "/profile";
const SECOND: &str = "/profile/2";
/// A profile is for its user alone: who is only remembered types the password first.
const CONFIRM: &str = "/confirm?return_url=/profile";
const DONE: &str = "/profile/done";

const ENDED: &str = "Your session has ended. Nothing was saved. Log in again to fill in your profile. \
                     To send what you typed again, log in in another tab and reload this page.";
const NOT_HERE: &str = "This server can't keep profiles: its accounts are in a place that it can't write to.";
const IN_USE: &str = "This server can't keep a profile of yours: its operator keeps something else in your account's \
                      attribute \"profile\".";
const UNCONFIRMED: &str =
    "This browser is remembered, so your profile asks for your password first. Nothing was saved.";
const MEANWHILE: &str =
    "Your profile was changed elsewhere in the meantime. Nothing was saved. Send the form again to replace it.";
const INVALID: &str = "Correct the marked fields and send the form again.";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    // Operators write attributes too, so what is offered for a change may be longer than what is accepted.
    let limit = web::FormConfig::default().limit(64 * 1024);
    app.service(
        web::resource(START)
            .app_data(limit.clone())
            .route(get_or_head().to(show_first))
            .route(web::post().to(submit_first)),
    )
    .service(
        web::resource(SECOND)
            .app_data(limit)
            .route(get_or_head().to(back_to_start))
            .route(web::post().to(submit_second)),
    )
    .service(web::resource(DONE).route(get_or_head().to(done)));
}

/// What either page sends; all of it may be missing in what a stranger posts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sent {
    form_token: String,
    /// Who was logged in when the page was served. The token is good for this name only.
    begun_as: String,
    #[serde(flatten)]
    profile: Profile,
}

type Fields = Option<web::Form<Sent>>;

async fn show_first(request: ProfileRequest) -> HttpResponse {
    let Some((session, user)) = request.visitor.user() else { return request.go("/login?return_url=/profile") };
    let user = &match as_saved(&request.site, user).await {
        Ok(user) => user,
        Err(refused) => return refused.into_answer(&request),
    };
    match request.site.server().can_set_attributes(&user.username).await {
        Ok(true) if !has_room(user) => Refused::InUse.into_answer(&request),
        Ok(true) if session.is_remembered() => request.go(CONFIRM),
        Ok(true) => request.first_page(user, &Profile::known(user), None),
        Ok(false) => Refused::NotHere.into_answer(&request),
        Err(error) => Refused::Unavailable(error).into_answer(&request),
    }
}

async fn submit_first(request: ProfileRequest, fields: Fields) -> HttpResponse {
    let Sent { form_token, begun_as, profile } = sent(fields);
    let accepted = match request.accept(1, &begun_as, &form_token, TimeLimit::None) {
        Ok(accepted) => accepted,
        Err(refused) => return refused.into_answer(&request),
    };
    if !profile.first_page(true).iter().all(Field::is_good) {
        return request.first_page(accepted.user, &profile, Some(INVALID));
    }
    let known = Profile::known(accepted.user);
    let profile = Profile { town: known.town, about: known.about, ..profile };
    request.second_page(StatusCode::OK, accepted.user, &profile, None)
}

/// Somebody typed the address or logged in again on this page: the form begins with its first one.
async fn back_to_start(request: ProfileRequest) -> HttpResponse {
    request.go(START)
}

async fn submit_second(request: ProfileRequest, fields: Fields) -> HttpResponse {
    let Sent { form_token, begun_as, profile } = sent(fields);
    let Accepted { user, late } = match request.accept(2, &begun_as, &form_token, TimeLimit::FormTimeout) {
        Ok(accepted) => accepted,
        Err(refused) => return refused.into_answer(&request),
    };
    if let Some(late) = late {
        return request.second_page(StatusCode::FORBIDDEN, user, &profile, Some(&late));
    }
    // Its answers have come from the browser a second time.
    if !profile.first_page(true).iter().all(Field::is_good) {
        return request.first_page(user, &profile, Some(INVALID));
    }
    if !profile.second_page(true).iter().all(Field::is_good) {
        return request.second_page(StatusCode::BAD_REQUEST, user, &profile, Some(INVALID));
    }
    if !has_room(user) {
        return Refused::InUse.into_answer(&request);
    }
    let (before, new) = (user.attributes.get(ATTRIBUTE), profile.as_value());
    match request.site.server().set_attribute(&user.username, ATTRIBUTE, before, &new).await {
        Ok(SetOutcome::Set) => request.go(DONE),
        // The account is gone, and so is the login.
        Ok(SetOutcome::NoAccount) => Refused::Ended.into_answer(&request),
        Ok(SetOutcome::ChangedMeanwhile) => request.second_page(StatusCode::CONFLICT, user, &profile, Some(MEANWHILE)),
        Err(error) => {
            let problem = format!("Your profile was not saved. {error}");
            request.second_page(StatusCode::SERVICE_UNAVAILABLE, user, &profile, Some(&problem))
        }
    }
}

async fn done(request: ProfileRequest) -> HttpResponse {
    let Some((session, user)) = request.visitor.user() else { return request.go("/login?return_url=/profile/done") };
    let user = match as_saved(&request.site, user).await {
        Ok(user) => user,
        Err(refused) => return refused.into_answer(&request),
    };
    let Some(profile) = Profile::stored(&user) else { return request.go(START) };
    let answers: Vec<_> = profile.first_page(false).into_iter().chain(profile.second_page(false)).collect();
    let layout = request.frame.layout(theme_of(Some(session)));
    let logout_token = request.form.token(LOGOUT_FORM);
    request.page(StatusCode::OK, &ServerProfileDone { layout, answers: &answers, logout_token: &logout_token })
}

/// The user with what is saved by now: another node may have done so a moment ago.
async fn as_saved(site: &Site, user: &User) -> Result<User, Refused> {
    site.server().user_now(&user.username).await.map_err(Refused::Unavailable)?.ok_or(Refused::Ended)
}

fn sent(fields: Fields) -> Sent {
    let sent = fields.map(web::Form::into_inner).unwrap_or_default();
    Sent { profile: sent.profile.tidy(), ..sent }
}

/// A request and what answers to it are written with.
struct ProfileRequest {
    visitor: PageVisit,
    form: FormTokens,
    site: web::Data<Site>,
    frame: web::Data<SiteFrame>,
}

impl FromRequest for ProfileRequest {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let parts = <(PageVisit, FormTokens, web::Data<Site>, web::Data<SiteFrame>)>::from_request(request, payload);
        Box::pin(async {
            let (visitor, form, site, frame) = parts.await?;
            Ok(Self { visitor, form, site, frame })
        })
    }
}

/// A page of the form that came from the user who is logged in.
struct Accepted<'a> {
    user: &'a User,
    /// It came too late: what to say about that.
    late: Option<String>,
}

/// Why a page of the form leads to a page without it. Nothing was saved.
enum Refused {
    /// It is not from this browser's own page.
    Forged(FormError),
    /// Nobody is logged in any more.
    Ended,
    /// They are only remembered: the password comes first.
    Unconfirmed,
    /// Somebody else is logged in now: what to say about that.
    UserChanged(String),
    /// Nothing can be kept with their account.
    NotHere,
    /// Where it would be kept is something else.
    InUse,
    /// Whether it can is not known.
    Unavailable(Unavailable),
}

impl ProfileRequest {
    /// Judges what was sent: first whether it is a form of ours at all, then who is there, and at last the time. So
    /// nobody is told of a time limit who could not have kept it.
    fn accept(&self, number: u8, begun_as: &str, token: &str, limit: TimeLimit) -> Result<Accepted<'_>, Refused> {
        let late = match self.form.check(&page_name(number, begun_as), token, limit) {
            Ok(()) => None,
            Err(refusal @ FormError::TimedOut { .. }) => Some(refusal.to_string()),
            Err(refusal @ FormError::InvalidToken) => return Err(Refused::Forged(refusal)),
        };
        let (session, user) = self.visitor.user().ok_or(Refused::Ended)?;
        if user.username != begun_as {
            let text = format!(
                "You are now logged in as {}, but {begun_as} began this form. Nothing was saved.",
                user.username
            );
            return Err(Refused::UserChanged(text));
        }
        if session.is_remembered() {
            return Err(Refused::Unconfirmed);
        }
        Ok(Accepted { user, late })
    }

    fn first_page(&self, user: &User, profile: &Profile, problem: Option<&str>) -> HttpResponse {
        let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        self.form_page(status, 1, user, &[], &profile.first_page(problem.is_some()), problem)
    }

    fn second_page(&self, status: StatusCode, user: &User, profile: &Profile, problem: Option<&str>) -> HttpResponse {
        let carried = [("fullname", profile.fullname.as_str()), ("email", &profile.email)];
        let fields = profile.second_page(status == StatusCode::BAD_REQUEST);
        self.form_page(status, 2, user, &carried, &fields, problem)
    }

    fn form_page(
        &self,
        status: StatusCode,
        number: u8,
        user: &User,
        carried: &[(&str, &str)],
        fields: &[Field<'_>],
        problem: Option<&str>,
    ) -> HttpResponse {
        let template = ServerProfile {
            layout: self.frame.layout(theme_of(self.visitor.session.as_deref())),
            number,
            action: if number == 1 { START } else { SECOND },
            form_token: &self.form.token(&page_name(number, &user.username)),
            begun_as: &user.username,
            carried,
            fields,
            problem,
            logout_token: &self.form.token(LOGOUT_FORM),
        };
        self.page(status, &template)
    }

    fn page(&self, status: StatusCode, template: &impl Template) -> HttpResponse {
        let mut response = HttpResponse::build(status);
        page_headers(&mut response, &[]);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, "5"));
        }
        for cookie in self.visitor.set_cookie.iter().cloned().chain(self.form.set_cookie()) {
            response.cookie(cookie);
        }
        response.body(html(template))
    }

    fn go(&self, to: &str) -> HttpResponse {
        let mut response = see_other(to);
        response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        if let Some(cookie) = &self.visitor.set_cookie
            && let Err(error) = response.add_cookie(cookie)
        {
            tracing::error!(%error, "a cookie cannot be set");
        }
        response
    }
}

impl Refused {
    fn into_answer(self, request: &ProfileRequest) -> HttpResponse {
        let begin = PageLink { label: "Start the form again", href: START };
        let account = PageLink { label: "Your account", href: "/account" };
        let (status, message, link) = match self {
            Self::Forged(refusal) => (StatusCode::FORBIDDEN, format!("{refusal} Nothing was saved."), begin),
            Self::UserChanged(text) => (StatusCode::CONFLICT, text, begin),
            Self::NotHere => (StatusCode::NOT_FOUND, NOT_HERE.to_owned(), account),
            Self::InUse => (StatusCode::NOT_FOUND, IN_USE.to_owned(), account),
            Self::Unavailable(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string(), begin),
            Self::Unconfirmed => {
                let confirm = PageLink { label: "Enter your password", href: CONFIRM };
                (StatusCode::FORBIDDEN, UNCONFIRMED.to_owned(), confirm)
            }
            Self::Ended => {
                let log_in = PageLink { label: "Log in again", href: "/login?return_url=/profile" };
                (StatusCode::UNAUTHORIZED, ENDED.to_owned(), log_in)
            }
        };
        let logout_token = request.form.token(LOGOUT_FORM);
        let template = ServerError {
            layout: request.frame.layout(theme_of(request.visitor.session.as_deref())),
            status: status.as_u16(),
            message: &message,
            logout_token: request.visitor.user().map(|_| logout_token.as_str()),
            clear: None,
            links: &[link, PageLink { label: "Go to the server's home page", href: "/" }],
        };
        request.page(status, &template)
    }
}

/// The name in a page's token. A page that was served to one user is not another's.
fn page_name(number: u8, username: &str) -> String {
    format!("profile/{number} {username}")
}
