//! The side where the user arrives: judges the token, once.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use sso_core::LocalPath;
use sso_jwt::{Expected, HandoffClaims, InvalidToken, KeySet, Registered, SharedKeys};
use url::Url;

use crate::{LANDING_PATH, Limits, NotAnOrigin, Way, origin, page_of};

/// An application whose users are let in.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    origin: String,
    keys: SharedKeys,
    way: Way,
}

impl TrustedIssuer {
    /// At this origin, with the keys that are for this pair of applications alone.
    pub fn new(origin_text: &str, keys: SharedKeys) -> Result<Self, NotAnOrigin> {
        Ok(Self { origin: origin(origin_text)?.origin().ascii_serialization(), keys, way: Way::Post })
    }

    /// How its users arrive (default: with a form; the other way is then refused).
    #[must_use]
    pub fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }
}

/// Remembers which tokens were used, until they are over.
#[async_trait]
pub trait UsedIds: Send + Sync {
    /// Notes that the token of this name (its issuer and its `jti`) is used; it is over at `exp`. Whether it is the
    /// first time: `false` also where that cannot be known.
    async fn first_use(&self, id: &str, exp: i64, now: i64) -> bool;
}

/// In memory, fit for one process. Only tokens that an issuer signed come here, so it is as small as its traffic.
#[derive(Debug, Default)]
pub struct MemoryUsedIds(Mutex<HashMap<String, i64>>);

#[async_trait]
impl UsedIds for MemoryUsedIds {
    async fn first_use(&self, id: &str, exp: i64, now: i64) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, exp| now < *exp);
        used.insert(id.to_owned(), exp).is_none()
    }
}

/// How a token came.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// In a form, from a page of this origin, as the browser says.
    Post {
        /// The `Origin` header.
        origin: Option<&'a str>,
    },
    /// In the address.
    Query {
        /// The `Referer` header.
        referer: Option<&'a str>,
    },
}

/// A user who arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who.
    pub username: String,
    /// The page that the user wants.
    pub page: LocalPath,
    /// From where.
    pub issuer: String,
}

/// The application that lets users of others in.
#[derive(Clone)]
pub struct Receiver {
    origin: Url,
    landing: String,
    issuers: Vec<TrustedIssuer>,
    limits: Limits,
    used: Arc<dyn UsedIds>,
}

impl Receiver {
    /// A token that is good for longer is refused, in seconds: used ones need not be remembered for longer than that.
    pub const LONGEST: i64 = 120;

    /// The application at this origin. It remembers used tokens in memory.
    pub fn new(origin_text: &str) -> Result<Self, NotAnOrigin> {
        let used = Arc::new(MemoryUsedIds::default());
        Ok(Self {
            origin: origin(origin_text)?,
            landing: LANDING_PATH.into(),
            issuers: Vec::new(),
            limits: Limits::default(),
            used,
        })
    }

    /// Lets the users of an application in.
    #[must_use]
    pub fn trust(mut self, issuer: TrustedIssuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Receives users at another path than [`LANDING_PATH`].
    #[must_use]
    pub fn landing(mut self, path: &str) -> Self {
        path.clone_into(&mut self.landing);
        self
    }

    /// How long the logins of arriving users last (default: [`Limits::default`]).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Remembers used tokens elsewhere: several processes need one place.
    #[must_use]
    pub fn used_ids(mut self, used: impl UsedIds + 'static) -> Self {
        self.used = Arc::new(used);
        self
    }

    /// The one path where users arrive.
    pub fn landing_path(&self) -> &str {
        &self.landing
    }

    /// Its own origin, as in `aud`.
    pub fn origin(&self) -> &Url {
        &self.origin
    }

    /// The limits of a login here; for the application's own ones, too.
    pub fn login_limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether this is the first use of what has this name; for what follows on a token.
    pub async fn first_use(&self, id: &str, exp: i64, now: i64) -> bool {
        self.used.first_use(id, exp, now).await
    }

    /// Judges a token; a good one is used up by that. `now`: seconds since 1970-01-01 UTC. What is wrong is told to
    /// nobody.
    pub async fn receive(&self, token: &str, source: Source<'_>, now: i64) -> Result<Arrival, InvalidToken> {
        let audience = self.origin.origin().ascii_serialization();
        let verified = self.issuers.iter().filter(|issuer| issuer.may_send(source)).find_map(|issuer| {
            let expected = Expected { issuer: &issuer.origin, audience: &audience, now };
            issuer.keys.current().verify::<HandoffClaims>(token, &expected).ok()
        });
        let claims = verified.ok_or(InvalidToken)?;
        let page = page_of(&self.origin, &claims.path).ok_or(InvalidToken)?;
        let registered = claims.registered;
        if !is_short_lived(&registered, now) {
            return Err(InvalidToken);
        }
        // Two issuers may choose the same.
        let id = format!("{} {}", registered.iss, registered.jti);
        if !self.used.first_use(&id, registered.exp, now).await {
            return Err(InvalidToken);
        }
        Ok(Arrival { username: registered.sub, page, issuer: registered.iss })
    }
}

/// Whether its times are those of a hand-off; that it is good now is known. The clock of who made it may be ahead as
/// elsewhere.
fn is_short_lived(token: &Registered, now: i64) -> bool {
    token.exp.saturating_sub(now) <= Receiver::LONGEST
        && token.exp.saturating_sub(token.iat) <= Receiver::LONGEST
        && token.iat <= now.saturating_add(KeySet::LEEWAY)
        && token.nbf < token.exp
}

impl TrustedIssuer {
    /// Whether a token of this issuer may come so. A form of another site, with a token that an attacker got there for
    /// themselves, would log the visitor in as the attacker.
    fn may_send(&self, source: Source<'_>) -> bool {
        match (source, self.way) {
            (Source::Post { origin }, Way::Post) => origin == Some(self.origin.as_str()),
            // None at all is what an attacker's page can have sent, too.
            (Source::Query { referer }, Way::Redirect) => referer.is_some_and(|referer| {
                referer.parse::<Url>().is_ok_and(|url| url.origin().ascii_serialization() == self.origin)
            }),
            _ => false,
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("origin", &self.origin.as_str())
            .field("issuers", &self.issuers)
            .finish_non_exhaustive()
    }
}
