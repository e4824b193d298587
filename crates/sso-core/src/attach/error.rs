//! Why an attach was refused, and with which status.

use crate::{
    AmbiguousCookie,
    wire::{ALREADY_ATTACHED, AttachBy},
};

/// Why an attach was refused. `Display` gives the text that goes over the wire: jasny/sso's, since its brokers show it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// A parameter is not there.
    #[error("Missing '{0}' query parameter")]
    Missing(&'static str),
    /// A parameter is malformed, an array, or given twice.
    #[error("Invalid '{0}' query parameter")]
    Invalid(&'static str),
    /// No such broker.
    #[error("Broker is unknown or disabled")]
    UnknownBroker,
    /// The return URL is not one of the broker's. The one error after which nothing is redirected.
    #[error("Domain of return_url is not allowed")]
    ReturnUrlNotAllowed,
    /// The checksum does not prove the broker's secret.
    #[error("Invalid attach checksum")]
    InvalidChecksum,
    /// The asking page is not the broker's, by `Origin`; or a silent attach does not say where it comes from.
    #[error("Domain of origin is not allowed")]
    OriginNotAllowed,
    /// The asking page is not the broker's, by `Referer`.
    #[error("Domain of referer is not allowed")]
    RefererNotAllowed,
    /// A redirect attach inside a frame, an image, a script: not a visit.
    #[error("Attach must be a navigation of the whole page")]
    NotANavigation,
    /// The broker may not attach in this silent way.
    #[error("Silent attach is not enabled for this broker")]
    SilentOff,
    /// A silent attach found no session to join.
    #[error("There is no session to join silently")]
    NoSession,
    /// A silent attach found no session to join, because the browser's cookie is not known. A page can mend that.
    #[error(transparent)]
    AmbiguousCookie(#[from] AmbiguousCookie),
    /// The token has a link: to another session, or one that a login has superseded. Also where the browser's cookie
    /// was replaced meanwhile: an attach with a new token helps in all cases.
    #[error("{ALREADY_ATTACHED}")]
    AlreadyAttached,
    /// The session has as many links at this broker as it may, all of them in use.
    #[error("Too many tokens of this broker are attached")]
    NoRoom,
}

impl AttachError {
    /// The HTTP status of this error where it is not sent to the return URL.
    pub fn status(&self) -> u16 {
        match self {
            Self::Missing(_)
            | Self::Invalid(_)
            | Self::ReturnUrlNotAllowed
            | Self::OriginNotAllowed
            | Self::RefererNotAllowed
            | Self::NotANavigation
            | Self::AlreadyAttached => 400,
            Self::UnknownBroker
            | Self::InvalidChecksum
            | Self::SilentOff
            | Self::NoSession
            | Self::AmbiguousCookie(_) => 403,
            Self::NoRoom => 429,
        }
    }

    /// Another way that may still work.
    pub fn helps(&self) -> Option<AttachBy> {
        let redirect_helps = matches!(self, Self::SilentOff | Self::NoSession | Self::AmbiguousCookie(_));
        redirect_helps.then_some(AttachBy::Redirect)
    }
}
