//! `/.well-known/jwks.json`: the public keys by which services verify access tokens.

use actix_web::{HttpResponse, http::header, web};

use super::{Site, get_or_head};

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.route("/.well-known/jwks.json", get_or_head().to(jwks));
}

/// The same for everybody. A new key is published long before it signs, so a minute in a cache does no harm.
async fn jwks(site: web::Data<Site>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=60"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .json(site.server().jwks())
}
