//! The broker on axum: a layer and the extractors, which translate to [`site`](crate::site) and back.

mod extract;
mod translate;

use std::pin::Pin;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{FromFnLayer, Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use sso_core::BaseHeaders;

use self::translate::{header as header_of, request_of};
use crate::{Sso, SsoSession, site::HandlerError};

/// The layer that [`Sso::layer`] makes.
pub type SsoLayer = FromFnLayer<Serve, Sso, (State<Sso>, Request)>;

type Serve = fn(State<Sso>, Request, Next) -> Served;
type Served = Pin<Box<dyn Future<Output = Response> + Send>>;

/// With axum.
impl Sso {
    /// The layer, for `Router::layer`, after the routes: around all of them and the fallback, on the outermost router.
    /// Extractors work only inside it.
    ///
    /// It answers what is the broker's own: the return path, `/sso/attach?to=/page`, `/sso/login?to=/page` (with
    /// `max_age=60` for a password typed a minute ago at most), `/sso/session` for the script that warns of the login's
    /// end, `/sso/logout` for the pages of the broker itself, `/sso/long-page` for addresses that no cookie can hold,
    /// and the AJAX side. It gives every answer the headers that it should carry, unless the answer sets them itself:
    /// no sniffing, no frames, no window that another site's page holds, no use by other sites' pages, https only where
    /// the public URL is https.
    ///
    /// A handler returns our errors as they are, in a `Result` or an `axum::response::ErrorResponse`. The layer answers
    /// them: with a page for people, with JSON for scripts, and with a new attach where that helps.
    ///
    /// ```
    /// use axum::{Form, Router, response::Redirect, routing::{get, post}};
    /// use sso_broker::{Broker, Sso, SsoSession, Visitor, site::LogoutRefused};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct LogoutForm { token: String }
    ///
    /// async fn home(visitor: Visitor) -> String {
    ///     visitor.user.map_or("Hello, stranger".into(), |user| format!("Hello, {}", user.username))
    /// }
    ///
    /// async fn logout(session: SsoSession, Form(form): Form<LogoutForm>) -> Result<Redirect, LogoutRefused> {
    ///     session.check_logout("logout", &form.token).await?;
    ///     session.logout().await?;
    ///     Ok(Redirect::to("/"))
    /// }
    ///
    /// fn app(broker: Broker) -> Router {
    ///     Router::new().route("/", get(home)).route("/logout", post(logout)).layer(Sso::new(broker).layer())
    /// }
    /// ```
    pub fn layer(&self) -> SsoLayer {
        let serve: Serve = |State(sso), request, next| Box::pin(serve(sso, request, next));
        from_fn_with_state(self.clone(), serve)
    }
}

async fn serve(sso: Sso, request: Request, next: Next) -> Response {
    let mut response = answer(&sso, request, next).await;
    complete(&mut response, sso.base_headers());
    response
}

async fn answer(sso: &Sso, request: Request, next: Next) -> Response {
    let (mut head, mut body) = request.into_parts();
    let parts = request_of(&head);
    let mut form = Vec::new();
    if sso.keeps_form(&parts) {
        // It did not arrive.
        let Ok(bytes) = to_bytes(body, Sso::MAX_FORM).await else { return StatusCode::BAD_REQUEST.into_response() };
        form = bytes.to_vec();
        body = Body::from(bytes);
    }
    let session = match sso.begin(parts, form) {
        Ok(session) => session,
        Err(answer) => return answer.into_response(),
    };
    let mut response = if sso.answers(session.http_request().path()) {
        let body = async { Some(to_bytes(body, Sso::MAX_BODY).await.ok()?.to_vec()) };
        session.answer(body).await.map_or(StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
    } else {
        head.extensions.insert(session.clone());
        answer_error(next.run(Request::from_parts(head, body)).await, &session)
    };
    write_headers(response.headers_mut(), &session);
    response
}

/// Puts an answer that suits the request in place of an SSO error that a handler returned.
fn answer_error(response: Response, session: &SsoSession) -> Response {
    match response.extensions().get::<HandlerError>() {
        Some(error) => session.error_answer(error).into_response(),
        None => response,
    }
}

fn write_headers(headers: &mut HeaderMap, session: &SsoSession) {
    for (name, value) in session.header_changes().iter().filter_map(|(name, value)| header_of(name, value)) {
        if name == header::SET_COOKIE {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
}

/// Adds the base headers that are not there.
fn complete(response: &mut Response, base: &BaseHeaders) {
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.map(str::to_owned);
    let base = base.of_answer(response.status().as_u16(), content_type.as_deref());
    for (name, value) in base.filter_map(|(name, value)| header_of(name, value)) {
        response.headers_mut().entry(name).or_insert(value);
    }
}
