//! Access tokens: made for a user's calls to other services, which verify them without asking, and judged for those that ask all the same.
//!
//! A token lives for some minutes and cannot be called back. It holds a *session handle*, a keyed hash of the login that it was made in: by
//! it introspection knows that this login is over, although the token's time is not.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use sso_core::{
    BrokerId, base36,
    jwt::{AccessClaims, Expected, Registered},
    wire::{AccessToken, BearerErrorCode, TOKEN_TYPE},
};
use subtle::ConstantTimeEq;

use crate::{
    brokers::Broker,
    clock::Timestamp,
    parts::{Parts, Unavailable},
    resume::Resumed,
    session::{Session, lifecycle},
    standing::{self, Standing},
    throttle::TooEarly,
    users::Account,
};

/// Why there is no access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The broker's entry names no service.
    #[error("This broker has no audiences configured")]
    NoAudiences,
    /// It does not name this one.
    #[error("This audience is not among the broker's")]
    ForeignAudience,
    /// A token is about a user.
    #[error("Nobody is logged in")]
    NobodyLoggedIn,
    /// The user may not use this broker.
    #[error("{}", BearerErrorCode::UserNotAllowed.message())]
    UserNotAllowed,
    /// The reason is in the log.
    #[error("The server is temporarily unavailable. Try again later.")]
    NoKey,
}

/// Why a caller is told nothing about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntrospectError {
    /// Broker id and secret do not fit, or are not there (the text is RFC 6749's).
    #[error("invalid_client")]
    InvalidClient,
    /// Too many wrong secrets for this broker.
    #[error("Too many failed attempts. Try again later.")]
    TooManyFailures {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// The store does not answer.
    #[error("The server is temporarily unavailable. Try again later.")]
    Unavailable,
}

impl From<Unavailable> for IntrospectError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl From<TooEarly> for IntrospectError {
    fn from(TooEarly { retry_after }: TooEarly) -> Self {
        Self::TooManyFailures { retry_after }
    }
}

/// What is known of a token (RFC 7662 section 2.2). Of one that is not good, nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Introspection {
    /// Whether it is good, and for the caller.
    pub active: bool,
    /// What it says, if so.
    #[serde(flatten)]
    pub token: Option<ActiveToken>,
}

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are those of RFC 7662 section 2.2")]
pub struct ActiveToken {
    pub iss: String,
    pub sub: String,
    pub username: String,
    pub aud: String,
    pub client_id: String,
    pub iat: i64,
    pub exp: i64,
    pub jti: String,
    pub token_type: &'static str,
}

/// A token for the session's user, to be used at `audience`: the broker's first one if it names none.
pub(crate) fn issue(parts: &Parts, resumed: &Resumed, audience: Option<&str>) -> Result<AccessToken, AccessError> {
    let audiences = &resumed.broker.audiences;
    let first = audiences.first().ok_or(AccessError::NoAudiences)?;
    let audience = match audience {
        None => first,
        Some(named) => audiences.iter().find(|known| *known == named).ok_or(AccessError::ForeignAudience)?,
    };
    if resumed.is_barred {
        return Err(AccessError::UserNotAllowed);
    }
    let user = resumed.session.user().ok_or(AccessError::NobodyLoggedIn)?;

    let now = parts.now();
    let lifetime = lifetime(parts, &resumed.session, now).ok_or(AccessError::NobodyLoggedIn)?;
    let claims = AccessClaims {
        registered: Registered::new(parts.origin(), &user.username, audience, now.as_secs(), lifetime),
        client: resumed.broker.id.to_string(),
        session: Some(handle(parts, &resumed.session)),
    };
    let access_token = parts.access_keys.current().sign(&claims, now.as_secs()).map_err(|error| {
        tracing::error!(%error, "cannot make an access token");
        AccessError::NoKey
    })?;
    tracing::info!(broker = %resumed.broker.id, audience, "made an access token");
    Ok(AccessToken { access_token, token_type: TOKEN_TYPE.into(), expires_in: lifetime.as_secs() })
}

/// How long a token of this session may live: never longer than its login. `None`: not a second.
fn lifetime(parts: &Parts, session: &Session, now: Timestamp) -> Option<Duration> {
    let left = lifecycle::absolute_end(session, &parts.policy).since(now);
    let whole = Duration::from_secs(parts.tokens.access_lifetime.min(left).as_secs());
    (!whole.is_zero()).then_some(whole)
}

/// What is known of a token, for a broker that shows its secret. What is not for that broker is as unknown as what is forged.
pub(crate) async fn introspect(
    parts: &Parts,
    id: &str,
    secret: &[u8],
    token: &str,
) -> Result<Introspection, IntrospectError> {
    const INACTIVE: Introspection = Introspection { active: false, token: None };
    let broker = authenticate(parts, id, secret).await?;
    let (keys, issuer, now) = (parts.access_keys.current(), parts.origin(), parts.now().as_secs());
    let verified = broker.audiences.iter().find_map(|audience| {
        let expected = Expected { issuer: &issuer, audience, now };
        keys.verify::<AccessClaims>(token, &expected).ok()
    });
    let Some(claims) = verified else { return Ok(INACTIVE) };
    let Some(account) = account_of(parts, &claims).await? else { return Ok(INACTIVE) };
    if !broker.entry.admits(&account) || !may_still_enter(parts, &claims.client, &account).await? {
        return Ok(INACTIVE);
    }
    let AccessClaims { registered, client, .. } = claims;
    let token = ActiveToken {
        username: registered.sub.clone(),
        iss: registered.iss,
        sub: registered.sub,
        aud: registered.aud,
        client_id: client,
        iat: registered.iat,
        exp: registered.exp,
        jti: registered.jti,
        token_type: TOKEN_TYPE,
    };
    Ok(Introspection { active: true, token: Some(token) })
}

/// The broker with this id and secret. Failures are counted by its id; a right secret that cannot be guessed is never held up by them, so that nobody
/// can block a broker by failing on purpose.
async fn authenticate(parts: &Parts, id: &str, secret: &[u8]) -> Result<Arc<Broker>, IntrospectError> {
    let id: BrokerId = id.parse().map_err(|_| IntrospectError::InvalidClient)?;
    let (key, now) = (format!("secret {id}"), parts.now());
    let broker = parts.broker(&id).await?.filter(|broker| broker.accepts(secret, now));
    match broker {
        Some(broker) if broker.is_strong() => Ok(broker),
        Some(broker) => {
            parts.checksum_failures.check(&key, now)?;
            Ok(broker)
        }
        None => {
            parts.checksum_failures.check(&key, now)?;
            tracing::warn!(broker = %id, "wrong secret at introspection");
            parts.checksum_failures.failed(&key, now);
            Err(IntrospectError::InvalidClient)
        }
    }
}

/// The account of the token's user, if the login that it was made in goes on.
async fn account_of(parts: &Parts, claims: &AccessClaims) -> Result<Option<Arc<Account>>, Unavailable> {
    let Some(wanted) = &claims.session else { return Ok(None) };
    let sessions = parts.sessions_of(&claims.registered.sub).await?;
    let session =
        sessions.into_iter().find(|session| handle(parts, session).as_bytes().ct_eq(wanted.as_bytes()).into());
    let Some(session) = session else { return Ok(None) };
    Ok(match standing::judge(parts, session).await? {
        // Not what somebody else is, who has logged in there since.
        Standing::Good(_, account) if account.user.username == claims.registered.sub => Some(account),
        _ => None,
    })
}

/// Whether the broker that got the token is still one, and the user still one of its users.
async fn may_still_enter(parts: &Parts, client: &str, account: &Account) -> Result<bool, Unavailable> {
    let Ok(id) = client.parse::<BrokerId>() else { return Ok(false) };
    Ok(parts.broker(&id).await?.is_some_and(|broker| broker.entry.admits(account)))
}

/// What a token says of its session: a name for this one login in it, which leads nowhere without the server's secret.
pub(crate) fn handle(parts: &Parts, session: &Session) -> String {
    let epoch = session.epoch.to_string();
    base36::exact(&parts.handle_key.mac(&[session.id.as_str(), " ", &epoch]))
}

/// See [`Server::jwks`](crate::Server::jwks).
pub(crate) fn jwks(parts: &Parts) -> impl Serialize + use<> {
    parts.access_keys.current().jwks(parts.now().as_secs())
}
