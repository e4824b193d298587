//! What is around the pages of all sites: the site's name, links to the others, the theme.

use std::sync::Arc;

use serde_json::{Map, Value};
use sso_server::Session;

use crate::pages::{Layout, Popup, SiteLink};

/// A site as the others link to it.
#[derive(Clone, Debug)]
pub struct SiteInfo {
    /// Which colours it has.
    pub key: String,
    /// Its name as people read it.
    pub name: String,
    /// Its origin.
    pub url: String,
    /// One sentence on what it shows.
    pub about: String,
    /// Whether it takes part in the shared session; a linked application has a session of its own.
    pub shares_session: bool,
}

impl SiteInfo {
    /// A site that takes part in the shared session.
    pub fn new(name: &str, url: &str, about: &str) -> Self {
        let (key, name) = (name.to_ascii_lowercase(), name.to_owned());
        Self { key, name, url: url.into(), about: about.into(), shares_session: true }
    }

    /// A linked application.
    pub fn linked(name: &str, url: &str, about: &str) -> Self {
        Self { shares_session: false, ..Self::new(name, url, about) }
    }

    /// The SSO server itself.
    pub fn server(url: &str) -> Self {
        let about = "Holds the session and asks for passwords.";
        Self { key: "server".into(), ..Self::new("SSO server", url, about) }
    }
}

/// What is around a site's pages: its own name, and links to all sites.
#[derive(Clone, Debug)]
pub struct SiteFrame {
    site: SiteInfo,
    all: Arc<[SiteInfo]>,
}

impl SiteFrame {
    /// For one site of `all`.
    pub fn new(site: &SiteInfo, all: &[SiteInfo]) -> Self {
        Self { site: site.clone(), all: all.into() }
    }

    /// What a template shows around a page, in this theme.
    pub fn layout<'a>(&'a self, theme: &'a str) -> Layout<'a> {
        let links = self.all.iter().map(|SiteInfo { key, name, url, about, shares_session }| {
            let current = *key == self.site.key;
            SiteLink { name, url, about, current, shares_session: *shares_session }
        });
        let login = if self.site.key == "server" { "/login?return_url=" } else { "/sso/login?to=" };
        let popup = self.site.shares_session.then_some(Popup { login });
        Layout { site: &self.site.key, name: &self.site.name, theme, sites: links.collect(), popup }
    }

    /// All sites, this one included.
    pub fn sites(&self) -> &[SiteInfo] {
        &self.all
    }
}

/// Where the visitor's session, which knows the theme, is out of reach.
pub const NO_THEME: &str = "";

/// The theme in a session's shared data; any broker may have written it.
pub fn theme_in(data: &Map<String, Value>) -> &str {
    data.get("theme").and_then(Value::as_str).unwrap_or(NO_THEME)
}

/// The theme of a session at the server.
pub fn theme_of(session: Option<&Session>) -> &str {
    session.map_or(NO_THEME, |session| theme_in(&session.data))
}
