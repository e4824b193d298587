//! What a visitor reads when something goes wrong.

use std::fmt::Write as _;

use sso_core::AmbiguousCookie;

use crate::LocalPath;

/// A problem to be shown on a page of its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// Which problem it is.
    pub kind: ProblemKind,
    /// What the server or the broker says of it; untrusted text.
    pub detail: Option<String>,
    /// Where a second try begins: a URL of this site, to be shown as a link.
    pub retry: String,
    /// For [`UserNotAllowed`](ProblemKind::UserNotAllowed) and [`LogoutUnverified`](ProblemKind::LogoutUnverified): a
    /// logout.
    pub leave: Option<Leave>,
    /// For [`AmbiguousCookie`](ProblemKind::AmbiguousCookie): a POST without fields to this address deletes the
    /// cookies.
    pub clear: Option<String>,
    /// For [`LongPage`](ProblemKind::LongPage) and [`PageNotKept`](ProblemKind::PageNotKept): a script that gets on
    /// without the visitor.
    pub script: Option<Script>,
    /// Names and values of what the visitor typed into a form that was not carried out, to be shown so that it is not
    /// lost; untrusted text. Fields whose name says that they hold a password or a token are left out, and so are forms
    /// over 16 KiB, of another content type than `application/x-www-form-urlencoded`, or of another site's page.
    pub fields: Vec<(String, String)>,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, retry: impl Into<String>) -> Self {
        let retry = retry.into();
        Self { kind, detail: None, retry, leave: None, clear: None, script: None, fields: Vec::new() }
    }
}

/// A script to be put on the page, as `<script src="…" data-page="…" data-to="…" defer></script>`. Where it does not
/// run, the page is to be read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Script {
    /// Its address, on this site.
    pub src: &'static str,
    /// The attribute `data-page`.
    pub page: String,
    /// The attribute `data-to`.
    pub to: String,
}

/// What somebody can do who is to leave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Leave {
    /// For a logout, a form that posts to `/sso/logout`: the hidden field `form_token`.
    pub form_token: String,
    /// The server's first page, which tells who is logged in; to be shown as a link.
    pub server: String,
}

/// The problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The browser came back from the server, and sent no cookie of this site.
    CookiesOff,
    /// The browser sends two different cookies under one name of ours: another site has set one of them.
    AmbiguousCookie,
    /// The visitor was attached anew, and the server still does not honour it.
    NotHonoured,
    /// The token served no more when the visitor sent a form: the server has lost the session, or, of version 0.1, it
    /// has ended.
    SessionEnded,
    /// Somebody has logged in, perhaps in another tab, while the visitor was filling in a form.
    Superseded,
    /// The form was not served to this visitor.
    FormRefused,
    /// The server cannot be reached.
    ServerDown,
    /// Somebody is logged in who may not use this site. It is not told who.
    UserNotAllowed,
    /// The server said no, or something that is not understood.
    ServerError,
    /// It cannot be known whether the visitor asked to be logged out: asks for it.
    LogoutUnverified,
    /// The wanted page is too long to be kept while its visitor is at the server. [`Problem::retry`] leads there, and
    /// not back to the page.
    LongPage,
    /// Back from the server, where the browser was to know such a page by itself and did not.
    PageNotKept,
}

impl ProblemKind {
    /// The HTTP status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Self::CookiesOff | Self::AmbiguousCookie => 400,
            Self::SessionEnded | Self::Superseded => 401,
            Self::FormRefused | Self::UserNotAllowed => 403,
            Self::NotHonoured | Self::ServerError => 502,
            Self::ServerDown => 503,
            // Steps on a way that leads somewhere.
            Self::LogoutUnverified | Self::LongPage | Self::PageNotKept => 200,
        }
    }

    /// A heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::CookiesOff => "Your browser sent no cookie",
            Self::AmbiguousCookie => "Another site sets our cookie",
            Self::NotHonoured => "You could not be connected",
            Self::SessionEnded => "Your session has ended",
            Self::Superseded => "Someone has logged in meanwhile",
            Self::FormRefused => "This form is no longer valid",
            Self::ServerDown => "The login server cannot be reached",
            Self::UserNotAllowed => "Your account has no access to this site",
            Self::ServerError => "The login server reports a problem",
            Self::LogoutUnverified => "Log out?",
            Self::LongPage => "This page's address is very long",
            Self::PageNotKept => "Open your page again",
        }
    }

    /// The words for the link to [`Problem::retry`].
    pub fn retry_label(self) -> &'static str {
        match self {
            Self::LogoutUnverified => "Stay logged in",
            Self::LongPage => "Continue",
            Self::Superseded => "Go back to the page",
            _ => "Try again",
        }
    }

    /// What happened and what helps.
    pub fn text(self) -> &'static str {
        match self {
            Self::CookiesOff => {
                "A browser that comes back from the login server brings a cookie of this site, and yours brought none. \
                 If you just came from there, allow cookies for this site. Then try again."
            }
            Self::AmbiguousCookie => AmbiguousCookie::ADVICE,
            Self::NotHonoured => "The login server did not accept this site's connection, nor a new one.",
            Self::SessionEnded => "Nothing was changed. Connect again and repeat what you did.",
            Self::Superseded => {
                "You or somebody else logged in with this browser after this page was opened. Nothing was changed. \
                 Go back to the page, see who is logged in, and repeat what you did."
            }
            Self::FormRefused => "Nothing was changed. Reload the page and repeat what you did.",
            Self::ServerDown => "This site works, but nobody can log in or out right now.",
            Self::UserNotAllowed => {
                "You are logged in with an account that is not for this site. The site does not see who you are. \
                 Log out to log in as someone else."
            }
            Self::ServerError => "Nothing was changed. Try again in a moment.",
            Self::LogoutUnverified => {
                "This site could not verify that you chose to log out, so nothing was changed. Log out, or stay logged in."
            }
            Self::LongPage => {
                "To recognise you, this site sends you to the login server and back, and this address is too long to keep \
                 in the meantime. Copy it, continue, and open it again afterwards."
            }
            Self::PageNotKept => {
                "You are back from the login server. Your page's address was too long to keep: open it again, or go back \
                 to it in your browser's history."
            }
        }
    }
}

/// How problems are shown. Whatever the page looks like, it must offer a way on: [`Problem::retry`] and the first page.
pub trait Pages: Send + Sync {
    /// The whole HTML page. Escape [`Problem::detail`] and [`Problem::retry`], as templates do by themselves.
    fn problem(&self, problem: &Problem) -> String;
}

/// Plain semantic HTML: no style, and no script but the one that a problem has.
pub(crate) struct PlainPages;

impl Pages for PlainPages {
    fn problem(&self, problem: &Problem) -> String {
        let (title, text) = (problem.kind.title(), problem.kind.text());
        let detail = problem.detail.as_deref().map(|detail| format!("<p>{}</p>\n", Escaped(detail)));
        let leave = problem.leave.as_ref().map(|leave| {
            format!(
                "<form method=\"post\" action=\"/sso/logout\"><input type=\"hidden\" name=\"form_token\" value=\"{}\">\
                 <button>Log out everywhere</button></form>\n\
                 <p><a href=\"{}\">Ask the login server who is logged in</a></p>\n",
                Escaped(&leave.form_token),
                Escaped(&leave.server),
            )
        });
        let clear = problem.clear.as_ref().map(|action| {
            let button = "<button>Delete the cookies and continue</button>";
            format!("<form method=\"post\" action=\"{}\">{button}</form>\n", Escaped(action))
        });
        let fields = problem.fields.iter().fold(String::new(), |html, (name, value)| {
            format!("{html}<dt>{}</dt>\n<dd><pre>{}</pre></dd>\n", Escaped(name), Escaped(value))
        });
        let fields = (!fields.is_empty()).then(|| format!("<h2>What you sent</h2>\n<dl>\n{fields}</dl>\n"));
        let script = problem.script.as_ref().map(|Script { src, page, to }| {
            let (page, to) = (Escaped(page), Escaped(to));
            format!("<script src=\"{src}\" data-page=\"{page}\" data-to=\"{to}\" defer></script>\n")
        });
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n{script}</head>\n\
             <body>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\n{detail}{fields}{leave}{clear}\
             <p><a href=\"{retry}\">{label}</a> or go to the <a href=\"/\">home page</a>.</p>\n\
             </main>\n</body>\n</html>\n",
            detail = detail.unwrap_or_default(),
            fields = fields.unwrap_or_default(),
            leave = leave.unwrap_or_default(),
            clear = clear.unwrap_or_default(),
            script = script.unwrap_or_default(),
            label = problem.kind.retry_label(),
            retry = Escaped(&problem.retry),
        )
    }
}

/// What is shown for a moment, on the way to a page.
pub(super) fn going_on(page: &LocalPath) -> String {
    let page = Escaped(page.as_str());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Continue</title>\n</head>\n\
         <body>\n<main>\n<p><a href=\"{page}\">Continue</a></p>\n</main>\n</body>\n</html>\n"
    )
}

/// The URL that attaches anew and then goes to `page`.
pub(super) fn attach_anew(page: &LocalPath) -> String {
    format!("/sso/attach?to={}", in_query(page))
}

/// A page as a value in a query, with no more encoding than needed: an address is taken up to 8 KB by common servers.
pub(super) fn in_query(page: &LocalPath) -> String {
    let mut text = String::with_capacity(page.as_str().len());
    for c in page.as_str().chars() {
        match c {
            '%' => text.push_str("%25"),
            '&' => text.push_str("%26"),
            '#' => text.push_str("%23"),
            '+' => text.push_str("%2B"),
            c => text.push(c),
        }
    }
    text
}

/// A text in HTML, as content or in a quoted attribute.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_escaped_and_offers_a_way_on() {
        for kind in [
            ProblemKind::CookiesOff,
            ProblemKind::AmbiguousCookie,
            ProblemKind::NotHonoured,
            ProblemKind::SessionEnded,
            ProblemKind::Superseded,
            ProblemKind::FormRefused,
            ProblemKind::ServerDown,
            ProblemKind::UserNotAllowed,
            ProblemKind::ServerError,
            ProblemKind::LogoutUnverified,
            ProblemKind::LongPage,
            ProblemKind::PageNotKept,
        ] {
            let detail = Some("<script>alert('1')</script>".to_owned());
            let leave = matches!(kind, ProblemKind::UserNotAllowed | ProblemKind::LogoutUnverified)
                .then(|| Leave { form_token: "\"t".into(), server: "https://sso.example/\"".into() });
            let clear = (kind == ProblemKind::AmbiguousCookie).then(|| "/a?b=\"".to_owned());
            let script = Script { src: "/s.js", page: "\"p".into(), to: "\"t".into() };
            let script = (kind == ProblemKind::LongPage).then_some(script);
            let retry = "/a?b=\"c\"&d".into();
            let fields = vec![("a<b".to_owned(), "c&d".to_owned())];
            let problem = Problem { kind, detail, retry, leave, clear, script, fields };
            let html = PlainPages.problem(&problem);
            let Problem { leave, clear, script, .. } = &problem;
            assert_eq!(html.contains("action=\"/a?b=&quot;\""), clear.is_some());
            let tag = "<script src=\"/s.js\" data-page=\"&quot;p\" data-to=\"&quot;t\" defer></script>";
            assert_eq!(html.contains(tag), script.is_some());
            let html = html.replace(tag, "");
            assert_eq!(html.contains("value=\"&quot;t\"") && html.contains("sso.example/&quot;\""), leave.is_some());
            assert!(html.contains("<dt>a&lt;b</dt>\n<dd><pre>c&amp;d</pre></dd>"), "{html}");
            assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)") && !html.contains("<script"), "{html}");
            assert!(html.contains("<a href=\"/a?b=&quot;c&quot;&amp;d\">") && html.contains("<a href=\"/\">"));
        }
    }
}
