//! The answers that are not the application's own, as plain values: redirects, pages, JSON.

use std::borrow::Cow;

use crate::RequestError;
use sso_core::wire::{ApiError, AttachBy, BearerErrorCode};

/// An answer to be sent in place of one of the application's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, each to be appended.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body; often empty.
    pub body: String,
}

impl Answer {
    /// An answer for this visitor at this moment: no cache keeps it, and no `Referer` tells of the page it was.
    pub(crate) fn fleeting(status: u16) -> Self {
        Self::new(status).with("cache-control", "no-store").with("referrer-policy", "no-referrer")
    }

    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    /// To a page that the caller has checked.
    pub(crate) fn redirect(url: &str) -> Self {
        Self::fleeting(303).with("location", url.to_owned())
    }

    pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_string(body).unwrap_or_default();
        Self::fleeting(status).with("content-type", "application/json").body(body)
    }

    pub(crate) fn html(status: u16, body: String) -> Self {
        Self::fleeting(status).with("content-type", "text/html; charset=utf-8").body(body)
    }

    pub(crate) fn no_content() -> Self {
        Self::fleeting(204)
    }

    /// With a header, in place of those of this name.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(self, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
    }
}

impl RequestError {
    /// The status with which a failed call to the server is passed on.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotAttached | Self::Superseded | Self::SessionEnded => 401,
            Self::UserNotAllowed => 403,
            Self::Refused { status, .. } if (400..500).contains(status) => *status,
            Self::Refused { .. } | Self::BadAnswer(_) | Self::ForeignPath(_) => 502,
            Self::Unreachable(_) => 503,
        }
    }

    /// What a visitor may know of it; the log knows the rest.
    pub fn public_text(&self) -> String {
        match self {
            Self::Unreachable(_) => "The login server cannot be reached".into(),
            Self::BadAnswer(_) | Self::ForeignPath(_) => "The login server's answer is not understood".into(),
            error => error.to_string(),
        }
    }

    /// It as JSON, for a script.
    pub(crate) fn json(&self) -> Answer {
        let code = match self {
            Self::UserNotAllowed => Some(BearerErrorCode::UserNotAllowed),
            Self::Superseded => Some(BearerErrorCode::Superseded),
            _ => None,
        };
        let attach = self.is_healable().then_some(AttachBy::Redirect);
        Answer::json(self.status(), &ApiError { error: self.public_text(), code, attach })
    }
}
