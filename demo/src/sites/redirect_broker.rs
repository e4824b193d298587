//! Alice and Greg: brokers whose pages attach by redirect.

use actix_web::{App, HttpResponse, http::StatusCode, web};
use sso_broker::{Broker, OptionalVisitor, Sso, Visitor};
use sso_core::headers::page_policy;
use sso_server::web::get_or_head;
use sso_site::{SiteFrame, UserView, no_store, page};

use super::{
    broker_forms::{self, HOME_FORM, logout_token, theme_of},
    reports,
    service::SiteService,
    shared_pages::SharedPages,
};
use crate::pages::{BrokerAbout, BrokerHome, ended_words};

/// A broker site with redirects.
#[derive(Clone)]
pub struct RedirectBroker {
    sso: Sso,
    frame: SiteFrame,
    own_form: bool,
    /// The origin of a service whose data it shows at `/reports`.
    api: Option<String>,
}

impl RedirectBroker {
    /// `own_form`: whether it also has a login form of its own, as jasny/sso's brokers do.
    pub fn new(broker: Broker, frame: SiteFrame, own_form: bool) -> Self {
        let policy = page_policy(&format!(" {}", broker.server_origin()), "", "");
        let sso = Sso::new(broker).pages(SharedPages(frame.clone())).page_policy(policy);
        Self { sso, frame, own_form, api: None }
    }

    /// Also shows data of the service at this origin.
    pub fn with_api(self, origin: &str) -> Self {
        Self { api: Some(origin.to_owned()), ..self }
    }

    /// The site, for one thread.
    pub fn app(self) -> App<impl SiteService> {
        let (own_form, api) = (self.own_form, self.api.clone());
        App::new()
            .wrap(self.sso.middleware())
            .wrap(no_store())
            .configure(broker_forms::routes(&self.sso, &self.frame))
            .app_data(web::Data::new(self))
            .route("/", get_or_head().to(home))
            .route("/about", get_or_head().to(about))
            .configure(|app| {
                if own_form {
                    app.configure(broker_forms::login_routes);
                }
                if let Some(api) = api {
                    app.configure(reports::routes(api));
                }
            })
    }
}

/// The first page. Taking a [`Visitor`] is all it does to be attached.
async fn home(visitor: Visitor, site: web::Data<RedirectBroker>) -> HttpResponse {
    let theme = theme_of(&visitor).await;
    // Without a token, or without the server, a form would lead nowhere.
    let has_forms = visitor.session.is_attached() && !visitor.server_down;
    let form_token = has_forms.then(|| visitor.form_token(HOME_FORM));
    page(
        StatusCode::OK,
        &BrokerHome {
            layout: site.frame.layout(&theme),
            user: visitor.user.as_ref().map(UserView::of),
            form_token: form_token.as_deref(),
            own_form: site.own_form,
            has_reports: site.api.is_some(),
            server_down: visitor.server_down,
            problem: visitor.problem.as_deref(),
            ended: visitor.ended.map(ended_words),
        },
    )
}

/// A page that likes to know its visitor, and sends nobody away for it.
async fn about(OptionalVisitor(visitor): OptionalVisitor, site: web::Data<RedirectBroker>) -> HttpResponse {
    let theme = theme_of(&visitor).await;
    page(
        StatusCode::OK,
        &BrokerAbout {
            layout: site.frame.layout(&theme),
            user: visitor.user.as_ref().map(UserView::of),
            logout_token: &logout_token(&visitor),
            attached: visitor.session.is_attached(),
            server_down: visitor.server_down,
            problem: visitor.problem.as_deref(),
            not_allowed: visitor.not_allowed,
            remembered: visitor.remembered,
            ended: visitor.ended.map(ended_words),
        },
    )
}
