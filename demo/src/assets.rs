//! The files under `static/`, compiled in.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, EntityTag, Header, IfNoneMatch},
    web,
};
use rust_embed::RustEmbed;
use sso_server::web::get_or_head;

#[derive(RustEmbed)]
#[folder = "../static"]
struct Static;

/// Serves them under `/static/`.
pub(crate) fn routes(app: &mut web::ServiceConfig) {
    app.route("/static/{file}", get_or_head().to(file));
}

async fn file(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let Some(file) = Static::get(&name) else { return HttpResponse::NotFound().finish() };
    let hash: String = file.metadata.sha256_hash().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let tag = EntityTag::new_strong(hash);
    let is_known = match IfNoneMatch::parse(&request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(header::ETag(tag))
        // Asked for again each time, answered with 304: a new version is seen at once.
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    if is_known {
        return response.finish();
    }
    response.content_type(file.metadata.mimetype()).body(file.data.into_owned())
}
