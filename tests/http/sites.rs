//! A server with brokers of every kind, for the tests of attach.

use sso_core::Encoding;
use sso_tests::Site;

use crate::peer::Peer;

/// A server with a broker for each way to attach.
pub struct Sites {
    _server: Site,
    port: u16,
}

impl Sites {
    pub fn start() -> Self {
        let (server, port) = Site::server(
            r#"
            public_url = "http://sso.localhost:PORT"
            php_routes = true
            brokers = [
                { id = "Exact", secret = "s-Exact", origins = ["http://exact.localhost:1"] },
                { id = "Php", secret = "s-Php", origins = ["http://php.localhost:1"], checksum = "php" },
                { id = "Host", secret = "s-Host", origins = ["host.localhost"], checksum = "php" },
                { id = "Json", secret = "s-Json", origins = ["http://json.localhost:1"], silent = "json" },
                { id = "Script", secret = "s-Script", origins = ["http://script.localhost:1"], silent = "jsonp" },
                { id = "Starter", secret = "s-Starter", origins = ["http://starter.localhost:1"], silent = "jsonp", silent_start = true },
            ]
            [[users]]
            username = "jackie"
            password = "$argon2id$v=19$m=19456,t=2,p=1$d+d/Lmz5RSSm3s9/crB7Kg$OZZ0W55NHpsZzf9w0I3SPMgzrjJ51OzUXB7u5hco5qY"
            attributes = { fullname = "Jackie Black" }
            "#,
        );
        Self { _server: server, port }
    }

    pub fn peer(&self, id: &str) -> Peer {
        let encoding = if matches!(id, "Php" | "Host") { Encoding::Php } else { Encoding::Exact };
        let origin = format!("http://{}.localhost:1", id.to_ascii_lowercase());
        Peer::new(&format!("http://sso.localhost:{}", self.port), id, &format!("s-{id}"), encoding, &origin)
    }
}
