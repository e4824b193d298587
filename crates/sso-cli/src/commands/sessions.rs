//! `sso sessions list|revoke`.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde_json::json;
use sso_core::BrokerId;
use sso_server::Server;

use super::{
    admin::{Admin, AdminOptions, MissingFile, store_failed},
    users,
};
use crate::{
    Failure, input,
    output::{self, count, names, printable},
    say,
};

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsAction {
    /// Shows where users are logged in
    List {
        /// This user only [default: all users of the configuration and of the directory]
        user: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Ends sessions: their brokers are told at their next call
    Revoke(Which),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Which {
    /// All sessions and remembered browsers of this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only the session of this handle, as `sso sessions list` shows it, with its browser
    #[arg(long, value_name = "HANDLE", requires = "user")]
    session: Option<String>,
    /// The links of this broker: it attaches its visitors anew, and nobody is logged out
    #[arg(long, value_name = "ID", conflicts_with_all = ["user", "session"])]
    broker: Option<BrokerId>,
    /// Everything: all sessions, links and remembered browsers of everybody. After a restored backup, or a leak
    #[arg(long, conflicts_with_all = ["user", "session", "broker"])]
    all: bool,
    /// Does not ask whether --all is meant
    #[arg(long, requires = "all")]
    yes: bool,
}

/// Runs the command.
pub(crate) async fn run(options: &AdminOptions<SessionsAction>) -> Result<(), Failure> {
    let admin = Admin::open(&options.config, MissingFile::Fail).await?;
    let server = admin.sessions()?;
    let store = &admin.store;
    match &options.action {
        SessionsAction::List { user: Some(user), json } => {
            let user = admin.user_meant(user).await?.into_owned();
            list(server, &BTreeSet::from([user]), *json).await
        }
        SessionsAction::List { user: None, json } => {
            let mut known = admin.configured_users.clone();
            known.extend(users::all_names(&admin).await?);
            list(server, &known, *json).await
        }
        SessionsAction::Revoke(Which { user: Some(user), session: Some(handle), .. }) => {
            let user = &*admin.user_meant(user).await?;
            if !server.end_session(user, handle).await.map_err(store_failed)? {
                return Err(Failure::other(format!("user {} has no session {}", printable(user), printable(handle))));
            }
            done(format!("the session of user {} in {store} is ended", printable(user)))
        }
        SessionsAction::Revoke(Which { user: Some(user), .. }) => {
            let user = &*admin.user_meant(user).await?;
            let ended = server.end_user(user).await.map_err(store_failed)?;
            done(format!("{} of user {} in {store} ended", output::ended(&ended), printable(user)))
        }
        SessionsAction::Revoke(Which { broker: Some(id), .. }) => {
            let links = server.revoke_links(Some(id)).await.map_err(store_failed)?;
            done(format!("{} of broker {id} in {store} cut", count(links, "link")))
        }
        SessionsAction::Revoke(Which { yes, .. }) => {
            if !yes && !input::confirmed("This logs everybody out, everywhere.")? {
                return Err(Failure::other("nothing was ended"));
            }
            let ended = server.end_everything().await.map_err(store_failed)?;
            done(format!("{} in {store} ended", output::ended(&ended)))
        }
    }
}

fn done(what: String) -> Result<(), Failure> {
    tracing::info!("{what}");
    say(what);
    Ok(())
}

async fn list(server: &Server, users: &BTreeSet<String>, as_json: bool) -> Result<(), Failure> {
    let mut found = Vec::new();
    for user in users {
        let sessions = server.sessions_of(user).await.map_err(store_failed)?;
        found.extend(sessions.into_iter().map(|session| (user, session)));
    }
    if as_json {
        let text = found.iter().map(|(user, session)| {
            json!({
                "user": user,
                "handle": session.handle,
                "since": output::time(session.since.as_secs()),
                "last_seen": output::time(session.last_seen.as_secs()),
                "browser": session.browser,
                "brokers": session.brokers,
                "remembered": session.is_remembered,
            })
        });
        return output::json(&text.collect::<Vec<_>>());
    }
    let rows: Vec<_> = found
        .iter()
        .map(|(user, session)| {
            [
                printable(user),
                session.handle.clone(),
                output::time(session.since.as_secs()),
                output::time(session.last_seen.as_secs()),
                printable(session.browser.as_deref().unwrap_or("unknown")),
                names(session.brokers.iter().map(BrokerId::as_str)),
                if session.is_remembered { "yes" } else { "no" }.into(),
            ]
        })
        .collect();
    output::table(["USER", "HANDLE", "SINCE", "LAST SEEN", "BROWSER", "BROKERS", "REMEMBERED"], &rows);
    Ok(())
}
