//! The pages that people see, as plain data: one struct for each file in `templates/`, no decisions, no I/O.
//!
//! A caller fills in a struct and calls `render()` (from [`askama::Template`]). Everything is escaped by askama;
//! the templates have no inline script or style, so they work under a Content-Security-Policy of `'self'` alone.

mod account;

use askama::Template;

pub(crate) use account::{BrowserRow, PasswordForm, ServerAccount, ServerConfirm, SessionRow};

/// The themes that a visitor can choose, as (value, label). `static/sso.css` has the colours,
/// `static/ajax-broker.js` the same values.
pub(crate) const THEMES: [(&str, &str); 4] =
    [("plain", "Plain"), ("forest", "Forest"), ("sunset", "Sunset"), ("ocean", "Ocean")];

/// What every page has around its own content.
pub(crate) struct Layout<'a> {
    /// Which colours the site has: `server`, `alice`, `greg` or `julius`.
    pub(crate) site: &'a str,
    /// The site's name as people read it: `Alice`.
    pub(crate) name: &'a str,
    /// The theme found in the shared session, as it is: an unknown one is shown as `plain`.
    pub(crate) theme: &'a str,
    /// All the sites of the demo, this one included.
    pub(crate) sites: &'a [SiteLink<'a>],
    /// Warns before the shared session ends, if somebody is logged in; `None` where a site has a session of its own.
    pub(crate) popup: Option<Popup<'a>>,
}

/// The popup that warns before the session ends: `static/session-popup.js`.
#[derive(Clone, Copy)]
pub(crate) struct Popup<'a> {
    /// What the page's own address, encoded, is appended to, to log in and come back: `/sso/login?to=` at a broker,
    /// `/login?return_url=` at the server.
    pub(crate) login: &'a str,
}

impl Layout<'_> {
    /// The chosen theme as (value, label). Any site may write to the shared data, so it is not trusted.
    fn chosen(&self) -> (&'static str, &'static str) {
        THEMES.into_iter().find(|(value, _)| *value == self.theme).unwrap_or(("plain", "Plain"))
    }
}

/// A site of the demo, in the navigation of all pages and in the list on the server's home page.
pub(crate) struct SiteLink<'a> {
    /// Its name as people read it.
    pub(crate) name: &'a str,
    /// Its home page.
    pub(crate) url: &'a str,
    /// One sentence on what it shows.
    pub(crate) about: &'a str,
    /// Is it the site that the page belongs to?
    pub(crate) current: bool,
}

/// A link that leads on from an error page.
pub(crate) struct Way<'a> {
    /// What it says.
    pub(crate) label: &'a str,
    /// Where it goes.
    pub(crate) href: &'a str,
}

/// Who is logged in.
pub(crate) struct User<'a> {
    /// The name they log in with.
    pub(crate) username: &'a str,
    /// Their attributes that this site may see, as (name, value), in the order to show them.
    pub(crate) attributes: &'a [(String, String)],
}

/// `GET /` at the server.
#[derive(Template)]
#[template(path = "server/home.html")]
pub(crate) struct ServerHome<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Who is logged in, or nobody.
    pub(crate) user: Option<User<'a>>,
    /// For the logout form, which is only shown with a user.
    pub(crate) form_token: &'a str,
    /// Pages of linked applications, to which the user is handed over.
    pub(crate) linked: &'a [Way<'a>],
}

/// The login page at the server.
#[derive(Template)]
#[template(path = "server/login.html")]
pub(crate) struct ServerLogin<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Where the form is posted to.
    pub(crate) action: &'a str,
    /// Ties the form to this browser.
    pub(crate) form_token: &'a str,
    /// What was typed before; empty at first.
    pub(crate) username: &'a str,
    /// For how many days the box remembers the browser; `None`: there is no box.
    pub(crate) remember_days: Option<u64>,
    /// Is it ticked?
    pub(crate) remember: bool,
    /// Why the last try failed: `Invalid credentials`.
    pub(crate) error: Option<&'a str>,
    /// The site that the visitor is on the way to.
    pub(crate) continue_to: Option<&'a str>,
    /// (username, password) pairs to try the demo with; empty: no hint.
    pub(crate) test_users: &'a [(&'a str, &'a str)],
}

/// A page of the profile form at the server.
#[derive(Template)]
#[template(path = "server/profile-form.html")]
pub(crate) struct ServerProfile<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Which page of the two.
    pub(crate) number: u8,
    /// Where the form is posted to.
    pub(crate) action: &'a str,
    /// Ties the page to this browser and this user, and says when it was served.
    pub(crate) form_token: &'a str,
    /// Who is logged in; sent back with the form.
    pub(crate) begun_as: &'a str,
    /// (name, value) of what was typed on the page before.
    pub(crate) carried: &'a [(&'a str, &'a str)],
    /// What this page asks for.
    pub(crate) fields: &'a [Field<'a>],
    /// Why the page is there once more.
    pub(crate) problem: Option<&'a str>,
}

/// The end of the profile form: what was saved.
#[derive(Template)]
#[template(path = "server/profile-done.html")]
pub(crate) struct ServerProfileDone<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// All fields of the form.
    pub(crate) answers: &'a [Field<'a>],
}

/// A field of a form.
pub(crate) struct Field<'a> {
    /// Its name in what is sent, and its id on the page.
    pub(crate) name: &'a str,
    /// What people read.
    pub(crate) label: &'a str,
    /// `text` or `email`, or `textarea` for several lines.
    pub(crate) kind: &'a str,
    /// What browsers fill in by themselves.
    pub(crate) autocomplete: &'a str,
    /// The most characters that it takes.
    pub(crate) max: usize,
    /// Must something be in it?
    pub(crate) required: bool,
    /// What is in it.
    pub(crate) value: &'a str,
    /// What is wrong with that.
    pub(crate) error: Option<String>,
}

impl Field<'_> {
    /// Whether nothing is wrong with it.
    pub(crate) fn is_good(&self) -> bool {
        self.error.is_none()
    }
}

/// An error at the server.
#[derive(Template)]
#[template(path = "server/error.html")]
pub(crate) struct ServerError<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What went wrong, for people.
    pub(crate) message: &'a str,
    /// Ways on.
    pub(crate) ways: &'a [Way<'a>],
}

/// `GET /` at a broker with redirects.
#[derive(Template)]
#[template(path = "broker/home.html")]
pub(crate) struct BrokerHome<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Who is logged in, or nobody.
    pub(crate) user: Option<User<'a>>,
    /// Ties the logout and theme forms to this browser; `None` when not attached, then they are not shown.
    pub(crate) form_token: Option<&'a str>,
    /// Has this site a login form of its own at `/login`?
    pub(crate) own_form: bool,
    /// Has it a page with data of another service at `/reports`?
    pub(crate) has_reports: bool,
    /// The server did not answer, so nobody knows who is logged in.
    pub(crate) server_down: bool,
    /// Why the attach failed.
    pub(crate) problem: Option<&'a str>,
    /// The visitor was logged in until the session expired.
    pub(crate) expired: bool,
}

/// `GET /about` at a broker: a deeper page, which never sends anyone away to attach.
#[derive(Template)]
#[template(path = "broker/about.html")]
pub(crate) struct BrokerAbout<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Who is logged in, as far as known.
    pub(crate) user: Option<User<'a>>,
    /// Is this site attached, so that no user means that nobody is logged in?
    pub(crate) attached: bool,
    /// Is somebody logged in who may not use this site?
    pub(crate) not_allowed: bool,
    /// The visitor was logged in until the session expired.
    pub(crate) expired: bool,
}

/// The broker's own login form, as jasny's demo brokers have it.
#[derive(Template)]
#[template(path = "broker/login.html")]
pub(crate) struct BrokerLogin<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Ties the form to this browser.
    pub(crate) form_token: &'a str,
    /// What was typed before; empty at first.
    pub(crate) username: &'a str,
    /// Why the last try failed.
    pub(crate) error: Option<&'a str>,
}

/// `GET /reports` at a broker: data of another service, got with an access token.
#[derive(Template)]
#[template(path = "broker/reports.html")]
pub(crate) struct BrokerReports<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Who is logged in.
    pub(crate) username: Option<&'a str>,
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
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// The heading: `Cookies are switched off`.
    pub(crate) heading: &'a str,
    /// What happened and what the visitor can do.
    pub(crate) text: &'a str,
    /// For a logout, if that helps: ties it to this browser.
    pub(crate) form_token: Option<&'a str>,
    /// Ways on.
    pub(crate) ways: &'a [Way<'a>],
}

/// `GET /` at the AJAX broker. `static/ajax-broker.js` fills it in, so it is the same for everyone.
#[derive(Template)]
#[template(path = "ajax/home.html")]
pub(crate) struct AjaxHome<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// How to attach from the page: `json`, `jsonp`, or `off` for by redirect only.
    pub(crate) silent: &'a str,
    /// The server's first page.
    pub(crate) server: &'a str,
}

/// A page of a linked application.
#[derive(Template)]
#[template(path = "linked/page.html")]
pub(crate) struct LinkedPage<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// The page's own heading.
    pub(crate) heading: &'a str,
    /// Who is logged in to this application.
    pub(crate) user: Option<&'a str>,
    /// The login form, which comes back to this page.
    pub(crate) login: &'a str,
    /// The menu: pages of this application and of others.
    pub(crate) pages: &'a [Way<'a>],
}

/// A linked application's own login form.
#[derive(Template)]
#[template(path = "linked/login.html")]
pub(crate) struct LinkedLogin<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Where the form is posted to.
    pub(crate) action: &'a str,
    /// What was typed before; empty at first.
    pub(crate) username: &'a str,
    /// Why the last try failed.
    pub(crate) error: Option<&'a str>,
}

/// A user is handed over: a form that sends itself.
#[derive(Template)]
#[template(path = "linked/leaving.html")]
pub(crate) struct Leaving<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Where the form goes.
    pub(crate) action: &'a str,
    /// The token that it carries.
    pub(crate) token: &'a str,
    /// The site that it leads to.
    pub(crate) target: &'a str,
    /// The script that sends it.
    pub(crate) script: &'a str,
}

/// Another site's page wants the visitor to be handed over: a link, so that the visitor decides.
#[derive(Template)]
#[template(path = "linked/may-leave.html")]
pub(crate) struct MayLeave<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Where it leads in the end.
    pub(crate) target: &'a str,
    /// The link.
    pub(crate) href: &'a str,
}

/// Somebody arrives where somebody else is logged in.
#[derive(Template)]
#[template(path = "linked/switch.html")]
pub(crate) struct SwitchUser<'a> {
    /// Around the page.
    pub(crate) layout: Layout<'a>,
    /// Where the form goes.
    pub(crate) action: &'a str,
    /// Ties the form to this browser.
    pub(crate) form_token: &'a str,
    /// Who is logged in.
    pub(crate) current: &'a str,
    /// Who arrives.
    pub(crate) arriving: &'a str,
    /// From where.
    pub(crate) issuer: &'a str,
}
