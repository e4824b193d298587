//! The pages that look the same at several sites of the demo: what went wrong, what is not there, the way out to a
//! linked application.

use actix_web::{HttpResponse, http::StatusCode, web};
use sso_broker::{Pages, site::Problem};
use sso_handoff::{Leaver, LeavingPage, LeavingPages, MayLeavePage, actix::Leaving};
use sso_site::{NO_THEME, PageLink, SiteFrame, SiteInfo, html, page};

use crate::pages::{BrokerProblem, MayLeave, OnTheWay};

const HOME: PageLink<'_> = PageLink { label: "Go to the home page", href: "/" };
const TO_SERVER: &str = "Ask the login server who is logged in";

/// These pages in one site's look.
#[derive(Clone, Debug)]
pub(super) struct SharedPages(pub(super) SiteFrame);

/// A page that says what is wrong, from which the only way leads home.
fn dead_end<'a>(frame: &'a SiteFrame, heading: &'a str, text: &'a str) -> BrokerProblem<'a> {
    BrokerProblem {
        layout: frame.layout(NO_THEME),
        heading,
        text,
        fields: &[],
        is_for_user: false,
        form_token: None,
        clear: None,
        script: None,
        links: &[HOME],
    }
}

/// The answer of a broker or a linked application to an address that it does not have.
pub(super) async fn not_found(frame: web::Data<SiteFrame>) -> HttpResponse {
    page(StatusCode::NOT_FOUND, &dead_end(&frame, "Page not found", "There is nothing at this address."))
}

/// A broker's pages for problems.
impl Pages for SharedPages {
    fn problem(&self, problem: &Problem) -> String {
        let text = match &problem.detail {
            Some(detail) => format!("{} The server says: {detail}", problem.kind.text()),
            None => problem.kind.text().to_owned(),
        };
        let to_server = problem.leave.as_ref().map(|leave| PageLink { label: TO_SERVER, href: &leave.server });
        let retry = PageLink { label: problem.kind.retry_label(), href: &problem.retry };
        // Where the first of them is the home page, once is enough.
        let home = (problem.retry != HOME.href).then_some(HOME);
        let links: Vec<_> = to_server.into_iter().chain([retry]).chain(home).collect();
        html(&BrokerProblem {
            fields: &problem.fields,
            form_token: problem.leave.as_ref().map(|leave| leave.form_token.as_str()),
            clear: problem.clear.as_deref(),
            script: problem.script.as_ref(),
            links: &links,
            ..dead_end(&self.0, problem.kind.title(), &text)
        })
    }
}

/// The pages on the way out to a linked application.
impl LeavingPages for SharedPages {
    fn leaving(&self, page: &LeavingPage<'_>) -> String {
        let LeavingPage { action, token, target, user, script } = *page;
        html(&OnTheWay { layout: self.0.layout(NO_THEME), action, token, target, user, script })
    }

    fn may_leave(&self, page: &MayLeavePage<'_>) -> String {
        let MayLeavePage { action, url, proof, user } = *page;
        html(&MayLeave { layout: self.0.layout(NO_THEME), action, url, proof, user })
    }

    fn cannot_leave(&self, problem: &str) -> String {
        html(&BrokerProblem { is_for_user: true, ..dead_end(&self.0, "This link does not work", problem) })
    }
}

/// Links to a deep page of each site that users are handed to, as (label, address).
pub(super) fn linked_sites(frame: &SiteFrame, leaving: &Leaving, leaver: Option<Leaver<'_>>) -> Vec<(String, String)> {
    let targets = frame.sites().iter().filter(|site| leaving.issuer().allows(&site.url));
    let link = |site: &SiteInfo| {
        (format!("Report 2 at {}", site.name), leaving.link(&format!("{}/reports/2", site.url), leaver))
    };
    targets.map(link).collect()
}
