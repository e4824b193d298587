//! The pages on the way out to a linked application, in the look of the site that is left.

use sso_broker::web::handoff::{Leaver, Leaving, LeavingPage, LeavingPages, MayLeavePage};

use super::{Chrome, NO_THEME, SiteInfo, html};
use crate::pages::{BrokerProblem, MayLeave, OnTheWay, Way};

impl Chrome {
    /// Links to a deep page of each site that users are handed to, as (label, address).
    pub(super) fn linked_sites(&self, leaving: &Leaving, leaver: Option<Leaver<'_>>) -> Vec<(String, String)> {
        let targets = self.all.iter().filter(|site| leaving.issuer().allows(&site.url));
        let link = |site: &SiteInfo| {
            (format!("Report 2 at {}", site.name), leaving.link(&format!("{}/reports/2", site.url), leaver))
        };
        targets.map(link).collect()
    }
}

impl LeavingPages for Chrome {
    fn leaving(&self, page: &LeavingPage<'_>) -> String {
        let links = self.links();
        let layout = self.layout(&links, NO_THEME);
        let LeavingPage { action, token, target, user, script } = *page;
        html(&OnTheWay { layout, action, token, target, user, script })
    }

    fn may_leave(&self, page: &MayLeavePage<'_>) -> String {
        let links = self.links();
        let layout = self.layout(&links, NO_THEME);
        let MayLeavePage { action, url, proof, user } = *page;
        html(&MayLeave { layout, action, url, proof, user })
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
            script: None,
            ways: &ways,
        })
    }
}
