//! `sso linked-app`: one linked application by itself.

use std::net::SocketAddr;

use clap::Args;
use sso_demo::{LinkedApp, Peer, Sessions, Setup, SharedSessions};
use sso_jwt::{Key, KeySet, SharedKeys};
use sso_site::SiteInfo;

use crate::{
    Failure,
    config::{SessionName, StoreOption, StoreUrl, users_of_environment, variable},
    run,
};

#[derive(Debug, Args)]
pub(crate) struct LinkedAppOptions {
    /// The address to listen at
    #[arg(long)]
    listen: SocketAddr,
    /// Its name, as people read it
    #[arg(long, default_value = "Nora")]
    name: String,
    /// The application's origin as browsers see it [default: http:// and the address]
    #[arg(long, env = "SSO_APP_URL")]
    public_url: Option<String>,
    /// The origin of the application that it exchanges users with; SSO_PAIR_KEY is then the key that the two share
    #[arg(long, env = "SSO_PEER")]
    peer: Option<String>,
    /// The name of its session cookie: applications on one host with the same name, SSO_SESSION_KEY and store share
    /// one sign-on
    #[arg(long, env = "SSO_SESSION_NAME", default_value = "sso_linked")]
    session_name: SessionName,
    /// Where its sessions and used hand-offs are: `memory:`, in this process, or `sqlite:FILE`, which other
    /// applications may share
    #[arg(long, env = "SSO_SESSION_STORE", default_value = "memory:")]
    store: StoreOption,
}

/// Runs the command.
pub(crate) async fn run(options: &LinkedAppOptions) -> Result<(), Failure> {
    let url = options.public_url.clone().unwrap_or_else(|| format!("http://{}", options.listen));
    let this = SiteInfo::linked(&options.name, &url, "This site.");
    let mut all = vec![this.clone()];
    let mut peers = Vec::new();
    if let Some(origin) = &options.peer {
        let secret = key_of_environment("SSO_PAIR_KEY")?;
        let key = Key::hs256("pair", &secret).map_err(Failure::settings)?;
        let keys = SharedKeys::new(KeySet::new(vec![key]).map_err(Failure::settings)?);
        all.push(SiteInfo::linked("the other application", origin, "The other application."));
        peers.push(Peer { origin: origin.clone(), keys, is_target: true });
    }
    let SessionName(session_name) = options.session_name.clone();
    let session_key = key_of_environment("SSO_SESSION_KEY")?;
    let users = users_of_environment()?;
    let sessions = match options.store.url()? {
        StoreUrl::Memory => Sessions::default(),
        StoreUrl::Sqlite(file) => {
            let opened = SharedSessions::open(&file, &session_key).await;
            let failed = |error| Failure::other(format!("--store: {}: {error}", file.display()));
            Sessions::Shared(opened.map_err(failed)?)
        }
        _ => {
            return Err(Failure::settings(
                "--store: a linked application keeps its sessions in memory: or sqlite:FILE",
            ));
        }
    };
    let app = LinkedApp::new(Setup { site: this, all, peers, users, session_name, session_key, sessions })?;
    let listeners = run::listen(options.listen)?;
    let server = run::serve(listeners, run::all_cores(), move || app.clone().app())?;
    run::until_stopped(vec![server], &format!("{} is at {url}", options.name)).await
}

/// A secret of at least 32 bytes.
fn key_of_environment(name: &str) -> Result<Vec<u8>, Failure> {
    let key = variable(name)?;
    if key.len() < Key::MIN_SECRET {
        return Err(Failure::settings(format!(
            "{name} is shorter than 32 bytes; `openssl rand -hex 32` makes a good one"
        )));
    }
    Ok(key.into_bytes())
}
