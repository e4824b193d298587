//! `/sso/logout`: the logout on the pages of the broker itself, for somebody who may not use this site, and for one who
//! is asked whether they want it.

use super::{
    answer::Answer,
    error::HandlerError,
    pages::{Leave, Problem, ProblemKind, in_query},
    request::parameter,
    session::SsoSession,
};
use crate::LocalPath;

pub(super) const PATH: &str = "/sso/logout";

/// To the page that asks whether a logout is wanted. A POST of another site brings no cookies, so its own answer could
/// not have a form for this browser. Whose form on that page is refused comes back to it, and to its page to stay at.
pub(super) fn ask(stay: &LocalPath) -> Answer {
    let is_asking = stay.as_str().split('?').next() == Some(PATH);
    if is_asking { Answer::redirect(stay.as_str()) } else { Answer::redirect(&format!("{PATH}?to={}", in_query(stay))) }
}

/// A page with a logout.
pub(super) fn page(session: &SsoSession, kind: ProblemKind, retry: LocalPath) -> Answer {
    let server = format!("{}/", session.broker().server_origin());
    let leave = Some(Leave { form_token: session.form_token(PATH), server });
    session.page(Problem { leave, ..Problem::new(kind, retry) })
}

/// `GET /sso/logout?to=/page`: asks. Who has no token, or one that serves no more, is first attached to whatever login
/// is there now. Anything but a page of this site to stay at is the first page.
pub(super) async fn show(session: &SsoSession) -> Result<Answer, HandlerError> {
    if let Err(error) = session.who().await
        && error.is_healable()
        && (!session.http_request().reads_pages() || session.is_attached() || may_attach(session).await)
    {
        return Err(error.into());
    }
    let stay = session.http_request().parameter("to").and_then(|to| session.broker().local_path(&to));
    Ok(page(session, ProblemKind::LogoutUnverified, stay.unwrap_or_else(LocalPath::root)))
}

/// Whether a visitor without a token can be attached, as far as is known here: an attach that has just failed is not
/// tried again.
async fn may_attach(session: &SsoSession) -> bool {
    let has_failed = session.failure().is_some() || session.has_arrived();
    session.http_request().is_visit() && !has_failed && session.broker().client().is_reachable().await
}

/// `POST /sso/logout`: logs out, at all brokers, and goes on to the first page.
pub(super) async fn log_out(session: &SsoSession, form: &[u8]) -> Result<Answer, HandlerError> {
    session.check_logout(PATH, &parameter(form, "form_token").unwrap_or_default()).await?;
    session.logout().await?;
    Ok(Answer::redirect("/"))
}
