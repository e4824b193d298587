//! Julius: a broker whose one page does everything by script. The script is `static/ajax-broker.js`.

use std::net::TcpListener;

use actix_web::{App, HttpResponse, dev::Server, http::StatusCode, web};
use sso_broker::{Broker, SilentMode, Sso};
use sso_server::web::get_or_head;

use super::{Chrome, NO_THEME, no_store, page, page_policy, redirect_broker::not_found_page};
use crate::{Failure, assets, pages::AjaxHome, run};

/// A broker site with a script.
#[derive(Clone)]
pub(crate) struct AjaxBroker {
    sso: Sso,
    chrome: Chrome,
    silent: SilentMode,
}

impl AjaxBroker {
    pub(crate) fn new(broker: Broker, chrome: Chrome, silent: SilentMode) -> Self {
        let server = format!(" {}", broker.server_origin());
        let policy = match silent {
            SilentMode::Json => page_policy(&server, ""),
            SilentMode::Jsonp => page_policy("", &server),
        };
        Self { sso: Sso::new(broker).pages(chrome.clone()).page_policy(policy).ajax(silent), chrome, silent }
    }

    pub(crate) fn serve(self, listeners: Vec<TcpListener>, workers: usize) -> Result<Server, Failure> {
        run::serve(listeners, workers, move || {
            let site = self.clone();
            App::new()
                .wrap(site.sso.middleware())
                .wrap(no_store())
                .configure(site.sso.routes())
                .configure(assets::routes)
                .app_data(web::Data::new(site))
                .route("/", get_or_head().to(home))
                .route("/healthz", get_or_head().to(HttpResponse::Ok))
                .default_service(web::to(not_found))
        })
    }
}

/// The same page for everyone: the script fills it in.
async fn home(site: web::Data<AjaxBroker>) -> HttpResponse {
    let links = site.chrome.links();
    let silent = match site.silent {
        SilentMode::Json => "json",
        SilentMode::Jsonp => "jsonp",
    };
    let server = format!("{}/", site.sso.broker().server_origin());
    page(StatusCode::OK, &AjaxHome { layout: site.chrome.layout(&links, NO_THEME), silent, server: &server })
}

async fn not_found(site: web::Data<AjaxBroker>) -> HttpResponse {
    not_found_page(&site.chrome)
}
