//! Which page sent a request, by what browsers say of it and no page can forge.

use url::Url;

/// Who sent a request. A form of the site's own needs a form token besides: [`FormKey`](crate::FormKey).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentBy {
    /// A page of this very origin.
    OwnPage,
    /// A page of another origin, one that hides its origin, or no page at all (an address that was typed).
    Other,
    /// The browser does not say: an old one, or a program such as curl.
    Unknown,
}

impl SentBy {
    /// Judges the headers `Sec-Fetch-Site` and `Origin` of a request to the site at the origin of `own`.
    ///
    /// `Origin: null` comes from pages with `Referrer-Policy: no-referrer` (a proxy may add that to every page) as well
    /// as from sandboxed frames of an attacker: `Sec-Fetch-Site`, which no policy hides, tells them apart. An `Origin`
    /// that names another site is never ours.
    pub fn of(fetch_site: Option<&str>, origin: Option<&str>, own: &Url) -> Self {
        let shown = origin.filter(|origin| *origin != "null");
        let is_ours = shown.map(|origin| origin == own.origin().ascii_serialization());
        match (fetch_site, is_ours) {
            (_, Some(false)) => Self::Other,
            (Some("same-origin"), _) => Self::OwnPage,
            (Some(_), _) => Self::Other,
            (None, Some(true)) => Self::OwnPage,
            (None, None) if origin.is_some() => Self::Other,
            (None, None) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_ours_is_known_by_either_header_and_never_against_one_of_them() {
        let own: Url = "https://shop.example/any/page".parse().unwrap();
        let ours = Some("https://shop.example");
        for (fetch_site, origin, expected) in [
            (Some("same-origin"), ours, SentBy::OwnPage),
            (Some("same-origin"), None, SentBy::OwnPage),
            // Its page has `Referrer-Policy: no-referrer`.
            (Some("same-origin"), Some("null"), SentBy::OwnPage),
            (None, ours, SentBy::OwnPage),
            // A sandboxed frame, or a `data:` page.
            (Some("cross-site"), Some("null"), SentBy::Other),
            (None, Some("null"), SentBy::Other),
            (Some("same-origin"), Some("https://evil.example"), SentBy::Other),
            (Some("same-site"), Some("https://a.shop.example"), SentBy::Other),
            (Some("cross-site"), ours, SentBy::Other),
            (Some("none"), None, SentBy::Other),
            (Some("Same-Origin"), None, SentBy::Other),
            (Some(""), None, SentBy::Other),
            (None, Some(""), SentBy::Other),
            (None, Some("https://shop.example/"), SentBy::Other),
            (None, Some("http://shop.example"), SentBy::Other),
            (None, Some("https://shop.example:8443"), SentBy::Other),
            (None, None, SentBy::Unknown),
        ] {
            assert_eq!(SentBy::of(fetch_site, origin, &own), expected, "{fetch_site:?} {origin:?}");
        }
    }
}
