//! Form tokens: proof that a form was served by this site, to this browser, and when.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::{base36, checksum::MacKey};

/// The key of a site's form tokens (CSRF protection; OWASP calls this the signed double-submit cookie).
///
/// A token is `<served>.<MAC>`: a MAC over the form's name and page, the instant at which the page was served, and
/// something that only this browser holds (a cookie's value). So it needs no record anywhere.
#[derive(Clone)]
pub struct FormKey(MacKey);

/// The site did not serve this form to this browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this form was not served to this browser")]
pub struct Forged;

impl FormKey {
    /// Derives the key from a secret of the site's; sites with the same secret accept each other's tokens.
    pub fn new(secret: &[u8]) -> Self {
        Self(MacKey::new(secret).derive("form token"))
    }

    /// The token of a page of a form (`login`, `profile/2`), served at this instant (milliseconds since the epoch) to
    /// the browser that holds `binding`.
    pub fn token(&self, page: &str, binding: &str, served: i64) -> String {
        format!("{served}.{}", self.mac(page, binding, served))
    }

    /// When the page was served that a token came from. Compares in constant time.
    pub fn served(&self, page: &str, binding: &str, token: &str) -> Result<i64, Forged> {
        let (served, mac) = token.split_once('.').ok_or(Forged)?;
        let served = served.parse().map_err(|_| Forged)?;
        let is_ours: bool = self.mac(page, binding, served).as_bytes().ct_eq(mac.as_bytes()).into();
        if is_ours { Ok(served) } else { Err(Forged) }
    }

    fn mac(&self, page: &str, binding: &str, served: i64) -> String {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        let head = format!("{served}:{}:", page.len());
        base36::exact(&self.0.mac(&[&head, page, binding]))
    }
}

impl fmt::Debug for FormKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_page_one_browser_one_instant_and_one_site() {
        let key = FormKey::new(b"site");
        let token = key.token("login", "browser", 1_000);
        assert_eq!(key.served("login", "browser", &token), Ok(1_000));
        assert_eq!(FormKey::new(b"site").served("login", "browser", &token), Ok(1_000));
        let later = token.replace("1000.", "2000.");
        for (key, page, binding, token) in [
            (&key, "logout", "browser", token.as_str()),
            (&key, "login", "other", &token),
            (&key, "login", "browser", &later),
            (&key, "login", "browser", ""),
            (&key, "login", "browser", "1000."),
            (&key, "login", "browser", "1000"),
            (&FormKey::new(b"other"), "login", "browser", &token),
        ] {
            assert_eq!(key.served(page, binding, token), Err(Forged), "{page} {binding} {token}");
        }
        assert_ne!(key.token("ab", "c", 1), key.token("a", "bc", 1));
    }
}
