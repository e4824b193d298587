//! A request, read into an owned value: what the decisions look at, whichever framework received it.

use sso_core::{SentBy, SentCookies};
use url::{Url, form_urlencoded};

/// The parts of a request that decisions are made on. It is owned, so that it can be kept over an `await`.
///
/// ```
/// use sso_broker::site::Request;
///
/// let headers = [("Host", b"alice.example".as_slice()), ("Accept", b"text/html".as_slice())];
/// let request = Request::new("GET", "/page?a=b", headers);
/// assert_eq!((request.path(), request.query()), ("/page", "a=b"));
/// assert_eq!(request.header("accept"), Some("text/html"));
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path_and_query: String,
    /// Where the path ends.
    path_len: usize,
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    /// `path_and_query`: both as they were sent, with their encoding. `headers`: all of them, a name as often as it was
    /// sent. Where the site's name comes elsewhere than in `Host` (in HTTP/2 it is the authority of the target), give
    /// it as the first `Host`.
    pub fn new<'a>(method: &str, path_and_query: &str, headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            method: method.to_owned(),
            path_and_query: path_and_query.to_owned(),
            path_len: path_and_query.find('?').unwrap_or(path_and_query.len()),
            headers: headers.collect(),
        }
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, with its encoding.
    pub fn path(&self) -> &str {
        self.path_and_query.get(..self.path_len).unwrap_or_default()
    }

    /// The query, with its encoding; empty if there is none.
    pub fn query(&self) -> &str {
        self.path_and_query.get(self.path_len + 1..).unwrap_or_default()
    }

    /// Both.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// All values of a header.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = self.headers.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_slice())
    }

    /// The first value of a header, if it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.header_values(name).next()?;
        let is_text = value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        std::str::from_utf8(value).ok().filter(|_| is_text)
    }

    /// The cookies that were sent.
    pub fn cookies(&self) -> SentCookies<'_> {
        SentCookies::read(self.header_values("Cookie"))
    }

    /// The value of a parameter in the query; `None` if there is none, or more than one.
    pub fn parameter(&self, name: &str) -> Option<String> {
        parameter(self.query().as_bytes(), name)
    }

    /// Which page sent this request to the site at this origin: for forms of your own that have no form token.
    pub fn sent_by(&self, own: &Url) -> SentBy {
        SentBy::of(self.header("Sec-Fetch-Site"), self.header("Origin"), own)
    }

    /// GET or HEAD.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.method(), "GET" | "HEAD")
    }

    /// A method that changes nothing.
    pub(crate) fn is_safe(&self) -> bool {
        matches!(self.method(), "GET" | "HEAD" | "OPTIONS" | "TRACE")
    }

    /// HEAD: nobody reads the answer, so that what is good once is left for the next request.
    pub(crate) fn is_head(&self) -> bool {
        self.method() == "HEAD"
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.header_values(name).next().is_some()
    }

    /// Whether the body has this content type, whatever its parameters.
    pub(crate) fn is_of_type(&self, wanted: &str) -> bool {
        let content_type = self.header("Content-Type").and_then(|value| value.split(';').next()).unwrap_or_default();
        content_type.trim().eq_ignore_ascii_case(wanted)
    }
}

/// The one value of a name in a query or a form.
pub(crate) fn parameter(encoded: &[u8], name: &str) -> Option<String> {
    let mut values = form_urlencoded::parse(encoded).filter(|(other, _)| other == name);
    let value = values.next().map(|(_, value)| value.into_owned());
    value.filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_are_kept_as_they_were_sent() {
        for (sent, path, query) in
            [("/a%2Fb", "/a%2Fb", ""), ("/?", "/", ""), ("/a?b=%3F?c", "/a", "b=%3F?c"), ("", "", "")]
        {
            let request = Request::new("GET", sent, []);
            assert_eq!((request.path(), request.query(), request.path_and_query()), (path, query, sent));
        }
    }

    #[test]
    fn a_parameter_has_one_value() {
        let request = Request::new("GET", "/?to=%2Fa+b&twice=1&twice=1&empty=", []);
        assert_eq!(request.parameter("to").as_deref(), Some("/a b"));
        assert_eq!(request.parameter("empty").as_deref(), Some(""));
        assert_eq!((request.parameter("twice"), request.parameter("none")), (None, None));
    }

    #[test]
    fn headers_are_bytes_and_text_where_they_are_text() {
        let request = Request::new("GET", "/", [("X", b"\xff".as_slice()), ("x", b"b"), ("Content-Type", b"a/B ;c")]);
        assert_eq!(request.header("X"), None);
        assert!(request.has_header("X") && request.is_of_type("A/b"));
        assert_eq!(request.header_values("x").collect::<Vec<_>>(), [b"\xff", b"b".as_slice()]);
    }
}
