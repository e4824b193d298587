//! The broker API: what back ends call with a bearer token.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Resource, ResponseError,
    http::{StatusCode, header},
    web,
};
use sso_core::wire::{ENDED_HEADER, Ended, RESUME_HEADER, SessionStatus};

use super::{
    ApiCall, Site, access_token,
    answer::{Answer, ApiFailure, no_content, ok},
    body::{fields, required},
    extract, get_or_head,
    request::header_text,
};
use crate::{
    operations::{
        login::Credentials,
        session_lookup::{BrokerCall, LoggedOutStatus},
    },
    session::Session,
};

pub(super) fn routes(app: &mut web::ServiceConfig, php: bool) {
    let mut api = web::scope("/api")
        // The largest good body, and what form encoding makes of it at worst.
        .app_data(web::PayloadConfig::new(3 * Session::MAX_DATA + 1024))
        .service(call("/data", "GET, HEAD, POST").route(get_or_head().to(data)).route(web::post().to(set_data)))
        .service(call("/session", "GET, HEAD").route(get_or_head().to(session)))
        .service(call("/session/keepalive", "POST").route(web::post().to(keep_alive)))
        .service(call("/token", "POST").route(web::post().to(access_token::token)))
        .service(call("/introspect", "POST").route(web::post().to(access_token::introspect)))
        .default_service(web::to(not_found));
    for suffix in ["", ".php"].into_iter().take(1 + usize::from(php)) {
        api = api
            .service(call(&format!("/info{suffix}"), "GET, HEAD").route(get_or_head().to(info)))
            .service(call(&format!("/login{suffix}"), "POST").route(web::post().to(log_in)))
            .service(call(&format!("/logout{suffix}"), "POST").route(web::post().to(log_out)));
    }
    app.service(api);
}

/// A resource whose other methods are answered in JSON too.
fn call(path: &str, methods: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || method_not_allowed(methods)))
}

async fn info(request: HttpRequest, site: web::Data<Site>) -> Answer {
    let call = extract::broker_call(&site, &request).await?;
    Ok(match call.user()? {
        Some(user) => ok().json(user),
        None => {
            let LoggedOutStatus { ended, resume } = site.server().logged_out_status(&call).await?;
            let mut nobody = nobody(ended);
            if resume {
                nobody.insert_header((RESUME_HEADER, "1"));
            }
            nobody.finish()
        }
    })
}

async fn log_in(request: HttpRequest, site: web::Data<Site>, body: Result<web::Bytes, actix_web::Error>) -> Answer {
    let call = extract::broker_call(&site, &request).await?;
    let mut fields = fields(&request, body)?;
    let mut field = |name| required(&mut fields, name);
    let credentials =
        Credentials { username: field("username")?, password: field("password")?, ..Credentials::default() };
    let user = site.server().broker_log_in(&call, &credentials).await?;
    Ok(ok().json(user))
}

/// The body is ignored: PHP sends this call without one, without Content-Type and Content-Length.
async fn log_out(request: HttpRequest, site: web::Data<Site>) -> Answer {
    let authorization = header_text(&request, header::AUTHORIZATION);
    let ended = site.server().broker_log_out(authorization, extract::is_by_person(&request)).await?;
    Ok(nobody(ended).finish())
}

/// Nobody is logged in (any more).
fn nobody(ended: Option<Ended>) -> HttpResponseBuilder {
    let mut answer = no_content();
    if let Some(ended) = ended {
        answer.insert_header((ENDED_HEADER, ended.header()));
    }
    answer
}

/// The remaining time of the login. Never extends it.
async fn session(request: HttpRequest, site: web::Data<Site>) -> Answer {
    let call = extract::broker_call_as(&site, &request, false).await?.require_allowed()?;
    status(&site, &call).await
}

/// Extends the login at its user's request.
async fn keep_alive(request: HttpRequest, site: web::Data<Site>) -> Answer {
    let call = extract::broker_call_as(&site, &request, false).await?.require_allowed()?;
    match call.session.user() {
        Some(_) => Ok(ok().json(site.server().keep_alive(&call.session).await?)),
        None => status(&site, &call).await,
    }
}

async fn status(site: &Site, call: &BrokerCall) -> Answer {
    let ended = match call.session.user() {
        Some(_) => None,
        None => site.server().logged_out_status(call).await?.ended,
    };
    Ok(ok().json(SessionStatus { ended, ..site.server().status(&call.session) }))
}

async fn data(call: ApiCall) -> HttpResponse {
    ok().json(&call.session.data)
}

async fn set_data(
    call: ApiCall,
    request: HttpRequest,
    site: web::Data<Site>,
    body: Result<web::Bytes, actix_web::Error>,
) -> Answer {
    let changes = fields(&request, body)?;
    Ok(ok().json(site.server().merge_data(&call, &changes).await?))
}

async fn method_not_allowed(methods: &'static str) -> HttpResponse {
    let mut answer = ApiFailure::new(StatusCode::METHOD_NOT_ALLOWED, format!("Expected {methods}")).error_response();
    answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(methods));
    answer
}

async fn not_found() -> Answer {
    Err(ApiFailure::new(StatusCode::NOT_FOUND, "There is no such API call"))
}
