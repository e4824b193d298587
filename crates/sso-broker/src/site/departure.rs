//! To the server, and back to the page that was wanted: from which host, and how the page is kept meanwhile.

use url::Url;

use super::{
    answer::Answer,
    pages::{Problem, ProblemKind, Script, in_query},
    request::Request,
    session::SsoSession,
};
use crate::{LocalPath, tokens::Purpose};

/// The page that the visitor comes back to in place of one that is too long to be kept: the tab knows that one.
pub(super) const LANDING: &str = "/sso/long-page";
pub(super) const SCRIPT: &str = "/sso/long-page.js";

/// Sends a visitor away, to come back to `wanted`.
///
/// If they are at another name of this site (`www.`, an address, another port), first to the configured one: what is
/// kept here now would not be there when they return. See [`is_elsewhere`].
pub(super) fn depart(session: &SsoSession, wanted: &LocalPath, purpose: Purpose) -> Answer {
    if is_elsewhere(session.http_request(), session.broker().public_url()) {
        return Answer::redirect(&at_home(session.broker().public_url(), wanted, purpose));
    }
    depart_from_here(session, wanted, purpose)
}

/// The same from the name that this is, whatever `Host` says.
pub(super) fn depart_from_here(session: &SsoSession, wanted: &LocalPath, purpose: Purpose) -> Answer {
    let broker = session.broker();
    let start = |wanted: &LocalPath| session.with_store(|store| broker.start(store, wanted, purpose));
    if session.with_store(|store| broker.keeps(store, wanted)) {
        return Answer::redirect(&start(wanted));
    }
    let url = start(&broker.local_path(LANDING).unwrap_or_else(LocalPath::root));
    let script = Some(Script { src: SCRIPT, page: wanted.as_str().to_owned(), to: url.clone() });
    session.page(Problem { script, ..Problem::new(ProblemKind::LongPage, url) })
}

/// Back with a page that only the tab knows. Its script goes there.
pub(super) fn landed(session: &SsoSession) -> Answer {
    let script = Some(Script { src: SCRIPT, page: String::new(), to: String::new() });
    session.page(Problem { script, ..Problem::new(ProblemKind::PageNotKept, "/") })
}

pub(super) fn script() -> Answer {
    Answer::new(200)
        .with("content-type", "text/javascript; charset=utf-8")
        .with("cache-control", "no-cache")
        .with("x-content-type-options", "nosniff")
        .body(include_str!("long-page.js"))
}

/// Where a departure begins at the configured origin. `from` says that it was sent there, so that no `Host` is looked
/// at again: behind a proxy that writes its own, every visit is from elsewhere.
fn at_home(public_url: &Url, wanted: &LocalPath, purpose: Purpose) -> String {
    let origin = public_url.origin().ascii_serialization();
    let path = if purpose.login.is_some() { "login" } else { "attach" };
    let max_age = purpose.login.and_then(|login| login.max_age);
    let max_age = max_age.map(|seconds| format!("max_age={seconds}&")).unwrap_or_default();
    format!("{origin}/sso/{path}?from={}&{max_age}to={}", purpose.again.to_text(), in_query(wanted))
}

/// Whether a request names another host or port than the configured one. The scheme is not looked at, for a proxy may
/// speak https in the site's place.
fn is_elsewhere(request: &Request, public_url: &Url) -> bool {
    let host = request.header("Host").and_then(|host| format!("{}://{host}", public_url.scheme()).parse().ok());
    host.is_some_and(|host: Url| host.origin() != public_url.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_as_browsers_read_it() {
        let is_elsewhere = |host: &str, public: &str| {
            let request = Request::new("GET", "/", [("Host", host.as_bytes())]);
            is_elsewhere(&request, &public.parse().unwrap())
        };
        for (host, public) in [
            ("alice.example", "https://alice.example"),
            ("ALICE.example:443", "https://alice.example"),
            ("alice.example:8443", "https://alice.example:8443"),
            ("alice.localhost:8001", "http://alice.localhost:8001"),
            ("[::1]:8001", "http://[::1]:8001"),
            // Nothing that can be read.
            ("", "https://alice.example"),
            ("a b", "https://alice.example"),
        ] {
            assert!(!is_elsewhere(host, public), "{host}");
        }
        for host in
            ["www.alice.example", "alice.example:8443", "192.0.2.1", "alice.example.evil.example", "127.0.0.1:8001"]
        {
            assert!(is_elsewhere(host, "https://alice.example"), "{host}");
        }
        let none = Request::new("GET", "/", []);
        assert!(!super::is_elsewhere(&none, &"https://alice.example".parse().unwrap()));
    }
}
