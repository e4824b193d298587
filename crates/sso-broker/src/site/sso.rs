//! A broker with all that its site decides: where tokens are kept, how problems are shown, how scripts attach.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sso_core::BaseHeaders;

use super::{
    answer::Answer,
    clear_cookies,
    cookies::key_of,
    pages::{Pages, PlainPages},
    request::Request,
    sent_form::{self, MAX_FORM},
    store::Storage,
};
use crate::{Broker, TokenStore};

/// A broker, ready to serve a web site. Clones share everything.
///
/// With actix-web its `middleware` and `routes` serve an `App`, with axum its `layer` a `Router`. With another
/// framework, see [`site`](crate::site).
///
/// ```
/// # use sso_broker::{Broker, Secret, SilentMode, Sso};
/// # let broker = Broker::builder("https://sso.example/attach", "Alice".parse()?, Secret::generate())
/// #     .public_url("https://alice.example").build()?;
/// let sso = Sso::new(broker).ajax(SilentMode::Json);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Sso {
    pub(super) broker: Broker,
    pub(crate) storage: Storage,
    pub(super) pages: Arc<dyn Pages>,
    /// `None`: there is no AJAX side.
    pub(super) silent: Option<SilentMode>,
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

impl Sso {
    /// How much of a form is read before its handler does, in bytes.
    pub const MAX_FORM: usize = MAX_FORM;

    /// Serves this broker, with tokens in cookies and plain error pages.
    pub fn new(broker: Broker) -> Self {
        let headers = BaseHeaders::new(broker.public_url());
        Self { broker, storage: Storage::Cookies, pages: Arc::new(PlainPages), silent: None, headers }
    }

    /// The `Content-Security-Policy` of pages that set none themselves, the error pages among them. Without it they
    /// have one that forbids only frames, plugins and another base. A page whose script attaches silently needs the
    /// server's origin in `connect-src`, or with JSONP in `script-src`. A page with a form needs it in `form-action`,
    /// if the policy has that: after a logout, say, the visitor may be attached anew, and Chromium follows no redirect
    /// of a form that its page does not allow.
    pub fn page_policy(self, policy: impl Into<String>) -> Self {
        Self { headers: self.headers.page_policy(policy), ..self }
    }

    /// Keeps tokens in a store of your own, made once for each request that needs it.
    pub fn tokens_in(mut self, make: impl Fn(&Request) -> Box<dyn TokenStore + Send> + Send + Sync + 'static) -> Self {
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

    /// The broker that is served.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// What every answer carries, unless it sets these headers itself.
    pub fn base_headers(&self) -> &BaseHeaders {
        &self.headers
    }

    /// Whether the request's body is a form to be given to [`begin`](Self::begin), so that the visitor's input is not
    /// lost where it is refused. It is no longer than [`MAX_FORM`](Self::MAX_FORM). The handler still needs it.
    pub fn keeps_form(&self, request: &Request) -> bool {
        sent_form::is_kept(request, self.broker.public_url())
    }

    /// The answer to give in the application's place while a cookie with a visitor's token, or of an attach under way,
    /// comes twice with different values.
    pub(super) fn answer_in_place(&self, request: &Request) -> Option<Answer> {
        let Self { broker, pages, .. } = self;
        let is_ours = |name: &str| key_of(name, self.is_https()).is_some_and(|key| broker.0.shelf.is_ours(key));
        let in_cookies = matches!(self.storage, Storage::Cookies);
        let ambiguous = in_cookies.then(|| request.cookies().ambiguous(is_ours)).flatten();
        let return_path = Some(broker.return_path());
        clear_cookies::answer_in_place(request, broker.public_url(), return_path, pages.as_ref(), ambiguous.as_ref())
    }

    pub(super) fn is_https(&self) -> bool {
        self.broker.public_url().scheme() == "https"
    }
}
