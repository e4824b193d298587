//! The broker on actix-web: a middleware, its routes and the extractors, which translate to [`site`](crate::site) and
//! back.

mod extract;
mod headers;
mod middleware;
mod plain_cookies;
mod translate;

use actix_web::{
    Error, HttpRequest, HttpResponse, Route,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    guard,
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};
use sso_core::SentBy;
use url::Url;

use self::{headers::with_headers, middleware::serve, translate::request_of};
use crate::{Sso, SsoSession, site::store::Storage};

pub use headers::base_headers;
pub use plain_cookies::PlainCookies;

/// With actix-web.
///
/// ```
/// # use actix_web::App;
/// # use sso_broker::{Broker, Secret, Sso};
/// # let broker = Broker::builder("https://sso.example/attach", "Alice".parse()?, Secret::generate())
/// #     .public_url("https://alice.example").build()?;
/// let sso = Sso::new(broker);
/// let app = App::new().wrap(sso.middleware()).configure(sso.routes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Sso {
    /// Keeps tokens in actix-session, whose middleware must be the outer one, wrapped after ours. Its cookie must be
    /// `SameSite=Lax`: under `Strict` a visitor who comes back from the server seems to have no cookies. Around both
    /// belongs [`PlainCookies`], without which other sites can plant that cookie.
    ///
    /// With actix-session's cookie store everything must fit in 4 KB, also the pages that several tabs wait for: prefer
    /// a store at the server, or the default.
    pub fn tokens_in_session(mut self) -> Self {
        self.storage = Storage::Session;
        self
    }

    /// The routes, for `App::configure`: the return path, `/sso/attach?to=/page`, `/sso/login?to=/page` (with
    /// `max_age=60` for a password typed a minute ago at most), `/sso/session` for the script that warns of the login's
    /// end, `/sso/logout` for the pages of the broker itself, `/sso/long-page` for addresses that no cookie can hold,
    /// and the AJAX side.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let sso = self.clone();
        let is_ours = guard::fn_guard(move |context| sso.answers(context.head().uri.path()));
        |config| {
            config.service(web::resource("/{path:.*}").guard(is_ours).to(answer));
        }
    }

    /// The middleware, for `App::wrap`. Extractors and routes work only inside it. It also gives every answer the
    /// headers that it should carry, unless the answer sets them itself: no sniffing, no frames, no window that another
    /// site's page holds, no use by other sites' pages, https only where the public URL is https.
    pub fn middleware<S, B>(
        &self,
    ) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<EitherBody<B>>, Error = Error, InitError = ()>
    + use<S, B>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        let sso = self.clone();
        from_fn(move |request: ServiceRequest, next: Next<B>| {
            let sso = sso.clone();
            async move { with_headers(serve(&sso, request, next).await, sso.base_headers()) }
        })
    }
}

async fn answer(session: SsoSession, body: web::Payload) -> Option<HttpResponse> {
    let body = async { Some(body.to_bytes_limited(Sso::MAX_BODY).await.ok()?.ok()?.to_vec()) };
    Some(session.answer(body).await?.into())
}

/// Which page sent a request to the site at this origin: for forms of your own that have no form token.
pub fn sent_by(request: &HttpRequest, own: &Url) -> SentBy {
    request_of(request).sent_by(own)
}

/// A route for GET and HEAD, for pages of yours too: who only looks (`curl -I`, a health check) asks with HEAD, and is
/// sent to the server and back as a visitor is.
///
/// ```
/// # use actix_web::App;
/// # use sso_broker::{Visitor, actix::get_or_head};
/// # async fn home(visitor: Visitor) -> String { String::new() }
/// let app = App::new().route("/", get_or_head().to(home));
/// ```
pub fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}
