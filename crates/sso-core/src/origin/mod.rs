//! Where a broker lives: which places may be returned to, and which pages may attach silently.

use url::{Host, Origin, Url, form_urlencoded};

use crate::{VerificationCode, wire};

/// The places of one broker.
///
/// A visitor is sent back to a checked place with the verification code, so this check is what keeps the code from
/// an attacker who holds the token. Everything is compared as the WHATWG URL parser sees it, as the
/// browser will: PHP's `parse_url` reads `https://evil\@broker/` as the host `broker`, browsers as `evil`.
#[derive(Clone, Debug)]
pub struct AllowedOrigins {
    places: Vec<Place>,
    returns: ReturnPages,
}

/// Which pages of its origins a broker may be returned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnPages {
    /// Only these paths; the query is free. The rule for brokers that use [`Encoding::Exact`](crate::Encoding).
    Paths(Vec<String>),
    /// Any page. jasny/sso brokers want it, since they return to the page that was asked for; an open redirect or a
    /// leaked `Referer` on any of those pages then leaks the code.
    Any,
}

#[derive(Clone, Debug)]
enum Place {
    Origin(Origin),
    Host(Host<String>),
}

/// A configured origin or path cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// It is neither an origin nor a host.
    #[error("`{0}` is neither an origin such as https://alice.example.com nor a bare host name")]
    NotAnOrigin(String),
    /// It has a path, a query or a user besides the origin.
    #[error("`{0}` has more than scheme, host and port")]
    MoreThanAnOrigin(String),
    /// A return path is not a plain absolute path.
    #[error("the return path `{0}` is not a plain path that starts with `/`")]
    NotAPath(String),
    /// There is no origin, so nobody could ever attach.
    #[error("a broker needs at least one origin")]
    None,
    /// There is no return path, so nobody could ever attach by redirect.
    #[error("a broker needs at least one return path")]
    NoReturnPath,
}

impl AllowedOrigins {
    /// Reads what the operator configured: origins (`https://alice.example.com`), or bare hosts
    /// (`alice.example.com`), which allow both schemes and every port and are the weaker form.
    pub fn new<S: AsRef<str>>(origins: &[S], returns: ReturnPages) -> Result<Self, InvalidOrigin> {
        if origins.is_empty() {
            return Err(InvalidOrigin::None);
        }
        if let ReturnPages::Paths(paths) = &returns {
            if paths.is_empty() {
                return Err(InvalidOrigin::NoReturnPath);
            }
            if let Some(bad) = paths.iter().find(|path| !is_plain_path(path)) {
                return Err(InvalidOrigin::NotAPath(bad.clone()));
            }
        }
        let places = origins.iter().map(|text| Place::parse(text.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { places, returns })
    }

    /// Checks a `return_url`. `None`: not one of this broker's.
    pub fn return_url(&self, text: &str) -> Option<ReturnUrl> {
        let url = parse_strictly(text)?;
        let page_fits = match &self.returns {
            ReturnPages::Any => true,
            ReturnPages::Paths(paths) => paths.iter().any(|path| path == url.path()),
        };
        (page_fits && self.contains(&url)).then_some(ReturnUrl(url))
    }

    /// Checks an `Origin` header. The opaque origin `null` is nobody's.
    pub fn allows_origin(&self, header: &str) -> bool {
        parse_strictly(header).is_some_and(|url| is_bare(&url) && self.contains(&url))
    }

    /// Checks a `Referer` header: a page, or an origin, of this broker.
    pub fn allows_referer(&self, header: &str) -> bool {
        parse_strictly(header).is_some_and(|url| self.contains(&url))
    }

    fn contains(&self, url: &Url) -> bool {
        self.places.iter().any(|place| match place {
            Place::Origin(origin) => url.origin() == *origin,
            Place::Host(host) => url.host().is_some_and(|h| h.to_owned() == *host),
        })
    }
}

impl Place {
    fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        if text.contains("://") {
            let url = parse_strictly(text).ok_or_else(|| InvalidOrigin::NotAnOrigin(text.to_owned()))?;
            if !url.host().is_some_and(|host| is_plain(&host)) {
                return Err(InvalidOrigin::NotAnOrigin(text.to_owned()));
            }
            return if is_bare(&url) {
                Ok(Self::Origin(url.origin()))
            } else {
                Err(InvalidOrigin::MoreThanAnOrigin(text.to_owned()))
            };
        }
        match Host::parse(text) {
            Ok(host) if is_plain(&host) => Ok(Self::Host(host)),
            _ => Err(InvalidOrigin::NotAnOrigin(text.to_owned())),
        }
    }
}

/// A `return_url` that was checked against its broker's [`AllowedOrigins`]; the only kind of URL that an attach
/// redirects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnUrl(Url);

impl ReturnUrl {
    /// Where to send the browser after a good attach.
    pub fn with_code(&self, code: &VerificationCode) -> String {
        self.with(wire::VERIFY_PARAM, code.as_str())
    }

    /// Where to send the browser after a failed one. The text is for people.
    pub fn with_error(&self, message: &str) -> String {
        self.with(wire::ERROR_PARAM, message)
    }

    /// Its origin, for the `form-action` of the login page that leads there.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The URL with one parameter of ours, last in the query (jasny/sso brokers strip it from there). The parser's own
    /// serialisation is sent and not the text that came in, so that no other parser can read it differently.
    fn with(&self, name: &str, value: &str) -> String {
        let mut url = self.0.clone();
        let mut query: Vec<String> =
            url.query().unwrap_or_default().split('&').filter(|p| !is_ours(p)).map(str::to_owned).collect();
        query.push(form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish());
        url.set_query(Some(&query.join("&")));
        url.into()
    }
}

/// Whether a pair of a query would be read as one of our parameters by anyone; also empty pairs, which only clutter.
/// PHP reads `sso.verify`, ` sso_verify` and `sso_verify[]` as `sso_verify`.
fn is_ours(pair: &str) -> bool {
    form_urlencoded::parse(pair.as_bytes()).next().is_none_or(|(name, _)| {
        let name = name.trim_start().split('[').next().unwrap_or_default().replace(['.', ' '], "_");
        name == wire::VERIFY_PARAM || name == wire::ERROR_PARAM
    })
}

/// Parses an absolute http(s) URL, and refuses whatever two parsers could read in two ways.
fn parse_strictly(text: &str) -> Option<Url> {
    let confusing = |c: char| c == '\\' || c == char::REPLACEMENT_CHARACTER || c.is_control() || c.is_whitespace();
    if text.contains(confusing) {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    Url::parse(text).ok()
}

/// An address, or a name of letters, digits, `-`, `_` and dots. The parser lets more through, `*` for one, which can
/// only be a mistake.
fn is_plain<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => {
            name.as_ref().bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        }
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

/// Nothing but scheme, host and port.
fn is_bare(url: &Url) -> bool {
    url.path() == "/" && url.query().is_none() && url.fragment().is_none()
}

/// A path that the parser leaves as it is: no `..`, nothing to encode, no query.
fn is_plain_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && parse_strictly(&format!("http://host{path}"))
            .is_some_and(|url| url.path() == path && url.query().is_none() && url.fragment().is_none())
}

#[cfg(test)]
mod tests;
