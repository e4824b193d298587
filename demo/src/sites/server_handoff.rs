//! What the demo adds to the server's site: it hands its users over to the linked applications.

use actix_web::{HttpRequest, HttpResponse, web};
use sso_core::Secret;
use sso_handoff::{
    Issuer, Leaver,
    actix::{self as handoff, Leaving},
};
use sso_server::{
    Session,
    web::{PageVisit, Site, get_or_head},
};
use sso_site::SiteFrame;

use super::shared_pages::{SharedPages, linked_sites};

/// Hands the server's users over to the applications on the issuer's list.
#[derive(Clone)]
pub struct ServerHandoff {
    leaving: Leaving,
    frame: SiteFrame,
}

impl ServerHandoff {
    /// For the server's site with this around its pages.
    pub fn new(issuer: Issuer, frame: &SiteFrame) -> Self {
        // The links are good until the server is started again, and ask from then on.
        let leaving = Leaving::new(issuer, SharedPages(frame.clone()), Secret::generate().expose());
        Self { leaving, frame: frame.clone() }
    }

    /// The way out, for the server's site.
    pub fn routes(self, app: &mut web::ServiceConfig) {
        app.app_data(web::Data::new(self.leaving))
            .route(Leaving::PATH, get_or_head().to(external))
            .configure(handoff::script_route);
    }

    /// Links to the applications for the visitor of this session, as (label, address).
    pub fn links(&self, site: &Site, session: Option<&Session>) -> Vec<(String, String)> {
        let user = LoggedIn::of(site, session);
        linked_sites(&self.frame, &self.leaving, user.as_ref().map(LoggedIn::leaver))
    }
}

/// On to a page of a linked application.
async fn external(
    request: HttpRequest,
    visitor: PageVisit,
    site: web::Data<Site>,
    leaving: web::Data<Leaving>,
) -> HttpResponse {
    let user = LoggedIn::of(&site, visitor.session.as_deref());
    let mut response = leaving.answer(&request, user.as_ref().map(LoggedIn::leaver), "/login?return_url=");
    if let Some(cookie) = visitor.set_cookie
        && let Err(error) = response.add_cookie(&cookie)
    {
        tracing::error!(%error, "a cookie cannot be set");
    }
    response
}

/// A user of this session, for whom links to other applications are written.
struct LoggedIn {
    username: String,
    login: String,
}

impl LoggedIn {
    fn of(site: &Site, session: Option<&Session>) -> Option<Self> {
        let session = session?;
        let username = session.user()?.username.clone();
        Some(Self { username, login: site.server().login_name(session) })
    }

    fn leaver(&self) -> Leaver<'_> {
        Leaver { username: &self.username, login: &self.login }
    }
}
