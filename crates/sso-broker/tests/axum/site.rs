//! A web site that uses the broker, with the addresses of the one in `tests/web/site.rs`.

use axum::{
    Form, Json, Router,
    extract::{Path, Request},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Redirect, Response, Result},
    routing::{get, post},
};
use serde_json::{Map, Value};
use sso_broker::{
    AccessToken, Body, Broker, BrokerBuilder, Method, OptionalVisitor, RequestError, Sso, SsoSession, Visitor,
    site::{FormRefused, HandlerError},
};

pub(crate) struct Site {
    /// Where it listens.
    pub(crate) address: String,
    /// What browsers think they see.
    pub(crate) broker: Broker,
}

type Adapt = fn(Sso) -> Sso;

/// Where tokens can be kept, and the cookie that counts then.
pub(crate) const STORES: [(Adapt, &str); 1] = [(|sso| sso, "sso-Alice-token")];

impl Site {
    pub(crate) fn start(broker: BrokerBuilder) -> Self {
        Self::with(broker, |sso| sso)
    }

    pub(crate) fn with(broker: BrokerBuilder, adapt: impl FnOnce(Sso) -> Sso) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let broker = broker.public_url(&format!("http://alice.localhost:{port}")).build().unwrap();
        let sso = adapt(Sso::new(broker.clone()));
        let app = Router::new()
            .route("/guarded/page", get(page).layer(from_fn(guard)))
            .route("/", get(page).post(page))
            .route("/page", get(page))
            .route("/optional", get(async |visitor: OptionalVisitor| show(&visitor.0)))
            .route("/data", get(data))
            .route("/passive", get(passive))
            .route("/call", get(call))
            .route("/service/{*url}", get(service))
            .route("/own403", get(async || (StatusCode::FORBIDDEN, "members only")))
            .route("/token", get(async |visitor: Visitor| visitor.form_token("logout")))
            .route("/posted-token", post(async |session: SsoSession| session.form_token("logout")))
            .route("/logout", post(logout))
            .route("/form", post(form))
            .route("/optional-form", post(optional_form))
            .route("/page-form", post(page_form))
            .route("/unguarded-data", post(data))
            .layer(sso.layer());
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address: format!("http://127.0.0.1:{port}"), broker }
    }
}

fn show(visitor: &Visitor) -> String {
    let name = visitor.user.as_ref().map_or("nobody", |user| &user.username);
    let ended = visitor.ended.map(|reason| format!(" {}", reason.as_str())).unwrap_or_default();
    let remembered = if visitor.remembered { " remembered" } else { "" };
    let not_allowed = if visitor.not_allowed { " not allowed" } else { "" };
    format!("{name} down={} problem={:?}{ended}{remembered}{not_allowed}", visitor.server_down, visitor.problem)
}

/// Lets nobody in but users.
async fn guard(visitor: Visitor, request: Request, next: Next) -> Response {
    if visitor.user.is_none() {
        return (StatusCode::FORBIDDEN, "users only").into_response();
    }
    next.run(request).await
}

async fn page(visitor: Visitor) -> String {
    show(&visitor)
}

async fn data(session: SsoSession) -> Result<Json<Map<String, Value>>, RequestError> {
    Ok(Json(session.data().await?))
}

async fn passive(session: SsoSession) -> Result<Json<Map<String, Value>>, RequestError> {
    Ok(Json(session.passively().data().await?))
}

async fn call(session: SsoSession) -> Result<(), RequestError> {
    session.request(Method::GET, "/api/forbidden", Body::None).await?;
    Ok(())
}

/// A page with something from another service, as the README has it.
async fn service(session: SsoSession, Path(url): Path<String>) -> Result<Json<Option<Value>>> {
    let url = url.parse().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let token = AccessToken { access_token: "A".into(), token_type: "Bearer".into(), expires_in: 300 };
    Ok(Json(session.broker().client().get_from_service(&url, &token).await?))
}

#[derive(serde::Deserialize)]
struct LogoutForm {
    token: String,
}

async fn logout(session: SsoSession, Form(form): Form<LogoutForm>) -> Result<Response, HandlerError> {
    session.check_logout("logout", &form.token).await?;
    session.logout().await?;
    Ok(Redirect::to("/").into_response())
}

/// A form that wants to know who is there.
async fn page_form(visitor: Visitor, Form(form): Form<LogoutForm>) -> Result<String, FormRefused> {
    visitor.session.check_form("logout", &form.token).await?;
    Ok(show(&visitor))
}

/// A form that needs nobody to be logged in.
async fn optional_form(
    OptionalVisitor(visitor): OptionalVisitor,
    Form(form): Form<LogoutForm>,
) -> Result<String, FormRefused> {
    visitor.session.check_form("logout", &form.token).await?;
    Ok(show(&visitor))
}

/// Any other form.
async fn form(session: SsoSession, Form(form): Form<LogoutForm>) -> Result<&'static str, FormRefused> {
    session.check_form("logout", &form.token).await?;
    Ok("done")
}
