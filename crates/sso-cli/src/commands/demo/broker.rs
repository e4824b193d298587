//! `sso broker`: one broker site by itself.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use sso_broker::{Broker, SilentMode};
use sso_core::{BrokerId, Encoding, Secret};
use sso_demo::{AjaxBroker, RedirectBroker};
use sso_site::{SiteFrame, SiteInfo};

use crate::{
    Failure,
    config::{encoding, variable},
    run,
};

#[derive(Debug, Args)]
pub(crate) struct BrokerOptions {
    /// How its visitors are attached
    #[arg(long, value_enum, default_value_t = BrokerKind::Redirect)]
    kind: BrokerKind,
    /// The address to listen at
    #[arg(long)]
    listen: SocketAddr,
    /// The site's origin as browsers see it [default: http:// and the address]
    #[arg(long, env = "SSO_BROKER_URL")]
    public_url: Option<String>,
    /// The server's attach URL as browsers see it
    #[arg(long, env = "SSO_SERVER")]
    server: String,
    /// The origin at which the broker itself calls the server, if it is another
    #[arg(long, env = "SSO_SERVER_BACKCHANNEL")]
    backchannel: Option<String>,
    /// The broker's id
    #[arg(long, env = "SSO_BROKER_ID")]
    id: BrokerId,
    /// The server is a jasny/sso one
    #[arg(long, env = "SSO_PHP_SERVER")]
    php_server: bool,
    /// How checksums are written; the server's entry for this broker says the same
    #[arg(long, env = "SSO_CHECKSUM", default_value = "exact", value_parser = encoding)]
    checksum: Encoding,
    /// Also shows a login form of its own; the server's entry for this broker must allow it (redirect only)
    #[arg(long)]
    own_form: bool,
    /// How the page attaches silently (ajax only)
    #[arg(long, default_value = "json", value_parser = silent)]
    silent: SilentMode,
    /// Allows plain http to a server on another machine, for a network that encrypts by itself
    #[arg(long)]
    insecure_backchannel: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BrokerKind {
    /// By redirect, on each page
    Redirect,
    /// By a script
    Ajax,
}

/// Runs the command.
pub(crate) async fn run(options: &BrokerOptions) -> Result<(), Failure> {
    let secret = Secret::new(variable("SSO_BROKER_SECRET")?);
    let public_url = options.public_url.clone().unwrap_or_else(|| format!("http://{}", options.listen));
    let mut builder =
        Broker::builder(&options.server, options.id.clone(), secret).public_url(&public_url).encoding(options.checksum);
    if let Some(origin) = &options.backchannel {
        builder = builder.backchannel(origin);
    }
    if options.php_server {
        builder = builder.php_server();
    }
    if options.insecure_backchannel {
        builder = builder.allow_insecure_backchannel();
    }
    let broker = builder.build().map_err(Failure::settings)?;

    // It knows no other site but the server.
    let this = SiteInfo::new(options.id.as_str(), &public_url, "This site.");
    let server = SiteInfo::server(&broker.server_origin());
    let frame = SiteFrame::new(&this, &[server, this.clone()]);
    let listeners = run::listen(options.listen)?;
    let workers = run::all_cores();
    let server = match options.kind {
        BrokerKind::Redirect => {
            let site = RedirectBroker::new(broker, frame, options.own_form);
            run::serve(listeners, workers, move || site.clone().app())?
        }
        BrokerKind::Ajax => {
            let site = AjaxBroker::new(broker, frame, options.silent);
            run::serve(listeners, workers, move || site.clone().app())?
        }
    };
    run::until_stopped(vec![server], &format!("{} is at {public_url}", options.id)).await
}

fn silent(text: &str) -> Result<SilentMode, &'static str> {
    match text {
        "json" => Ok(SilentMode::Json),
        "jsonp" => Ok(SilentMode::Jsonp),
        _ => Err("expected `json` or `jsonp`"),
    }
}
