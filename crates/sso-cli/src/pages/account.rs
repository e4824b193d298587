//! The server's account page, and the one that asks for the password again.

use askama::Template;
use sso_site::Layout;

/// `GET /account` at the server.
#[derive(Template)]
#[template(path = "server/account.html")]
pub(crate) struct ServerAccount<'a> {
    pub(crate) layout: Layout<'a>,
    /// Who is logged in.
    pub(crate) username: &'a str,
    /// What has just been done here, and how the login before this one ended.
    pub(crate) news: &'a [&'a str],
    /// Their sessions, this one first.
    pub(crate) sessions: &'a [SessionRow<'a>],
    /// The browsers that are remembered.
    pub(crate) browsers: &'a [BrowserRow<'a>],
    /// Are there other sessions or other browsers, which could be ended all at once?
    pub(crate) has_others: bool,
    /// Can something be ended without typing the password first?
    pub(crate) is_confirmed: bool,
    /// Ties the forms that end something to this browser and this user.
    pub(crate) account_token: &'a str,
    /// For another password; `None` where passwords cannot be changed here.
    pub(crate) password: Option<PasswordForm<'a>>,
    pub(crate) logout_token: &'a str,
}

/// The account page's form for another password.
pub(crate) struct PasswordForm<'a> {
    /// Ties the form to this browser and this user, and says when it was served.
    pub(crate) form_token: &'a str,
    /// Why the last try failed.
    pub(crate) error: Option<&'a str>,
    /// The name of the field that is wrong, if one is.
    pub(crate) wrong: Option<&'a str>,
    /// The fewest characters.
    pub(crate) min_chars: usize,
}

impl PasswordForm<'_> {
    fn is_wrong(&self, field: &str) -> bool {
        self.wrong == Some(field)
    }
}

/// An instant, as the account page shows it.
pub(crate) struct When {
    /// For programs: `2026-11-28T09:30:15Z`.
    pub(crate) datetime: String,
    /// Exactly, for people: `2026-11-28 09:30:15 UTC`.
    pub(crate) exact: String,
    /// `3 hours ago`.
    pub(crate) ago: String,
}

/// A session on the account page.
pub(crate) struct SessionRow<'a> {
    /// What names it in the form.
    pub(crate) handle: &'a str,
    /// `Firefox on Linux`.
    pub(crate) browser: String,
    /// When its user logged in there.
    pub(crate) since: When,
    /// When it was last used.
    pub(crate) last_seen: When,
    /// How it began.
    pub(crate) begun: Begun,
    /// The sites that are attached: `Alice, Greg`; empty if there are none.
    pub(crate) sites: String,
    /// Is it the one that asks?
    pub(crate) is_this: bool,
}

/// How a session on the account page began.
pub(crate) enum Begun {
    /// With the password.
    Password,
    /// Because the browser is remembered; no password was typed since.
    Remembered,
    /// Before the password was last typed there.
    Confirmed(When),
}

/// A remembered browser on the account page.
pub(crate) struct BrowserRow<'a> {
    /// What names it in the form.
    pub(crate) handle: &'a str,
    /// `Firefox on Linux`.
    pub(crate) browser: String,
    /// Since when.
    pub(crate) since: When,
    /// When that last logged its user in.
    pub(crate) last_used: When,
    /// For how long: `29 days`.
    pub(crate) left: String,
    /// Is it the one that asks?
    pub(crate) is_this: bool,
}

/// `GET /confirm` at the server: the password again.
#[derive(Template)]
#[template(path = "server/confirm.html")]
pub(crate) struct ServerConfirm<'a> {
    pub(crate) layout: Layout<'a>,
    pub(crate) action: &'a str,
    /// Ties the form to this browser and this user.
    pub(crate) form_token: &'a str,
    /// Whose password.
    pub(crate) username: &'a str,
    /// Why the last try failed.
    pub(crate) error: Option<&'a str>,
    pub(crate) logout_token: &'a str,
}
