//! Forms of the server's pages: made for this browser, and accepted only from its own pages.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, cookie::Cookie, dev::Payload, http::header, web};
use sso_core::SentBy;

use super::{Site, answer::header_text, clear::check_page};
use crate::{
    form::{FormRefusal, TimeLimit},
    session::CookieValue,
};

/// A browser's form tokens: an extractor for pages that show forms and for what receives them.
///
/// A page puts [`token`](Self::token) into its form and [`set_cookie`](Self::set_cookie) on its answer.
#[derive(Clone, Debug)]
pub struct Form {
    site: web::Data<Site>,
    binding: String,
    is_new: bool,
    sent_by: SentBy,
}

impl Form {
    /// The token for the hidden field `form_token` of this page of a form, as served now.
    pub fn token(&self, page: &str) -> String {
        self.site.server().form_token(page, &self.binding)
    }

    /// The cookie that the tokens are bound to, if the browser has none yet.
    pub fn set_cookie(&self) -> Option<Cookie<'static>> {
        self.is_new.then(|| self.site.0.cookies.set_form(&self.binding))
    }

    /// Whether a POST with this token came from this page of a form, in this browser, on a page of this site, and in time.
    pub fn check(&self, page: &str, token: &str, limit: TimeLimit) -> Result<(), FormRefusal> {
        if self.is_new || self.sent_by == SentBy::Other {
            return Err(FormRefusal::Forged);
        }
        self.site.server().check_form(page, &self.binding, token, limit)
    }
}

impl FromRequest for Form {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(site) = request.app_data::<web::Data<Site>>().cloned() else {
            return ready(Err(super::extract::not_configured()));
        };
        if let Err(ambiguous) = check_page(request, &site) {
            return ready(Err(ambiguous));
        }
        let known = site.0.cookies.form(request);
        let is_new = known.is_none();
        let binding = known.unwrap_or_else(|| CookieValue::generate().expose().to_owned());
        let sent_by = sent_by(request, site.server().public_url());
        ready(Ok(Self { site, binding, is_new, sent_by }))
    }
}

/// Which page sent a request to the server at this URL.
pub(super) fn sent_by(request: &HttpRequest, public_url: &url::Url) -> SentBy {
    let fetch_site = header_text(request, header::HeaderName::from_static("sec-fetch-site"));
    SentBy::of(fetch_site, header_text(request, header::ORIGIN), public_url)
}
