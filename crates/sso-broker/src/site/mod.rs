//! What a site does with a request, as plain code that knows no framework. The features `actix` and `axum` translate to
//! it, and so can you for another framework.
//!
//! # With another framework
//!
//! For every request, in this order:
//!
//! 1. Read it into a [`Request`], and call [`Sso::begin`](crate::Sso::begin). The result is the visitor's
//!    [`SsoSession`](crate::SsoSession), or an answer in the application's place.
//! 2. Call [`SsoSession::answer`](crate::SsoSession::answer), which answers the return path and the broker's addresses
//!    under `/sso/`.
//! 3. For a page, call [`Visitor::recognise`](crate::Visitor::recognise): it gives the visitor, or the answer that
//!    sends them to the server. Other handlers need only the session.
//! 4. Answer our errors, if the handler returns one, by [`SsoSession::error_answer`](crate::SsoSession::error_answer).
//! 5. Write [`SsoSession::header_changes`](crate::SsoSession::header_changes) to the answer, whatever it is, and add
//!    the [`base_headers`](crate::Sso::base_headers) that it does not have.
//!
//! ```
//! use sso_broker::{Sso, SsoSession, Visitor, site::{Answer, HandlerError, Request}};
//!
//! struct Response { status: u16, headers: Vec<(String, String)>, body: String }
//!
//! impl From<Answer> for Response {
//!     fn from(Answer { status, headers, body, .. }: Answer) -> Self {
//!         Self { status, headers: headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect(), body }
//!     }
//! }
//!
//! /// The application: one page.
//! async fn home(session: SsoSession) -> Result<Response, HandlerError> {
//!     let visitor = match Visitor::recognise(session).await {
//!         Ok(visitor) => visitor,
//!         Err(answer) => return Ok(answer.into()),
//!     };
//!     let data = visitor.session.data().await?; // an error of ours
//!     let name = visitor.user.map_or("stranger".to_owned(), |user| user.username);
//!     Ok(Response { status: 200, headers: Vec::new(), body: format!("Hello, {name}. We share {data:?}.") })
//! }
//!
//! async fn serve(
//!     sso: &Sso,
//!     (method, path_and_query): (&str, &str),
//!     headers: &[(String, Vec<u8>)],
//!     body: Vec<u8>,
//! ) -> Response {
//!     let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
//!     let request = Request::new(method, path_and_query, headers);
//!     let form = if sso.keeps_form(&request) { body.clone() } else { Vec::new() };
//!     let session = match sso.begin(request, form) {
//!         Ok(session) => session,
//!         Err(answer) => return answer.into(),
//!     };
//!     let body = async { Some(body).filter(|body| body.len() <= Sso::MAX_BODY) };
//!     let mut response = match session.answer(body).await {
//!         Some(answer) => answer.into(),
//!         None => home(session.clone()).await.unwrap_or_else(|error| session.error_answer(&error).into()),
//!     };
//!     for (name, value) in session.header_changes() {
//!         if name != "set-cookie" {
//!             response.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
//!         }
//!         response.headers.push((name.into(), value));
//!     }
//!     for (name, value) in sso.base_headers().of_answer(response.status, Some("text/plain")) {
//!         if !response.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
//!             response.headers.push((name.into(), value.into()));
//!         }
//!     }
//!     response
//! }
//! ```
//!
//! # Layout
//!
//! From the ground up:
//!
//! - `request`, `answer`: what is decided on, and the result; `request_kind`: a person's page visit or something else
//! - `cookies`: [`CookieJar`]; `clear_cookies`: the answers while a cookie comes twice with different values
//! - `pages`: what a visitor reads when something goes wrong; `sent_form`: what they sent, if it was a form; `error`:
//!   what handlers return
//! - `sso`: what a site has set; `store`: where tokens are kept; `session`: the handle of a handler, and form tokens
//! - `departure`: to the server, from the right host and with the wanted page kept; `failure`: the answers to errors;
//!   `visitor`: who is visiting a page
//! - `routes`: the addresses that the broker answers itself: `attach`, `logout`, and for scripts `popup` and `ajax`, on
//!   `script`

mod ajax;
mod answer;
mod attach;
pub(crate) mod clear_cookies;
mod cookies;
mod departure;
mod error;
mod failure;
mod logout;
pub(crate) mod pages;
mod popup;
mod request;
mod request_kind;
mod routes;
mod script;
mod sent_form;
pub(crate) mod session;
pub(crate) mod sso;
pub(crate) mod store;
pub(crate) mod visitor;

pub use answer::Answer;
pub use cookies::CookieJar;
pub use error::{FormRefused, HandlerError, LogoutRefused, MissingMiddleware};
pub use pages::{Leave, Problem, ProblemKind, Script};
pub use request::Request;
