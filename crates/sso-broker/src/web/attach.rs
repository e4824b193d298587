//! The redirects: to the server, and back.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::{
    ProblemKind, SsoSession,
    answer::{attach_by_redirect, page, redirect},
    asker::Asker,
    get_or_head, pages,
};
use crate::{AttachOutcome, Broker, LocalPath, RequestError, TokenStore};

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
}

/// `GET /sso/attach?to=/page`: attaches anew, then goes to the page.
async fn attach(session: SsoSession, to: Option<web::Query<To>>) -> HttpResponse {
    go(&session, to, Broker::start_attach).await
}

/// `GET /sso/login?to=/page`: the same, and the visitor logs in at the server on the way.
async fn login(session: SsoSession, to: Option<web::Query<To>>) -> HttpResponse {
    go(&session, to, Broker::start_login).await
}

type Start = fn(&Broker, &mut dyn TokenStore, &LocalPath) -> String;

async fn go(session: &SsoSession, to: Option<web::Query<To>>, start: Start) -> HttpResponse {
    let broker = session.broker();
    let to = to.and_then(|query| broker.local_path(query.to.as_deref()?)).unwrap_or_else(LocalPath::root);
    match Asker::of(session.http_request()) {
        Asker::Visit if broker.client().is_reachable().await => {
            redirect(&session.with_store(|store| start(broker, store, &to)))
        }
        Asker::Visit => page(session.sso(), ProblemKind::ServerDown, None, session.wanted().as_str().to_owned()),
        Asker::Crawler => redirect(to.as_str()),
        Asker::Other => attach_by_redirect(&RequestError::NotAttached.to_string()),
    }
}

/// Back from the server. Whatever happened, the browser goes on to a URL without state, code or error.
async fn come_back(session: SsoSession) -> HttpResponse {
    let query = session.http_request().query_string();
    match session.with_store(|store| session.broker().finish_attach(store, query)) {
        AttachOutcome::Attached { wanted } | AttachOutcome::Failed { wanted } => redirect(wanted.as_str()),
        AttachOutcome::TryAgain { url } => redirect(&url),
        AttachOutcome::Stray => redirect("/"),
        AttachOutcome::CookiesOff => {
            page(session.sso(), ProblemKind::CookiesOff, None, pages::attach_anew(&LocalPath::root()))
        }
    }
}
