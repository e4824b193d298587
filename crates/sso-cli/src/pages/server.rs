//! The server's home, login and error pages.

use askama::Template;
use sso_site::{Layout, PageLink, UserView};

/// `GET /` at the server.
#[derive(Template)]
#[template(path = "server/home.html")]
pub(crate) struct ServerHome<'a> {
    pub(crate) layout: Layout<'a>,
    /// Who is logged in, or nobody.
    pub(crate) user: Option<UserView<'a>>,
    /// Is there a profile form for them?
    pub(crate) has_profile: bool,
    /// For the logout form, which is only shown with a user.
    pub(crate) logout_token: &'a str,
    /// Pages of linked applications, to which the user is handed over.
    pub(crate) linked: &'a [PageLink<'a>],
}

/// The login page at the server.
#[derive(Template)]
#[template(path = "server/login.html")]
pub(crate) struct ServerLogin<'a> {
    pub(crate) layout: Layout<'a>,
    pub(crate) action: &'a str,
    /// Ties the form to this browser.
    pub(crate) form_token: &'a str,
    /// Why the visitor is to log in, where that needs to be said.
    pub(crate) notice: Option<&'a str>,
    /// What was typed before, or who is to type the password again; empty at first.
    pub(crate) username: &'a str,
    /// For how many days the box remembers the browser; `None`: there is no box.
    pub(crate) remember_days: Option<u64>,
    /// Is it ticked?
    pub(crate) remember: bool,
    /// Why the last try failed: `Wrong username or password.`
    pub(crate) error: Option<&'a str>,
    /// Was the name or the password wrong?
    pub(crate) is_wrong: bool,
    /// The site that the visitor is on the way to.
    pub(crate) continue_to: Option<&'a str>,
    /// (username, password) pairs to try the demo with; empty: no hint.
    pub(crate) test_users: &'a [(&'a str, &'a str)],
}

/// Whether a logout is wanted.
#[derive(Template)]
#[template(path = "server/log-out.html")]
pub(crate) struct ServerLogout<'a> {
    pub(crate) layout: Layout<'a>,
    /// Ties the form to this browser.
    pub(crate) logout_token: &'a str,
}

/// An error at the server.
#[derive(Template)]
#[template(path = "server/error.html")]
pub(crate) struct ServerError<'a> {
    pub(crate) layout: Layout<'a>,
    pub(crate) status: u16,
    /// What went wrong, for people.
    pub(crate) message: &'a str,
    /// For the logout form, if somebody is logged in.
    pub(crate) logout_token: Option<&'a str>,
    /// Where a form goes that deletes the cookies, if that helps.
    pub(crate) clear: Option<&'a str>,
    /// Ways on.
    pub(crate) links: &'a [PageLink<'a>],
}
