//! How the server's pages look. [`PlainPages`] does without a style; a site of its own look implements [`Pages`].

use std::time::Duration;

use sso_core::BrokerId;

use crate::{
    operations::account::AccountOverview,
    session::{EndReason, Session},
    users::password_policy::MIN_CHARS,
    util::humanize,
};

/// Writes the pages that the protocol needs, as HTML. No inline script or style: the pages' CSP forbids it.
pub trait Pages: Send + Sync + 'static {
    /// The login form: a POST to `action` with `username`, `password` and the hidden `form_token`.
    fn login(&self, page: &LoginPage<'_>) -> String;
    /// The account page: POSTs to `/account` with `action` (`end`, `end_others`, `forget`), `handle` and the hidden
    /// `form_token`; a POST to `/account/password` with `old`, `new`, `again` and a `form_token` of its own; and a
    /// logout.
    fn account(&self, page: &AccountPage<'_>) -> String;
    /// Asks for the password again: a POST to `action` with `password` and the hidden `form_token`; and a logout.
    fn confirm(&self, page: &ConfirmPage<'_>) -> String;
    /// Asks whether a logout is wanted: a logout form, and a way to stay.
    fn log_out(&self, logout_token: &str) -> String;
    /// A page for what went wrong. It should offer a way on, a logout if there is [`ErrorPage::logout_token`], and the
    /// button if there is [`ErrorPage::clear`].
    fn error(&self, page: &ErrorPage<'_>) -> String;
}

/// What the login page shows.
#[derive(Clone, Copy, Debug)]
pub struct LoginPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// The value of the hidden field `form_token`.
    pub form_token: &'a str,
    /// What was typed before.
    pub username: &'a str,
    /// For how long the server remembers browsers; `None`: it does not. If it does, the form has a box `remember`.
    pub remembers_for: Option<Duration>,
    /// Whether it was ticked.
    pub remember: bool,
    /// Why the last try failed.
    pub error: Option<&'a str>,
    /// Whether it failed because the name or the password is wrong.
    pub is_wrong: bool,
    /// Which broker sent the visitor here.
    pub broker: Option<&'a BrokerId>,
    /// The visitor's session, if there is one.
    pub session: Option<&'a Session>,
}

impl LoginPage<'_> {
    /// Why the visitor is to log in (again), where that needs to be said.
    pub fn notice(&self) -> Option<&'static str> {
        let session = self.session?;
        if session.login.is_some() {
            return Some("Enter your password again to continue.");
        }
        was_too_many(session).then_some(TOO_MANY)
    }
}

/// Whether the last login in this session was ended because its user had too many.
fn was_too_many(session: &Session) -> bool {
    session.last_end.as_ref().is_some_and(|end| end.reason == EndReason::TooMany)
}

const TOO_MANY: &str = "You were logged out in this browser because you are logged in at too many places, \
                        and this was the one that you had not used for the longest time.";

/// What the account page shows.
#[derive(Clone, Copy, Debug)]
pub struct AccountPage<'a> {
    /// The user, the sessions, and the browsers that are remembered.
    pub account: &'a AccountOverview,
    /// The value of the hidden field `form_token` of all its forms but the next two.
    pub form_token: &'a str,
    /// What has just been done on it, to be said once.
    pub news: Option<AccountNotice>,
    /// The form for another password; `None` where passwords cannot be changed here.
    pub password: Option<PasswordForm<'a>>,
    /// The same of a logout form, which posts to `/logout`.
    pub logout_token: &'a str,
    /// The visitor's session.
    pub session: &'a Session,
}

impl AccountPage<'_> {
    /// How the login before this one ended in this browser, where that needs to be said.
    pub fn notice(&self) -> Option<&'static str> {
        was_too_many(self.session).then_some(TOO_MANY_BEFORE)
    }
}

const TOO_MANY_BEFORE: &str = "Before this login you were logged out in this browser: you were logged in at too many \
                               places, and this was the one that you had not used for the longest time.";

/// What was done on the account page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountNotice {
    /// A session was ended.
    SessionEnded,
    /// All other sessions were ended.
    OthersEnded,
    /// A browser is not remembered any more.
    BrowserForgotten,
    /// What was to be ended had ended before.
    AlreadyEnded,
    /// The password was changed.
    PasswordChanged,
}

impl AccountNotice {
    const ALL: [Self; 5] =
        [Self::SessionEnded, Self::OthersEnded, Self::BrowserForgotten, Self::AlreadyEnded, Self::PasswordChanged];

    /// Its name in an address.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SessionEnded => "ended",
            Self::OthersEnded => "others-ended",
            Self::BrowserForgotten => "forgotten",
            Self::AlreadyEnded => "already-ended",
            Self::PasswordChanged => "password",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|news| news.name() == name)
    }

    /// As it is said to people.
    pub fn text(self) -> &'static str {
        match self {
            Self::SessionEnded => "The session was ended, and its browser was forgotten.",
            Self::OthersEnded => "All your other sessions were ended, and all other browsers were forgotten.",
            Self::BrowserForgotten => "The browser was forgotten.",
            Self::AlreadyEnded => "That had ended already.",
            Self::PasswordChanged => {
                "Your password was changed. Your other sessions were ended, and all browsers were forgotten."
            }
        }
    }
}

/// The account page's form for another password.
#[derive(Clone, Copy, Debug)]
pub struct PasswordForm<'a> {
    /// The value of the hidden field `form_token`.
    pub form_token: &'a str,
    /// Why the last try failed.
    pub error: Option<&'a str>,
    /// The name of the field that is wrong, if one is.
    pub wrong: Option<&'a str>,
}

/// What the page that asks for the password again shows.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// The value of the hidden field `form_token`.
    pub form_token: &'a str,
    /// Whose password.
    pub username: &'a str,
    /// Why the last try failed.
    pub error: Option<&'a str>,
    /// The value of the hidden field `form_token` of a logout form, which posts to `/logout`.
    pub logout_token: &'a str,
    /// The visitor's session, if there is one.
    pub session: Option<&'a Session>,
}

/// What the error page shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorPage<'a> {
    /// The HTTP status.
    pub status: u16,
    /// What went wrong.
    pub message: &'a str,
    /// The visitor's session, if it is known that there is one.
    pub session: Option<&'a Session>,
    /// The value of the hidden field `form_token` of a logout form, which posts to `/logout`; `None` where nobody is
    /// known to be logged in.
    pub logout_token: Option<&'a str>,
    /// For a button that deletes the site's cookies, where that helps: a POST without fields to this address.
    pub clear: Option<&'a str>,
}

/// Pages without any style.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainPages;

impl Pages for PlainPages {
    fn login(&self, page: &LoginPage<'_>) -> String {
        let why = page.broker.map(|id| format!("<p>You will return to {}.</p>", escape(id.as_str())));
        let ticked = if page.remember { " checked" } else { "" };
        let remember = format!("<p><label><input type=\"checkbox\" name=\"remember\"{ticked}> Remember me</label></p>");
        let fields = format!(
            "<p><label>Username \
             <input name=\"username\" autocomplete=\"username\" required value=\"{}\"></label></p>{}{}",
            escape(page.username),
            password("password", "Password", "current-password"),
            page.remembers_for.map(|_| remember).unwrap_or_default(),
        );
        let (notice, error) = (said("status", page.notice()), said("alert", page.error));
        let form = form(page.action, page.form_token, &fields, "Log in");
        document("Log in", &format!("{}{notice}{error}{form}", why.unwrap_or_default()))
    }

    fn account(&self, page: &AccountPage<'_>) -> String {
        let AccountPage { account, form_token, .. } = page;
        let button = |action: &str, handle: &str, label: &str| {
            let fields = format!("{}{}", hidden("action", action), hidden("handle", handle));
            form("/account", form_token, &fields, label)
        };
        let sessions: String = account
            .sessions
            .iter()
            .map(|own| {
                let brokers: Vec<_> = own.brokers.iter().map(|id| escape(id.as_str())).collect();
                let end = if own.is_this { "<p>This session</p>".into() } else { button("end", &own.handle, "End it") };
                let remembered = if own.is_remembered { ", remembered" } else { "" };
                format!(
                    "<li>{}: since {}, last used {}{remembered}. Sites: {}{end}</li>",
                    escape(&humanize::browser(own.browser.as_deref().unwrap_or("unknown browser"))),
                    humanize::ago(account.now.since(own.since)),
                    humanize::ago(account.now.since(own.last_seen)),
                    brokers.join(", "),
                )
            })
            .collect();
        let browsers: String = account
            .browsers
            .iter()
            .map(|known| {
                let name = escape(&humanize::browser(&known.browser));
                let this = if known.is_this { " (this one)" } else { "" };
                format!("<li>{name}{this}{}</li>", button("forget", &known.handle, "Forget it"))
            })
            .collect();
        let others = if account.has_others() { button("end_others", "", "End all others") } else { String::new() };
        document(
            "Your account",
            &format!(
                "{}{}<p>You are {}.</p><h2>Sessions</h2><ul>{sessions}</ul>{others}\
                 <h2>Remembered browsers</h2><ul>{browsers}</ul>{}{}",
                said("status", page.news.map(AccountNotice::text)),
                said("status", page.notice()),
                escape(&account.user.username),
                page.password.map(|form| password_form(&form, &account.user.username)).unwrap_or_default(),
                logout_form(page.logout_token),
            ),
        )
    }

    fn confirm(&self, page: &ConfirmPage<'_>) -> String {
        let fields = format!(
            "<p>Enter the password of {} to continue.</p>{}",
            escape(page.username),
            password("password", "Password", "current-password"),
        );
        let form = form(page.action, page.form_token, &fields, "Continue");
        document("Confirm it's you", &format!("{}{form}{}", said("alert", page.error), logout_form(page.logout_token)))
    }

    fn log_out(&self, logout_token: &str) -> String {
        document("Log out?", &format!("{}<p><a href=\"/\">Stay logged in</a></p>", logout_form(logout_token)))
    }

    fn error(&self, page: &ErrorPage<'_>) -> String {
        let clear = page.clear.map(|action| {
            let button = "<button>Delete the cookies and continue</button>";
            format!("<form method=\"post\" action=\"{}\">{button}</form>", escape(action))
        });
        let body = format!(
            "<p>{}</p>{}<p><a href=\"/\">Go to the home page</a></p>{}",
            escape(page.message),
            clear.unwrap_or_default(),
            page.logout_token.map(logout_form).unwrap_or_default(),
        );
        document(&format!("Error {}", page.status), &body)
    }
}

fn password_form(page: &PasswordForm<'_>, username: &str) -> String {
    let fields = format!(
        "<input hidden autocomplete=\"username\" value=\"{}\">{}{}{}",
        escape(username),
        password("old", "Current password", "current-password"),
        password("new", &format!("New password, {MIN_CHARS} characters or more"), "new-password"),
        password("again", "New password again", "new-password"),
    );
    let form = form("/account/password", page.form_token, &fields, "Change password");
    format!("<h2>Password</h2>{}{form}", said("alert", page.error))
}

fn logout_form(token: &str) -> String {
    form("/logout", token, "", "Log out")
}

fn form(action: &str, token: &str, fields: &str, button: &str) -> String {
    let (action, token) = (escape(action), hidden("form_token", token));
    format!("<form method=\"post\" action=\"{action}\">{token}{fields}<p><button>{button}</button></p></form>")
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
}

fn password(name: &str, label: &str, kind: &str) -> String {
    format!("<p><label>{label} <input type=\"password\" name=\"{name}\" autocomplete=\"{kind}\" required></label></p>")
}

fn said(role: &str, text: Option<&str>) -> String {
    text.map(|text| format!("<p role=\"{role}\">{}</p>", escape(text))).unwrap_or_default()
}

/// What is shown for a moment, on the way to a page.
pub(super) fn going_on(page: &str) -> String {
    document("Continue", &format!("<p><a href=\"{}\">Continue</a></p>", escape(page)))
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>"
    )
}

/// For text and for attributes in double quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use sso_core::wire::User;

    use super::*;
    use crate::{
        operations::account::{OwnSession, RememberedBrowser},
        session::CookieValue,
        util::clock::Timestamp,
    };

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let evil = "\"><script>alert(1)</script>";
        let login = LoginPage {
            action: evil,
            form_token: evil,
            username: evil,
            remembers_for: None,
            remember: false,
            error: Some(evil),
            is_wrong: true,
            broker: None,
            session: None,
        };
        let error = ErrorPage { message: evil, logout_token: Some(evil), clear: Some(evil), ..ErrorPage::default() };
        let confirm = ConfirmPage {
            action: evil,
            form_token: evil,
            username: evil,
            error: Some(evil),
            logout_token: evil,
            session: None,
        };
        for html in
            [PlainPages.login(&login), PlainPages.confirm(&confirm), PlainPages.log_out(evil), PlainPages.error(&error)]
        {
            assert!(!html.contains("<script"), "{html}");
            assert!(html.contains("&quot;&gt;&lt;script&gt;"), "{html}");
        }
    }

    #[test]
    fn the_account_page_escapes_too() {
        let evil = "\"><script>alert(1)</script>";
        let now = Timestamp::from_millis(1);
        let user = User { username: evil.into(), attributes: Default::default() };
        let own = OwnSession {
            handle: evil.into(),
            browser: Some(evil.into()),
            since: now,
            last_seen: now,
            is_remembered: true,
            password_at: None,
            brokers: Vec::new(),
            is_this: false,
        };
        let known = RememberedBrowser {
            handle: evil.into(),
            browser: evil.into(),
            created: now,
            last_used: now,
            expires: now,
            is_this: true,
        };
        let account = AccountOverview {
            user,
            sessions: vec![own],
            browsers: vec![known],
            can_change_password: true,
            is_confirmed: false,
            now,
        };
        let session = Session::new(CookieValue::generate().hash(), now);
        let password = Some(PasswordForm { form_token: evil, error: Some(evil), wrong: None });
        let page = AccountPage {
            account: &account,
            form_token: evil,
            news: None,
            password,
            logout_token: evil,
            session: &session,
        };
        let html = PlainPages.account(&page);
        assert!(!html.contains("<script") && html.contains("this one") && html.contains("End it"), "{html}");
        assert!(html.contains("New password"));
        assert!(!PlainPages.account(&AccountPage { password: None, ..page }).contains("New password"));
    }
}
