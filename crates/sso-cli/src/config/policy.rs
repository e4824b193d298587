//! The lifetimes of sessions and tokens, as they are configured.

use std::time::Duration;

use sso_server::{InvalidPolicy, Policy, Setting, TokenPolicy};
use toml::Spanned;

use super::{
    entries::Lifetime,
    layers::{Keys, Layers},
};
use crate::Failure;

type Key = fn(&Keys) -> Option<&Spanned<Lifetime>>;

/// `[session]`.
pub(super) fn sessions(layers: &Layers) -> Result<Policy, Failure> {
    let lifetime = |key: Key, default| lifetime(layers, key, default);
    let flag = |key: fn(&Keys) -> Option<&bool>, default| layers.value(key).unwrap_or(default);
    let default =
        Policy::with_idle_timeout(lifetime(|keys| keys.session.idle_timeout.as_ref(), Policy::default().idle_timeout));
    let policy = Policy {
        never_expire: flag(|keys| keys.session.never_expire.as_ref(), default.never_expire),
        idle_timeout: default.idle_timeout,
        absolute_lifetime: lifetime(|keys| keys.session.absolute_lifetime.as_ref(), default.absolute_lifetime),
        warn_before: lifetime(|keys| keys.session.warn_before.as_ref(), default.warn_before),
        form_timeout: lifetime(|keys| keys.session.form_timeout.as_ref(), default.form_timeout),
        touch_every: lifetime(|keys| keys.session.touch_every.as_ref(), default.touch_every),
        regenerate_every: lifetime(|keys| keys.session.regenerate_every.as_ref(), default.regenerate_every),
        fingerprint: flag(|keys| keys.session.fingerprint.as_ref(), default.fingerprint),
        link_lifetime: lifetime(|keys| keys.session.link_lifetime.as_ref(), default.link_lifetime),
        max_sessions_per_user: layers
            .value(|keys| keys.session.max_sessions_per_user.as_ref())
            .unwrap_or(default.max_sessions_per_user),
    };
    let measures: [Key; 2] =
        [|keys| keys.session.idle_timeout.as_ref(), |keys| keys.session.absolute_lifetime.as_ref()];
    policy.check().map_err(|error| wrong(layers, "session", &measures, error))?;
    Ok(policy)
}

/// `[jwt]`.
pub(super) fn tokens(layers: &Layers) -> Result<TokenPolicy, Failure> {
    let default = TokenPolicy::default();
    // A configuration from before there was an absolute limit may remember browsers for longer: then that is the limit,
    // too.
    let remember_lifetime = lifetime(layers, |keys| keys.jwt.remember_lifetime.as_ref(), default.remember_lifetime);
    let longest = default.remember_absolute.max(remember_lifetime);
    let tokens = TokenPolicy {
        access_lifetime: lifetime(layers, |keys| keys.jwt.access_lifetime.as_ref(), default.access_lifetime),
        remember_lifetime,
        remember_absolute: lifetime(layers, |keys| keys.jwt.remember_absolute.as_ref(), longest),
        remember_me: layers.value(|keys| keys.jwt.remember_me.as_ref()).unwrap_or(default.remember_me),
    };
    tokens.check().map_err(|error| wrong(layers, "jwt", &[|keys| keys.jwt.remember_absolute.as_ref()], error))?;
    Ok(tokens)
}

fn lifetime(layers: &Layers, key: Key, default: Duration) -> Duration {
    layers.find(key).map_or(default, |(lifetime, _)| lifetime.get_ref().0)
}

/// The failure, told at the setting itself; where that has its default, at one that it is measured by.
fn wrong(layers: &Layers, section: &str, measures: &[Key], error: InvalidPolicy) -> Failure {
    let wrong: Key = match error.setting {
        Setting::IdleTimeout => |keys| keys.session.idle_timeout.as_ref(),
        Setting::WarnBefore => |keys| keys.session.warn_before.as_ref(),
        Setting::FormTimeout => |keys| keys.session.form_timeout.as_ref(),
        Setting::RegenerateEvery => |keys| keys.session.regenerate_every.as_ref(),
        Setting::LinkLifetime => |keys| keys.session.link_lifetime.as_ref(),
        Setting::AccessLifetime => |keys| keys.jwt.access_lifetime.as_ref(),
        Setting::RememberLifetime => |keys| keys.jwt.remember_lifetime.as_ref(),
        Setting::RememberAbsolute => |keys| keys.jwt.remember_absolute.as_ref(),
    };
    match [&[wrong], measures].concat().into_iter().find_map(|key| layers.find(key)) {
        Some((value, layer)) => layer.wrong(value.span().start, format!("[{section}] {error}")),
        None => Failure::settings(format!("[{section}] {error}")),
    }
}
