//! The redirects: to the server, and back.

use super::{
    answer::Answer,
    departure::{depart, depart_from_here},
    pages::{Problem, ProblemKind, attach_anew},
    request_kind::RequestKind,
    session::SsoSession,
};
use crate::{
    AttachOutcome, LocalPath, RequestError,
    tokens::{Again, Login, Purpose},
};

/// `GET /sso/attach?to=/page`: attaches anew, then goes to the page. With `why=remembered` to log a remembered browser
/// in, which is tried once.
pub(super) async fn attach(session: &SsoSession) -> Answer {
    let parameter = |name| session.http_request().parameter(name);
    let again = match parameter("why").as_deref() {
        Some("remembered") => Again { resumed: 1, ..Again::default() },
        _ => parameter("from").and_then(|from| Again::from_text(&from)).unwrap_or_default(),
    };
    go(session, again.into()).await
}

/// `GET /sso/login?to=/page`: the same, and the visitor logs in at the server on the way. With `max_age=60` also who is
/// logged in, but typed the password a minute ago or longer; what is no such number counts as 0, which asks in any
/// case.
pub(super) async fn login(session: &SsoSession) -> Answer {
    let max_age = session.http_request().parameter("max_age");
    go(session, Login { max_age: max_age.map(|seconds| seconds.parse().unwrap_or_default()) }.into()).await
}

/// On to the page `to`. Anything but a page of this site is the first page. `from` says that the visitor was sent here
/// from another name of this site, and for what.
async fn go(session: &SsoSession, purpose: Purpose) -> Answer {
    let (broker, request) = (session.broker(), session.http_request());
    let is_sent_here = request.parameter("from").is_some();
    let to = request.parameter("to").and_then(|to| broker.local_path(&to));
    // No way on leads here again: a link with many of them in it would drive a browser round. The page that asks for a
    // logout only asks.
    let may_go = |page: &str| !page.starts_with("/sso/") || page.starts_with("/sso/logout");
    let to = to.filter(|page| may_go(page.as_str())).unwrap_or_else(LocalPath::root);
    match request.kind() {
        // Attached under the name that counts, and only came by another one: not for a login, nor because the token
        // does not serve.
        RequestKind::Visit if is_sent_here && purpose == Purpose::default() && session.is_attached() => {
            Answer::redirect(to.as_str())
        }
        RequestKind::Visit if broker.client().is_reachable().await => match is_sent_here {
            true => depart_from_here(session, &to, purpose),
            false => depart(session, &to, purpose),
        },
        RequestKind::Visit => session.page(Problem::new(ProblemKind::ServerDown, session.wanted())),
        RequestKind::Crawler => Answer::redirect(to.as_str()),
        RequestKind::Other => RequestError::NotAttached.json(),
    }
}

/// Back from the server. Whatever happened, the browser goes on to a URL without state, code or error.
pub(super) fn come_back(session: &SsoSession) -> Answer {
    let query = session.http_request().query();
    match session.take(|broker, store| broker.finish_attach(store, query)) {
        AttachOutcome::Attached { wanted } | AttachOutcome::Failed { wanted } => Answer::redirect(wanted.as_str()),
        AttachOutcome::TryAgain { url } => Answer::redirect(&url),
        AttachOutcome::Stray => Answer::redirect("/"),
        AttachOutcome::CookiesOff => {
            session.page(Problem::new(ProblemKind::CookiesOff, attach_anew(&LocalPath::root())))
        }
    }
}
