//! The proof in a link out: that a page of this application wrote it, for this very login.

use std::fmt;

use sso_core::{base36, checksum::MacKey};
use subtle::ConstantTimeEq;

use crate::Login;

/// Somebody who is logged in, for whom links out are written.
#[derive(Clone, Copy)]
pub struct Leaver<'a> {
    /// Who.
    pub username: &'a str,
    /// What no other login has, such as [`Login::id`]. No page and no address shows it.
    pub login: &'a str,
}

impl<'a> From<&'a Login> for Leaver<'a> {
    fn from(login: &'a Login) -> Self {
        Self { username: login.username(), login: login.id() }
    }
}

impl fmt::Debug for Leaver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaver").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What proves the links of one application, and nothing else.
#[derive(Debug)]
pub struct LinkKey(MacKey);

impl LinkKey {
    /// The key of one application. `secret`: its own. `origin`: where it is: another application of the same secret
    /// writes links of its own.
    pub fn new(secret: &[u8], origin: &str) -> Self {
        Self(MacKey::new(secret).derive(&format!("hand-off link {origin}")))
    }

    /// The proof in a link to `url`, on a page for this login.
    pub fn proof(&self, leaver: Leaver<'_>, url: &str) -> String {
        let Leaver { username, login } = leaver;
        // The lengths keep ("ab", "c") and ("a", "bc") apart.
        let head = format!("{}:{}:", login.len(), username.len());
        base36::exact(&self.0.mac(&[&head, login, username, url]))
    }

    /// Whether that is the proof of this link, for this login. Compares in constant time.
    pub fn proves(&self, leaver: Leaver<'_>, url: &str, proof: &str) -> bool {
        self.proof(leaver, url).as_bytes().ct_eq(proof.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_for_one_page_one_user_one_login_and_one_application() {
        let (shop, jackie) = ("https://shop.example", Leaver { username: "jackie", login: "first" });
        let (key, page) = (LinkKey::new(b"secret", shop), "https://forum.example/a");
        let proof = key.proof(jackie, page);
        assert!(key.proves(jackie, page, &proof) && LinkKey::new(b"secret", shop).proves(jackie, page, &proof));
        for (key, leaver, page, proof) in [
            (&key, jackie, "https://forum.example/b", proof.as_str()),
            (&key, Leaver { username: "john", ..jackie }, page, &proof),
            (&key, Leaver { login: "third", ..jackie }, page, &proof),
            (&key, Leaver { username: "irstjackie", login: "f" }, page, &proof),
            (&LinkKey::new(b"other secret", shop), jackie, page, &proof),
            (&LinkKey::new(b"secret", "https://shop.example:8443"), jackie, page, &proof),
            (&key, jackie, page, ""),
            (&key, jackie, page, &proof[1..]),
        ] {
            assert!(!key.proves(leaver, page, proof), "{leaver:?} {page} {proof}");
        }
    }
}
