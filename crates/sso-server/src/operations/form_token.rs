//! Form tokens of the server's pages: they prove which browser received which form, and when.

use std::time::Duration;

use crate::{
    server::Server,
    util::{clock::Timestamp, humanize},
};

/// Whether a page of a form has a time limit. The first page of several has none: the form starts when that page is
/// sent. A form of a single page has one if it contains a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    /// Accepted at any time.
    None,
    /// Accepted for [`form_timeout`](crate::Policy::form_timeout) after the page was served.
    FormTimeout,
}

/// Why a form was not accepted. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The page was not served to this browser, or another site sent it.
    #[error("This form is no longer valid. Try again.")]
    InvalidToken,
    /// The page was served too long ago.
    #[error(
        "This form timed out: send it within {} of opening it. Check what you typed and send it again.",
        humanize::limit(*limit_seconds)
    )]
    TimedOut {
        /// The limit, in seconds.
        limit_seconds: u64,
    },
}

impl FormError {
    /// The message for a form with a password, which is never sent back to the browser and has to be typed again.
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
    /// The token for a page of a form (`login`, `profile/2`) that is served now. `binding` is a cookie value that only
    /// this browser holds.
    pub fn form_token(&self, page: &str, binding: &str) -> String {
        self.0.form_key.token(page, binding, self.0.now().as_millis())
    }

    /// Validates the token that was sent with a page of a form.
    pub fn check_form(&self, page: &str, binding: &str, token: &str, limit: TimeLimit) -> Result<(), FormError> {
        let served = self.0.form_key.served(page, binding, token).map_err(|_| FormError::InvalidToken)?;
        let (served, now, timeout) = (Timestamp::from_millis(served), self.0.now(), self.0.policy.form_timeout);
        // Tolerates a clock that was set back a little, but not a token from tomorrow.
        let is_early = served > now.after(Duration::from_secs(60));
        if limit == TimeLimit::FormTimeout && (is_early || now.since(served) >= timeout) {
            return Err(FormError::TimedOut { limit_seconds: timeout.as_secs() });
        }
        Ok(())
    }
}
