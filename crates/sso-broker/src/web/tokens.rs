//! Cookies, and actix-session, as token stores.

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap, rc::Rc};

use actix_session::Session;
use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time},
};
use percent_encoding::percent_decode_str;

use super::cookies::cookies_of;
use crate::{Lifetime, TokenStore};

/// What one request changes in its visitor's cookies, until the middleware writes it: by key, `None` is a removal.
pub(super) type CookieChanges = Rc<RefCell<BTreeMap<String, Option<(String, Lifetime)>>>>;

/// A visitor's cookies: those of the request, under the changes made since.
///
/// All are `HttpOnly`, `SameSite=Lax`, `Path=/`. On an https site they are `Secure`, and our own have the `__Host-` prefix,
/// with which browsers take a cookie from this very host only, not from its siblings.
pub(super) struct CookieStore {
    sent: BTreeMap<String, String>,
    changes: CookieChanges,
}

impl CookieStore {
    pub(super) fn new(request: &HttpRequest, is_https: bool, changes: CookieChanges) -> Self {
        let sent = cookies_of(request);
        let read = |(name, value)| Some((key_of(name, is_https)?.to_owned(), decoded(value)?));
        Self { sent: sent.iter().filter_map(read).collect(), changes }
    }
}

impl TokenStore for CookieStore {
    fn get(&self, key: &str) -> Option<String> {
        match self.changes.borrow().get(key) {
            Some(change) => change.as_ref().map(|(value, _)| value.clone()),
            None => self.sent.get(key).cloned(),
        }
    }

    fn set(&mut self, key: &str, value: &str, lifetime: Lifetime) {
        self.changes.borrow_mut().insert(key.to_owned(), Some((value.to_owned(), lifetime)));
    }

    fn remove(&mut self, key: &str) {
        if self.sent.contains_key(key) {
            self.changes.borrow_mut().insert(key.to_owned(), None);
        } else {
            self.changes.borrow_mut().remove(key);
        }
    }

    fn keys(&self) -> Vec<String> {
        let changes = self.changes.borrow();
        let kept = self.sent.keys().filter(|key| !changes.contains_key(*key));
        let set = changes.iter().filter(|(_, change)| change.is_some()).map(|(key, _)| key);
        kept.chain(set).cloned().collect()
    }

    /// Common servers take 8 KB of cookies; those of the application and ours that stay need the rest.
    fn room(&self) -> usize {
        6 << 10
    }
}

/// The key of a cookie; `None`: it is not ours, whatever it looks like. A planted cookie without the prefix does not count as one that
/// has it.
pub(super) fn key_of(name: &str, is_https: bool) -> Option<&str> {
    let key = name.strip_prefix("__Host-").unwrap_or(name);
    (name_of(key, is_https) == name).then_some(key)
}

fn name_of(key: &str, is_https: bool) -> String {
    if is_https && is_our_own(key) { format!("__Host-{key}") } else { key.to_owned() }
}

fn decoded(value: &str) -> Option<String> {
    percent_decode_str(value).decode_utf8().ok().map(Cow::into_owned)
}

/// The cookie that makes a change. What cookies cannot hold in its text is percent-encoded, and nothing else: a page is long enough.
pub(super) fn written(key: &str, change: Option<&(String, Lifetime)>, is_https: bool) -> String {
    let name = name_of(key, is_https);
    let (value, max_age) = match change {
        Some((value, Lifetime::Session)) => (value.as_str(), None),
        Some((value, Lifetime::AtMost(age))) => {
            (value.as_str(), Some(time::Duration::try_from(*age).unwrap_or_default()))
        }
        None => ("", Some(time::Duration::ZERO)),
    };
    let mut cookie = Cookie::build(name, encoded(value)).path("/").http_only(true).same_site(SameSite::Lax).finish();
    cookie.set_secure(is_https.then_some(true));
    cookie.set_max_age(max_age);
    cookie.to_string()
}

/// RFC 6265, section 4.1.1, and `%` itself.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\%".contains(&byte);
    let encode = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

/// Ours start with `sso-`; jasny/sso's, with `sso_`, must keep the names that PHP knows.
fn is_our_own(key: &str) -> bool {
    key.starts_with("sso-")
}

/// A visitor's actix-session. The lifetime is the session's own.
pub(super) struct SessionStore(pub(super) Session);

impl TokenStore for SessionStore {
    fn get(&self, key: &str) -> Option<String> {
        self.0.get(key).ok().flatten()
    }

    fn set(&mut self, key: &str, value: &str, _: Lifetime) {
        if let Err(error) = self.0.insert(key, value) {
            tracing::error!(%error, "a visitor's token cannot be kept in the session");
        }
    }

    fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    fn keys(&self) -> Vec<String> {
        self.0.entries().keys().cloned().collect()
    }
}

/// A store out of which nothing is taken.
pub(super) struct Kept<'a>(pub(super) &'a mut dyn TokenStore);

impl TokenStore for Kept<'_> {
    fn get(&self, key: &str) -> Option<String> {
        self.0.get(key)
    }

    fn set(&mut self, key: &str, value: &str, lifetime: Lifetime) {
        self.0.set(key, value, lifetime);
    }

    fn remove(&mut self, _: &str) {}

    fn keys(&self) -> Vec<String> {
        self.0.keys()
    }

    fn room(&self) -> usize {
        self.0.room()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::test::TestRequest;

    use super::*;

    fn store(cookies: &'static str, is_https: bool) -> CookieStore {
        let request = TestRequest::default().insert_header(("Cookie", cookies.as_bytes())).to_http_request();
        CookieStore::new(&request, is_https, CookieChanges::default())
    }

    #[test]
    fn over_https_only_the_host_prefix_counts() {
        let good = store("__Host-sso-Alice-token=a%3Bb; sso_token_alice=c", true);
        assert_eq!(good.get("sso-Alice-token").as_deref(), Some("a;b"));
        assert_eq!(good.get("sso_token_alice").as_deref(), Some("c"));
        for planted in [
            "sso-Alice-token=x",
            "__Host%2Dsso-Alice-token=x",
            "%5F_Host-sso-Alice-token=x",
            "sso%2DAlice-token=x",
            "\u{2000}__Host-sso-Alice-token=x",
            "\u{a0}__Host-sso-Alice-token=x",
            "__Host-sso-Alice-token=x; __Host-sso-Alice-token=y",
        ] {
            assert_eq!(store(planted, true).get("sso-Alice-token"), None, "{planted}");
        }
        assert!(store("sso-Alice-token=a", false).get("sso-Alice-token").is_some());
    }

    #[test]
    fn attributes_follow_the_scheme() {
        let text = ("a;b".to_owned(), Lifetime::Session);
        let common = "HttpOnly; SameSite=Lax;";
        assert_eq!(
            written("sso-A-token", Some(&text), true),
            format!("__Host-sso-A-token=a%3Bb; {common} Secure; Path=/")
        );
        assert_eq!(written("sso-A-token", Some(&text), false), format!("sso-A-token=a%3Bb; {common} Path=/"));
        assert_eq!(written("sso_token_a", Some(&text), true), format!("sso_token_a=a%3Bb; {common} Secure; Path=/"));
        assert_eq!(written("sso-A-x", None, false), format!("sso-A-x=; {common} Path=/; Max-Age=0"));
        let odd = ("é \\\"%,/?#".to_owned(), Lifetime::Session);
        assert!(written("sso-A-x", Some(&odd), false).starts_with("sso-A-x=%C3%A9%20%5C%22%25%2C/?#; "));
        let short = ("a".to_owned(), Lifetime::AtMost(Duration::from_secs(60)));
        assert!(written("sso-A-x", Some(&short), false).ends_with("; Max-Age=60"));
    }

    #[test]
    fn changes_lie_over_what_was_sent() {
        let mut store = store("a=1; b=2", false);
        store.set("c", "3", Lifetime::Session);
        store.set("a", "4", Lifetime::Session);
        store.remove("b");
        store.remove("d");
        assert_eq!(
            (store.get("a").as_deref(), store.get("b"), store.get("c").as_deref()),
            (Some("4"), None, Some("3"))
        );
        let mut keys = store.keys();
        keys.sort();
        assert_eq!(keys, ["a", "c"]);
        store.remove("c");
        // What the browser never had needs no removal there.
        assert_eq!(store.changes.borrow().keys().collect::<Vec<_>>(), ["a", "b"]);
    }
}
