//! Access tokens over HTTP: `/api/token` for brokers, `/api/introspect` for services that check a token online, and
//! `/.well-known/jwks.json` for those that verify it themselves.

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, http::header, web};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    ApiCall, Site,
    answer::{Answer, ok},
    body::{fields, required, text},
    request::header_text,
};
use crate::error::Error;

/// `audience` is optional.
pub(super) async fn token(
    call: ApiCall,
    request: HttpRequest,
    site: web::Data<Site>,
    body: Result<web::Bytes, actix_web::Error>,
) -> Answer {
    let audience = text(&mut fields(&request, body)?, "audience")?;
    let token = site.server().access_token(&call, audience.as_deref())?;
    Ok(answer().json(token))
}

/// RFC 7662: the caller is a broker, which sends its id and secret.
pub(super) async fn introspect(
    request: HttpRequest,
    site: web::Data<Site>,
    body: Result<web::Bytes, actix_web::Error>,
) -> Answer {
    let (id, secret) = basic(&request).ok_or(Error::InvalidClient)?;
    let token = required(&mut fields(&request, body)?, "token")?;
    Ok(answer().json(site.server().introspect(&id, secret.as_bytes(), &token).await?))
}

/// Public and cacheable. A new key is published long before it signs, so a minute in a cache does no harm.
pub(super) async fn jwks(site: web::Data<Site>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=60"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .json(site.server().jwks())
}

/// Also for caches that know no `Cache-Control` (RFC 6749 section 5.1).
fn answer() -> HttpResponseBuilder {
    let mut response = ok();
    response.insert_header((header::PRAGMA, "no-cache"));
    response
}

/// Name and password of HTTP Basic (RFC 7617).
fn basic(request: &HttpRequest) -> Option<(String, String)> {
    let (scheme, credentials) = header_text(request, header::AUTHORIZATION)?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
