//! The server's cookies: the session, what remembers the browser, and what form tokens are bound to.

use std::{str::FromStr, time::Duration};

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time},
    http::header,
};
use sso_core::{AmbiguousCookie, SentCookies};

use crate::{server::browser::RememberToken, session::CookieValue};

/// How the cookies are set.
#[derive(Clone, Debug)]
pub(super) struct Cookies {
    /// The session cookie's name, without a prefix.
    session_name: String,
    /// `__Host-` names and `Secure`: no sibling domain and nobody on the network can plant one (RFC 6265bis section
    /// 4.1.3.2).
    pub(super) secure: bool,
    /// The session cookie also goes with requests from other sites.
    pub(super) cross_site: bool,
}

const FORM: &str = "sso_form";
/// Appended to the session cookie's name: servers that do not share their sessions must not share this one.
const REMEMBER: &str = "_remember";

impl Cookies {
    pub(super) fn new(session_name: &str, secure: bool) -> Self {
        Self { session_name: session_name.to_owned(), secure, cross_site: false }
    }

    /// The browser's session cookie. Only values of the server's own form count.
    pub(super) fn session(&self, request: &HttpRequest) -> Option<CookieValue> {
        sent(request, &self.name(&self.session_name))
    }

    pub(super) fn set_session(&self, value: &CookieValue) -> Cookie<'static> {
        // Browsers refuse `SameSite=None` without `Secure`.
        let same_site = if self.cross_site && self.secure { SameSite::None } else { SameSite::Lax };
        self.cookie(&self.session_name, value.expose(), same_site)
    }

    /// What remembers the browser.
    pub(super) fn remember(&self, request: &HttpRequest) -> Option<RememberToken> {
        sent(request, &self.name(&self.remember_name()))
    }

    /// The remember-me cookie with this lifetime; `None` removes it.
    pub(super) fn set_remember(&self, token: Option<&RememberToken>, lifetime: Duration) -> Cookie<'static> {
        let value = token.map(RememberToken::expose).unwrap_or_default();
        let mut cookie = self.cookie(&self.remember_name(), value, SameSite::Lax);
        let lifetime = if token.is_some() { lifetime } else { Duration::ZERO };
        cookie.set_max_age(time::Duration::try_from(lifetime).unwrap_or(time::Duration::MAX));
        cookie
    }

    fn remember_name(&self) -> String {
        format!("{}{REMEMBER}", self.session_name)
    }

    /// What the browser's form tokens are bound to.
    pub(super) fn form(&self, request: &HttpRequest) -> Option<String> {
        sent(request, &self.name(FORM)).map(|value: CookieValue| value.expose().to_owned())
    }

    pub(super) fn set_form(&self, value: &str) -> Cookie<'static> {
        self.cookie(FORM, value, SameSite::Lax)
    }

    /// One of ours that came twice, with different values. It counts as not sent.
    pub(super) fn ambiguous(&self, request: &HttpRequest) -> Option<AmbiguousCookie> {
        let ours = [self.name(&self.session_name), self.name(&self.remember_name()), self.name(FORM)];
        cookies_of(request).ambiguous(|name| ours.iter().any(|own| own == name))
    }

    fn name(&self, base: &str) -> String {
        if self.secure { format!("__Host-{base}") } else { base.to_owned() }
    }

    fn cookie(&self, base: &str, value: &str, same_site: SameSite) -> Cookie<'static> {
        Cookie::build(self.name(base), value.to_owned())
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(same_site)
            .finish()
    }
}

/// A cookie's value, if it has our form.
fn sent<T: FromStr>(request: &HttpRequest, name: &str) -> Option<T> {
    cookies_of(request).get(name).ok()??.parse().ok()
}

fn cookies_of(request: &HttpRequest) -> SentCookies<'_> {
    SentCookies::read(request.headers().get_all(header::COOKIE).map(|field| field.as_bytes()))
}
