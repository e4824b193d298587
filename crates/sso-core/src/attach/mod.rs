//! An attach request: how it is read, and every check that needs no store.

mod error;

use std::time::Duration;

pub use error::AttachError;
use url::form_urlencoded;

use crate::{AllowedOrigins, BrokerId, Checksum, ChecksumKey, ReturnUrl, Token, broker_id::is_word};

/// What a browser asked for at `/attach`.
#[derive(Clone, Debug)]
pub struct AttachRequest {
    /// Whose token.
    pub broker: BrokerId,
    /// The token to link to the browser's session.
    pub token: Token,
    /// The broker's proof that it made this request.
    pub checksum: Checksum,
    /// How the answer goes back.
    pub mode: Mode,
    /// Whether the visitor is to log in on the way (`prompt=login`).
    pub prompt_login: bool,
    /// With that: whoever authenticated so long ago, or longer, does so again (`max_age`, in seconds). The checksum
    /// does not cover it, so a broker that needs it looks at `auth_time` afterwards.
    pub max_age: Option<Duration>,
}

/// How the answer of an attach goes back to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By redirect, to a URL that is still to be checked.
    Redirect(String),
    /// As a call of this JavaScript function.
    Jsonp(Callback),
    /// As JSON, to a script.
    Json,
}

impl Mode {
    /// Whether no page changes: JSONP and JSON.
    pub fn is_silent(&self) -> bool {
        !matches!(self, Self::Redirect(_))
    }
}

/// The name of a JSONP callback: a letter or underscore, then at most 127 letters, digits or underscores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback(String);

impl Callback {
    /// The name; safe to print in JavaScript.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which silent attach a broker may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Silent {
    /// None: by redirect only.
    #[default]
    Off,
    /// JSON with CORS.
    Json,
    /// JSONP, as jasny/sso's AJAX brokers use it. A script that was injected into the broker's page can use it too.
    Jsonp,
}

impl AttachRequest {
    /// Reads a query string. `accepts_html`: the answer would be shown as a page, so it needs a return URL.
    ///
    /// Unknown parameters are passed over. Of those known, none may come twice or as a PHP array (`token[]=x`):
    /// two readers could choose differently.
    pub fn parse(query: &str, accepts_html: bool) -> Result<Self, AttachError> {
        let query = Query(query);
        let broker = query.required("broker")?.parse().map_err(|_| AttachError::Invalid("broker"))?;
        let token = query.required("token")?.parse().map_err(|_| AttachError::Invalid("token"))?;
        let checksum = query.required("checksum")?.parse().map_err(|_| AttachError::Invalid("checksum"))?;
        let (return_url, callback) = (query.optional("return_url")?, query.optional("callback")?);
        let mode = match (return_url, callback) {
            (Some(url), _) => Mode::Redirect(url),
            (None, Some(name)) if is_callback(&name) => Mode::Jsonp(Callback(name)),
            (None, Some(_)) => return Err(AttachError::Invalid("callback")),
            (None, None) if accepts_html => return Err(AttachError::Missing("return_url")),
            (None, None) => Mode::Json,
        };
        let prompt_login = match query.optional("prompt")?.as_deref() {
            None => false,
            Some("login") if !mode.is_silent() => true,
            Some(_) => return Err(AttachError::Invalid("prompt")),
        };
        let max_age = match query.optional("max_age")? {
            None => None,
            Some(text) if prompt_login => Some(seconds(&text).ok_or(AttachError::Invalid("max_age"))?),
            Some(_) => return Err(AttachError::Invalid("max_age")),
        };
        Ok(Self { broker, token, checksum, mode, prompt_login, max_age })
    }
}

/// Whole seconds below 2^32, of digits alone: `parse` would take a sign.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: u32 = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))?;
    Some(Duration::from_secs(seconds.into()))
}

/// What the browser says of a request by itself, where a page cannot lie about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct BrowserHeaders<'a> {
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Referer`.
    pub referer: Option<&'a str>,
    /// `Sec-Fetch-Dest`.
    pub fetch_dest: Option<&'a str>,
}

/// What is known of the broker that an attach is checked against.
#[derive(Clone, Debug)]
pub struct AttachRules<'a> {
    /// Compute its checksums: the one of its secret, and of the one before it while that is accepted.
    pub keys: Vec<&'a ChecksumKey>,
    /// Where it lives.
    pub origins: &'a AllowedOrigins,
    /// Which silent attach it may use.
    pub silent: Silent,
}

impl AttachRules<'_> {
    /// The checked return URL in redirect mode, `None` in the silent ones. Comes before every other check, since
    /// their errors are sent there.
    pub fn return_url(&self, request: &AttachRequest) -> Result<Option<ReturnUrl>, AttachError> {
        match &request.mode {
            Mode::Redirect(url) => self.origins.return_url(url).map(Some).ok_or(AttachError::ReturnUrlNotAllowed),
            Mode::Jsonp(_) | Mode::Json => Ok(None),
        }
    }

    /// Whether the broker made this request, in constant time.
    pub fn check_checksum(&self, request: &AttachRequest) -> Result<(), AttachError> {
        let is_right = self.keys.iter().any(|key| key.attach(&request.token) == request.checksum);
        if is_right { Ok(()) } else { Err(AttachError::InvalidChecksum) }
    }

    /// Whether the request comes from where it should.
    ///
    /// A redirect attach is a visit to the server, so any page may have led to it: its `Referer` is not looked at (a
    /// click from one broker to another carries the first one's through the redirect, jasny/sso issue 133). A silent
    /// one must say whose page asks: a script tag with `referrerpolicy=no-referrer` on any page would otherwise read
    /// the code.
    pub fn check_source(&self, request: &AttachRequest, headers: BrowserHeaders<'_>) -> Result<(), AttachError> {
        if headers.origin.is_some_and(|origin| !self.origins.allows_origin(origin)) {
            return Err(AttachError::OriginNotAllowed);
        }
        if !request.mode.is_silent() {
            return match headers.fetch_dest {
                None | Some("document") => Ok(()),
                Some(_) => Err(AttachError::NotANavigation),
            };
        }
        if headers.referer.is_some_and(|referer| !self.origins.allows_referer(referer)) {
            return Err(AttachError::RefererNotAllowed);
        }
        if headers.origin.is_none() && headers.referer.is_none() {
            return Err(AttachError::OriginNotAllowed);
        }
        match (&request.mode, self.silent) {
            (Mode::Json, Silent::Json) | (Mode::Jsonp(_), Silent::Jsonp) => Ok(()),
            _ => Err(AttachError::SilentOff),
        }
    }
}

/// The JSONP callback that an answer to this query should call, even if the rest of it is wrong. `None`: the
/// answer goes another way.
pub fn callback_in(query: &str) -> Option<Callback> {
    let has_return_url = param_in(query, "return_url").is_some();
    param_in(query, "callback").filter(|name| !has_return_url && is_callback(name)).map(Callback)
}

/// A parameter of a query that need not be valid; `None` if it is missing or ambiguous.
pub fn param_in(query: &str, name: &'static str) -> Option<String> {
    Query(query).optional(name).ok().flatten()
}

/// A query string of which each known parameter is wanted at most once.
struct Query<'a>(&'a str);

impl Query<'_> {
    fn required(&self, name: &'static str) -> Result<String, AttachError> {
        self.optional(name)?.ok_or(AttachError::Missing(name))
    }

    fn optional(&self, name: &'static str) -> Result<Option<String>, AttachError> {
        let mut found = None;
        for (key, value) in form_urlencoded::parse(self.0.as_bytes()) {
            let is_array = key.strip_prefix(name).is_some_and(|rest| rest.starts_with('['));
            if is_array || (key == name && found.is_some()) {
                return Err(AttachError::Invalid(name));
            }
            if key == name {
                found = Some(value.into_owned());
            }
        }
        Ok(found)
    }
}

fn is_callback(name: &str) -> bool {
    is_word(name, 1..=128) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoding, ReturnPages, Secret};

    const TOKEN: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

    fn parse(query: &str) -> Result<AttachRequest, AttachError> {
        AttachRequest::parse(query, false)
    }

    fn good() -> String {
        format!("broker=Alice&token={TOKEN}&checksum=abc")
    }

    #[test]
    fn reads_the_three_modes() {
        assert_eq!(parse(&good()).unwrap().mode, Mode::Json);
        assert_eq!(parse(&(good() + "&callback=f_1")).unwrap().mode, Mode::Jsonp(Callback("f_1".into())));
        let both = good() + "&callback=f&return_url=https%3A%2F%2Fa%2F&unknown=1";
        assert_eq!(parse(&both).unwrap().mode, Mode::Redirect("https://a/".into()));
        let prompt = good() + "&return_url=x&prompt=login";
        assert!(parse(&prompt).unwrap().prompt_login);
        assert_eq!(parse(&prompt).unwrap().max_age, None);
        for (text, seconds) in [("0", 0), ("060", 60), ("4294967295", u32::MAX)] {
            let max_age = parse(&format!("{prompt}&max_age={text}")).unwrap().max_age;
            assert_eq!(max_age, Some(Duration::from_secs(seconds.into())));
        }
    }

    #[test]
    fn missing_parameters_are_named() {
        for name in ["broker", "token", "checksum"] {
            let query: Vec<_> = good().split('&').filter(|p| !p.starts_with(name)).map(str::to_owned).collect();
            assert_eq!(parse(&query.join("&")).unwrap_err(), AttachError::Missing(name));
        }
        assert_eq!(AttachRequest::parse(&good(), true).unwrap_err(), AttachError::Missing("return_url"));
        assert_eq!(AttachError::Missing("token").to_string(), "Missing 'token' query parameter");
    }

    #[test]
    fn malformed_repeated_and_array_parameters_are_named() {
        for (extra, name) in [
            ("&broker=Alice", "broker"),
            ("&token%5B%5D=x", "token"),
            ("&token[a]=x", "token"),
            ("&checksum=abc", "checksum"),
            ("&callback=alert(1)", "callback"),
            ("&callback=1f", "callback"),
            ("&callback=", "callback"),
            ("&callback=f%0a", "callback"),
            ("&return_url=a&return_url=b", "return_url"),
            ("&prompt=none&return_url=a", "prompt"),
            ("&prompt=login", "prompt"),
            ("&return_url=a&max_age=60", "max_age"),
            ("&return_url=a&prompt=login&max_age=", "max_age"),
            ("&return_url=a&prompt=login&max_age=-1", "max_age"),
            ("&return_url=a&prompt=login&max_age=%2B1", "max_age"),
            ("&return_url=a&prompt=login&max_age=1.5", "max_age"),
            ("&return_url=a&prompt=login&max_age=1h", "max_age"),
            ("&return_url=a&prompt=login&max_age=4294967296", "max_age"),
            ("&return_url=a&prompt=login&max_age=60&max_age=60", "max_age"),
            ("&return_url=a&prompt=login&max_age[]=60", "max_age"),
        ] {
            assert_eq!(parse(&(good() + extra)).unwrap_err(), AttachError::Invalid(name), "{extra}");
        }
        for (query, name) in [
            (format!("broker=A-b&token={TOKEN}&checksum=abc"), "broker"),
            (format!("broker=Alice&token={TOKEN}%00&checksum=abc"), "token"),
            (format!("broker=Alice&token={TOKEN}%FF&checksum=abc"), "token"),
            ("broker=Alice&token=&checksum=abc".into(), "token"),
            (format!("broker=Alice&token={TOKEN}&checksum=ABC"), "checksum"),
        ] {
            assert_eq!(parse(&query).unwrap_err(), AttachError::Invalid(name), "{query}");
        }
    }

    fn check(mode: &str, silent: Silent, headers: BrowserHeaders<'_>) -> Result<(), AttachError> {
        let key = ChecksumKey::new(&Secret::new("s"), Encoding::Exact);
        let origins = AllowedOrigins::new(&["https://alice"], ReturnPages::Any).unwrap();
        let request = parse(&(good() + mode)).unwrap();
        AttachRules { keys: vec![&key], origins: &origins, silent }.check_source(&request, headers)
    }

    #[test]
    fn a_redirect_is_a_visit() {
        let redirect = |headers| check("&return_url=https://alice/", Silent::Off, headers);
        let none = BrowserHeaders::default();
        assert_eq!(redirect(none), Ok(()));
        assert_eq!(redirect(BrowserHeaders { referer: Some("https://greg/"), ..none }), Ok(()));
        assert_eq!(redirect(BrowserHeaders { fetch_dest: Some("document"), ..none }), Ok(()));
        for frame in ["iframe", "image", "empty", "script"] {
            let headers = BrowserHeaders { fetch_dest: Some(frame), ..none };
            assert_eq!(redirect(headers), Err(AttachError::NotANavigation));
        }
        let foreign = BrowserHeaders { origin: Some("https://evil"), ..none };
        assert_eq!(redirect(foreign), Err(AttachError::OriginNotAllowed));
    }

    #[test]
    fn a_silent_attach_says_where_it_comes_from_and_is_switched_on() {
        let none = BrowserHeaders::default();
        let alice = BrowserHeaders { origin: Some("https://alice"), ..none };
        let by_referer = BrowserHeaders { referer: Some("https://alice/page"), ..none };
        assert_eq!(check("", Silent::Json, alice), Ok(()));
        assert_eq!(check("&callback=f", Silent::Jsonp, by_referer), Ok(()));
        assert_eq!(check("&callback=f", Silent::Jsonp, none), Err(AttachError::OriginNotAllowed));
        assert_eq!(
            check("", Silent::Json, BrowserHeaders { origin: Some("null"), ..none }),
            Err(AttachError::OriginNotAllowed)
        );
        let evil = BrowserHeaders { referer: Some("https://evil/"), ..none };
        assert_eq!(check("&callback=f", Silent::Jsonp, evil), Err(AttachError::RefererNotAllowed));
        assert_eq!(check("", Silent::Off, alice), Err(AttachError::SilentOff));
        assert_eq!(check("", Silent::Jsonp, alice), Err(AttachError::SilentOff));
        assert_eq!(check("&callback=f", Silent::Json, alice), Err(AttachError::SilentOff));
    }

    #[test]
    fn only_the_right_secret_makes_the_checksum() {
        let key = ChecksumKey::new(&Secret::new("s"), Encoding::Exact);
        let origins = AllowedOrigins::new(&["https://alice"], ReturnPages::Any).unwrap();
        let rules = AttachRules { keys: vec![&key], origins: &origins, silent: Silent::Off };
        let mut request = parse(&good()).unwrap();
        assert_eq!(rules.check_checksum(&request), Err(AttachError::InvalidChecksum));
        request.checksum = key.attach(&request.token);
        assert_eq!(rules.check_checksum(&request), Ok(()));
    }
}
