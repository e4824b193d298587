//! What is answered while a cookie that matters comes twice with different values, and how it is deleted.

use sso_core::{AmbiguousCookie, SentBy, wire::ApiError};
use url::{Url, form_urlencoded::byte_serialize};

use super::{
    answer::Answer,
    pages::{Pages, Problem, ProblemKind, going_on},
    request::Request,
};
use crate::LocalPath;

/// Deletes the cookies: a POST, which only a page of this site can send.
const CLEAR: &str = "/sso/clear-cookies";

/// The answer to give in the application's place, if there is one: to what asks for the cookies to be deleted, and,
/// while one is `ambiguous`, to every page and every call by script. Other files are for anybody.
pub(crate) fn answer_in_place(
    request: &Request,
    site: &Url,
    return_path: Option<&str>,
    pages: &dyn Pages,
    ambiguous: Option<&AmbiguousCookie>,
) -> Option<Answer> {
    if request.path() == CLEAR && request.method() == "POST" {
        return Some(clear(request, site));
    }
    let error = ambiguous?;
    if request.reads_pages() {
        tracing::info!(%error, "a cookie does not count");
        Some(page(pages, &wanted(request, site, return_path)))
    } else if is_call(request) {
        Some(Answer::json(400, &ApiError::new(error.to_string())))
    } else {
        None
    }
}

/// No token shows who asks: the cookie that tokens are bound to may be the one that is not known.
fn clear(request: &Request, site: &Url) -> Answer {
    let to = request.parameter("to").and_then(|to| LocalPath::parse(&to, site)).unwrap_or_else(LocalPath::root);
    if request.sent_by(site) != SentBy::OwnPage {
        let why = "Only a page of this site may delete its cookies. Nothing was changed.";
        return Answer::fleeting(403).with("content-type", "text/plain; charset=utf-8").body(why);
    }
    // No redirect: by the page's `form-action` Chromium would not follow it on to the server.
    let answer = Answer::html(200, going_on(&to)).with("refresh", format!("0; url={}", to.as_str()));
    // Otherwise there is nothing to mend, and the login stays. Which cookie it is may be another layer's business.
    match request.cookies().ambiguous(|_| true) {
        Some(_) => answer.with("clear-site-data", "\"cookies\""),
        None => answer,
    }
}

fn page(pages: &dyn Pages, wanted: &LocalPath) -> Answer {
    let to: String = byte_serialize(wanted.as_str().as_bytes()).collect();
    let clear = Some(format!("{CLEAR}?to={to}"));
    let problem = Problem { clear, ..Problem::new(ProblemKind::AmbiguousCookie, wanted.as_str()) };
    // Browsers that do not say `Sec-Fetch-Site` say `Origin` then.
    Answer::html(400, pages.problem(&problem)).with("referrer-policy", "same-origin")
}

/// Where to go on afterwards. A return from the server cannot be repeated: its state is in a cookie.
fn wanted(request: &Request, site: &Url, return_path: Option<&str>) -> LocalPath {
    let can_repeat = request.is_safe() && return_path != Some(request.path());
    let page = can_repeat.then(|| LocalPath::parse(request.path_and_query(), site)).flatten();
    page.unwrap_or_else(LocalPath::root)
}

/// Whether a page's script asks.
fn is_call(request: &Request) -> bool {
    let accepts_json = || request.header("Accept").is_some_and(|accept| accept.contains("application/json"));
    request.header("Sec-Fetch-Dest").map_or_else(accepts_json, |dest| dest == "empty")
}
