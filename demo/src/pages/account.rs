//! The server's account page, and the one that asks for the password again.

use askama::Template;

use super::Layout;

/// `GET /account` at the server.
#[derive(Template)]
#[template(path = "server/account.html")]
pub(crate) struct ServerAccount<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Who is logged in.
    pub(crate) username: &'a str,
    /// Their sessions, this one first.
    pub(crate) sessions: &'a [SessionRow<'a>],
    /// The browsers that are remembered.
    pub(crate) browsers: &'a [BrowserRow<'a>],
    /// Can something be ended without typing the password first?
    pub(crate) is_confirmed: bool,
    /// Ties the forms that end something to this browser and this user.
    pub(crate) account_token: &'a str,
    /// For another password; `None` where passwords cannot be changed here.
    pub(crate) password: Option<PasswordForm<'a>>,
    /// For the logout form.
    pub(crate) logout_token: &'a str,
}

/// The account page's form for another password.
pub(crate) struct PasswordForm<'a> {
    /// Ties the form to this browser and this user, and says when it was served.
    pub(crate) form_token: &'a str,
    /// Why the last try failed.
    pub(crate) error: Option<&'a str>,
    /// Has it just been changed?
    pub(crate) is_done: bool,
    /// The fewest characters.
    pub(crate) min_chars: usize,
}

/// A session on the account page. Times are said as people say them.
pub(crate) struct SessionRow<'a> {
    /// What names it in the form.
    pub(crate) handle: &'a str,
    /// `Firefox on Linux`.
    pub(crate) browser: String,
    /// `3 hours ago`.
    pub(crate) since: String,
    /// `just now`.
    pub(crate) last_seen: String,
    /// Was the browser remembered, and no password typed since?
    pub(crate) is_remembered: bool,
    /// The sites that are attached: `Alice, Greg`; empty if there are none.
    pub(crate) sites: String,
    /// Is it the one that asks?
    pub(crate) is_this: bool,
}

/// A remembered browser on the account page.
pub(crate) struct BrowserRow<'a> {
    /// What names it in the form.
    pub(crate) handle: &'a str,
    /// `Firefox on Linux`.
    pub(crate) browser: String,
    /// `3 hours ago`.
    pub(crate) since: String,
    /// `just now`.
    pub(crate) last_used: String,
    /// For how long: `29 days`.
    pub(crate) left: String,
    /// Is it the one that asks?
    pub(crate) is_this: bool,
}

/// `GET /confirm` at the server: the password again.
#[derive(Template)]
#[template(path = "server/confirm.html")]
pub(crate) struct ServerConfirm<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Where the form is posted to.
    pub(crate) action: &'a str,
    /// Ties the form to this browser and this user.
    pub(crate) form_token: &'a str,
    /// Whose password.
    pub(crate) username: &'a str,
    /// Why the last try failed.
    pub(crate) error: Option<&'a str>,
    /// For the logout form.
    pub(crate) logout_token: &'a str,
}
