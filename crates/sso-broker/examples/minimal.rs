//! A whole broker: one page, which greets its visitor. Configured by `SSO_SERVER`, `SSO_BROKER_ID` and `SSO_BROKER_SECRET`.

use actix_web::{App, HttpServer, web};
use sso_broker::{Broker, Sso, Visitor};

async fn home(visitor: Visitor) -> String {
    match visitor.user {
        Some(user) => format!("Hello, {}", user.username),
        None => "Hello, stranger. Log in at /sso/login".to_owned(),
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::from_env()?.public_url("http://alice.localhost:8001").build()?;
    let sso = Sso::new(broker);
    HttpServer::new(move || App::new().wrap(sso.middleware()).configure(sso.routes()).route("/", web::get().to(home)))
        .bind("127.0.0.1:8001")?
        .run()
        .await?;
    Ok(())
}
