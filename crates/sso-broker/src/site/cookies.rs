//! A visitor's cookies, and other entries, as token stores: what came with the request, under the changes made since.

use std::{borrow::Cow, collections::BTreeMap};

use percent_encoding::percent_decode_str;
use sso_core::SentCookies;

use crate::{Lifetime, TokenStore};

/// What changes, by key; `None` is a removal.
type Changes = BTreeMap<String, Option<(String, Lifetime)>>;

/// The entries that came with a request, under the changes made since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    sent: BTreeMap<String, String>,
    changes: Changes,
}

impl Entries {
    pub(crate) fn new(sent: BTreeMap<String, String>) -> Self {
        Self { sent, changes: Changes::new() }
    }

    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }
}

impl TokenStore for Entries {
    fn get(&self, key: &str) -> Option<String> {
        match self.changes.get(key) {
            Some(change) => change.as_ref().map(|(value, _)| value.clone()),
            None => self.sent.get(key).cloned(),
        }
    }

    fn set(&mut self, key: &str, value: &str, lifetime: Lifetime) {
        self.changes.insert(key.to_owned(), Some((value.to_owned(), lifetime)));
    }

    fn remove(&mut self, key: &str) {
        if self.sent.contains_key(key) {
            self.changes.insert(key.to_owned(), None);
        } else {
            self.changes.remove(key);
        }
    }

    fn keys(&self) -> Vec<String> {
        let kept = self.sent.keys().filter(|key| !self.changes.contains_key(*key));
        let set = self.changes.iter().filter(|(_, change)| change.is_some()).map(|(key, _)| key);
        kept.chain(set).cloned().collect()
    }
}

/// A visitor's cookies: those of the request, under the changes made since.
///
/// All are `HttpOnly`, `SameSite=Lax`, `Path=/`. On an https site they are `Secure`, and our own have the `__Host-`
/// prefix, with which browsers take a cookie from this very host only, not from its siblings. Names are compared byte
/// for byte, and a cookie that comes twice with different values has none; see [`SentCookies`].
///
/// ```
/// use sso_broker::{Lifetime, TokenStore, site::CookieJar};
///
/// // All `Cookie` headers of the request, in any number.
/// let mut jar = CookieJar::read([b"__Host-sso-Alice-token=a; theme=dark".as_slice()], true);
/// assert_eq!(jar.get("sso-Alice-token").as_deref(), Some("a"));
/// jar.set("sso-Alice-token", "b;c", Lifetime::Session);
/// // Values of `Set-Cookie`, to be appended to the answer, which no cache may keep then.
/// let cookies: Vec<String> = jar.set_cookies().collect();
/// assert_eq!(cookies, ["__Host-sso-Alice-token=b%3Bc; HttpOnly; SameSite=Lax; Secure; Path=/"]);
/// ```
#[derive(Clone, Debug)]
pub struct CookieJar {
    entries: Entries,
    is_https: bool,
}

impl CookieJar {
    /// Reads the values of all `Cookie` headers. `is_https`: whether browsers see the site at an https URL.
    pub fn read<'a>(fields: impl IntoIterator<Item = &'a [u8]>, is_https: bool) -> Self {
        let sent = SentCookies::read(fields);
        let read = |(name, value)| Some((key_of(name, is_https)?.to_owned(), decoded(value)?));
        Self { entries: Entries::new(sent.iter().filter_map(read).collect()), is_https }
    }

    /// The changes, as values of `Set-Cookie`.
    pub fn set_cookies(&self) -> impl Iterator<Item = String> {
        self.entries.changes().iter().map(|(key, change)| written(key, change.as_ref(), self.is_https))
    }
}

impl TokenStore for CookieJar {
    fn get(&self, key: &str) -> Option<String> {
        self.entries.get(key)
    }

    fn set(&mut self, key: &str, value: &str, lifetime: Lifetime) {
        self.entries.set(key, value, lifetime);
    }

    fn remove(&mut self, key: &str) {
        self.entries.remove(key);
    }

    fn keys(&self) -> Vec<String> {
        self.entries.keys()
    }

    /// Common servers take 8 KB of cookies; those of the application and ours that stay need the rest.
    fn room(&self) -> usize {
        6 << 10
    }
}

/// The key of a cookie; `None`: it is not ours, whatever it looks like. A planted cookie without the prefix does not
/// count as one that has it.
pub(crate) fn key_of(name: &str, is_https: bool) -> Option<&str> {
    let key = name.strip_prefix("__Host-").unwrap_or(name);
    (name_of(key, is_https) == name).then_some(key)
}

fn name_of(key: &str, is_https: bool) -> String {
    if is_https && is_our_own(key) { format!("__Host-{key}") } else { key.to_owned() }
}

fn decoded(value: &str) -> Option<String> {
    percent_decode_str(value).decode_utf8().ok().map(Cow::into_owned)
}

/// The cookie that makes a change. What cookies cannot hold in its text is percent-encoded, and nothing else: a page is
/// long enough.
fn written(key: &str, change: Option<&(String, Lifetime)>, is_https: bool) -> String {
    let (value, max_age) = match change {
        Some((value, Lifetime::Session)) => (value.as_str(), None),
        Some((value, Lifetime::AtMost(age))) => (value.as_str(), Some(age.as_secs())),
        None => ("", Some(0)),
    };
    let (name, value) = (name_of(key, is_https), encoded(value));
    let secure = if is_https { "; Secure" } else { "" };
    let max_age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    format!("{name}={value}; HttpOnly; SameSite=Lax{secure}; Path=/{max_age}")
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

/// A store out of which nothing is taken.
pub(crate) struct Kept<'a>(pub(crate) &'a mut dyn TokenStore);

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

    use super::*;

    fn store(cookies: &str, is_https: bool) -> CookieJar {
        CookieJar::read([cookies.as_bytes()], is_https)
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
        assert_eq!(store.entries.changes().keys().collect::<Vec<_>>(), ["a", "b"]);
    }
}
