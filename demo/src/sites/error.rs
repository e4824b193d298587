//! Why a site cannot be set up.

use sso_handoff::NotAnOrigin;
use sso_jwt::JwksError;
use sso_server::HashingFailed;

/// Why a site cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A site's own URL is none.
    #[error(transparent)]
    Url(#[from] url::ParseError),
    /// An application's origin is none.
    #[error(transparent)]
    Origin(#[from] NotAnOrigin),
    /// The server's keys cannot be had.
    #[error(transparent)]
    Keys(#[from] JwksError),
    /// Passwords cannot be checked.
    #[error(transparent)]
    Passwords(#[from] HashingFailed),
}
