//! The side that the user leaves: makes a token for a page of an application on its list.

use std::{fmt, time::Duration};

use sso_core::LocalPath;
use sso_jwt::{HandoffClaims, Registered, SharedKeys};
use url::{Position, Url};

use crate::{LANDING_PATH, NotAnOrigin, origin, page_of};

/// How the browser carries the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// In a form: it is in no log and no history.
    #[default]
    Post,
    /// In the address, as `?token=`: the older form, for targets that know no other.
    Redirect,
}

/// An application that users may be handed to.
#[derive(Clone, Debug)]
pub struct Target {
    origin: Url,
    landing: String,
    keys: SharedKeys,
    way: Way,
}

impl Target {
    /// At this origin, with the keys that are for this pair of applications alone.
    pub fn new(origin_text: &str, keys: SharedKeys) -> Result<Self, NotAnOrigin> {
        Ok(Self { origin: origin(origin_text)?, landing: LANDING_PATH.into(), keys, way: Way::Post })
    }

    /// It receives users at another path than [`LANDING_PATH`].
    #[must_use]
    pub fn landing(mut self, path: &str) -> Self {
        path.clone_into(&mut self.landing);
        self
    }

    /// How the browser carries the token to it (default: in a form).
    #[must_use]
    pub fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }
}

/// The application that hands its users to others.
#[derive(Clone, Debug)]
pub struct Issuer {
    origin: Url,
    targets: Vec<Target>,
}

/// Why nobody was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoffError {
    /// The page is of no application on the list.
    #[error("This link isn't allowed.")]
    ForeignTarget,
    /// No key can sign now.
    #[error("The link to that site does not work at the moment. Try again later.")]
    NoKey,
}

/// A user on the way. `Debug` does not show the token.
#[derive(Clone)]
pub struct Handoff {
    /// The token: good for a minute, and once.
    pub token: String,
    /// How it is carried.
    pub way: Way,
    /// The origin of the target.
    pub target: String,
    landing: Url,
}

impl Handoff {
    /// Where the form goes, or the browser with the token in the address.
    pub fn location(&self) -> String {
        let mut url = self.landing.clone();
        if self.way == Way::Redirect {
            url.query_pairs_mut().append_pair("token", &self.token);
        }
        url.into()
    }
}

impl fmt::Debug for Handoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handoff").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Issuer {
    /// How long a token is good: as long as a browser takes from one page to the next.
    pub const LIFETIME: Duration = Duration::from_secs(60);

    /// The application at this origin.
    pub fn new(origin_text: &str) -> Result<Self, NotAnOrigin> {
        Ok(Self { origin: origin(origin_text)?, targets: Vec::new() })
    }

    /// Puts an application on the list.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Its own origin, as in `iss`.
    pub fn origin(&self) -> String {
        self.origin.origin().ascii_serialization()
    }

    /// Whether this address is a page of an application on the list.
    pub fn allows(&self, url: &str) -> bool {
        self.find(url).is_some()
    }

    /// The origin of the application that this address is a page of.
    pub fn target_of(&self, url: &str) -> Option<String> {
        self.find(url).map(|(target, _)| target.origin.origin().ascii_serialization())
    }

    /// A token with which `username` is let in at `url`. `now`: seconds since 1970-01-01 UTC.
    pub fn hand_off(&self, username: &str, url: &str, now: i64) -> Result<Handoff, HandoffError> {
        let (target, page) = self.find(url).ok_or(HandoffError::ForeignTarget)?;
        let audience = target.origin.origin().ascii_serialization();
        let registered = Registered::new(self.origin(), username, &audience, now, Self::LIFETIME);
        let claims = HandoffClaims { registered, path: page.as_str().to_owned() };
        let token = target.keys.current().sign(&claims, now).map_err(|_| HandoffError::NoKey)?;
        let landing = target.origin.join(&target.landing).map_err(|_| HandoffError::ForeignTarget)?;
        Ok(Handoff { token, way: target.way, target: audience, landing })
    }

    /// The target of an address, and the page there as browsers read it: one that the target will lead to.
    fn find(&self, url: &str) -> Option<(&Target, LocalPath)> {
        let is_odd = |c: char| c == '\\' || c.is_control() || c.is_whitespace();
        let url: Url = Some(url).filter(|url| !url.contains(is_odd))?.parse().ok()?;
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let target = self.targets.iter().find(|target| target.origin.origin() == url.origin())?;
        Some((target, page_of(&target.origin, &url[Position::BeforePath..])?))
    }
}
