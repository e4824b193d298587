//! A page of the site's own: the only thing that a visitor is sent on to.

use url::{Position, Url};

/// The path, query and fragment of a page of one site: safe in a `Location` header and in a link.
///
/// What comes in may be an attacker's (`/sso/attach?to=…`), so it is read as browsers will read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    /// The site's first page.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Its text. Starts with exactly one `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a page of `site`, of which only the origin counts. `None`: it is not one.
    pub fn parse(text: &str, site: &Url) -> Option<Self> {
        if !is_rooted(text) || text.chars().any(char::is_control) {
            return None;
        }
        let url = site.join(text).ok()?;
        let path = &url[Position::BeforePath..];
        // Read once more: `/.//evil.example` is a path, but becomes `//evil.example` when the parser takes the dot
        // away.
        let leads_home = url.origin() == site.origin() && site.join(path).ok()? == url;
        leads_home.then(|| Self(path.to_owned()))
    }
}

impl From<LocalPath> for String {
    fn from(LocalPath(text): LocalPath) -> Self {
        text
    }
}

/// Starts with one `/`. Two of them, in either direction, are the start of a host for browsers.
fn is_rooted(text: &str) -> bool {
    text.strip_prefix('/').is_some_and(|rest| !rest.starts_with(['/', '\\']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<String> {
        LocalPath::parse(text, &"https://alice.example".parse().unwrap()).map(|path| path.0)
    }

    #[test]
    fn pages_of_the_site_are_kept_whole() {
        for page in ["/", "/page", "/a/b?c=d&e=//f#g", "/?to=https://evil.example/", "/a//b"] {
            assert_eq!(parse(page).as_deref(), Some(page));
        }
        assert_eq!(parse("/a b/é").as_deref(), Some("/a%20b/%C3%A9"));
        assert_eq!(parse("/a/../b").as_deref(), Some("/b"));
        assert_eq!(parse(&format!("/{}", "x".repeat(9_999))).map(|path| path.len()), Some(10_000));
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "page",
            "https://alice.example/",
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/%2e//evil.example",
            "/a/..//evil.example",
            "/.\\/evil.example",
            "/\r\nSet-Cookie: a=b",
            " /page",
            "javascript:alert(1)",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_stays_on_the_site(text in "[/\\\\.@:?#%2eE\ta]{0,8}(evil\\.example)?[/.?#]{0,3}") {
            let site: Url = "https://alice.example".parse().unwrap();
            if let Some(path) = LocalPath::parse(&text, &site) {
                for page in ["https://alice.example/", "https://alice.example/sso/return?state=1"] {
                    let seen_by_browser = page.parse::<Url>().unwrap().join(path.as_str()).unwrap();
                    prop_assert_eq!(seen_by_browser.origin(), site.origin());
                }
            }
        }
    }
}
