//! The pages on the way out to a linked application, in the look of the site that is left.

use sso_broker::{
    handoff::Issuer,
    web::handoff::{LeavingPage, LeavingPages},
};

use super::{Chrome, NO_THEME, html};
use crate::pages::{BrokerProblem, Leaving, MayLeave, Way};

impl Chrome {
    /// Links to a deep page of each site that the issuer hands users to, as (label, address).
    pub(super) fn linked_sites(&self, issuer: &Issuer) -> Vec<(String, String)> {
        let targets = self.all.iter().filter(|site| issuer.allows(&site.url));
        targets.map(|site| external_link(&site.name, &site.url)).collect()
    }
}

/// The label and the address of the link to another application's deep page.
fn external_link(name: &str, origin: &str) -> (String, String) {
    let page: String = url::form_urlencoded::byte_serialize(format!("{origin}/reports/2").as_bytes()).collect();
    (format!("Report 2 at {name}"), format!("/external?url={page}"))
}

impl LeavingPages for Chrome {
    fn leaving(&self, page: &LeavingPage<'_>) -> String {
        let links = self.links();
        let layout = self.layout(&links, NO_THEME);
        let LeavingPage { action, token, target, user, script } = *page;
        html(&Leaving { layout, action, token, target, user, script })
    }

    fn may_leave(&self, target: &str, href: &str) -> String {
        let links = self.links();
        html(&MayLeave { layout: self.layout(&links, NO_THEME), target, href })
    }

    fn cannot_leave(&self, problem: &str) -> String {
        let links = self.links();
        let ways = [Way { label: "Go to the home page", href: "/" }];
        let layout = self.layout(&links, NO_THEME);
        html(&BrokerProblem {
            layout,
            heading: "This link does not work",
            text: problem,
            form_token: None,
            clear: None,
            ways: &ways,
        })
    }
}
