//! A whole SSO server: one broker, one user, sessions in memory.
//! `cargo run -p sso-server --example minimal_server [localhost:8000]`

use actix_web::{App, HttpServer};
use sso_server::{
    Account, Broker, BrokerList, PasswordHash, Server, UserList,
    core::{AllowedOrigins, Encoding, ReturnPages, Secret},
    web::Site,
};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("localhost:8000".into());
    // A bare host allows every port of it: fit for trying out. On a network, write https://alice.example.com.
    let origins = AllowedOrigins::new(&["localhost"], ReturnPages::Paths(vec!["/sso/return".into()]))?;
    let alice = Broker::new("Alice".parse()?, &Secret::new("8iwzik1bwd"), Encoding::Exact, origins);
    let jackie = Account::new("jackie", PasswordHash::new("jackie123")?).attribute("fullname", "Jackie Black");

    let (brokers, users) = (BrokerList::from_iter([alice]), UserList::from_iter([jackie]));
    let server = Server::builder(format!("http://{address}").parse()?, brokers, users).build()?;
    let site = Site::new(server);
    let app = move || App::new().wrap(site.headers()).configure(site.routes());
    HttpServer::new(app).bind(&address)?.run().await?;
    Ok(())
}
