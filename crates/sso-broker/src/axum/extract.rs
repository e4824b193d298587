//! The extractors of handlers.

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Response},
};

use crate::{OptionalVisitor, SsoSession, Visitor, site::MissingMiddleware};

fn session_of(parts: &Parts) -> Result<SsoSession, MissingMiddleware> {
    parts.extensions.get::<SsoSession>().cloned().ok_or(MissingMiddleware)
}

impl<S: Sync> FromRequestParts<S> for SsoSession {
    type Rejection = MissingMiddleware;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingMiddleware> {
        session_of(parts)
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let session = session_of(parts).map_err(IntoResponse::into_response)?;
        Self::recognise(session).await.map_err(IntoResponse::into_response)
    }
}

impl<S: Sync> FromRequestParts<S> for OptionalVisitor {
    type Rejection = MissingMiddleware;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingMiddleware> {
        Ok(Self::recognise(session_of(parts)?).await)
    }
}
