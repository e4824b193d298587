//! What a browser sends to identify itself, and the cookies that it gets back.

use std::{fmt, str::FromStr, sync::Arc};

use crate::session::{CookieValue, Fingerprint, Session};

/// What a browser sends to identify itself.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// Its session cookie.
    pub cookie: Option<CookieValue>,
    /// Its fingerprint; see [`Server::fingerprint`](crate::Server::fingerprint).
    pub fingerprint: Option<Fingerprint>,
    /// Its name; see [`browser_name`](crate::session::browser_name).
    pub name: Option<String>,
    /// Its remember-me cookie, on a navigation by a person to a page that may use it.
    pub remember: Option<RememberToken>,
    /// Whether the request is provably a navigation to a page, or a form of the server's own. Only then does a changed
    /// fingerprint destroy the session: a script on any page can set the headers of other requests.
    pub navigates: bool,
}

impl Browser {
    /// Ties a session to this browser.
    pub(crate) fn tie(&self, session: &mut Session) {
        session.fingerprint = self.fingerprint;
        session.browser.clone_from(&self.name);
    }
}

impl From<Option<&CookieValue>> for Browser {
    /// A browser that sends only its cookie.
    fn from(cookie: Option<&CookieValue>) -> Self {
        Self { cookie: cookie.cloned(), ..Self::default() }
    }
}

/// A browser's session, and the cookies to set.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The session.
    pub session: Arc<Session>,
    /// The new value of the session cookie, if it changes.
    pub set_cookie: Option<CookieValue>,
    /// What to do with the remember-me cookie.
    pub remember: Remember,
}

impl Visit {
    /// A visit that changes no cookie.
    pub(crate) fn unchanged(session: Arc<Session>) -> Self {
        Self { session, set_cookie: None, remember: Remember::Keep }
    }
}

/// The token in a browser's remember-me cookie. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct RememberToken(String);

/// The text is not a remember-me token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a remember-me token")]
pub struct InvalidRememberToken;

impl RememberToken {
    /// One that the server has signed.
    pub(crate) fn made(token: String) -> Self {
        Self(token)
    }

    /// The text for the `Set-Cookie` header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for RememberToken {
    type Err = InvalidRememberToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_ours = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let fits = (1..=2_048).contains(&text.len()) && text.bytes().all(is_ours);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidRememberToken) }
    }
}

impl fmt::Debug for RememberToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RememberToken(…)")
    }
}

/// What to do with a browser's remember-me cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Remember {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Replace it.
    Set(RememberToken),
    /// Remove it.
    Forget,
}
