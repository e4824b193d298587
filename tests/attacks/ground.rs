//! Where the attacks take place: the demo, whose brokers' secrets are known, and a server with brokers of every kind.

use sso_core::Encoding;
use sso_tests::{Demo, Site, Visitor, process::free_ports};

use crate::peer::Peer;

/// The back end of one of the demo's brokers.
pub fn peer_of(demo: &Demo, id: &str) -> Peer {
    let secret = match id {
        "Alice" => "8iwzik1bwd",
        "Greg" => "7pypoox2pc",
        _ => "ceda63kmhp",
    };
    Peer::new(&demo.url("sso", ""), id, secret, Encoding::Exact, &demo.url(&id.to_ascii_lowercase(), ""))
}

/// A server with brokers that have no sites, and one, Local, that may have one.
pub struct Ground {
    pub server: Site,
    pub port: u16,
    local_port: u16,
}

impl Ground {
    /// With these session settings.
    pub fn start(session: &str) -> Self {
        let local_port = free_ports(1);
        let config = r#"
            public_url = "http://sso.localhost:PORT"
            brokers = [
                { id = "Alice", secret = "s-Alice", origins = ["http://alice.localhost:1"] },
                { id = "Paula", secret = "s-Paula", origins = ["paula.localhost"], checksum = "php", password_login = true },
                { id = "Json", secret = "s-Json", origins = ["http://json.localhost:1"], silent = "json" },
                { id = "Script", secret = "s-Script", origins = ["http://script.localhost:1"], silent = "jsonp" },
                { id = "Starter", secret = "s-Starter", origins = ["http://starter.localhost:1"], silent = "jsonp", silent_start = true },
                { id = "Local", secret = "s-Local", origins = ["http://alice.localhost:LOCAL"], password_login = true },
            ]
            [[users]]
            username = "jackie"
            password = "$argon2id$v=19$m=19456,t=2,p=1$d+d/Lmz5RSSm3s9/crB7Kg$OZZ0W55NHpsZzf9w0I3SPMgzrjJ51OzUXB7u5hco5qY"
            attributes = { fullname = "</dd><script>alert(1)</script>", "<img src=x onerror=alert(2)>" = "\" onmouseover=alert(3) x='" }
            "#;
        let config = config.replace("LOCAL", &local_port.to_string());
        let (server, port) = Site::server(&format!("{config}\n[session]\n{session}\n"));
        Self { server, port, local_port }
    }

    pub fn url(&self) -> String {
        format!("http://sso.localhost:{}", self.port)
    }

    pub fn peer(&self, id: &str) -> Peer {
        let encoding = if id == "Paula" { Encoding::Php } else { Encoding::Exact };
        let origin = format!("http://{}.localhost:1", id.to_ascii_lowercase());
        Peer::new(&self.url(), id, &format!("s-{id}"), encoding, &origin)
    }
}

/// The site at Local's address, of whatever broker; and its origin.
pub fn broker_site(ground: &Ground, id: &str, secret: &str, options: &[&str]) -> (Site, String) {
    let (listen, url) =
        (format!("127.0.0.1:{}", ground.local_port), format!("http://alice.localhost:{}", ground.local_port));
    let attach = format!("{}/attach", ground.url());
    let environment = [
        ("SSO_SERVER", attach.as_str()),
        ("SSO_BROKER_ID", id),
        ("SSO_BROKER_SECRET", secret),
        ("SSO_BROKER_URL", &url),
    ];
    let site = Site::try_start(&[&["broker", "--listen", &listen], options].concat(), &environment);
    (site.unwrap_or_else(|failed| panic!("{failed:?}")), url)
}

/// A second browser with the cookies that the first has for this site.
pub fn thief_of(visitor: &Visitor, site: &str) -> Visitor {
    let thief = Visitor::new();
    for cookie in visitor.cookies(site).split("; ").filter(|cookie| !cookie.is_empty()) {
        thief.set_cookie(site, &format!("{cookie}; Path=/"));
    }
    thief
}

/// The value of a cookie.
pub fn cookie(visitor: &Visitor, site: &str, name: &str) -> String {
    let cookies = visitor.cookies(site);
    let found = cookies.split("; ").find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {cookies:?}")).to_owned()
}
