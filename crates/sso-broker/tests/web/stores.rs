//! The whole attach, with the token kept in each kind of store.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use sso_broker::{EndReason, Lifetime, TokenStore};

use crate::{browser::Browser, server::Server, site::Site};

/// Attaches, loses the session, heals: everything that a store is used for.
pub(crate) async fn works(server: &Server, site: &Site) -> Browser {
    let mut browser = Browser::new(site);
    server.state().user = Some("jackie".into());
    assert_eq!(browser.arrive(server, "/page").await.body, "jackie down=false problem=None");
    server.state().links.clear();
    assert_eq!(browser.arrive(server, "/data").await.status, 200);
    let back = server.refuse_attach(browser.visit("/sso/login").await.location(), "Nope");
    assert_eq!(browser.visit(&back).await.location(), "/");
    assert_eq!(browser.visit("/page").await.body, "jackie down=false problem=Some(\"Nope\")");
    assert_eq!(browser.visit("/page").await.body, "jackie down=false problem=None");
    server.state().end(EndReason::Expired);
    assert_eq!(browser.visit("/page").await.body, "nobody down=false problem=None expired");
    assert_eq!(browser.visit("/page").await.body, "nobody down=false problem=None");
    server.state().log_in_elsewhere("john");
    assert_eq!(browser.arrive(server, "/page").await.body, "john down=false problem=None");
    server.state().user = Some("jackie".into());
    assert_eq!(browser.visit("/page").await.body, "jackie down=false problem=None");
    browser
}

#[actix_web::test]
async fn cookies() {
    let server = Server::start();
    let browser = works(&server, &Site::start(server.broker())).await;
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["sso-Alice-form", "sso-Alice-token"]);
}

#[actix_web::test]
async fn cookies_with_phps_names() {
    let server = Server::start();
    let browser = works(&server, &Site::start(server.broker().php_cookies())).await;
    assert_eq!(
        browser.cookies.keys().collect::<Vec<_>>(),
        ["sso-Alice-form", "sso-Alice-notes", "sso_token_alice", "sso_verify_alice"]
    );
}

/// Everybody's values in one map: there is one visitor.
struct OneVisitor(Arc<Mutex<BTreeMap<String, String>>>);

impl TokenStore for OneVisitor {
    fn get(&self, key: &str) -> Option<String> {
        TokenStore::get(&*self.0.lock().unwrap(), key)
    }

    fn set(&mut self, key: &str, value: &str, lifetime: Lifetime) {
        TokenStore::set(&mut *self.0.lock().unwrap(), key, value, lifetime);
    }

    fn remove(&mut self, key: &str) {
        TokenStore::remove(&mut *self.0.lock().unwrap(), key);
    }

    fn keys(&self) -> Vec<String> {
        TokenStore::keys(&*self.0.lock().unwrap())
    }
}

#[actix_web::test]
async fn a_store_of_ones_own() {
    let server = Server::start();
    let kept: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
    let visitor = Arc::clone(&kept);
    let site = Site::with(server.broker(), |sso| sso.tokens_in(move |_| Box::new(OneVisitor(visitor.clone()))));
    let browser = works(&server, &site).await;
    assert!(browser.cookies.is_empty());
    assert_eq!(kept.lock().unwrap().keys().collect::<Vec<_>>(), ["sso-Alice-form", "sso-Alice-token"]);
}

#[actix_web::test]
async fn a_lifetime_is_written() {
    let server = Server::start();
    let day = std::time::Duration::from_secs(86_400);
    let mut browser = Browser::new(&Site::start(server.broker().token_lifetime(day)));
    let back = server.attach(browser.visit("/page").await.location());
    let page = browser.visit(&back).await;
    let cookies: Vec<_> = page.headers.get_all("Set-Cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("sso-Alice-token=") && cookie.ends_with("; Max-Age=86400")));
}
