//! Forms of the server's pages: bound to one browser, and accepted only from the server's own pages.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, cookie::Cookie, dev::Payload, web};
use sso_core::SentBy;

use super::{
    Site,
    clear::check_page,
    request::{sent_by, site_of},
};
use crate::{
    operations::form_token::{FormError, TimeLimit},
    session::CookieValue,
};

/// The name of the logout form in its tokens. Any page may include it: [`FormTokens::token`] makes its token, and it
/// posts to `/logout`.
pub const LOGOUT_FORM: &str = "logout";

/// A browser's form tokens: an extractor for pages that show forms and for what receives them.
///
/// A page puts [`token`](Self::token) into its form and [`set_cookie`](Self::set_cookie) on its answer.
#[derive(Clone, Debug)]
pub struct FormTokens {
    site: web::Data<Site>,
    binding: String,
    is_new: bool,
    sent_by: SentBy,
    /// The request is a GET or HEAD.
    is_safe: bool,
}

impl FormTokens {
    /// The token for the hidden field `form_token` of this page of a form, as served now.
    pub fn token(&self, page: &str) -> String {
        self.site.server().form_token(page, &self.binding)
    }

    /// The cookie that the tokens are bound to, if the browser has none yet.
    ///
    /// A POST from another site's page comes without the cookie although the browser has it. A new cookie would
    /// invalidate the forms in open tabs.
    pub fn set_cookie(&self) -> Option<Cookie<'static>> {
        let is_known_to_be_missing = self.is_safe || self.sent_by != SentBy::Other;
        (self.is_new && is_known_to_be_missing).then(|| self.site.0.cookies.set_form(&self.binding))
    }

    /// Checks that a POST with this token came from this page of a form, in this browser, from this site, and in time.
    pub fn check(&self, page: &str, token: &str, limit: TimeLimit) -> Result<(), FormError> {
        if self.is_new || self.sent_by == SentBy::Other {
            return Err(FormError::InvalidToken);
        }
        self.site.server().check_form(page, &self.binding, token, limit)
    }

    fn of(request: &HttpRequest) -> Result<Self, actix_web::Error> {
        let site = site_of(request)?;
        check_page(request, site)?;
        let known = site.0.cookies.form(request);
        let is_new = known.is_none();
        let binding = known.unwrap_or_else(|| CookieValue::generate().expose().to_owned());
        let (sent_by, is_safe) = (sent_by(request, site), request.method().is_safe());
        Ok(Self { site: site.clone(), binding, is_new, sent_by, is_safe })
    }
}

impl FromRequest for FormTokens {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}
