//! The extractors of handlers.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
};

use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, error::InternalError};

use crate::{OptionalVisitor, SsoSession, Visitor, site::MissingMiddleware};

pub(super) fn session_of(request: &HttpRequest) -> Result<SsoSession, MissingMiddleware> {
    request.extensions().get::<SsoSession>().cloned().ok_or(MissingMiddleware)
}

impl FromRequest for SsoSession {
    type Error = MissingMiddleware;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(session_of(request))
    }
}

impl FromRequest for Visitor {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = session_of(request);
        Box::pin(async move {
            let recognised = Self::recognise(session?).await;
            recognised.map_err(|answer| InternalError::from_response("no visitor", HttpResponse::from(answer)).into())
        })
    }
}

impl FromRequest for OptionalVisitor {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = session_of(request);
        Box::pin(async move { Ok(Self::recognise(session?).await) })
    }
}
