//! `sso keys new|list|rotate|retire`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use sso_jwt::{Algorithm, Key, KeySet, Stage};

use crate::{
    Failure,
    config::TokenConfig,
    keys::{Purpose, file, now},
    output::time,
    say,
};

/// Where the keys are unless it is said.
const DEFAULT_DIRECTORY: &str = "keys";

#[derive(Debug, Args)]
pub(crate) struct KeysOptions {
    /// The server's configuration file, which tells the directory and how long tokens live [default: sso.toml, if there
    /// is one]
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// The directory of the key files [default: the configured one, or keys]
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    action: KeysAction,
}

#[derive(Debug, Subcommand)]
enum KeysAction {
    /// Makes the directory and the first key of a purpose [default: of all of them]
    New {
        #[arg(long)]
        purpose: Option<Purpose>,
        /// EdDSA or HS256 [default: EdDSA for access, so that services can verify by the published keys; HS256 for
        /// remember]
        #[arg(long, requires = "purpose", value_parser = algorithm)]
        algorithm: Option<Algorithm>,
    },
    /// Shows all keys, without their secrets
    List,
    /// Publishes a new key. It signs when every verifier can have it; the old one ends with the last token that it
    /// signed
    Rotate {
        /// [default: all of them]
        #[arg(long)]
        purpose: Option<Purpose>,
        /// How long the new key is published before it signs: longer than verifiers keep the keys that they have seen
        /// (5min)
        #[arg(long, default_value = "10min", value_parser = humantime::parse_duration)]
        publish_for: Duration,
        /// The longest lifetime of a token [default: the configured one]
        #[arg(long, requires = "purpose", value_parser = humantime::parse_duration)]
        token_lifetime: Option<Duration>,
    },
    /// Removes a key at once: the tokens that it signed are refused
    Retire {
        /// Its id, as `sso keys list` shows it
        kid: String,
    },
}

/// Runs the command.
pub(crate) fn run(options: &KeysOptions) -> Result<(), Failure> {
    let configured = TokenConfig::load(options.config.as_deref())?;
    let dir = options.dir.as_ref().or(configured.keys.as_ref()).map_or(Path::new(DEFAULT_DIRECTORY), PathBuf::as_path);
    match &options.action {
        KeysAction::New { purpose, algorithm } => new(dir, *purpose, *algorithm),
        KeysAction::List => list(dir),
        KeysAction::Rotate { purpose, publish_for, token_lifetime } => {
            let lifetime = |purpose: Purpose| token_lifetime.unwrap_or(purpose.token_lifetime(&configured.tokens));
            rotate(dir, *purpose, *publish_for, lifetime)
        }
        KeysAction::Retire { kid } => retire(dir, kid),
    }
}

fn new(dir: &Path, purpose: Option<Purpose>, algorithm: Option<Algorithm>) -> Result<(), Failure> {
    file::make_directory(dir).map_err(Failure::other)?;
    let _lock = file::lock(dir).map_err(Failure::other)?;
    for purpose in chosen(purpose) {
        let algorithm = algorithm.unwrap_or(purpose.algorithm());
        let keys = KeySet::generate(algorithm, now()).map_err(Failure::other)?;
        file::create(dir, purpose, &keys).map_err(Failure::other)?;
        show(purpose, &keys);
    }
    Ok(())
}

fn list(dir: &Path) -> Result<(), Failure> {
    for purpose in present(dir, None) {
        show(purpose, &file::load(dir, purpose).map_err(Failure::other)?);
    }
    Ok(())
}

fn rotate(
    dir: &Path,
    purpose: Option<Purpose>,
    publish_for: Duration,
    token_lifetime: impl Fn(Purpose) -> Duration,
) -> Result<(), Failure> {
    let _lock = file::lock(dir).map_err(Failure::other)?;
    for purpose in present(dir, purpose) {
        let mut keys = file::load(dir, purpose).map_err(Failure::other)?;
        keys.rotate(now(), publish_for, token_lifetime(purpose) + ROOM).map_err(Failure::other)?;
        file::save(dir, purpose, &keys).map_err(Failure::other)?;
        show(purpose, &keys);
    }
    Ok(())
}

/// Clocks of several nodes differ, and a token may be on its way when its time comes.
const ROOM: Duration = Duration::from_secs(60);

fn retire(dir: &Path, kid: &str) -> Result<(), Failure> {
    let _lock = file::lock(dir).map_err(Failure::other)?;
    for purpose in present(dir, None) {
        let mut keys = file::load(dir, purpose).map_err(Failure::other)?;
        if keys.keys().iter().any(|key| key.kid() == kid) {
            keys.retire(kid, now()).map_err(Failure::other)?;
            // The others have their end already: without this one, nothing would sign after it.
            if keys.keys().iter().all(|key| key.times().retires.is_some()) {
                return Err(Failure::other(format!("`{kid}` is the key that signs next; rotate first")));
            }
            file::save(dir, purpose, &keys).map_err(Failure::other)?;
            show(purpose, &keys);
            return Ok(());
        }
    }
    Err(Failure::other(format!("there is no key `{kid}` in {}", dir.display())))
}

fn chosen(purpose: Option<Purpose>) -> Vec<Purpose> {
    purpose.map_or(Purpose::ALL.to_vec(), |purpose| vec![purpose])
}

/// The one that was asked for, or those that have a file; if none has, all, so that their absence is told.
fn present(dir: &Path, purpose: Option<Purpose>) -> Vec<Purpose> {
    let all = chosen(purpose);
    let there: Vec<_> = all.iter().copied().filter(|purpose| file::path(dir, *purpose).exists()).collect();
    if there.is_empty() { all } else { there }
}

/// A line for each key, never its secret.
fn show(purpose: Purpose, keys: &KeySet) {
    let now = now();
    for key in keys.keys() {
        say(line(purpose, key, keys.stage(key, now)));
    }
}

fn line(purpose: Purpose, key: &Key, stage: Stage) -> String {
    let times = key.times();
    let stage = match (stage, times.retires) {
        (Stage::Published, _) => format!("published {}, signs from {}", time(times.published), time(times.signs_from)),
        (Stage::Signing, None) => format!("signing since {}", time(times.signs_from)),
        (Stage::Signing, Some(end)) => format!("signing since {}, retires {}", time(times.signs_from), time(end)),
        (Stage::Retiring, None) => "retiring".to_owned(),
        (Stage::Retiring, Some(end)) => format!("retiring until {}", time(end)),
        (Stage::Retired, end) => format!("retired {}", time(end.unwrap_or(times.published))),
    };
    let algorithm = match key.algorithm() {
        Algorithm::Hs256 => "HS256",
        Algorithm::EdDsa => "EdDSA",
    };
    format!("{:<9} {:<16} {algorithm} {stage}", purpose.name(), key.kid())
}

fn algorithm(text: &str) -> Result<Algorithm, &'static str> {
    match text {
        "EdDSA" => Ok(Algorithm::EdDsa),
        "HS256" => Ok(Algorithm::Hs256),
        _ => Err("expected `EdDSA` or `HS256`"),
    }
}
