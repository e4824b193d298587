//! A layer around other people's middleware that reads cookies more kindly than browsers mean them.

use std::{rc::Rc, sync::Arc};

use actix_web::{
    Error, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    http::header::{self, HeaderMap, HeaderValue},
    middleware::{Next, from_fn},
};
use sso_core::{SentCookies, cookie::pieces};
use url::Url;

use super::translate::request_of;
use crate::{
    Pages,
    site::{clear_cookies::answer_in_place, pages::PlainPages},
};

/// Gives actix-session only cookies that browsers mean as it reads them. Wrap it *after* (outside of) actix-session's
/// middleware, around everything that reads cookies.
///
/// actix-session finds its cookie by actix-web's reader, which decodes names, strips Unicode white space, takes the
/// first of two, and finds nothing at all where one cookie is no UTF-8. A sibling host can use each of these: browsers
/// let it set `__Host%2Did` and `\u{2000}__Host-id` for the parent domain, and actix-web reads them as `__Host-id`. So
/// this layer takes out of the request
///
/// - every cookie whose name is not a token, or has a `%` in it, or whose value is not UTF-8: applications must not use
///   such cookies;
/// - the session's cookie, if it comes twice with different values. Pages then say so, and offer to delete the cookies
///   (`POST /sso/clear-cookies`); scripts get a JSON error. These answers have base headers where a
///   layer of [`base_headers`](super::base_headers) is around this one.
///
/// ```
/// # use actix_session::{SessionMiddleware, storage::CookieSessionStore};
/// # use actix_web::{App, cookie::Key};
/// # use sso_broker::actix::PlainCookies;
/// # fn app(key: Key) -> Result<(), url::ParseError> {
/// let sessions = SessionMiddleware::builder(CookieSessionStore::default(), key);
/// let sessions = sessions.cookie_name("__Host-id".into()).build();
/// let cookies = PlainCookies::new("https://forum.example.com".parse()?, "__Host-id");
/// let app = App::new().wrap(sessions).wrap(cookies.layer());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PlainCookies {
    site: Url,
    guarded: Vec<String>,
    pages: Arc<dyn Pages>,
}

impl PlainCookies {
    /// `site`: the application's origin as browsers see it. `session_cookie`: the name that its actix-session has.
    pub fn new(site: Url, session_cookie: impl Into<String>) -> Self {
        Self { site, guarded: vec![session_cookie.into()], pages: Arc::new(PlainPages) }
    }

    /// Another cookie that must not come twice.
    #[must_use]
    pub fn guard(mut self, cookie: impl Into<String>) -> Self {
        self.guarded.push(cookie.into());
        self
    }

    /// Shows the problem in a page of your own.
    #[must_use]
    pub fn pages(mut self, pages: impl Pages + 'static) -> Self {
        self.pages = Arc::new(pages);
        self
    }

    /// The layer, for `App::wrap`.
    pub fn layer<S, B>(
        &self,
    ) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<EitherBody<B>>, Error = Error, InitError = ()>
    + use<S, B>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        let cookies = Rc::new(self.clone());
        from_fn(move |mut request: ServiceRequest, next: Next<B>| {
            let cookies = cookies.clone();
            async move {
                if let Some(answer) = cookies.read(&mut request) {
                    return Ok(request.into_response(answer).map_into_right_body());
                }
                Ok(next.call(request).await?.map_into_left_body())
            }
        })
    }

    /// Leaves the plain ones; or the answer to give in the application's place.
    fn read(&self, request: &mut ServiceRequest) -> Option<HttpResponse> {
        let is_guarded = |name: &str| self.guarded.iter().any(|guarded| guarded == name);
        let sent = request_of(request.request());
        let ambiguous = sent.cookies().ambiguous(is_guarded);
        let answer = answer_in_place(&sent, &self.site, None, self.pages.as_ref(), ambiguous.as_ref());
        let answer = answer.map(HttpResponse::from);
        if answer.is_none() {
            leave_plain_ones(request.headers_mut(), is_guarded);
        }
        answer
    }
}

/// Writes the `Cookie` field anew, with what browsers and actix-web read alike.
fn leave_plain_ones(headers: &mut HeaderMap, is_guarded: impl Fn(&str) -> bool) {
    let fields: Vec<HeaderValue> = headers.remove(header::COOKIE).collect();
    let fields = || fields.iter().map(HeaderValue::as_bytes);
    let sent = SentCookies::read(fields());
    let is_plain = |(name, value): &(&str, &[u8])| {
        let is_known = || sent.get(name).is_ok_and(|known| known.is_some_and(|known| known.as_bytes() == *value));
        !name.contains('%') && std::str::from_utf8(value).is_ok() && (!is_guarded(name) || is_known())
    };
    let plain: Vec<_> = fields().flat_map(pieces).filter(is_plain).collect();
    let plain: Vec<_> = plain.iter().map(|(name, value)| [name.as_bytes(), b"=", value].concat()).collect();
    if let Ok(field) = HeaderValue::from_bytes(&plain.join(b"; ".as_slice()))
        && !field.is_empty()
    {
        headers.insert(header::COOKIE, field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(fields: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::COOKIE, HeaderValue::from_bytes(field).unwrap());
        }
        leave_plain_ones(&mut headers, |name| name == "__Host-id");
        let left = headers.get_all(header::COOKIE).map(|field| String::from_utf8(field.as_bytes().to_vec()).unwrap());
        left.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn what_may_be_read_otherwise_is_left_out() {
        for other in ["\u{2000}__Host-id=x", "__Host%2Did=x", "\u{85}__Host-id=x", "__Host-id =x", "zz", "=__Host-id=x"]
        {
            assert_eq!(left(&[other.as_bytes(), b"__Host-id=a"]), "__Host-id=a", "{other}");
            assert_eq!(left(&[other.as_bytes()]), "", "{other}");
        }
        assert_eq!(left(&[b"zz=a\xff; __Host-id=a"]), "__Host-id=a");
        assert_eq!(left(&[b"\xff; __Host-id=a", b"b=1"]), "__Host-id=a; b=1");
    }

    #[test]
    fn the_guarded_cookie_comes_once_and_others_as_they_were_sent() {
        assert_eq!(
            left(&[b"__Host-id=a; b=2;b=1; c=\"x, y\"; d=J\xc3\xb6rg"]),
            "__Host-id=a; b=2; b=1; c=\"x, y\"; d=J\u{f6}rg"
        );
        assert_eq!(left(&[b"__Host-id=a; __Host-id=b; c=1"]), "c=1");
        assert_eq!(left(&[b"__Host-id=\"b\"; __Host-id=a"]), "__Host-id=a");
        assert_eq!(left(&[]), "");
    }
}
