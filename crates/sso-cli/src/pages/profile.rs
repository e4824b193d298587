//! The pages of the server's profile form.

use askama::Template;
use sso_site::Layout;

/// A page of the profile form at the server.
#[derive(Template)]
#[template(path = "server/profile-form.html")]
pub(crate) struct ServerProfile<'a> {
    pub(crate) layout: Layout<'a>,
    /// Which page of the two.
    pub(crate) number: u8,
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
    pub(crate) logout_token: &'a str,
}

impl ServerProfile<'_> {
    /// Whether the focus goes to this field.
    fn is_first_wrong(&self, field: &Field<'_>) -> bool {
        self.fields.iter().find(|field| !field.is_good()).is_some_and(|first| first.name == field.name)
    }
}

/// The end of the profile form: what was saved.
#[derive(Template)]
#[template(path = "server/profile-done.html")]
pub(crate) struct ServerProfileDone<'a> {
    pub(crate) layout: Layout<'a>,
    /// All fields of the form.
    pub(crate) answers: &'a [Field<'a>],
    pub(crate) logout_token: &'a str,
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
