//! A service without sessions and without pages: it knows who calls by access tokens alone, and has nothing of the
//! server but its public keys.

use actix_web::{
    App, HttpResponse,
    web::{self, Json},
};
use serde_json::{Value, json};
use sso_broker::actix::base_headers;
use sso_core::{BaseHeaders, wire::ApiError};
use sso_jwt::{Access, AccessVerifier, JwksKeys};
use sso_server::web::get_or_head;
use sso_site::no_store;

use super::{error::SetupError, service::SiteService};

/// The service at one origin, for the users of one server.
#[derive(Clone)]
pub struct Api {
    verifier: web::Data<AccessVerifier>,
    headers: BaseHeaders,
}

impl Api {
    /// `server` and `this`: the origins of both.
    pub fn new(server: &str, this: &str) -> Result<Self, SetupError> {
        let keys = JwksKeys::new(&format!("{server}/.well-known/jwks.json"))?;
        let headers = BaseHeaders::new(&this.parse()?);
        Ok(Self { verifier: web::Data::new(AccessVerifier::new(server, this, keys)), headers })
    }

    /// The site, for one thread.
    pub fn app(self) -> App<impl SiteService> {
        App::new()
            .wrap(no_store())
            .wrap(base_headers(self.headers))
            .app_data(self.verifier)
            .route("/", get_or_head().to(about))
            .route("/me", get_or_head().to(me))
            .route("/reports", get_or_head().to(reports))
            .route("/healthz", get_or_head().to(HttpResponse::Ok))
            .default_service(web::to(not_found))
    }
}

/// What the service has; for anyone.
async fn about() -> Json<Value> {
    Json(json!({
        "about": "This service knows its users by access tokens and has no sessions.",
        "calls": {
            "/me": "who calls, as the access token says it",
            "/reports": "something that is the caller's own",
        },
        "authorization": "Bearer, with an access token that a broker gets from the server",
    }))
}

/// Who calls, as the token says it.
async fn me(Access(claims): Access) -> Json<Value> {
    Json(json!({ "username": claims.registered.sub, "through": claims.client, "until": claims.registered.exp }))
}

/// Something that is the caller's own.
async fn reports(Access(claims): Access) -> Json<Value> {
    let user = &claims.registered.sub;
    Json(json!({ "owner": user, "reports": [
        { "title": format!("What {user} bought"), "pages": 3 },
        { "title": format!("What {user} sent back"), "pages": 1 },
    ] }))
}

async fn not_found() -> HttpResponse {
    HttpResponse::NotFound().json(ApiError::new("There is no such call"))
}
