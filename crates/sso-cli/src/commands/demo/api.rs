//! `sso api`: the demo's JSON service by itself.

use std::net::SocketAddr;

use clap::Args;
use sso_demo::Api;

use crate::{Failure, run};

#[derive(Debug, Args)]
pub(crate) struct ApiOptions {
    /// The address to listen at
    #[arg(long)]
    listen: SocketAddr,
    /// The service's own origin, which tokens must be for [default: http:// and the address]
    #[arg(long)]
    public_url: Option<String>,
    /// The server's origin: it makes the tokens, and publishes the keys
    #[arg(long)]
    server: String,
}

/// Runs the command.
pub(crate) async fn run(options: &ApiOptions) -> Result<(), Failure> {
    let this = options.public_url.clone().unwrap_or_else(|| format!("http://{}", options.listen));
    let api = Api::new(options.server.trim_end_matches('/'), &this)?;
    let listeners = run::listen(options.listen)?;
    let server = run::serve(listeners, run::all_cores(), move || api.clone().app())?;
    run::until_stopped(vec![server], &format!("The service is at {this}")).await
}
