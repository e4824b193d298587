//! `sso brokers add|list|show|set|disable|enable|rotate-secret|remove`.

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};
use sso_core::BrokerId;
use sso_server::{
    BrokerSettings, SqlDirectory,
    clock::{Clock, SystemClock},
    directory::{DirectoryError, StoredBroker, Unreadable},
};

use super::{
    admin::{Admin, AdminOptions, MissingFile, failed, store_failed},
    broker_rules::{Rules, SecretOptions, replace},
};
use crate::{
    Failure,
    output::{self, count, names, printable},
    say,
};

#[derive(Debug, Subcommand)]
pub(crate) enum BrokersAction {
    /// Adds a broker, and prints its new secret and what else it needs, once
    Add {
        /// The broker's id: letters, digits and underscores
        id: BrokerId,
        /// Where it lives, such as `https://alice.example.com`
        #[arg(required = true)]
        origins: Vec<String>,
        #[command(flatten)]
        rules: Rules,
        #[command(flatten)]
        secret: SecretOptions,
    },
    /// Shows all brokers
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows a broker, but for its secret
    Show {
        /// Its id
        id: BrokerId,
    },
    /// Changes where a broker lives or what it may do
    Set {
        /// Its id
        id: BrokerId,
        /// Where it lives, in place of what was there; may be given several times
        #[arg(long = "origin")]
        origins: Vec<String>,
        #[command(flatten)]
        rules: Rules,
    },
    /// Keeps a broker out, and cuts its links. Nobody is logged out by that
    Disable {
        /// Its id
        id: BrokerId,
    },
    /// Lets a broker in again
    Enable {
        /// Its id
        id: BrokerId,
    },
    /// Gives a broker a new secret, which is printed once; the old one is accepted too for a while
    RotateSecret {
        /// Its id
        id: BrokerId,
        /// How long the old secret is accepted; 0s when it has leaked
        #[arg(long, default_value = "1d", value_parser = humantime::parse_duration)]
        keep_old: Duration,
        /// Also while a secret is accepted that is older still: from now on it is not
        #[arg(long)]
        replace_previous: bool,
        #[command(flatten)]
        secret: SecretOptions,
    },
    /// Removes a broker, and cuts its links
    Remove {
        /// Its id
        id: BrokerId,
    },
}

/// Runs the command.
pub(crate) async fn run(options: &AdminOptions<BrokersAction>) -> Result<(), Failure> {
    let missing =
        if matches!(options.action, BrokersAction::Add { .. }) { MissingFile::Create } else { MissingFile::Fail };
    let admin = Admin::open(&options.config, missing).await?;
    match &options.action {
        BrokersAction::Add { id, origins, rules, secret } => add(&admin, id, origins, rules, secret).await,
        BrokersAction::List { json } => list(&admin, *json).await,
        BrokersAction::Show { id } => output::json(&text(&admin, &known(&admin, id).await?)),
        BrokersAction::Set { id, origins, rules } => {
            let change = |broker: &mut StoredBroker| {
                replace(&mut broker.settings.origins, origins);
                rules.put(&mut broker.settings);
            };
            set(&admin, id, change).await?;
            done(id, "changed")
        }
        BrokersAction::Disable { id } => {
            disable(&admin, id, true).await?;
            cut(&admin, id, "disabled").await
        }
        BrokersAction::Enable { id } => {
            disable(&admin, id, false).await?;
            done(id, "enabled")
        }
        BrokersAction::RotateSecret { id, keep_old, replace_previous, secret } => {
            rotate(&admin, id, *keep_old, *replace_previous, secret).await
        }
        BrokersAction::Remove { id } => {
            let explain = |error| failed("broker", id.as_str(), error);
            if !admin.directory_for_broker(id)?.remove_broker(id).await.map_err(explain)? {
                return Err(explain(DirectoryError::NotFound));
            }
            cut(&admin, id, "removed").await
        }
    }
}

async fn add(
    admin: &Admin,
    id: &BrokerId,
    origins: &[String],
    rules: &Rules,
    secret: &SecretOptions,
) -> Result<(), Failure> {
    let explain = |error| failed("broker", id.as_str(), error);
    let directory = admin.directory_for_broker(id)?;
    let mut settings = BrokerSettings::new(origins.to_vec());
    rules.put(&mut settings);
    let (secret, is_new) = secret.secret()?;
    let broker = StoredBroker::new(id.clone(), settings, secret);
    admin.check_strength(&broker.broker().map_err(|error| explain(error.into()))?)?;
    directory.add_broker(&broker).await.map_err(explain)?;
    done(id, "added")?;
    if is_new {
        hand_over(admin, &broker, "for the broker's environment");
    }
    Ok(())
}

async fn rotate(
    admin: &Admin,
    id: &BrokerId,
    keep_old: Duration,
    replace_previous: bool,
    secret: &SecretOptions,
) -> Result<(), Failure> {
    let before = known(admin, id).await?;
    let (secret, is_new) = secret.secret()?;
    let candidate = StoredBroker::new(id.clone(), before.settings, secret.clone());
    admin.check_strength(&candidate.broker().map_err(|error| failed("broker", id.as_str(), error.into()))?)?;

    let now = SystemClock.now();
    let mut refused = None;
    let change = |broker: &mut StoredBroker| {
        let previous = broker.previous.as_ref().map(|(_, until)| *until).filter(|until| now < *until);
        refused = match previous {
            _ if secret.expose() == broker.secret.expose() => Some("has this secret already".to_owned()),
            Some(until) if !keep_old.is_zero() && !replace_previous => Some(format!(
                "may still use the secret before this one until {}: --replace-previous ends that, \
                 --keep-old 0s all but the new one",
                output::time(until.as_secs()),
            )),
            _ => None,
        };
        if refused.is_none() {
            let old = std::mem::replace(&mut broker.secret, secret.clone());
            broker.previous = (!keep_old.is_zero()).then_some((old, now.after(keep_old)));
        }
    };
    let changed = set(admin, id, change).await;
    if let Some(why) = refused {
        return Err(Failure::other(format!("broker {id} {why}")));
    }
    let broker = match changed {
        Ok(broker) => broker,
        Err(failure) => {
            // If only the answer was lost, this is its secret now, and nobody could learn it later.
            if is_new {
                hand_over(admin, &candidate, "for the broker's environment, if the change was made all the same");
            }
            return Err(failure);
        }
    };
    match &broker.previous {
        Some((_, until)) => {
            let until = output::time(until.as_secs());
            done(id, &format!("has a new secret; the one before is accepted until {until}, none that is older"))?;
        }
        None => done(id, "has a new secret; no other one is accepted")?,
    }
    if is_new {
        hand_over(admin, &broker, "for the broker's environment");
    }
    Ok(())
}

/// What the broker needs, as `sso new-broker` prints it. The secret is nowhere else to be seen.
fn hand_over(admin: &Admin, broker: &StoredBroker, what: &str) {
    let (id, server) = (&broker.id, admin.server.public_url());
    let secret = String::from_utf8_lossy(broker.secret.expose());
    say(format_args!("\n# {what}\nSSO_SERVER={server}attach\nSSO_BROKER_ID={id}\nSSO_BROKER_SECRET={secret}"));
}

async fn set(
    admin: &Admin,
    id: &BrokerId,
    change: impl FnMut(&mut StoredBroker) + Send,
) -> Result<StoredBroker, Failure> {
    let changed = admin.directory_for_broker(id)?.change_broker(id, change).await;
    changed.map_err(|error| failed("broker", id.as_str(), error))
}

async fn disable(admin: &Admin, id: &BrokerId, is_disabled: bool) -> Result<(), Failure> {
    let changed = admin.directory_for_broker(id)?.set_broker_disabled(id, is_disabled).await;
    changed.map_err(|error| failed("broker", id.as_str(), error))
}

async fn known(admin: &Admin, id: &BrokerId) -> Result<StoredBroker, Failure> {
    let explain = |error| failed("broker", id.as_str(), error);
    let broker = admin.directory_for_broker(id)?.broker(id).await.map_err(explain)?;
    broker.ok_or_else(|| explain(DirectoryError::NotFound))
}

async fn cut(admin: &Admin, id: &BrokerId, what: &str) -> Result<(), Failure> {
    let Ok(server) = admin.sessions() else {
        return done(id, &format!("{what}; the server refuses it within 5 s"));
    };
    let links = server.revoke_links(Some(id)).await.map_err(|error| {
        Failure::other(format!(
            "broker {id} {what}, and refused within 5 s, but its links stay: {}",
            store_failed(error)
        ))
    })?;
    done(id, &format!("{what}; {} cut", count(links, "link")))
}

fn done(id: &BrokerId, what: &str) -> Result<(), Failure> {
    tracing::info!(broker = %id, "broker {what}");
    say(format_args!("broker {id} {what}"));
    Ok(())
}

async fn list(admin: &Admin, as_json: bool) -> Result<(), Failure> {
    let brokers = all(admin).await?;
    if as_json {
        let configured = admin.configured_brokers.iter().map(|id| json!({ "id": id, "in": "configuration" }));
        let brokers = brokers.iter().map(|broker| match broker {
            Ok(broker) => text(admin, broker),
            Err(entry) => json!({ "id": entry.name, "in": "directory", "unreadable": entry.what }),
        });
        return output::json(&configured.chain(brokers).collect::<Vec<_>>());
    }
    let configured = admin.configured_brokers.iter();
    let mut rows: Vec<_> = configured
        .map(|id| [id.to_string(), "configuration".into(), "active".into(), String::new(), String::new()])
        .collect();
    rows.extend(brokers.iter().map(|broker| match broker {
        Ok(broker) => {
            let state = output::state(is_hidden(admin, broker), broker.is_disabled);
            let changed = output::time(broker.changed.as_secs());
            [broker.id.to_string(), "directory".into(), state, names(&broker.settings.origins), changed]
        }
        Err(entry) => {
            [printable(&entry.name), "directory".into(), output::unreadable(entry), String::new(), String::new()]
        }
    }));
    output::table(["BROKER", "IN", "STATE", "ORIGINS", "CHANGED"], &rows);
    Ok(())
}

async fn all(admin: &Admin) -> Result<Vec<Result<StoredBroker, Unreadable>>, Failure> {
    let page = async |directory: &SqlDirectory, after: &str| directory.brokers_after(after).await;
    admin.all(|broker: &StoredBroker| broker.id.as_str(), page).await
}

fn is_hidden(admin: &Admin, broker: &StoredBroker) -> bool {
    admin.configured_brokers.contains(&broker.id)
}

fn text(admin: &Admin, broker: &StoredBroker) -> Value {
    json!({
        "id": broker.id,
        "in": "directory",
        "hidden": is_hidden(admin, broker),
        "disabled": broker.is_disabled,
        "settings": broker.settings,
        "previous_secret_until": broker.previous.as_ref().map(|(_, until)| output::time(until.as_secs())),
        "created": output::time(broker.created.as_secs()),
        "changed": output::time(broker.changed.as_secs()),
    })
}
