//! The cookies that a browser sent, read as browsers mean them.
//!
//! A reader must not be kinder than browsers are. A sibling host may set a cookie named `\u{2000}__Host-id` or
//! `__Host%2Did`: to the browser those names have no prefix, and to a reader that strips Unicode white space or decodes
//! names they are `__Host-id`. So this reader works on bytes: it splits at `;`, strips spaces and tabs, decodes
//! nothing, and skips each piece that it does not understand.

use std::collections::BTreeMap;

/// The cookies of one request. Names are compared byte for byte.
///
/// A name that comes with two different values has none: somebody else set one of them, and must not decide which
/// counts.
///
/// ```
/// use sso_core::SentCookies;
///
/// // All `Cookie` fields of the request, in any number.
/// let sent = SentCookies::read([b"id=1; theme=dark; theme=light".as_slice(), b"\xe2\x80\x80id=2; \xff".as_slice()]);
/// assert_eq!(sent.get("id"), Ok(Some("1")));
/// assert_eq!(sent.get("other"), Ok(None));
/// assert_eq!(sent.get("theme").unwrap_err().name(), "theme");
/// ```
#[derive(Clone, Debug, Default)]
pub struct SentCookies<'a>(BTreeMap<&'a str, Sent<'a>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent<'a> {
    Value(&'a str),
    Ambiguous,
}

/// A cookie came twice, with different values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The browser sends two different cookies named {0}")]
pub struct AmbiguousCookie(String);

impl AmbiguousCookie {
    /// What happened and what helps, for a page with a button that deletes the cookies.
    pub const ADVICE: &str = "Another site under the same parent domain sets a cookie with the name of one of ours. \
        Your browser sends both, and this site accepts neither. Delete the cookies to continue. That logs you out at \
        the other sites under this domain, too. If this page comes back, delete the cookies in your browser's \
        settings.";

    /// The cookie's name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl<'a> SentCookies<'a> {
    /// Reads the values of all `Cookie` fields of a request. A piece whose name is not a token, or whose value is not
    /// made of cookie octets (RFC 6265 section 4.1.1), counts as not sent.
    pub fn read(fields: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut cookies = BTreeMap::new();
        for (name, value) in fields.into_iter().flat_map(pieces) {
            let Some(value) = plain_value(value) else { continue };
            let sent = cookies.entry(name).or_insert(Sent::Value(value));
            if *sent != Sent::Value(value) {
                *sent = Sent::Ambiguous;
            }
        }
        Self(cookies)
    }

    /// The value of the cookie with this name; `None`: it was not sent.
    pub fn get(&self, name: &str) -> Result<Option<&'a str>, AmbiguousCookie> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Sent::Value(value)) => Ok(Some(value)),
            Some(Sent::Ambiguous) => Err(AmbiguousCookie(name.to_owned())),
        }
    }

    /// Names and values, without those that are ambiguous.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(|(name, sent)| match sent {
            Sent::Value(value) => Some((*name, *value)),
            Sent::Ambiguous => None,
        })
    }

    /// The first ambiguous one of those that matter to the caller.
    pub fn ambiguous(&self, matters: impl Fn(&str) -> bool) -> Option<AmbiguousCookie> {
        let mut ambiguous = self.0.iter().filter(|(_, sent)| **sent == Sent::Ambiguous).map(|(name, _)| *name);
        ambiguous.find(|name| matters(name)).map(|name| AmbiguousCookie(name.to_owned()))
    }
}

/// The pieces of one `Cookie` field whose name is a token, with whatever value they have, in their order.
pub fn pieces(field: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    field.split(|byte| *byte == b';').filter_map(|piece| {
        let piece = stripped(piece);
        let equals = piece.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (piece.get(..equals)?, piece.get(equals + 1..)?);
        let is_token = !name.is_empty() && name.iter().copied().all(is_token_byte);
        Some((std::str::from_utf8(name).ok().filter(|_| is_token)?, value))
    })
}

/// Without spaces and tabs around it, which are all that browsers strip.
fn stripped(mut piece: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = piece {
        piece = rest;
    }
    piece
}

fn plain_value(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().filter(|_| value.iter().copied().all(is_cookie_octet))
}

/// RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 6265 section 4.1.1: printable ASCII without space, quote, comma, semicolon and backslash.
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

#[cfg(test)]
mod tests;
