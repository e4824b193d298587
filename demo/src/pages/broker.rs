//! The pages of the brokers.

use askama::Template;
use sso_broker::{EndReason, site::Script};
use sso_site::{Layout, PageLink, THEMES, UserView};

/// `GET /` at a broker with redirects.
#[derive(Template)]
#[template(path = "broker/home.html")]
pub(crate) struct BrokerHome<'a> {
    pub(crate) layout: Layout<'a>,
    /// Who is logged in, or nobody.
    pub(crate) user: Option<UserView<'a>>,
    /// Ties the logout and theme forms to this browser; `None` when not attached, then they are not shown.
    pub(crate) form_token: Option<&'a str>,
    /// Has this site a login form of its own at `/login`?
    pub(crate) own_form: bool,
    /// Has it a page with data from the API at `/reports`?
    pub(crate) has_reports: bool,
    /// The server did not answer, so nobody knows who is logged in.
    pub(crate) server_down: bool,
    /// Why the attach failed.
    pub(crate) problem: Option<&'a str>,
    /// How the visitor's last login ended, on the first page since.
    pub(crate) ended: Option<&'a str>,
}

/// `GET /about` at a broker: a deeper page, which never sends anyone away to attach.
#[derive(Template)]
#[template(path = "broker/about.html")]
pub(crate) struct BrokerAbout<'a> {
    pub(crate) layout: Layout<'a>,
    /// Who is logged in, as far as known.
    pub(crate) user: Option<UserView<'a>>,
    /// For the logout form, which is only shown with a user.
    pub(crate) logout_token: &'a str,
    /// Is this site attached, so that no user means that nobody is logged in?
    pub(crate) attached: bool,
    /// The server did not answer, so nobody knows who is logged in.
    pub(crate) server_down: bool,
    /// Why it is not known otherwise.
    pub(crate) problem: Option<&'a str>,
    /// Is somebody logged in who may not use this site?
    pub(crate) not_allowed: bool,
    /// Is the browser remembered, so that a new attach logs it in?
    pub(crate) remembered: bool,
    /// How the visitor's last login ended, on the first page since.
    pub(crate) ended: Option<&'a str>,
}

/// The broker's own login form, as jasny's demo brokers have it.
#[derive(Template)]
#[template(path = "broker/login.html")]
pub(crate) struct BrokerLogin<'a> {
    pub(crate) layout: Layout<'a>,
    /// Ties the form to this browser.
    pub(crate) form_token: &'a str,
    /// What was typed before; empty at first.
    pub(crate) username: &'a str,
    /// Why the last try failed.
    pub(crate) error: Option<&'a str>,
    /// Was the name or the password wrong?
    pub(crate) is_wrong: bool,
}

/// `GET /reports` at a broker: data of another service, got with an access token.
#[derive(Template)]
#[template(path = "broker/reports.html")]
pub(crate) struct BrokerReports<'a> {
    pub(crate) layout: Layout<'a>,
    /// Who is logged in.
    pub(crate) username: Option<&'a str>,
    /// For the logout form, which is only shown with a user.
    pub(crate) logout_token: &'a str,
    /// The origin of the service.
    pub(crate) service: &'a str,
    /// What it answered.
    pub(crate) answer: Option<&'a str>,
    /// Why there is no answer.
    pub(crate) problem: Option<&'a str>,
}

/// Something went wrong at a broker.
#[derive(Template)]
#[template(path = "broker/problem.html")]
pub(crate) struct BrokerProblem<'a> {
    pub(crate) layout: Layout<'a>,
    /// The heading: `Cookies are switched off`.
    pub(crate) heading: &'a str,
    /// What happened and what the visitor can do.
    pub(crate) text: &'a str,
    /// Names and values of what the visitor sent in a form that was not carried out.
    pub(crate) fields: &'a [(String, String)],
    /// Is it for a user, so that it has a logout?
    pub(crate) is_for_user: bool,
    /// For the broker's own logout, if that helps: ties it to this browser.
    pub(crate) form_token: Option<&'a str>,
    /// Where a form goes that deletes the cookies, if that helps.
    pub(crate) clear: Option<&'a str>,
    /// Ways on.
    pub(crate) links: &'a [PageLink<'a>],
    /// What goes the first of them by itself.
    pub(crate) script: Option<&'a Script>,
}

/// `GET /` at the AJAX broker, as it is before `static/ajax-broker.js` takes over.
#[derive(Template)]
#[template(path = "ajax/home.html")]
pub(crate) struct AjaxHome<'a> {
    pub(crate) layout: Layout<'a>,
    /// How to attach from the page: `json`, `jsonp`, or `off` for by redirect only.
    pub(crate) silent: &'a str,
    /// The server's first page.
    pub(crate) server: &'a str,
    /// What is known of the visitor.
    pub(crate) state: AjaxState,
    /// Who is logged in, or nobody.
    pub(crate) user: Option<UserView<'a>>,
    /// Ties the logout and theme forms to this browser; empty when not attached.
    pub(crate) form_token: &'a str,
    /// The same of the login form.
    pub(crate) login_token: &'a str,
    /// The server did not answer, so nobody knows who is logged in.
    pub(crate) server_down: bool,
    /// Why the attach failed.
    pub(crate) problem: Option<&'a str>,
    /// Is the browser remembered, so that a new attach logs it in?
    pub(crate) remembered: bool,
    /// How the visitor's last login ended, on the first page since.
    pub(crate) ended: Option<&'a str>,
}

/// What is known of the AJAX broker's visitor when the page is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AjaxState {
    /// Nothing: the site is not attached, or the server does not answer.
    Unknown,
    /// Nobody is logged in.
    Nobody,
    /// Somebody is.
    User,
    /// Somebody is who may not use this site.
    Barred,
}

impl AjaxState {
    /// For the script.
    fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Nobody => "nobody",
            Self::User => "user",
            Self::Barred => "barred",
        }
    }
}

/// The words for how a visitor's last login ended. `static/ajax-broker.js` has the same.
pub(crate) fn ended_words(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Expired => "Your session has expired. Log in again to continue.",
        EndReason::LoggedOut => "You were logged out at another site or in another tab.",
        EndReason::Revoked => "Your session was ended for you. Log in again to continue.",
    }
}
