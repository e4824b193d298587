//! Extractors for your own routes: the session of a broker's call, and of a browser.

use std::{ops::Deref, pin::Pin, sync::Arc};

use actix_web::{
    FromRequest, HttpRequest,
    cookie::Cookie,
    dev::Payload,
    error::InternalError,
    http::{Method, header},
};
use sso_core::wire::{ACTIVITY_HEADER, ACTIVITY_NONE, User};

use super::{
    Site,
    answer::{ApiFailure, failed_page},
    clear::check_page,
    request::{accepts_html, header_text, site_of},
};
use crate::{
    error::Error,
    operations::session_lookup::BrokerCall,
    server::browser::{Browser, Visit},
    session::Session,
};

/// An authenticated call of a broker and its session. If a user is logged in, the user may use the broker. Otherwise
/// the request is answered as in the broker API: 401, 403, or 503.
#[derive(Clone, Debug)]
pub struct ApiCall(BrokerCall);

impl Deref for ApiCall {
    type Target = BrokerCall;

    fn deref(&self) -> &BrokerCall {
        &self.0
    }
}

/// The future of an extractor.
pub(super) type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, actix_web::Error>>>>;

impl FromRequest for ApiCall {
    type Error = actix_web::Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let call = broker_call(site_of(&request)?, &request).await.and_then(BrokerCall::require_allowed);
            Ok(Self(call.map_err(ApiFailure::from)?))
        })
    }
}

/// The session of a call, even if nobody is logged in.
pub(super) async fn broker_call(site: &Site, request: &HttpRequest) -> Result<BrokerCall, Error> {
    broker_call_as(site, request, is_by_person(request)).await
}

/// The same, but the caller decides whether it extends the login.
pub(super) async fn broker_call_as(site: &Site, request: &HttpRequest, by_person: bool) -> Result<BrokerCall, Error> {
    site.server().broker_call(header_text(request, header::AUTHORIZATION), by_person).await
}

/// The browser's session on a visit to a page of the server: it extends the login.
#[derive(Clone, Debug)]
pub struct PageVisit {
    /// The session, if there is one.
    pub session: Option<Arc<Session>>,
    /// The cookie to set on the answer.
    pub set_cookie: Option<Cookie<'static>>,
}

impl PageVisit {
    /// The session and its user, if somebody is logged in.
    pub fn user(&self) -> Option<(&Arc<Session>, &User)> {
        let session = self.session.as_ref()?;
        Some((session, session.user()?))
    }

    /// The browser with its present cookie: the visit may have replaced the one that was sent.
    pub(super) fn browser(&self, sent: Browser) -> Browser {
        let renewed = self.set_cookie.as_ref().and_then(|cookie| cookie.value().parse().ok());
        Browser { cookie: renewed.or(sent.cookie), ..sent }
    }
}

impl FromRequest for PageVisit {
    type Error = actix_web::Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Ok(visitor_of(&request, false).await?.visitor) })
    }
}

/// A visit to a page that also logs in the user of a remembered browser, such as a home page.
#[derive(Clone, Debug)]
pub struct RememberMeVisit {
    /// The visit; the user of a remembered browser is logged in.
    pub visitor: PageVisit,
    /// The remember-me cookie to set on the answer.
    pub remember_cookie: Option<Cookie<'static>>,
}

impl RememberMeVisit {
    /// Both cookies.
    pub fn cookies(self) -> impl Iterator<Item = Cookie<'static>> {
        self.visitor.set_cookie.into_iter().chain(self.remember_cookie)
    }
}

impl FromRequest for RememberMeVisit {
    type Error = actix_web::Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { visitor_of(&request, true).await })
    }
}

/// `logs_in`: the page also logs in the user of a remembered browser.
async fn visitor_of(request: &HttpRequest, logs_in: bool) -> Result<RememberMeVisit, actix_web::Error> {
    let site = site_of(request)?;
    check_page(request, site)?;
    let (server, browser) = (site.server(), site.browser(request));
    let found = match is_visit(request) {
        false => server.session_of(browser).await.map(|session| session.map(Visit::unchanged)),
        true if logs_in => server.visit_with_remember_me(browser).await,
        true => server.visit(browser).await,
    };
    let found = found.map_err(|error| -> actix_web::Error {
        if accepts_html(request) {
            let page = failed_page(site, &error.clone().into());
            return InternalError::from_response(error, page).into();
        }
        ApiFailure::from(error).into()
    })?;
    let remember_cookie = found.as_ref().and_then(|visit| site.remember_cookie(&visit.remember));
    let set_cookie = found.as_ref().and_then(|visit| visit.set_cookie.as_ref());
    let visitor = PageVisit {
        set_cookie: set_cookie.map(|value| site.0.cookies.set_session(value)),
        session: found.map(|visit| visit.session),
    };
    Ok(RememberMeVisit { visitor, remember_cookie })
}

/// Whether a person navigated to a page. A prefetch, an image or frame of another site's page, HEAD, or a script that
/// declares itself is no activity.
pub(super) fn is_visit(request: &HttpRequest) -> bool {
    request.method() != Method::HEAD
        && fetch_mode(request).is_none_or(|mode| mode == NAVIGATE)
        && fetch_dest(request).is_none_or(|dest| dest == DOCUMENT)
        && !header_text(request, header::HeaderName::from_static("sec-purpose"))
            .is_some_and(|purpose| purpose.contains("prefetch"))
        && is_by_person(request)
}

/// Whether the browser declares a top-level navigation. Scripts can neither fake this nor set headers of such a
/// request. Browsers that send no such headers (older ones, and all over http to other than loopback names) do not
/// prove it.
pub(super) fn is_navigation(request: &HttpRequest) -> bool {
    fetch_mode(request) == Some(NAVIGATE) && fetch_dest(request) == Some(DOCUMENT)
}

const NAVIGATE: &str = "navigate";
const DOCUMENT: &str = "document";

fn fetch_mode(request: &HttpRequest) -> Option<&str> {
    header_text(request, header::HeaderName::from_static("sec-fetch-mode"))
}

fn fetch_dest(request: &HttpRequest) -> Option<&str> {
    header_text(request, header::HeaderName::from_static("sec-fetch-dest"))
}

/// Whether a person may be behind the request: it does not declare otherwise.
pub(super) fn is_by_person(request: &HttpRequest) -> bool {
    let activity = request.headers().get(ACTIVITY_HEADER);
    activity.is_none_or(|value| !value.as_bytes().eq_ignore_ascii_case(ACTIVITY_NONE.as_bytes()))
}
