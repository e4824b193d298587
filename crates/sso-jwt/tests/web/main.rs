//! A service on actix-web that knows its users by access tokens, over real sockets. `publisher` publishes keys.

#![cfg(all(feature = "actix", feature = "client"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod publisher;

mod rotation;
mod verifier;
