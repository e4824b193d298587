//! A whole SSO server: one broker, one user, sessions in memory. Try it with the minimal broker of `sso-broker`:
//!
//! ```text
//! cargo run -p sso-server --example minimal
//! SSO_SERVER=http://localhost:8000/attach SSO_BROKER_ID=Alice SSO_BROKER_SECRET=8iwzik1bwd \
//!     cargo run -p sso-broker --example minimal
//! ```

use actix_web::{App, HttpServer};
use sso_server::{
    Account, Broker, BrokerList, PasswordHash, Server, UserList,
    core::{AllowedOrigins, Encoding, ReturnPages, Secret},
    web::Site,
};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origins = AllowedOrigins::new(&["http://localhost:8001"], ReturnPages::Paths(vec!["/sso/return".into()]))?;
    let alice = Broker::new("Alice".parse()?, &Secret::new("8iwzik1bwd"), Encoding::Exact, origins);
    let jackie = Account::new("jackie", PasswordHash::new("jackie123")?).attribute("fullname", "Jackie Black");

    let brokers: BrokerList = [alice].into_iter().collect();
    let users: UserList = [jackie].into_iter().collect();
    let site = Site::new(Server::builder("http://localhost:8000".parse()?, brokers, users).build()?);

    HttpServer::new(move || App::new().configure(site.routes())).bind("127.0.0.1:8000")?.run().await?;
    Ok(())
}
