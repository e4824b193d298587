//! The broker on actix-web: [`Sso`] holds the parts, a middleware and some routes serve them, extractors use them.
//!
//! # Layout
//!
//! - [`visitor`]: the extractors of pages; [`session`]: the handle for everything else, and form tokens
//! - `attach`: `/sso/attach`, `/sso/login`, and the way back; `ajax`: `/sso/ajax/…` for a page's script;
//!   `departure`: what both begin with, from the right host and with the wanted page kept;
//!   `popup`: `/sso/session…` for the script that warns of the login's end; `script`: what both need; `logout`: `/sso/logout`
//! - `middleware`: writes what a request changed, and answers its errors, with `failure`; `error`: those
//!   errors; `answer`: what answers are made of
//! - `headers`: what every answer carries
//! - `asker`: who is asking, a person's page visit or something else; `sent_form`: what they sent, if it was a form
//! - `tokens`: cookies and sessions as token stores; `cookies`: how cookies are read; [`PlainCookies`]: the same for actix-session
//! - [`pages`]: what a visitor reads when something goes wrong

mod ajax;
mod answer;
mod asker;
mod attach;
mod cookies;
mod departure;
mod error;
mod failure;
mod headers;
mod logout;
mod middleware;
pub mod pages;
mod plain_cookies;
mod popup;
mod script;
mod sent_form;
pub mod session;
mod tokens;
pub mod visitor;

use std::sync::Arc;

use actix_web::{
    Error, HttpRequest, HttpResponse, Route,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    guard,
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};
use serde::{Deserialize, Serialize};

use sso_core::BaseHeaders;

use self::{headers::with_headers, middleware::serve};
use crate::{Broker, TokenStore};

pub use asker::sent_by;
pub use error::{FormRefused, LogoutRefused, MissingMiddleware};
pub use headers::base_headers;
pub use pages::{Leave, Pages, Problem, ProblemKind, Script};
pub use plain_cookies::PlainCookies;
pub use session::SsoSession;
pub use visitor::{OptionalVisitor, Visitor};

/// A broker, ready to be put into an actix-web `App`. Clones share everything.
///
/// ```
/// # use actix_web::App;
/// # use sso_broker::{Broker, Secret, SilentMode, Sso};
/// # let broker = Broker::builder("https://sso.example/attach", "Alice".parse()?, Secret::generate())
/// #     .public_url("https://alice.example").build()?;
/// let sso = Sso::new(broker).ajax(SilentMode::Json);
/// let app = App::new().wrap(sso.middleware()).configure(sso.routes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Sso {
    broker: Broker,
    storage: Storage,
    pages: Arc<dyn Pages>,
    /// `None`: there is no AJAX side.
    silent: Option<SilentMode>,
    headers: BaseHeaders,
}

/// How a page's script attaches silently. The server's entry for this broker must say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilentMode {
    /// `fetch` with credentials.
    Json,
    /// A script element. The only way with a jasny/sso server.
    Jsonp,
}

/// Makes the store of the visitor who sends a request.
type MakeStore = dyn Fn(&HttpRequest) -> Box<dyn TokenStore> + Send + Sync;

/// Where visitors' tokens are kept.
#[derive(Clone)]
enum Storage {
    Cookies,
    Session,
    Custom(Arc<MakeStore>),
}

impl Sso {
    /// Serves this broker, with tokens in cookies and plain error pages.
    pub fn new(broker: Broker) -> Self {
        let headers = BaseHeaders::new(broker.public_url());
        Self { broker, storage: Storage::Cookies, pages: Arc::new(pages::PlainPages), silent: None, headers }
    }

    /// The `Content-Security-Policy` of pages that set none themselves, the error pages among them. Without it they have one that forbids
    /// only frames, plugins and another base. A page whose script attaches silently needs the server's origin in `connect-src`, or with JSONP in `script-src`.
    /// A page with a form needs it in `form-action`, if the policy has that: after a logout, say, the visitor may be
    /// attached anew, and Chromium follows no redirect of a form that its page does not allow.
    pub fn page_policy(self, policy: impl Into<String>) -> Self {
        Self { headers: self.headers.page_policy(policy), ..self }
    }

    /// Keeps tokens in actix-session, whose middleware must be the outer one, wrapped after ours. Its cookie must be
    /// `SameSite=Lax`: under `Strict` a visitor who comes back from the server seems to have no cookies. Around both belongs
    /// [`PlainCookies`], without which other sites can plant that cookie.
    ///
    /// With actix-session's cookie store everything must fit in 4 KB, also the pages that several tabs wait for: prefer a store
    /// at the server, or the default.
    pub fn tokens_in_session(mut self) -> Self {
        self.storage = Storage::Session;
        self
    }

    /// Keeps tokens in a store of your own, made once for each request that needs it.
    pub fn tokens_in(mut self, make: impl Fn(&HttpRequest) -> Box<dyn TokenStore> + Send + Sync + 'static) -> Self {
        self.storage = Storage::Custom(Arc::new(make));
        self
    }

    /// Shows errors in pages of your own.
    pub fn pages(mut self, pages: impl Pages + 'static) -> Self {
        self.pages = Arc::new(pages);
        self
    }

    /// Also serves `/sso/ajax/…`, for pages whose script does it all.
    pub fn ajax(mut self, mode: SilentMode) -> Self {
        self.silent = Some(mode);
        self
    }

    /// The routes, for `App::configure`: the return path, `/sso/attach?to=/page`, `/sso/login?to=/page` (with
    /// `max_age=60` for a password typed a minute ago at most), `/sso/session` for the script that warns of the login's
    /// end, `/sso/logout` for the pages of the broker itself, `/sso/long-page` for addresses that no cookie can hold,
    /// and the AJAX side.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let sso = self.clone();
        move |config| {
            attach::routes(config, sso.broker.return_path());
            departure::routes(config);
            popup::routes(config);
            logout::routes(config);
            if let Some(mode) = sso.silent {
                ajax::routes(config, mode);
            }
        }
    }

    /// The middleware, for `App::wrap`. Extractors and routes work only inside it. It also gives every answer the headers that it should carry, unless
    /// the answer sets them itself: no sniffing, no frames, no window that another site's page holds, no use by other sites' pages, https only where
    /// the public URL is https.
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
            async move { with_headers(serve(&sso, request, next).await, &sso.headers) }
        })
    }

    /// The answer while a cookie with a visitor's token, or of an attach under way, comes twice with different values.
    fn answer_in_place(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let Self { broker, pages, .. } = self;
        let is_https = broker.public_url().scheme() == "https";
        let is_ours = |name: &str| tokens::key_of(name, is_https).is_some_and(|key| broker.0.shelf.is_ours(key));
        let in_cookies = matches!(self.storage, Storage::Cookies);
        let ambiguous = in_cookies.then(|| cookies::cookies_of(request).ambiguous(is_ours)).flatten();
        let return_path = Some(broker.return_path());
        cookies::answer_in_place(request, broker.public_url(), return_path, pages.as_ref(), ambiguous.as_ref())
    }

    /// The broker that is served.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }
}

/// A route for GET and HEAD, for pages of yours too: who only looks (`curl -I`, a health check) asks with HEAD, and is sent to the server and
/// back as a visitor is.
///
/// ```
/// # use actix_web::App;
/// # use sso_broker::{Visitor, web::get_or_head};
/// # async fn home(visitor: Visitor) -> String { String::new() }
/// let app = App::new().route("/", get_or_head().to(home));
/// ```
pub fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}
