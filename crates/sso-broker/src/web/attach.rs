//! The redirects: to the server, and back.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::{
    Problem, ProblemKind, SsoSession,
    answer::{page, redirect, told},
    asker::Asker,
    departure::{depart, depart_from_here},
    get_or_head, pages,
};
use crate::{
    AttachOutcome, LocalPath, RequestError,
    tokens::{Again, Login, Purpose},
};

pub(super) fn routes(config: &mut web::ServiceConfig, return_path: &str) {
    config
        .service(web::resource(return_path).route(get_or_head().to(come_back)))
        .service(web::resource("/sso/attach").route(get_or_head().to(attach)))
        .service(web::resource("/sso/login").route(get_or_head().to(login)));
}

/// The page to go on to. Anything but a page of this site is the first page.
#[derive(Deserialize)]
struct To {
    to: Option<String>,
    /// `remembered`: to log a remembered browser in, which is tried once.
    why: Option<String>,
    /// For a login: who typed the password so many seconds ago does so again.
    max_age: Option<String>,
    /// The visitor was sent here from another name of this site, and for what.
    from: Option<String>,
}

/// `GET /sso/attach?to=/page`: attaches anew, then goes to the page.
async fn attach(session: SsoSession, to: Option<web::Query<To>>) -> HttpResponse {
    let sent = to.as_ref().and_then(|query| Again::from_text(query.from.as_deref()?));
    let is_remembered = to.as_ref().is_some_and(|query| query.why.as_deref() == Some("remembered"));
    let again = if is_remembered { Again { resumed: 1, ..Again::default() } } else { sent.unwrap_or_default() };
    go(&session, to, again.into()).await
}

/// `GET /sso/login?to=/page`: the same, and the visitor logs in at the server on the way. With `max_age=60` also who is
/// logged in, but typed the password a minute ago or longer; what is no such number counts as 0, which asks in any
/// case.
async fn login(session: SsoSession, to: Option<web::Query<To>>) -> HttpResponse {
    let max_age = to.as_ref().and_then(|query| query.max_age.as_deref());
    let login = Login { max_age: max_age.map(|seconds| seconds.parse().unwrap_or_default()) };
    go(&session, to, login.into()).await
}

async fn go(session: &SsoSession, to: Option<web::Query<To>>, purpose: Purpose) -> HttpResponse {
    let broker = session.broker();
    let is_sent_here = to.as_ref().is_some_and(|query| query.from.is_some());
    let to = to.and_then(|query| broker.local_path(query.to.as_deref()?));
    // No way on leads here again: a link with many of them in it would drive a browser round. The page that asks for a
    // logout only asks.
    let may_go = |page: &str| !page.starts_with("/sso/") || page.starts_with("/sso/logout");
    let to = to.filter(|page| may_go(page.as_str())).unwrap_or_else(LocalPath::root);
    match Asker::of(session.http_request()) {
        // Attached under the name that counts, and only came by another one: not for a login, nor because the token does
        // not serve.
        Asker::Visit if is_sent_here && purpose == Purpose::default() && session.is_attached() => redirect(to.as_str()),
        Asker::Visit if broker.client().is_reachable().await => match is_sent_here {
            true => depart_from_here(session, &to, purpose),
            false => depart(session, &to, purpose),
        },
        Asker::Visit => page(session, Problem::new(ProblemKind::ServerDown, session.wanted())),
        Asker::Crawler => redirect(to.as_str()),
        Asker::Other => told(&RequestError::NotAttached),
    }
}

/// Back from the server. Whatever happened, the browser goes on to a URL without state, code or error.
async fn come_back(session: SsoSession) -> HttpResponse {
    let query = session.http_request().query_string();
    match session.take(|broker, store| broker.finish_attach(store, query)) {
        AttachOutcome::Attached { wanted } | AttachOutcome::Failed { wanted } => redirect(wanted.as_str()),
        AttachOutcome::TryAgain { url } => redirect(&url),
        AttachOutcome::Stray => redirect("/"),
        AttachOutcome::CookiesOff => {
            page(&session, Problem::new(ProblemKind::CookiesOff, pages::attach_anew(&LocalPath::root())))
        }
    }
}
