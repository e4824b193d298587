//! A whole broker on axum: one page. `SSO_SERVER`, `SSO_BROKER_ID` and `SSO_BROKER_SECRET` say whose.
//! `cargo run -p sso-broker --features axum --example minimal_broker_axum [localhost:8001]`

use axum::{Router, routing::get};
use sso_broker::{Broker, Sso, Visitor};

async fn home(visitor: Visitor) -> String {
    visitor.user.map_or("Hello, stranger. Log in at /sso/login".into(), |user| format!("Hello, {}", user.username))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("localhost:8001".into());
    let sso = Sso::new(Broker::from_env()?.public_url(&format!("http://{address}")).build()?);
    let app = Router::new().route("/", get(home)).layer(sso.layer());
    axum::serve(tokio::net::TcpListener::bind(&address).await?, app).await?;
    Ok(())
}
