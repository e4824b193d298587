//! A whole broker: one page, which greets its visitor. `SSO_SERVER`, `SSO_BROKER_ID` and `SSO_BROKER_SECRET` say whose.
//! `cargo run -p sso-broker --example minimal_broker [localhost:8001]`

use actix_web::{App, HttpServer};
use sso_broker::{Broker, Sso, Visitor, actix::get_or_head};

async fn home(visitor: Visitor) -> String {
    visitor.user.map_or("Hello, stranger. Log in at /sso/login".into(), |user| format!("Hello, {}", user.username))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("localhost:8001".into());
    let sso = Sso::new(Broker::from_env()?.public_url(&format!("http://{address}")).build()?);
    let app = move || App::new().wrap(sso.middleware()).configure(sso.routes()).route("/", get_or_head().to(home));
    HttpServer::new(app).bind(&address)?.run().await?;
    Ok(())
}
