//! Alice and Greg: brokers whose pages attach by redirect.

use std::net::TcpListener;

use actix_web::{App, HttpResponse, dev::Server, http::StatusCode, web};
use sso_broker::{Broker, OptionalVisitor, Sso, User, Visitor};
use sso_server::web::get_or_head;

use super::{
    Chrome, NO_THEME, attributes,
    broker_forms::{self, HOME_FORM, logout_token, theme_of},
    no_store, page, page_policy,
    reports::reports,
};
use crate::{
    Failure, assets,
    pages::{self, BrokerAbout, BrokerHome, BrokerProblem, Way, ended_words},
    run,
};

/// A broker site with redirects.
#[derive(Clone)]
pub(crate) struct RedirectBroker {
    sso: Sso,
    chrome: Chrome,
    /// Whether it also has a login form of its own, as jasny/sso's brokers do.
    own_form: bool,
    /// The origin of a service whose data it shows at `/reports`.
    api: Option<String>,
}

impl RedirectBroker {
    pub(crate) fn new(broker: Broker, chrome: Chrome, own_form: bool) -> Self {
        let policy = page_policy(&format!(" {}", broker.server_origin()), "", "");
        let sso = Sso::new(broker).pages(chrome.clone()).page_policy(policy);
        Self { sso, chrome, own_form, api: None }
    }

    /// Also shows data of the service at this origin.
    pub(crate) fn with_api(self, origin: &str) -> Self {
        Self { api: Some(origin.to_owned()), ..self }
    }

    pub(super) fn api(&self) -> Option<&str> {
        self.api.as_deref()
    }

    pub(super) fn chrome(&self) -> &Chrome {
        &self.chrome
    }

    pub(crate) fn serve(self, listeners: Vec<TcpListener>, workers: usize) -> Result<Server, Failure> {
        run::serve(listeners, workers, move || {
            let site = self.clone();
            let (own_form, has_api) = (site.own_form, site.api.is_some());
            App::new()
                .wrap(site.sso.middleware())
                .wrap(no_store())
                .configure(site.sso.routes())
                .configure(assets::routes)
                .configure(broker_forms::routes)
                .app_data(web::Data::new(site.chrome.clone()))
                .app_data(web::Data::new(site))
                .route("/", get_or_head().to(home))
                .route("/about", get_or_head().to(about))
                .route("/healthz", get_or_head().to(HttpResponse::Ok))
                .configure(|app| {
                    if own_form {
                        app.configure(broker_forms::login_routes);
                    }
                    if has_api {
                        app.route("/reports", get_or_head().to(reports));
                    }
                })
                .default_service(web::to(not_found))
        })
    }
}

/// The first page. Taking a [`Visitor`] is all it does to be attached.
async fn home(visitor: Visitor, site: web::Data<RedirectBroker>) -> HttpResponse {
    let theme = theme_of(&visitor).await;
    // Without a token, or without the server, a form would lead nowhere.
    let has_forms = visitor.session.is_attached() && !visitor.server_down;
    let form_token = has_forms.then(|| visitor.form_token(HOME_FORM));
    let details = visitor.user.as_ref().map(attributes).unwrap_or_default();
    let links = site.chrome.links();
    page(
        StatusCode::OK,
        &BrokerHome {
            layout: site.chrome.layout(&links, &theme),
            user: shown(visitor.user.as_ref(), &details),
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
    let details = visitor.user.as_ref().map(attributes).unwrap_or_default();
    let links = site.chrome.links();
    page(
        StatusCode::OK,
        &BrokerAbout {
            layout: site.chrome.layout(&links, &theme),
            user: shown(visitor.user.as_ref(), &details),
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

async fn not_found(site: web::Data<RedirectBroker>) -> HttpResponse {
    not_found_page(&site.chrome)
}

/// The answer of either kind of broker to an address that it does not have.
pub(super) fn not_found_page(chrome: &Chrome) -> HttpResponse {
    let links = chrome.links();
    let layout = chrome.layout(&links, NO_THEME);
    let ways = [Way { label: "Go to the home page", href: "/" }];
    let text = "There is nothing at this address.";
    page(
        StatusCode::NOT_FOUND,
        &BrokerProblem {
            layout,
            heading: "Page not found",
            text,
            form_token: None,
            clear: None,
            ways: &ways,
            script: None,
        },
    )
}

pub(super) fn shown<'a>(user: Option<&'a User>, details: &'a [(String, String)]) -> Option<pages::User<'a>> {
    user.map(|user| pages::User { username: &user.username, attributes: details })
}
