//! Who is asking: an attach is for people who visit a page, and for nobody else.

use actix_web::{
    HttpRequest,
    http::{Method, header},
};
use sso_core::SentBy;
use url::Url;

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// A person who visits a page: can be sent to the server and back.
    Visit,
    /// A crawler or a health check: cannot keep a token, and is served as nobody.
    Crawler,
    /// A script, a form, an asset, a prefetch: cannot follow a redirect to another site, or must not.
    Other,
}

/// Parts of the `User-Agent` of programs that follow links or watch sites, in lower case. Not just `bot`: there are people
/// with a CUBOT phone. Who is missing here only takes part in one useless attach.
const CRAWLERS: [&str; 24] = [
    "googlebot",
    "google-inspectiontool",
    "bingbot",
    "yandexbot",
    "duckduckbot",
    "baiduspider",
    "applebot",
    "petalbot",
    "slurp",
    "facebookexternalhit",
    "twitterbot",
    "linkedinbot",
    "slackbot",
    "discordbot",
    "telegrambot",
    "ahrefsbot",
    "semrushbot",
    "gptbot",
    "claudebot",
    "ccbot",
    "kube-probe",
    "googlehc",
    "elb-healthchecker",
    "uptimerobot",
];

impl Asker {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_read || is_prefetch(request) || !is_navigation(request) {
            return Self::Other;
        }
        let agent = header(request, "User-Agent").unwrap_or_default().to_ascii_lowercase();
        if CRAWLERS.iter().any(|crawler| agent.contains(crawler)) { Self::Crawler } else { Self::Visit }
    }
}

/// Whether the browser asks for a page that nobody has asked for yet.
pub(super) fn is_prefetch(request: &HttpRequest) -> bool {
    header(request, "Sec-Purpose").is_some_and(|purpose| purpose.contains("prefetch"))
}

/// Whether another page asked for this as a part of itself: an image, a script, a frame; or with a script, as a
/// neighbour under the same parent domain can, with the visitor's cookies. That is no use by a person.
pub(super) fn is_embedded(request: &HttpRequest) -> bool {
    let is_part = header(request, "Sec-Fetch-Dest").is_some_and(|dest| !matches!(dest, "document" | "empty"));
    let mode = header(request, "Sec-Fetch-Mode").filter(|mode| *mode != "navigate");
    let is_foreign = header(request, "Sec-Fetch-Site").is_some_and(|site| site != "same-origin");
    is_part || mode == Some("no-cors") || (mode.is_some() && is_foreign)
}

/// Whether an error should be a page to read, and not JSON: for every visit, and for a form that a browser sent.
pub(super) fn reads_pages(request: &HttpRequest) -> bool {
    let asks_html = header(request, "Accept").is_some_and(|accept| accept.contains("text/html"));
    match Asker::of(request) {
        Asker::Visit | Asker::Crawler => true,
        Asker::Other => asks_html && is_navigation(request),
    }
}

/// Whether the answer becomes the page that the browser shows. `Sec-Fetch-*` say so; where they are not sent (old browsers,
/// curl), `Accept` gives it away.
fn is_navigation(request: &HttpRequest) -> bool {
    if request.headers().contains_key("X-Requested-With") {
        return false;
    }
    if let Some(mode) = header(request, "Sec-Fetch-Mode") {
        return mode == "navigate" && header(request, "Sec-Fetch-Dest").is_none_or(|dest| dest == "document");
    }
    match request.headers().get(header::ACCEPT) {
        None => true,
        Some(accept) => accept.to_str().is_ok_and(|accept| accept.contains("text/html") || accept.contains("*/*")),
    }
}

/// Which page sent a request to the site at this origin: for forms of your own that have no form token.
pub fn sent_by(request: &HttpRequest, own: &Url) -> SentBy {
    SentBy::of(header(request, "Sec-Fetch-Site"), header(request, "Origin"), own)
}

/// The text of a header.
pub(super) fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn request(method: Method, headers: &[(&'static str, &'static str)]) -> HttpRequest {
        let request = TestRequest::default().method(method);
        headers.iter().fold(request, |request, header| request.insert_header(*header)).to_http_request()
    }

    fn asker(headers: &[(&'static str, &'static str)]) -> Asker {
        Asker::of(&request(Method::GET, headers))
    }

    const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");

    #[test]
    fn browsers_and_curl_visit() {
        for visit in [
            &[] as &[_],
            &[HTML],
            &[("Accept", "*/*")],
            &[HTML, ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
            &[("User-Agent", "Mozilla/5.0 (Linux; Android 9; CUBOT_X19)")],
        ] {
            assert_eq!(asker(visit), Asker::Visit, "{visit:?}");
        }
        assert_eq!(Asker::of(&request(Method::HEAD, &[])), Asker::Visit);
    }

    #[test]
    fn assets_scripts_frames_prefetches_and_writes_do_not() {
        for other in [
            &[("Accept", "application/json")] as &[_],
            &[("Accept", "image/avif,image/webp")],
            &[HTML, ("X-Requested-With", "XMLHttpRequest")],
            &[HTML, ("Sec-Fetch-Mode", "cors")],
            &[HTML, ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")],
            &[HTML, ("Sec-Fetch-Mode", "navigate"), ("Sec-Purpose", "prefetch;prerender")],
            &[("User-Agent", "Googlebot"), ("Accept", "image/*")],
        ] {
            assert_eq!(asker(other), Asker::Other, "{other:?}");
        }
        assert_eq!(Asker::of(&request(Method::POST, &[HTML])), Asker::Other);
    }

    #[test]
    fn crawlers_are_known_by_name() {
        let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        assert_eq!(asker(&[HTML, ("User-Agent", google)]), Asker::Crawler);
        assert_eq!(asker(&[("User-Agent", "kube-probe/1.30")]), Asker::Crawler);
    }

    #[test]
    fn pages_are_for_visits_and_forms() {
        let reads = |method, headers: &[_]| reads_pages(&request(method, headers));
        assert!(reads(Method::GET, &[("Accept", "*/*")]));
        assert!(reads(Method::POST, &[HTML, ("Sec-Fetch-Mode", "navigate")]));
        assert!(!reads(Method::POST, &[("Accept", "*/*")]));
        assert!(!reads(Method::POST, &[HTML, ("Sec-Fetch-Mode", "cors")]));
        assert!(!reads(Method::GET, &[("Accept", "application/json")]));
    }
}
