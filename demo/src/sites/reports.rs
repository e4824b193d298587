//! A broker's page with data from another service: its back end gets an access token for the visitor and calls with it.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde_json::Value;
use sso_broker::{RequestError, ServiceError, Visitor};
use sso_server::web::get_or_head;
use sso_site::{SiteFrame, page};

use super::broker_forms::{logout_token, theme_of};
use crate::pages::BrokerReports;

const SERVER_DOWN: &str = "The login server cannot be reached.";

/// The origin of the service.
struct Service(String);

/// `/reports`, with data of the service at this origin.
pub(super) fn routes(service: String) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(Service(service))).route("/reports", get_or_head().to(reports));
    }
}

/// The token stays here: neither the page nor the browser sees it.
async fn reports(
    visitor: Visitor,
    frame: web::Data<SiteFrame>,
    service: web::Data<Service>,
) -> Result<HttpResponse, actix_web::Error> {
    let theme = theme_of(&visitor).await;
    let answer = match &visitor.user {
        Some(_) => Some(ask(&visitor, &service.0).await?),
        None => None,
    };
    let answered = answer.as_ref().and_then(|answer| answer.as_deref().err()).map(String::as_str);
    let unknown = if visitor.server_down { Some(SERVER_DOWN) } else { visitor.problem.as_deref() };
    let shown = BrokerReports {
        layout: frame.layout(&theme),
        username: visitor.user.as_ref().map(|user| user.username.as_str()),
        logout_token: &logout_token(&visitor),
        service: &service.0,
        answer: answer.as_ref().and_then(|answer| answer.as_deref().ok()),
        problem: answered.or(unknown),
    };
    Ok(page(StatusCode::OK, &shown))
}

/// What the service answers, or why it does not. A visitor whose own token serves no more is for the middleware to
/// attach again.
async fn ask(visitor: &Visitor, service: &str) -> Result<Result<String, String>, RequestError> {
    let token = match visitor.session.access_token(Some(service)).await {
        Ok(token) => token,
        Err(error) if error.is_healable() => return Err(error),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let url = match format!("{service}/reports").parse() {
        Ok(url) => url,
        Err(_) => return Ok(Err(format!("`{service}` is not an origin"))),
    };
    let answer = visitor.session.broker().client().get_from_service(&url, &token).await;
    Ok(match answer {
        Ok(json) => Ok(format!("{:#}", json.unwrap_or(Value::Null))),
        Err(ServiceError::Refused { status, error }) => Err(format!("{status}: {error}")),
        Err(error) => {
            tracing::warn!(%error, "the service gives no answer");
            Err("The service cannot be reached.".into())
        }
    })
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test};
    use sso_broker::{Broker, Secret, Sso};
    use sso_site::SiteInfo;

    use super::*;

    #[actix_web::test]
    async fn while_the_server_is_down_a_page_says_so_and_offers_no_login() {
        let broker = Broker::builder("http://127.0.0.1:1/attach", "Alice".parse().unwrap(), Secret::new("s"));
        let broker = broker.public_url("http://alice.localhost:8001").build().unwrap();
        let alice = SiteInfo::new("Alice", "http://alice.localhost:8001", "");
        let frame = SiteFrame::new(&alice, std::slice::from_ref(&alice));
        let app = App::new().wrap(Sso::new(broker).middleware()).app_data(web::Data::new(frame));
        let app = test::init_service(app.configure(routes("http://api.localhost:8006".into()))).await;
        let asked = test::TestRequest::get().uri("/reports").insert_header(("Accept", "text/html")).to_request();
        let page = String::from_utf8(test::call_and_read_body(&app, asked).await.to_vec()).unwrap();
        assert!(page.contains("The login server cannot be reached."), "{page}");
        assert!(!page.contains("<h2 id=\"login\">"), "{page}");
    }
}
