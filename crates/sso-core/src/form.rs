//! Form tokens: proof that a form was served by this site, to this browser.

use std::fmt;

use hmac::Hmac;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{base36, checksum, random};

/// The key of a site's form tokens (CSRF protection; OWASP calls this the signed double-submit cookie).
///
/// A token is a MAC over the form's name and something that only this browser holds (a cookie's value), so it needs no record anywhere.
#[derive(Clone)]
pub struct FormKey(Hmac<Sha256>);

impl FormKey {
    /// Derives the key from a secret of the site's; sites with the same secret accept each other's tokens.
    pub fn new(secret: &[u8]) -> Self {
        let derived = checksum::digest(&checksum::keyed(secret), &["form token"]);
        Self(checksum::keyed(&derived))
    }

    /// A key that lives as long as the process.
    pub fn generate() -> Self {
        Self::new(&random::bytes())
    }

    /// The token of the form named `form` for the browser that holds `binding`.
    pub fn token(&self, form: &str, binding: &str) -> String {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        base36::exact(&checksum::digest(&self.0, &[&form.len().to_string(), ":", form, binding]))
    }

    /// Whether `token` is the form's token for this browser, in constant time.
    pub fn accepts(&self, form: &str, binding: &str, token: &str) -> bool {
        self.token(form, binding).as_bytes().ct_eq(token.as_bytes()).into()
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
    fn a_token_is_for_one_form_one_browser_and_one_site() {
        let key = FormKey::new(b"site");
        let token = key.token("login", "browser");
        assert!(key.accepts("login", "browser", &token));
        assert!(FormKey::new(b"site").accepts("login", "browser", &token));
        assert!(!key.accepts("logout", "browser", &token));
        assert!(!key.accepts("login", "other", &token));
        assert!(!key.accepts("login", "browser", ""));
        assert!(!FormKey::generate().accepts("login", "browser", &token));
        assert_ne!(key.token("ab", "c"), key.token("a", "bc"));
    }
}
