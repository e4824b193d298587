//! Sites under one parent domain: the server, the broker Alice and the linked application Nora, behind nginx; and a
//! neighbour, Evil, who may set cookies for the parent domain.

use std::process::Command;

use tempfile::TempDir;

use crate::{
    Site,
    nodes::Nginx,
    process::{JACKIE123, free_ports, wait_until_listening},
};

/// How browsers see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Cookies have no prefix, and any neighbour can set them.
    Http,
    /// With a certificate that nobody signed.
    Https,
}

/// The programs.
pub struct Family {
    _nginx: Nginx,
    _sites: [Site; 3],
    _certificate: TempDir,
    scheme: Scheme,
    port: u16,
}

impl Family {
    /// The parent domain.
    pub const DOMAIN: &str = "family.localhost";

    /// Starts them.
    pub async fn start(scheme: Scheme) -> Self {
        let port = free_ports(4);
        let [server, alice, nora] = [port + 1, port + 2, port + 3];
        let url = |name: &str| url(scheme, name, port);
        let listen = |port: u16| format!("127.0.0.1:{port}");
        let user = |name: &str| format!("{{ username = \"{name}\", password = \"{JACKIE123}\" }}");
        let users = format!("[{}, {}]", user("jackie"), user("john"));
        let brokers = format!("[{{ id = \"Alice\", secret = \"{SECRET}\", origins = [\"{}\"] }}]", url("alice"));
        let start = |args: &[&str], environment: &[(&str, &str)]| {
            Site::try_start(args, environment).unwrap_or_else(|failed| panic!("{failed:?}"))
        };
        let sites = [
            start(
                &["server", "--listen", &listen(server)],
                &[("SSO_PUBLIC_URL", &url("sso")), ("SSO_BROKERS", &brokers), ("SSO_USERS", &users)],
            ),
            start(
                &["broker", "--listen", &listen(alice)],
                &[
                    ("SSO_SERVER", &format!("{}/attach", url("sso"))),
                    ("SSO_SERVER_BACKCHANNEL", &format!("http://127.0.0.1:{server}")),
                    ("SSO_BROKER_ID", "Alice"),
                    ("SSO_BROKER_SECRET", SECRET),
                    ("SSO_BROKER_URL", &url("alice")),
                ],
            ),
            start(
                &["linked-app", "--listen", &listen(nora)],
                &[
                    ("SSO_APP_URL", &url("nora")),
                    ("SSO_USERS", &users),
                    ("SSO_SESSION_KEY", SECRET),
                    ("SSO_SESSION_NAME", "nora"),
                ],
            ),
        ];
        let certificate = certificate();
        let (ssl, lines) = match scheme {
            Scheme::Http => ("", String::new()),
            Scheme::Https => {
                let dir = certificate.path().display();
                (" ssl", format!("ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;"))
            }
        };
        let proxies = [("sso", server), ("alice", alice), ("nora", nora)].map(|(name, inner)| {
            format!(
                "server {{ listen 127.0.0.1:{port}{ssl}; listen [::1]:{port}{ssl}; server_name {name}.{};
                 location / {{ proxy_pass http://127.0.0.1:{inner}; proxy_http_version 1.1;
                 proxy_set_header Connection \"\"; proxy_set_header Host $http_host; }} }}",
                Self::DOMAIN,
            )
        });
        let configuration = format!(
            "pid nginx.pid; error_log error.log; events {{}}
             http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
             uwsgi_temp_path uwsgi; scgi_temp_path scgi; {lines} {}
             server {{ listen 127.0.0.1:{port}{ssl}; listen [::1]:{port}{ssl}; server_name evil.{};
             location / {{ default_type text/html; return 200 '<h1>Evil</h1>'; }} }} }}",
            proxies.join("\n"),
            Self::DOMAIN,
        );
        let nginx = Nginx::start_with(&configuration, port).await;
        for inner in [server, alice, nora] {
            wait_until_listening(inner).await;
        }
        Self { _nginx: nginx, _sites: sites, _certificate: certificate, scheme, port }
    }

    /// The URL of a page at `sso`, `alice`, `nora` or `evil`.
    pub fn url(&self, site: &str, path: &str) -> String {
        format!("{}{path}", url(self.scheme, site, self.port))
    }
}

/// Of Alice, and of Nora's sessions.
const SECRET: &str = "5e7b1c9d3f5a7b9c1d3e5f7a9b1c3d5e7f9a1b3c5d7e9f1a3b5c7d9e1f3a5b7c";

fn url(scheme: Scheme, name: &str, port: u16) -> String {
    let scheme = if scheme == Scheme::Https { "https" } else { "http" };
    format!("{scheme}://{name}.{}:{port}", Family::DOMAIN)
}

/// For all names of the domain.
fn certificate() -> TempDir {
    let dir = TempDir::new().unwrap();
    let names = format!("subjectAltName=DNS:*.{}", Family::DOMAIN);
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"])
        .args(["-subj", "/CN=family", "-addext", &names, "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(dir.path())
        .output()
        .expect("openssl is not there: run tests/run");
    assert!(made.status.success(), "{made:?}");
    dir
}
