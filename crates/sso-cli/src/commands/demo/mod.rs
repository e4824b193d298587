//! The demo's commands, one file each: its options, and what runs it.

mod all_sites;
mod api;
mod broker;
mod linked_app;

use clap::Subcommand;
use sso_demo::SetupError;

use crate::Failure;

pub(crate) use all_sites::DemoOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Runs all sites of the demo in one process
    Demo(DemoOptions),
    /// Runs one broker site. Its secret comes from SSO_BROKER_SECRET only: options show in the list of processes
    Broker(broker::BrokerOptions),
    /// Runs the demo's JSON service alone, which knows its users by access tokens
    Api(api::ApiOptions),
    /// Runs one linked application, which has a session of its own. Its users and keys come from the environment only:
    /// SSO_USERS, such as `[{ username = "ada", password = "…" }]` with a hash that `sso hash-password` made,
    /// SSO_SESSION_KEY, and SSO_PAIR_KEY for its peer
    LinkedApp(linked_app::LinkedAppOptions),
}

impl DemoCommand {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Demo(options) => all_sites::run(&options).await,
            Self::Broker(options) => broker::run(&options).await,
            Self::Api(options) => api::run(&options).await,
            Self::LinkedApp(options) => linked_app::run(&options).await,
        }
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Passwords(_) => Self::other(error),
            SetupError::Url(_) | SetupError::Origin(_) | SetupError::Keys(_) => Self::settings(error),
        }
    }
}
