//! Names and shapes on the wire, each written once.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// The query parameter in which a broker receives its verification code.
pub const VERIFY_PARAM: &str = "sso_verify";
/// The query parameter in which a broker receives the reason why an attach failed.
pub const ERROR_PARAM: &str = "sso_error";
/// The request header that says who is behind a broker's call; [`ACTIVITY_NONE`]: no person, so it does not extend the
/// login.
pub const ACTIVITY_HEADER: &str = "SSO-Activity";
/// See [`ACTIVITY_HEADER`].
pub const ACTIVITY_NONE: &str = "none";
/// The response header that says how the last login ended, beside the answer that nobody is logged in: `expired; n=7`.
/// See [`Ended`].
pub const ENDED_HEADER: &str = "SSO-Ended";
/// The response header that says that the browser is remembered: a new attach logs it in again. Its value is `1`.
pub const RESUME_HEADER: &str = "SSO-Resume";
/// Why an attach failed whose token has a link: to another session, or one that a login has superseded. Our brokers try
/// again with another token.
pub const ALREADY_ATTACHED: &str = "Token is already attached";
/// The answer to wrong credentials. One text for an unknown user and a wrong password.
pub const INVALID_CREDENTIALS: &str = "Invalid credentials";
/// The same, on pages.
pub const WRONG_CREDENTIALS: &str = "Wrong username or password.";
/// [`BearerErrorCode::UserNotAllowed`], on pages.
pub const NO_ACCESS: &str = "Your account has no access to this site.";

/// An API error's text, as a page shows it.
pub fn for_pages(error: &str) -> &str {
    match error {
        INVALID_CREDENTIALS => WRONG_CREDENTIALS,
        USER_NOT_ALLOWED => NO_ACCESS,
        error => error,
    }
}

const USER_NOT_ALLOWED: &str = "This user may not use this site";

/// The answer of a good silent attach.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verify {
    /// The verification code.
    pub verify: String,
}

/// The answer of a failed silent attach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachFailure {
    /// The HTTP status; a JSONP page cannot see the real one.
    pub code: u16,
    /// What was wrong, for people.
    pub message: String,
    /// A way that may still work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<AttachBy>,
}

/// How a page may attach that could not do it silently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachBy {
    /// By one top-level redirect.
    Redirect,
}

/// The answer of every failed API call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// What was wrong, for people. jasny/sso brokers read only this.
    pub error: String,
    /// What was wrong, for the broker that attaches again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<BearerErrorCode>,
    /// From a broker to its own page: what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<AttachBy>,
}

impl ApiError {
    /// An error without a code.
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), code: None, attach: None }
    }
}

/// Why a broker's call was refused, where the broker has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BearerErrorCode {
    /// Malformed, of an unknown broker, never attached, or with a wrong checksum: not told which.
    NotAttached,
    /// The link is older than the login that is there now: the broker attaches again.
    Superseded,
    /// The session it was linked to has ended: said by servers of version 0.1. Now a call is answered as nobody's, with
    /// [`ENDED_HEADER`].
    SessionEnded,
    /// The token is good, and the user who is logged in may not use this broker. A new token does not help; a logout
    /// does.
    UserNotAllowed,
}

impl BearerErrorCode {
    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::NotAttached | Self::Superseded | Self::UserNotAllowed => 403,
            Self::SessionEnded => 401,
        }
    }

    /// The text that goes with it: jasny/sso's, but for what it does not know.
    pub fn message(self) -> &'static str {
        match self {
            Self::NotAttached => "Invalid or expired bearer token",
            Self::Superseded => "Somebody has logged in since. Client must attach with new token.",
            Self::SessionEnded => "Session has expired. Client must attach with new token.",
            Self::UserNotAllowed => USER_NOT_ALLOWED,
        }
    }
}

/// An access token as brokers get it: `{"access_token":"…","token_type":"Bearer","expires_in":300}` (RFC 6749 section
/// 5.1). `Debug` does not show it.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccessToken {
    /// The token itself: a credential, for the `Authorization` header of calls to its audience and for nothing else.
    pub access_token: String,
    /// Always [`TOKEN_TYPE`].
    pub token_type: String,
    /// Seconds for which it is good.
    pub expires_in: u64,
}

/// How an access token is shown to its audience.
pub const TOKEN_TYPE: &str = "Bearer";

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// A logged-in user as brokers see it: `{"username":"jackie","fullname":"Jackie Black",…}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name the user logged in with.
    pub username: String,
    /// What else is known of the user. One that is called `username` is not written: readers would take it for the
    /// name.
    #[serde(flatten, serialize_with = "but_the_username")]
    pub attributes: Map<String, Value>,
}

fn but_the_username<S: Serializer>(attributes: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().filter(|(name, _)| *name != "username"))
}

/// What is left of a login: `{"authenticated":true,"username":"jackie","expires_in":1187,…}`. Times are whole seconds,
/// rounded down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Whether somebody is logged in.
    pub authenticated: bool,
    /// Who.
    #[serde(default)]
    pub username: Option<String>,
    /// Until the nearer of the two ends; `null` where there is none.
    pub expires_in: Option<u64>,
    /// Until the login ends if nobody uses its session.
    pub idle_expires_in: Option<u64>,
    /// Until it ends whatever happens.
    pub absolute_expires_in: Option<u64>,
    /// How much of it is left when a page warns its user.
    pub warn_before: u64,
    /// When the user last authenticated, in seconds since 1970-01-01 UTC (OpenID Connect's claim of this name).
    #[serde(default)]
    pub auth_time: Option<i64>,
    /// How the last login ended, if nobody is logged in and the caller saw that login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// How a login ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// Which end it was of that session's: a reader shows each once.
    pub n: u64,
    /// How long ago.
    pub seconds_ago: u64,
}

/// Why a login ended, as brokers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Nobody used it, or it was too long ago.
    Expired,
    /// Its user logged out, at whichever site, or another user logged in.
    LoggedOut,
    /// Its user or an operator ended it, its account is gone or has another password, or what led to it was in the
    /// wrong hands.
    Revoked,
}

impl EndReason {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::LoggedOut => "logged-out",
            Self::Revoked => "revoked",
        }
    }
}

impl Ended {
    /// The value of [`ENDED_HEADER`]: `expired; n=7`.
    pub fn header(&self) -> String {
        format!("{}; n={}", self.reason.as_str(), self.n)
    }

    /// Reads it; `None` if it is not one. How long ago is not in it.
    pub fn from_header(text: &str) -> Option<(EndReason, u64)> {
        let (word, n) = text.split_once(';')?;
        let known = [EndReason::Expired, EndReason::LoggedOut, EndReason::Revoked];
        let reason = known.into_iter().find(|reason| reason.as_str() == word.trim())?;
        Some((reason, n.trim().strip_prefix("n=")?.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_say_what_the_api_says_in_their_own_words() {
        let barred = BearerErrorCode::UserNotAllowed.message();
        for (on_the_wire, on_pages) in [
            ("Invalid credentials", "Wrong username or password."),
            (barred, "Your account has no access to this site."),
            ("Try again later.", "Try again later."),
        ] {
            assert_eq!(for_pages(on_the_wire), on_pages);
        }
    }

    fn json<T: Serialize>(value: &T) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn shapes_are_those_of_the_protocol() {
        assert_eq!(json(&Verify { verify: "c".into() }), r#"{"verify":"c"}"#);
        let failure = AttachFailure { code: 403, message: "no".into(), attach: Some(AttachBy::Redirect) };
        assert_eq!(json(&failure), r#"{"code":403,"message":"no","attach":"redirect"}"#);
        assert_eq!(json(&ApiError::new("no")), r#"{"error":"no"}"#);
        let ended = ApiError { code: Some(BearerErrorCode::SessionEnded), ..ApiError::new("over") };
        assert_eq!(json(&ended), r#"{"error":"over","code":"session_ended"}"#);
        assert_eq!(json(&BearerErrorCode::UserNotAllowed), r#""user_not_allowed""#);
        let user: User = serde_json::from_str(r#"{"username":"jackie","email":"j@example.com"}"#).unwrap();
        assert_eq!(user.attributes["email"], "j@example.com");
        assert_eq!(json(&user), r#"{"username":"jackie","email":"j@example.com"}"#);
        let mut other = user.clone();
        other.attributes.insert("username".into(), "john".into());
        assert_eq!(json(&other), json(&user), "nobody passes for another");
    }
}
