//! The files under `static/`, compiled in.

use std::{collections::HashMap, io::Write, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, AcceptEncoding, Encoding, EntityTag, Header, IfNoneMatch},
    web::{self, Bytes},
};
use flate2::{Compression, write::GzEncoder};
use rust_embed::RustEmbed;
use sso_server::web::get_or_head;

#[derive(RustEmbed)]
#[folder = "static"]
struct Static;

/// A file as it is sent.
struct File {
    kind: String,
    /// Names its content.
    hash: String,
    plain: Bytes,
    /// Where that is shorter.
    gzip: Option<Bytes>,
}

/// Made once.
static FILES: LazyLock<HashMap<String, File>> = LazyLock::new(|| {
    let names = Static::iter().map(|name| name.to_string());
    names.filter_map(|name| Some((name.clone(), File::of(Static::get(&name)?)))).collect()
});

impl File {
    fn of(file: rust_embed::EmbeddedFile) -> Self {
        let plain = Bytes::from(file.data.into_owned());
        Self {
            kind: file.metadata.mimetype().to_owned(),
            hash: file.metadata.sha256_hash().iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
            gzip: gzip(&plain).filter(|gzip| gzip.len() < plain.len()),
            plain,
        }
    }
}

fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Serves them under `/static/`, compressed for browsers that accept it.
///
/// Nothing else is compressed. A page has form tokens in it, and beside them text that a stranger's link or form
/// chooses: compressed, its length would tell, guess by guess, what is in the token (the BREACH attack). These files
/// have no secrets and nothing of the request.
pub fn routes(app: &mut web::ServiceConfig) {
    app.route("/static/{file}", get_or_head().to(file));
}

async fn file(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let Some(file) = FILES.get(name.as_str()) else { return HttpResponse::NotFound().finish() };
    let gzip = file.gzip.as_ref().filter(|_| accepts_gzip(&request));
    // The compressed file is another one to caches.
    let tag = EntityTag::new_strong(format!("{}{}", file.hash, if gzip.is_some() { "-gzip" } else { "" }));
    let is_known = match IfNoneMatch::parse(&request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(header::ETag(tag))
        .insert_header((header::VARY, "Accept-Encoding"))
        // Asked for again each time, answered with 304: a new version is seen at once.
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    if is_known {
        return response.finish();
    }
    if gzip.is_some() {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    response.content_type(file.kind.as_str()).body(gzip.unwrap_or(&file.plain).clone())
}

fn accepts_gzip(request: &HttpRequest) -> bool {
    let gzip = Encoding::gzip();
    let accepted = AcceptEncoding::parse(request).ok();
    accepted.and_then(|accepted| accepted.negotiate([&gzip, &Encoding::identity()].into_iter())) == Some(gzip)
}
