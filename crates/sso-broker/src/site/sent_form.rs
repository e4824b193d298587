//! What a person sent in a form, to be shown where it was not carried out: their input is not lost.

use sso_core::SentBy;
use url::{Url, form_urlencoded};

use super::request::Request;

/// A longer form is not kept.
pub(super) const MAX_FORM: usize = 16 << 10;

/// Parts of the names of fields whose values are not shown: passwords and form tokens.
const SECRET_PARTS: [&str; 7] = ["pass", "pwd", "secret", "token", "csrf", "cvc", "cvv"];
/// The same as whole names.
const SECRET_NAMES: [&str; 3] = ["pin", "otp", "code"];

/// Whether this is a form that a person sent from a page of this site, and short enough to be kept.
///
/// Another site's page could put its own words into a page of this one.
pub(super) fn is_kept(request: &Request, site: &Url) -> bool {
    let length = request.header("Content-Length").and_then(|length| length.parse().ok());
    request.is_of_type("application/x-www-form-urlencoded")
        && length.is_some_and(|length: usize| length <= MAX_FORM)
        && request.reads_pages()
        && request.sent_by(site) == SentBy::OwnPage
}

/// The fields to show: those that hold something, and no secret.
pub(super) fn fields(form: &[u8]) -> Vec<(String, String)> {
    let shown = form_urlencoded::parse(form).filter(|(name, value)| !value.is_empty() && !is_secret(name));
    shown.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.contains(&name.as_str()) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_shown_and_no_secret() {
        let form = b"form_token=1.a&title=A+%3Cb%3E&text=&new-Password=x&PIN=1234&shipping=Here&author=me&csrf=y&n";
        let shown = [("title", "A <b>"), ("shipping", "Here"), ("author", "me")];
        assert_eq!(fields(form), shown.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(fields(b""), []);
    }
}
