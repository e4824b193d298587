//! A web site that uses the broker.

use std::net::TcpListener;

use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, Error, HttpResponse, HttpServer,
    body::MessageBody,
    cookie::{Key, SameSite},
    dev::{ServiceRequest, ServiceResponse},
    error::{ErrorForbidden, ErrorInternalServerError},
    middleware::{Next, from_fn},
    web,
};
use sso_broker::{
    AccessToken, Body, Broker, BrokerBuilder, Method, OptionalVisitor, Sso, SsoSession, Visitor,
    actix::{PlainCookies, get_or_head},
};

pub(crate) struct Site {
    /// Where it listens.
    pub(crate) address: String,
    /// What browsers think they see.
    pub(crate) broker: Broker,
}

type Adapt = fn(Sso) -> Sso;

/// Where tokens can be kept, and the cookie that counts then.
pub(crate) const STORES: [(Adapt, &str); 2] = [(|sso| sso, "sso-Alice-token"), (|sso| sso.tokens_in_session(), "id")];

impl Site {
    pub(crate) fn start(broker: BrokerBuilder) -> Self {
        Self::with(broker, |sso| sso)
    }

    pub(crate) fn with(broker: BrokerBuilder, adapt: impl FnOnce(Sso) -> Sso) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let broker = broker.public_url(&format!("http://alice.localhost:{port}")).build().unwrap();
        let sso = adapt(Sso::new(broker.clone()));
        let key = Key::generate();
        let cookies = PlainCookies::new(broker.public_url().clone(), "id");
        let http = HttpServer::new(move || {
            let session = SessionMiddleware::builder(CookieSessionStore::default(), key.clone());
            App::new()
                .wrap(sso.middleware())
                .wrap(session.cookie_secure(false).cookie_same_site(SameSite::Lax).build())
                .wrap(cookies.layer())
                .configure(sso.routes())
                .service(web::scope("/guarded").wrap(from_fn(guard)).route("/page", web::get().to(page)))
                .service(web::resource("/").route(web::get().to(page)).route(web::post().to(page)))
                .route("/page", get_or_head().to(page))
                .route("/optional", get_or_head().to(async |visitor: OptionalVisitor| show(&visitor.0)))
                .route("/data", web::get().to(data))
                .route("/passive", web::get().to(passive))
                .route("/call", web::get().to(call))
                .route("/service/{url:.*}", web::get().to(service))
                .route("/own403", web::get().to(async || Err::<String, _>(ErrorForbidden("members only"))))
                .route("/token", web::get().to(async |visitor: Visitor| visitor.form_token("logout")))
                .route("/posted-token", web::post().to(async |session: SsoSession| session.form_token("logout")))
                .route("/logout", web::post().to(logout))
                .route("/form", web::post().to(form))
                .route("/optional-form", web::post().to(optional_form))
                .route("/page-form", web::post().to(page_form))
                .route("/unguarded-data", web::post().to(data))
        });
        actix_web::rt::spawn(http.workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap().run());
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
async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let visitor = request.extract::<Visitor>().await?;
    if visitor.user.is_none() {
        return Err(ErrorForbidden("users only"));
    }
    drop(visitor);
    next.call(request).await
}

async fn page(visitor: Visitor) -> String {
    show(&visitor)
}

async fn data(session: SsoSession) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(session.data().await?))
}

async fn passive(session: SsoSession) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(session.passively().data().await?))
}

async fn call(session: SsoSession) -> Result<HttpResponse, Error> {
    session.request(Method::GET, "/api/forbidden", Body::None).await?;
    Ok(HttpResponse::Ok().finish())
}

/// A page with something from another service, as the README has it.
async fn service(session: SsoSession, url: web::Path<String>) -> Result<HttpResponse, Error> {
    let url = url.parse().map_err(ErrorInternalServerError)?;
    let token = AccessToken { access_token: "A".into(), token_type: "Bearer".into(), expires_in: 300 };
    Ok(HttpResponse::Ok().json(session.broker().client().get_from_service(&url, &token).await?))
}

#[derive(serde::Deserialize)]
struct LogoutForm {
    token: String,
}

async fn logout(session: SsoSession, form: web::Form<LogoutForm>) -> Result<HttpResponse, Error> {
    session.check_logout("logout", &form.token).await?;
    session.logout().await?;
    Ok(HttpResponse::SeeOther().insert_header(("Location", "/")).finish())
}

/// A form that wants to know who is there.
async fn page_form(visitor: Visitor, form: web::Form<LogoutForm>) -> Result<String, Error> {
    visitor.session.check_form("logout", &form.token).await?;
    Ok(show(&visitor))
}

/// A form that needs nobody to be logged in.
async fn optional_form(
    OptionalVisitor(visitor): OptionalVisitor,
    form: web::Form<LogoutForm>,
) -> Result<String, Error> {
    visitor.session.check_form("logout", &form.token).await?;
    Ok(show(&visitor))
}

/// Any other form.
async fn form(session: SsoSession, form: web::Form<LogoutForm>) -> Result<&'static str, Error> {
    session.check_form("logout", &form.token).await?;
    Ok("done")
}
