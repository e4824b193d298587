//! The headers that every answer of a site carries, whatever it is: pages, files, JSON, redirects, errors. Plain data;
//! the `web/` folders of server and broker set them, in one layer each.

use url::Url;

use crate::is_loopback;

/// The base headers of one site. What an answer says itself stands; these are added to it.
#[derive(Clone, Debug)]
pub struct BaseHeaders {
    page_policy: String,
    is_https: bool,
}

/// Names and values that go with everything.
///
/// A page that another site's page opened in a window is out of its reach, and so is what it opens itself
/// (`Cross-Origin-Opener-Policy`). Nothing is loaded into pages of other sites (`Cross-Origin-Resource-Policy`), but
/// for silent attach, which says otherwise itself. Other sites see the origin that a visitor comes from, and not the
/// page.
const ALWAYS: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
];

const POLICY: &str = "content-security-policy";

/// Where there is no page, nothing is to run and nothing to be loaded.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";

/// For a page that says nothing of itself: it may need whatever it likes, but no frame around it and no other base.
const ANY_PAGE: &str = "base-uri 'none'; object-src 'none'; frame-ancestors 'none'";

/// The `Content-Security-Policy` of our own pages. Only what they need is allowed, all of it from the site itself. What
/// else each may reach follows as origins, each with a space before it: `forms`, where the answer to a form may lead;
/// `connect` and `script` for silent attach.
pub fn page_policy(forms: &str, connect: &str, script: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self'; connect-src 'self'{connect}; \
         form-action 'self'{forms}; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// One year.
const HTTPS_ONLY: (&str, &str) = ("strict-transport-security", "max-age=31536000");

/// The cached answer is renewed with the headers of this one: it may be a page, whose policy must stay.
const NOT_MODIFIED: u16 = 304;

impl BaseHeaders {
    /// For a site that browsers see at this URL.
    pub fn new(public_url: &Url) -> Self {
        // A name of this machine is not bound to https: all its ports and programs would be.
        let is_https = public_url.scheme() == "https" && !is_loopback(public_url);
        Self { page_policy: ANY_PAGE.to_owned(), is_https }
    }

    /// Gives this `Content-Security-Policy` to pages that have none of their own.
    #[must_use]
    pub fn page_policy(self, policy: impl Into<String>) -> Self {
        Self { page_policy: policy.into(), ..self }
    }

    /// What goes with an answer of this status and `Content-Type`, unless it is there already. Names are in lower case.
    pub fn of_answer(&self, status: u16, content_type: Option<&str>) -> impl Iterator<Item = (&'static str, &str)> {
        let is_page = content_type.is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
        });
        let policy = match status {
            NOT_MODIFIED => None,
            _ if is_page => Some(self.page_policy.as_str()),
            _ => Some(NO_PAGE),
        };
        let https_only = self.is_https.then_some(HTTPS_ONLY);
        ALWAYS.into_iter().chain(https_only).chain(policy.map(|policy| (POLICY, policy)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(headers: &BaseHeaders, status: u16, content_type: Option<&str>) -> Option<String> {
        let mut all = headers.of_answer(status, content_type);
        all.find(|(name, _)| *name == POLICY).map(|(_, value)| value.to_owned())
    }

    #[test]
    fn only_a_page_has_a_pages_policy() {
        let headers = BaseHeaders::new(&"https://sso.example".parse().unwrap()).page_policy("mine");
        for page in ["text/html", "text/html; charset=utf-8", "TEXT/HTML", "application/xhtml+xml"] {
            assert_eq!(policy(&headers, 200, Some(page)).as_deref(), Some("mine"), "{page}");
        }
        for other in [None, Some("application/json"), Some("image/svg+xml"), Some("text/html5"), Some("")] {
            assert_eq!(policy(&headers, 404, other).as_deref(), Some(NO_PAGE), "{other:?}");
        }
        assert_eq!(policy(&headers, 304, None), None);
    }

    #[test]
    fn https_is_asked_for_where_it_is_and_never_on_this_machine() {
        for (url, expected) in [
            ("https://sso.example", true),
            ("http://sso.example", false),
            ("https://sso.localhost", false),
            ("https://localhost:8000", false),
            ("https://127.0.0.1", false),
        ] {
            let headers = BaseHeaders::new(&url.parse().unwrap());
            assert_eq!(headers.of_answer(200, None).any(|header| header == HTTPS_ONLY), expected, "{url}");
        }
    }
}
