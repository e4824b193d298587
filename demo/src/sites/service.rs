//! What the `App` of a site is made of. The sites do not listen themselves.

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
};

/// The service in a site's [`App`](actix_web::App), whatever middleware is around it.
pub trait SiteService:
    ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<Self::Body>, Error = Error, InitError = ()>
    + 'static
{
    /// The body of its answers.
    type Body: MessageBody + 'static;
}

impl<T, B> SiteService for T
where
    T: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<B>, Error = Error, InitError = ()>
        + 'static,
    B: MessageBody + 'static,
{
    type Body = B;
}
