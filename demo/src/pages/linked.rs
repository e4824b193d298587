//! The pages of linked applications, and those on the way to one.

use askama::Template;
use sso_site::{Layout, PageLink};

/// A page of a linked application.
#[derive(Template)]
#[template(path = "linked/page.html")]
pub(crate) struct LinkedPage<'a> {
    pub(crate) layout: Layout<'a>,
    pub(crate) heading: &'a str,
    /// Who is logged in to this application.
    pub(crate) user: Option<&'a str>,
    /// The login form, which comes back to this page.
    pub(crate) login: &'a str,
    /// The menu: pages of this application and of others.
    pub(crate) pages: &'a [PageLink<'a>],
}

/// A linked application's own login form.
#[derive(Template)]
#[template(path = "linked/login.html")]
pub(crate) struct LinkedLogin<'a> {
    pub(crate) layout: Layout<'a>,
    pub(crate) action: &'a str,
    /// What was typed before; empty at first.
    pub(crate) username: &'a str,
    /// Why the last try failed.
    pub(crate) error: Option<&'a str>,
    /// Was the name or the password wrong?
    pub(crate) is_wrong: bool,
}

/// A user is handed over: a form that sends itself.
#[derive(Template)]
#[template(path = "linked/leaving.html")]
pub(crate) struct OnTheWay<'a> {
    pub(crate) layout: Layout<'a>,
    pub(crate) action: &'a str,
    /// The token that it carries.
    pub(crate) token: &'a str,
    /// The site that it leads to.
    pub(crate) target: &'a str,
    /// Who will be logged in there.
    pub(crate) user: &'a str,
    /// The script that sends it.
    pub(crate) script: &'a str,
}

/// No page of this site proves that the visitor wants to be handed over: a button, so that the visitor decides.
#[derive(Template)]
#[template(path = "linked/may-leave.html")]
pub(crate) struct MayLeave<'a> {
    pub(crate) layout: Layout<'a>,
    pub(crate) action: &'a str,
    /// Where it leads in the end.
    pub(crate) url: &'a str,
    /// What shows that this page asked.
    pub(crate) proof: &'a str,
    /// Who will be logged in there.
    pub(crate) user: &'a str,
}

/// Somebody arrives where somebody else is logged in.
#[derive(Template)]
#[template(path = "linked/switch.html")]
pub(crate) struct SwitchUser<'a> {
    pub(crate) layout: Layout<'a>,
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
