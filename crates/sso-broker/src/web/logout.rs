//! `/sso/logout`: the logout on the pages of the broker itself, for somebody who may not use this site, and for one who
//! is asked whether they want it.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::{
    Leave, Problem, ProblemKind, SsoSession,
    answer::{self, redirect},
    asker::Asker,
    get_or_head,
    pages::in_query,
};
use crate::{Broker, LocalPath, RequestError};

const PATH: &str = "/sso/logout";

/// The page to stay at. Anything but a page of this site is the first page.
#[derive(Deserialize)]
struct To {
    to: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    form_token: String,
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource(PATH).route(get_or_head().to(show)).route(web::post().to(log_out)));
}

/// To the page that asks whether a logout is wanted. A POST of another site brings no cookies, so its own answer could
/// not have a form for this browser. Whose form on that page is refused comes back to it, and to its page to stay at.
pub(super) fn ask(stay: &LocalPath) -> HttpResponse {
    let is_asking = stay.as_str().split('?').next() == Some(PATH);
    if is_asking { redirect(stay.as_str()) } else { redirect(&format!("{PATH}?to={}", in_query(stay))) }
}

/// A page with a logout.
pub(super) fn page(session: &SsoSession, kind: ProblemKind, retry: LocalPath) -> HttpResponse {
    let server = format!("{}/", session.broker().server_origin());
    let leave = Some(Leave { form_token: session.form_token(PATH), server });
    answer::page(session, Problem { leave, ..Problem::new(kind, retry) })
}

/// `GET /sso/logout?to=/page`: asks. Who has no token, or one that serves no more, is first attached to whatever login
/// is there now.
async fn show(session: SsoSession, to: Option<web::Query<To>>) -> Result<HttpResponse, RequestError> {
    if let Err(error) = session.who().await
        && error.is_healable()
        && (session.is_attached() || may_attach(&session).await)
    {
        return Err(error);
    }
    let stay = to.and_then(|query| session.broker().local_path(query.to.as_deref()?));
    Ok(page(&session, ProblemKind::LogoutUnverified, stay.unwrap_or_else(LocalPath::root)))
}

/// Whether a visitor without a token can be attached, as far as is known here: an attach that has just failed is not
/// tried again.
async fn may_attach(session: &SsoSession) -> bool {
    let has_failed = session.take(Broker::take_failure).is_some() || session.take(Broker::take_arrived);
    let is_visit = Asker::of(session.http_request()) == Asker::Visit;
    is_visit && !has_failed && session.broker().client().is_reachable().await
}

/// `POST /sso/logout`: logs out, at all brokers, and goes on to the first page.
async fn log_out(session: SsoSession, fields: web::Form<Fields>) -> Result<HttpResponse, actix_web::Error> {
    session.check_logout(PATH, &fields.form_token).await?;
    session.logout().await?;
    Ok(redirect("/"))
}
