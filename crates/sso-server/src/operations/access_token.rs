//! Access tokens: issued for a user's calls to other services, which verify them offline or by introspection.
//!
//! A token lives for minutes and cannot be revoked. It holds a *session handle*, a keyed hash of its login. By the
//! handle, introspection knows that the login is over although the token has not expired.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use sso_core::{
    BrokerId, base36,
    wire::{AccessToken, TOKEN_TYPE},
};
use sso_jwt::{AccessClaims, Expected, Registered};
use subtle::ConstantTimeEq;

use crate::{
    brokers::Broker,
    error::{Error, Unavailable},
    operations::session_lookup::BrokerCall,
    server::{Server, task::Task},
    session::{Session, lifecycle},
    users::Account,
};

/// The result of introspection (RFC 7662 section 2.2). It says nothing about an inactive token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Introspection {
    /// Whether the token is valid and meant for the caller.
    pub active: bool,
    /// Its claims, if active.
    #[serde(flatten)]
    pub token: Option<ActiveToken>,
}

/// The claims of an active token.
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

const INACTIVE: Introspection = Introspection { active: false, token: None };

impl Server {
    /// Issues a token for the session's user, for calls to `audience` or to the broker's first audience.
    pub fn access_token(&self, call: &BrokerCall, audience: Option<&str>) -> Result<AccessToken, Error> {
        let audiences = &call.broker.audiences;
        let first = audiences.first().ok_or(Error::NoAudiences)?;
        let audience = match audience {
            None => first,
            Some(named) => audiences.iter().find(|known| *known == named).ok_or(Error::ForeignAudience)?,
        };
        let user = call.user()?.ok_or(Error::NotLoggedIn)?;
        let (context, session, now) = (&self.0, &call.session, self.0.now());
        // Never longer than its login, and never less than a second.
        let left = lifecycle::absolute_end(session, &context.policy).since(now);
        let lifetime = Duration::from_secs(context.tokens.access_lifetime.min(left).as_secs());
        if lifetime.is_zero() {
            return Err(Error::NotLoggedIn);
        }
        let claims = AccessClaims {
            registered: Registered::new(context.origin(), &user.username, audience, now.as_secs(), lifetime),
            client: call.broker.id.to_string(),
            session: Some(self.login_name(session)),
        };
        let token = context.access_keys.current().sign(&claims, now.as_secs());
        let access_token = token.map_err(Unavailable::because)?;
        tracing::info!(broker = %call.broker.id, audience, "made an access token");
        Ok(AccessToken { access_token, token_type: TOKEN_TYPE.into(), expires_in: lifetime.as_secs() })
    }

    /// Introspects a token for a broker that authenticates with its secret. A token for another audience is as inactive
    /// as a forged one.
    pub async fn introspect(&self, id: &str, secret: &[u8], token: &str) -> Result<Introspection, Error> {
        let task = self.task();
        let broker = task.by_secret(id, secret).await?;
        let (keys, issuer, now) = (task.access_keys.current(), task.origin(), task.now().as_secs());
        let verified = broker.audiences.iter().find_map(|audience| {
            let expected = Expected { issuer: &issuer, audience, now };
            keys.verify::<AccessClaims>(token, &expected).ok()
        });
        let Some(claims) = verified else { return Ok(INACTIVE) };
        // The token's login must still be active.
        let sessions = task.sessions_of(&claims.registered.sub).await?;
        let is_its = |session: &Session| {
            let name = self.login_name(session);
            claims.session.as_ref().is_some_and(|wanted| name.as_bytes().ct_eq(wanted.as_bytes()).into())
        };
        let Some(session) = sessions.into_iter().find(|session| is_its(session)) else { return Ok(INACTIVE) };
        let Some(account) = task.validate_login(session).await?.1 else { return Ok(INACTIVE) };
        // Another user may have logged in to the session since.
        let is_theirs = account.user.username == claims.registered.sub;
        if !is_theirs
            || !broker.allowed_users.allows(&account)
            || !task.may_still_enter(&claims.client, &account).await?
        {
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

    /// A name for the login in this session. It is unique to the login and useless without the server's secret. It
    /// binds tokens and hand-off links to the login.
    pub fn login_name(&self, session: &Session) -> String {
        base36::exact(&self.0.handle_key.mac(&[session.id.as_str(), " ", &session.epoch.to_string()]))
    }

    /// The public keys that verify access tokens, as a JSON Web Key Set (RFC 7517).
    pub fn jwks(&self) -> impl Serialize + use<> {
        self.0.access_keys.current().jwks(self.0.now().as_secs())
    }
}

impl Task<'_> {
    /// The broker with this id and secret. Failures count by id. They never delay a correct secret that cannot be
    /// guessed, so nobody can block a broker by failing on purpose.
    async fn by_secret(&self, id: &str, secret: &[u8]) -> Result<Arc<Broker>, Error> {
        let id: BrokerId = id.parse().map_err(|_| Error::InvalidClient)?;
        let (key, now) = (format!("secret {id}"), self.now());
        let broker = self.broker(&id).await?.filter(|broker| broker.accepts(secret, now));
        if !broker.as_ref().is_some_and(|broker| broker.is_strong()) {
            self.checksum_failures.check(&key, now)?;
        }
        broker.ok_or_else(|| {
            tracing::warn!(broker = %id, "wrong secret at introspection");
            self.checksum_failures.failed(&key, now);
            Error::InvalidClient
        })
    }

    /// Whether the broker that requested the token still exists, and the user may still use it.
    async fn may_still_enter(&self, client: &str, account: &Account) -> Result<bool, Unavailable> {
        let Ok(id) = client.parse::<BrokerId>() else { return Ok(false) };
        Ok(self.broker(&id).await?.is_some_and(|broker| broker.allowed_users.allows(account)))
    }
}
