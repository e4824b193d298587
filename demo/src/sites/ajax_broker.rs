//! Julius: a broker whose page does everything by script, without being left. The script is `static/ajax-broker.js`.
//!
//! The page arrives as it is for its visitor, as far as that is known, and works without the script too.

use actix_web::{App, HttpResponse, http::StatusCode, web};
use sso_broker::{Broker, OptionalVisitor, SilentMode, Sso, Visitor};
use sso_core::headers::page_policy;
use sso_server::web::get_or_head;
use sso_site::{SiteFrame, UserView, no_store, page};

use super::{
    broker_forms::{self, HOME_FORM, LOGIN_FORM, theme_of},
    service::SiteService,
    shared_pages::SharedPages,
};
use crate::pages::{AjaxHome, AjaxState, ended_words};

/// A broker site with a script.
#[derive(Clone)]
pub struct AjaxBroker {
    sso: Sso,
    frame: SiteFrame,
    silent: SilentMode,
}

impl AjaxBroker {
    /// `silent`: how its page attaches.
    pub fn new(broker: Broker, frame: SiteFrame, silent: SilentMode) -> Self {
        let server = format!(" {}", broker.server_origin());
        let policy = match silent {
            SilentMode::Json => page_policy(&server, &server, ""),
            SilentMode::Jsonp => page_policy(&server, "", &server),
        };
        Self { sso: Sso::new(broker).pages(SharedPages(frame.clone())).page_policy(policy).ajax(silent), frame, silent }
    }

    /// The site, for one thread.
    pub fn app(self) -> App<impl SiteService> {
        App::new()
            .wrap(self.sso.middleware())
            .wrap(no_store())
            .configure(broker_forms::routes(&self.sso, &self.frame))
            .configure(broker_forms::login_routes)
            .app_data(web::Data::new(self))
            .route("/", get_or_head().to(home))
    }
}

/// Nobody is sent away from here: the script attaches, or a link does.
async fn home(OptionalVisitor(visitor): OptionalVisitor, site: web::Data<AjaxBroker>) -> HttpResponse {
    let theme = theme_of(&visitor).await;
    let template = AjaxHome {
        layout: site.frame.layout(&theme),
        silent: match site.silent {
            SilentMode::Json => "json",
            SilentMode::Jsonp => "jsonp",
        },
        server: &format!("{}/", site.sso.broker().server_origin()),
        state: state_of(&visitor),
        user: visitor.user.as_ref().map(UserView::of),
        form_token: &visitor.form_token(HOME_FORM),
        login_token: &visitor.form_token(LOGIN_FORM),
        server_down: visitor.server_down,
        problem: visitor.problem.as_deref(),
        remembered: visitor.remembered,
        ended: visitor.ended.map(ended_words),
    };
    page(StatusCode::OK, &template)
}

fn state_of(visitor: &Visitor) -> AjaxState {
    if visitor.not_allowed {
        AjaxState::Barred
    } else if visitor.user.is_some() {
        AjaxState::User
    } else if visitor.session.is_attached() && !visitor.server_down && visitor.problem.is_none() {
        AjaxState::Nobody
    } else {
        AjaxState::Unknown
    }
}
