//! What is around the pages of all sites: the site's name, links to the others, the theme. And the pages that look the
//! same at several sites: what went wrong, what is not there, the way out to a linked application.

use std::sync::Arc;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde_json::{Map, Value};
use sso_broker::{Pages, web::Problem};
use sso_handoff::{Leaver, LeavingPage, LeavingPages, MayLeavePage, actix::Leaving};
use sso_server::Session;

use super::response::{html, page};
use crate::pages::{BrokerProblem, Layout, MayLeave, OnTheWay, Popup, SiteLink, Way};

/// A site as the others link to it.
#[derive(Clone, Debug)]
pub(crate) struct SiteInfo {
    /// Which colours it has.
    pub(crate) key: String,
    /// Its name as people read it.
    pub(crate) name: String,
    /// Its origin.
    pub(crate) url: String,
    /// One sentence on what it shows.
    pub(crate) about: String,
    /// Whether it takes part in the shared session; a linked application has a session of its own.
    pub(crate) shares_session: bool,
}

impl SiteInfo {
    /// A site that takes part in the shared session.
    pub(crate) fn new(name: &str, url: &str, about: &str) -> Self {
        let (key, name) = (name.to_ascii_lowercase(), name.to_owned());
        Self { key, name, url: url.into(), about: about.into(), shares_session: true }
    }

    /// A linked application.
    pub(crate) fn linked(name: &str, url: &str, about: &str) -> Self {
        Self { shares_session: false, ..Self::new(name, url, about) }
    }

    /// The SSO server itself.
    pub(crate) fn server(url: &str) -> Self {
        let about = "Holds the session and asks for passwords.";
        Self { key: "server".into(), ..Self::new("SSO server", url, about) }
    }
}

/// What is around a site's pages: its own name, and links to all sites.
#[derive(Clone, Debug)]
pub(crate) struct Chrome {
    site: SiteInfo,
    all: Arc<[SiteInfo]>,
}

const HOME: Way<'_> = Way { label: "Go to the home page", href: "/" };
const TO_SERVER: &str = "Ask the login server who is logged in";

impl Chrome {
    /// For one site of `all`.
    pub(crate) fn new(site: &SiteInfo, all: &[SiteInfo]) -> Self {
        Self { site: site.clone(), all: all.into() }
    }

    pub(super) fn layout<'a>(&'a self, theme: &'a str) -> Layout<'a> {
        let links = self.all.iter().map(|SiteInfo { key, name, url, about, shares_session }| {
            let current = *key == self.site.key;
            SiteLink { name, url, about, current, shares_session: *shares_session }
        });
        let login = if self.site.key == "server" { "/login?return_url=" } else { "/sso/login?to=" };
        let popup = self.site.shares_session.then_some(Popup { login });
        Layout { site: &self.site.key, name: &self.site.name, theme, sites: links.collect(), popup }
    }

    /// Links to a deep page of each site that users are handed to, as (label, address).
    pub(super) fn linked_sites(&self, leaving: &Leaving, leaver: Option<Leaver<'_>>) -> Vec<(String, String)> {
        let targets = self.all.iter().filter(|site| leaving.issuer().allows(&site.url));
        let link = |site: &SiteInfo| {
            (format!("Report 2 at {}", site.name), leaving.link(&format!("{}/reports/2", site.url), leaver))
        };
        targets.map(link).collect()
    }

    /// A page that says what is wrong, from which the only way leads home.
    fn dead_end<'a>(&'a self, heading: &'a str, text: &'a str) -> BrokerProblem<'a> {
        BrokerProblem {
            layout: self.layout(NO_THEME),
            heading,
            text,
            fields: &[],
            is_for_user: false,
            form_token: None,
            clear: None,
            script: None,
            ways: &[HOME],
        }
    }
}

/// The answer of a broker or a linked application to an address that it does not have.
pub(super) async fn not_found(chrome: web::Data<Chrome>) -> HttpResponse {
    page(StatusCode::NOT_FOUND, &chrome.dead_end("Page not found", "There is nothing at this address."))
}

/// A broker's pages for problems.
impl Pages for Chrome {
    fn problem(&self, problem: &Problem) -> String {
        let text = match &problem.detail {
            Some(detail) => format!("{} The server says: {detail}", problem.kind.text()),
            None => problem.kind.text().to_owned(),
        };
        let to_server = problem.leave.as_ref().map(|leave| Way { label: TO_SERVER, href: &leave.server });
        let retry = Way { label: problem.kind.retry_label(), href: &problem.retry };
        // Where the first of them is the home page, once is enough.
        let home = (problem.retry != HOME.href).then_some(HOME);
        let ways: Vec<_> = to_server.into_iter().chain([retry]).chain(home).collect();
        html(&BrokerProblem {
            fields: &problem.fields,
            form_token: problem.leave.as_ref().map(|leave| leave.form_token.as_str()),
            clear: problem.clear.as_deref(),
            script: problem.script.as_ref(),
            ways: &ways,
            ..self.dead_end(problem.kind.title(), &text)
        })
    }
}

/// The pages on the way out to a linked application.
impl LeavingPages for Chrome {
    fn leaving(&self, page: &LeavingPage<'_>) -> String {
        let LeavingPage { action, token, target, user, script } = *page;
        html(&OnTheWay { layout: self.layout(NO_THEME), action, token, target, user, script })
    }

    fn may_leave(&self, page: &MayLeavePage<'_>) -> String {
        let MayLeavePage { action, url, proof, user } = *page;
        html(&MayLeave { layout: self.layout(NO_THEME), action, url, proof, user })
    }

    fn cannot_leave(&self, problem: &str) -> String {
        html(&BrokerProblem { is_for_user: true, ..self.dead_end("This link does not work", problem) })
    }
}

/// Where the visitor's session, which knows the theme, is out of reach.
pub(super) const NO_THEME: &str = "";

/// The theme in a session's shared data; any broker may have written it.
pub(super) fn theme_in(data: &Map<String, Value>) -> &str {
    data.get("theme").and_then(Value::as_str).unwrap_or(NO_THEME)
}

/// The theme of a session at the server.
pub(super) fn theme_of(session: Option<&Session>) -> &str {
    session.map_or(NO_THEME, |session| theme_in(&session.data))
}
