//! The sites: one file each, and what they have in common.

mod account;
pub(crate) mod ajax_broker;
pub(crate) mod api;
mod broker_forms;
mod leaving;
pub(crate) mod linked_app;
pub(crate) mod linked_sessions;
mod profile;
pub(crate) mod redirect_broker;
mod reports;
pub(crate) mod server;

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
    middleware::DefaultHeaders,
};
use askama::Template;
use serde_json::Value;
use sso_broker::{Pages, web::Problem};
use sso_core::wire;

use crate::pages::{BrokerProblem, Layout, Popup, SiteLink, Way};

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

impl Chrome {
    /// For one site of `all`.
    pub(crate) fn new(site: &SiteInfo, all: &[SiteInfo]) -> Self {
        Self { site: site.clone(), all: all.into() }
    }

    fn links(&self) -> Vec<SiteLink<'_>> {
        let sites = self.all.iter().map(|SiteInfo { key, name, url, about, shares_session }| {
            let current = *key == self.site.key;
            SiteLink { name, url, about, current, shares_session: *shares_session }
        });
        sites.collect()
    }

    fn layout<'a>(&'a self, links: &'a [SiteLink<'a>], theme: &'a str) -> Layout<'a> {
        let login = if self.site.key == "server" { "/login?return_url=" } else { "/sso/login?to=" };
        let popup = self.site.shares_session.then_some(Popup { login });
        Layout { site: &self.site.key, name: &self.site.name, theme, sites: links, popup }
    }
}

/// A broker's pages for problems, in the look of its site.
impl Pages for Chrome {
    fn problem(&self, problem: &Problem) -> String {
        let text = match &problem.detail {
            Some(detail) => format!("{} The server says: {detail}", problem.kind.text()),
            None => problem.kind.text().to_owned(),
        };
        let retry = Way { label: problem.kind.retry_label(), href: &problem.retry };
        let ways = [retry, Way { label: "Go to the home page", href: "/" }];
        let links = self.links();
        let layout = self.layout(&links, NO_THEME);
        let form_token = problem.leave.as_ref().map(|leave| leave.form_token.as_str());
        let to_server = problem.leave.as_ref().map(|leave| Way { label: TO_SERVER, href: &leave.server });
        let ways: Vec<_> = to_server.into_iter().chain(ways).collect();
        let (heading, clear, script) = (problem.kind.title(), problem.clear.as_deref(), problem.script.as_ref());
        html(&BrokerProblem { layout, heading, text: &text, form_token, clear, ways: &ways, script })
    }
}

const TO_SERVER: &str = "Ask the login server who is logged in";

/// The labels of the attributes that the demo knows.
const FULL_NAME: &str = "Full name";
const EMAIL: &str = "Email";

/// Where the visitor's session, which knows the theme, is out of reach.
const NO_THEME: &str = "";

/// The theme in a session's shared data; any broker may have written it.
fn theme_in(data: &serde_json::Map<String, Value>) -> &str {
    data.get("theme").and_then(Value::as_str).unwrap_or(NO_THEME)
}

/// A user's attributes as text; of one that has parts, such as the profile, each part by itself. `static/ajax-broker.js` has the same labels.
fn attributes(user: &wire::User) -> Vec<(String, String)> {
    let label = |name: &str| match name {
        "fullname" => FULL_NAME.to_owned(),
        "email" => EMAIL.to_owned(),
        name => name.to_owned(),
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rows = user.attributes.iter().flat_map(|(name, value)| match value {
        Value::Object(parts) => {
            parts.iter().map(|(part, value)| (format!("{} ({name})", label(part)), text(value))).collect()
        }
        value => vec![(label(name), text(value))],
    });
    rows.filter(|(_, text)| !text.is_empty()).collect()
}

fn html(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page cannot be written");
        "This page cannot be shown.".to_owned()
    })
}

fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html(template))
}

fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}

/// The policy of a site's pages. Only what they need is allowed: `forms` names the server's origin at brokers, as the
/// answer to a form may send its visitor there; `connect` and `script` name it for silent attach.
fn page_policy(forms: &str, connect: &str, script: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self'; connect-src 'self'{connect}; \
         form-action 'self'{forms}; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// What a site answers is for one visitor, unless it says otherwise.
fn no_store() -> DefaultHeaders {
    DefaultHeaders::new().add((header::CACHE_CONTROL, "no-store"))
}
