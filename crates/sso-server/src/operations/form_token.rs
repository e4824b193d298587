//! Forms of the server's pages: who was served which page of which form, and when.

use std::time::Duration;

use crate::{
    server::Server,
    util::{clock::Timestamp, humanize},
};

/// Whether a page of a form has a time limit. The first page of several has none: the form counts as started once it
/// was sent. A form of a single page has one where something secret is typed into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    /// It is accepted whenever it comes.
    None,
    /// It is accepted for [`form_timeout`](crate::session::Policy::form_timeout) after the page was served.
    FormTimeout,
}

/// Why a form was not accepted; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The page was not served to this browser, or sent from another site.
    #[error("This form is no longer valid. Try again.")]
    InvalidToken,
    /// It was served too long ago.
    #[error("This form timed out: send it within {} of opening it. Check what you typed and send it again.", humanize::limit(*limit_seconds))]
    TimedOut {
        /// The limit, in seconds.
        limit_seconds: u64,
    },
}

impl FormError {
    /// The same for a form with a password in it, which is never sent back and has to be typed again.
    pub fn of_password_form(self) -> String {
        match self {
            Self::TimedOut { limit_seconds } => format!(
                "This form timed out: send it within {} of opening it. Enter your password again.",
                humanize::limit(limit_seconds)
            ),
            Self::InvalidToken => self.to_string(),
        }
    }
}

impl Server {
    /// The token for a page of a form (`login`, `profile/2`), served now to the browser that holds `binding`: a
    /// cookie's value.
    pub fn form_token(&self, page: &str, binding: &str) -> String {
        self.0.form_key.token(page, binding, self.0.now().as_millis())
    }

    /// Judges the token that came with a page of a form.
    pub fn check_form(&self, page: &str, binding: &str, token: &str, limit: TimeLimit) -> Result<(), FormError> {
        let served = self.0.form_key.served(page, binding, token).map_err(|_| FormError::InvalidToken)?;
        let (served, now, timeout) = (Timestamp::from_millis(served), self.0.now(), self.0.policy.form_timeout);
        // A clock that was set back a little is no reason; one that says "tomorrow" is.
        let is_early = served > now.after(Duration::from_secs(60));
        if limit == TimeLimit::FormTimeout && (is_early || now.since(served) >= timeout) {
            return Err(FormError::TimedOut { limit_seconds: timeout.as_secs() });
        }
        Ok(())
    }
}
