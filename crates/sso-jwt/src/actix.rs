//! The extractor of a service that knows its users by access tokens. It needs no middleware.

use std::pin::Pin;

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, ResponseError,
    dev::Payload,
    error::ErrorInternalServerError,
    http::{StatusCode, header},
    web,
};
use sso_core::wire::ApiError;

use crate::{AccessClaims, AccessVerifier, InvalidToken};

/// What the access token of this request says. Without a good one the request is answered with 401 and no reason.
///
/// ```
/// # #[cfg(feature = "client")] {
/// # use actix_web::{App, web};
/// # use sso_jwt::{Access, AccessVerifier, JwksKeys};
/// let keys = JwksKeys::new("https://sso.example.com/.well-known/jwks.json")?;
/// let verifier = AccessVerifier::new("https://sso.example.com", "https://api.example.com", keys);
/// let app = App::new().app_data(web::Data::new(verifier)).route("/me", web::get().to(me));
///
/// async fn me(Access(claims): Access) -> String {
///     claims.registered.sub
/// }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Access(pub AccessClaims);

/// There is no access token, or it is not good here and now. Nobody is told which.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{}", InvalidToken)]
pub struct TokenRefused;

impl ResponseError for TokenRefused {
    fn status_code(&self) -> StatusCode {
        StatusCode::UNAUTHORIZED
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::Unauthorized()
            .insert_header((header::WWW_AUTHENTICATE, "Bearer"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .json(ApiError::new(self.to_string()))
    }
}

impl FromRequest for Access {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let verifier = request.app_data::<web::Data<AccessVerifier>>().cloned();
        let token = bearer(request).map(str::to_owned);
        Box::pin(async move {
            let verifier =
                verifier.ok_or_else(|| ErrorInternalServerError("there is no AccessVerifier in the app's data"))?;
            let claims = verifier.verify(&token.ok_or(TokenRefused)?).await.map_err(|_| TokenRefused)?;
            Ok(Self(claims))
        })
    }
}

/// The token of the one `Authorization: Bearer …`; two headers are none.
fn bearer(request: &HttpRequest) -> Option<&str> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (only, None) = (headers.next()?, headers.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}
