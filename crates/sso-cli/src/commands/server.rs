//! `sso server`.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use sso_site::{SiteFrame, SiteInfo};

use crate::{
    Failure,
    config::{Config, StoreOption, StoreUrl},
    run,
    site::{ServerPages, ServerSite},
};

#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    /// The configuration file [default: sso.toml, if there is one]
    #[arg(long)]
    config: Option<PathBuf>,
    /// The address to listen at, in place of the configured one
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Where sessions are kept, in place of the configured store
    #[arg(long)]
    store: Option<StoreOption>,
}

/// Runs the command.
pub(crate) async fn run(options: &ServerOptions) -> Result<(), Failure> {
    let mut config = Config::load(options.config.as_deref(), options.store.as_ref())?;
    config.listen = options.listen.unwrap_or(config.listen);
    let this = SiteInfo::server(config.public_url.as_str());
    let brokers = config.brokers.iter().filter_map(|broker| {
        // A bare host does not say where to go.
        let origin = broker.origins.iter().find(|origin| origin.contains("://"))?;
        Some(SiteInfo::new(broker.id.as_str(), origin, "A site that takes part."))
    });
    let sites: Vec<_> = std::iter::once(this.clone()).chain(brokers).collect();
    let pages = ServerPages { frame: SiteFrame::new(&this, &sites), test_users: Vec::new(), links: None };

    let listeners = run::listen(config.listen)?;
    let (cross_site, php_routes) = (config.has_silent_broker(), config.php_routes);
    if config.public_url.scheme() == "http" {
        tracing::warn!("{} is plain http: fit for trying out on this machine only", config.public_url);
    }
    if config.keys.is_none() && config.store == StoreUrl::Memory {
        tracing::warn!("memory: without [jwt] keys: tokens and remembered browsers last until the server ends");
    }
    let public_url = config.public_url.clone();
    let server = ServerSite::new(config.open().await?.server, pages, cross_site, false, php_routes);
    let server = server.serve(listeners, run::all_cores(), |_| {})?;
    run::until_stopped(vec![server], &format!("The SSO server is at {public_url}")).await
}
