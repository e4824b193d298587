//! `POST /sso/logout`: the logout on the pages of the broker itself, for somebody who may not use this site, and for one who is asked
//! whether they want it.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::{SsoSession, answer::redirect};

/// The form's name in its token.
pub(super) const LOGOUT_FORM: &str = "/sso/logout";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    form_token: String,
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/sso/logout").route(web::post().to(log_out)));
}

/// Logs out, at all brokers, and goes on to the first page.
async fn log_out(session: SsoSession, fields: web::Form<Fields>) -> Result<HttpResponse, actix_web::Error> {
    session.check_logout(LOGOUT_FORM, &fields.form_token)?;
    session.logout().await?;
    Ok(redirect("/"))
}
