//! What kind of request it is: an attach is for people who visit a page, and for nobody else.

use super::request::Request;

/// Who sent a request, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// A person who visits a page: can be sent to the server and back.
    Visit,
    /// A crawler or a health check: cannot keep a token, and is served as nobody.
    Crawler,
    /// A script, a form, an asset, a prefetch: cannot follow a redirect to another site, or must not.
    Other,
}

/// Parts of the `User-Agent` of programs that follow links or watch sites, in lower case. Not just `bot`: there are
/// people with a CUBOT phone. Who is missing here only takes part in one useless attach.
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

impl Request {
    pub(super) fn kind(&self) -> RequestKind {
        if !self.is_read() || self.is_prefetch() || !self.is_navigation() {
            return RequestKind::Other;
        }
        let agent = self.header("User-Agent").unwrap_or_default().to_ascii_lowercase();
        match CRAWLERS.iter().any(|crawler| agent.contains(crawler)) {
            true => RequestKind::Crawler,
            false => RequestKind::Visit,
        }
    }

    pub(super) fn is_visit(&self) -> bool {
        self.kind() == RequestKind::Visit
    }

    /// Whether the browser asks for a page that nobody has asked for yet.
    pub(super) fn is_prefetch(&self) -> bool {
        self.header("Sec-Purpose").is_some_and(|purpose| purpose.contains("prefetch"))
    }

    /// Whether another page asked for this as a part of itself: an image, a script, a frame; or with a script, as a
    /// neighbour under the same parent domain can, with the visitor's cookies. That is no use by a person.
    pub(super) fn is_embedded(&self) -> bool {
        let is_part = self.header("Sec-Fetch-Dest").is_some_and(|dest| !matches!(dest, "document" | "empty"));
        let mode = self.header("Sec-Fetch-Mode").filter(|mode| *mode != "navigate");
        let is_foreign = self.header("Sec-Fetch-Site").is_some_and(|site| site != "same-origin");
        is_part || mode == Some("no-cors") || (mode.is_some() && is_foreign)
    }

    /// Whether an error should be a page to read, and not JSON: for every visit, and for a form that a browser sent.
    pub(super) fn reads_pages(&self) -> bool {
        let asks_html = self.header("Accept").is_some_and(|accept| accept.contains("text/html"));
        match self.kind() {
            RequestKind::Visit | RequestKind::Crawler => true,
            RequestKind::Other => asks_html && self.is_navigation(),
        }
    }

    /// Whether the answer becomes the page that the browser shows. `Sec-Fetch-*` say so; where they are not sent (old
    /// browsers, curl), `Accept` gives it away.
    fn is_navigation(&self) -> bool {
        if self.has_header("X-Requested-With") {
            return false;
        }
        if let Some(mode) = self.header("Sec-Fetch-Mode") {
            return mode == "navigate" && self.header("Sec-Fetch-Dest").is_none_or(|dest| dest == "document");
        }
        let is_any_page = |accept: &str| accept.contains("text/html") || accept.contains("*/*");
        !self.has_header("Accept") || self.header("Accept").is_some_and(is_any_page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        Request::new(method, "/", headers.iter().map(|(name, value)| (*name, value.as_bytes())))
    }

    fn kind(headers: &[(&str, &str)]) -> RequestKind {
        request("GET", headers).kind()
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
            assert_eq!(kind(visit), RequestKind::Visit, "{visit:?}");
        }
        assert_eq!(request("HEAD", &[]).kind(), RequestKind::Visit);
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
            assert_eq!(kind(other), RequestKind::Other, "{other:?}");
        }
        assert_eq!(request("POST", &[HTML]).kind(), RequestKind::Other);
    }

    #[test]
    fn crawlers_are_known_by_name() {
        let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        assert_eq!(kind(&[HTML, ("User-Agent", google)]), RequestKind::Crawler);
        assert_eq!(kind(&[("User-Agent", "kube-probe/1.30")]), RequestKind::Crawler);
    }

    #[test]
    fn pages_are_for_visits_and_forms() {
        let reads = |method, headers: &[_]| request(method, headers).reads_pages();
        assert!(reads("GET", &[("Accept", "*/*")]));
        assert!(reads("POST", &[HTML, ("Sec-Fetch-Mode", "navigate")]));
        assert!(!reads("POST", &[("Accept", "*/*")]));
        assert!(!reads("POST", &[HTML, ("Sec-Fetch-Mode", "cors")]));
        assert!(!reads("GET", &[("Accept", "application/json")]));
    }
}
