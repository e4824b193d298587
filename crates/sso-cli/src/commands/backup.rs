//! `sso backup`: a copy of all that makes a server what it is, while it runs. What to do with it is in
//! docs/operations.md.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use clap::Args;
use sso_core::{base36, random};
use sso_server::store::{Copied, SqlStore};

use crate::{
    Failure,
    commands::admin::ConfigOptions,
    config::{Config, StoreKey},
    keys, private_file,
    run::EndSignals,
    say,
};

#[derive(Debug, Args)]
pub(crate) struct BackupOptions {
    /// The directory to make for it; it must not be there
    dir: PathBuf,
    #[command(flatten)]
    config: ConfigOptions,
    /// Also copies sessions and remembered browsers: for a move to another machine, after the server was ended. A copy
    /// that is restored later would bring logouts back to life
    #[arg(long)]
    with_sessions: bool,
    /// All but what is in PostgreSQL or Redis, which have tools of their own
    #[arg(long, conflicts_with = "with_sessions")]
    files_only: bool,
}

/// Runs the command.
pub(crate) async fn run(options: &BackupOptions) -> Result<(), Failure> {
    let config = options.config.load()?;
    config.check_files()?;
    if config.has_other_databases() && !options.files_only {
        return Err(Failure::settings(
            "PostgreSQL and Redis have tools of their own for this, see docs/operations.md; \
             `sso backup --files-only` copies the rest",
        ));
    }
    if options.dir.symlink_metadata().is_ok() {
        return Err(Failure::other(format!("{} is there already", options.dir.display())));
    }
    // Under another name until it is whole, so that what a crash leaves is not taken for a backup.
    // Without a `/` at its end.
    let mut draft = options.dir.components().collect::<PathBuf>().into_os_string();
    draft.push(format!(".unfinished-{:.8}", base36::exact(&random::bytes())));
    let draft = PathBuf::from(draft);
    // There are keys in it: who ends the command is not to find them there a year later.
    let mut end = EndSignals::catch()?;
    let made = tokio::select! {
        made = write(&draft, options, &config) => made,
        () = end.come() => Err(Failure::other("the backup was interrupted")),
    };
    let made = made.and_then(|summary| {
        fs::rename(&draft, &options.dir).map_err(|error| failed(&options.dir, &error))?;
        let parent = options.dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync(parent)?;
        Ok(summary)
    });
    match made {
        Ok(summary) => say(format_args!("{} has:\n{summary}", options.dir.display())),
        Err(error) => {
            return match remove(&draft) {
                Ok(()) => Err(error),
                Err(left) => Err(Failure::other(format!("{error}; {} is still there: {left}", draft.display()))),
            };
        }
    }
    Ok(())
}

/// Removes what there is of a backup that did not come about.
fn remove(draft: &Path) -> io::Result<()> {
    // The copy of a database may have put a file there just now.
    for _ in 0..10 {
        match fs::remove_dir_all(draft) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            removed => return removed,
        }
    }
    if draft.exists() { Err(io::ErrorKind::DirectoryNotEmpty.into()) } else { Ok(()) }
}

/// Writes everything into this new directory; what it has, for people.
async fn write(dir: &Path, options: &BackupOptions, config: &Config) -> Result<String, Failure> {
    let (data, secrets) = (dir.join("data"), dir.join("secrets"));
    for dir in [dir, &data, &secrets] {
        make_directory(dir)?;
    }
    let mut summary = Vec::new();
    let mut tell = |name: &str, what: &str| summary.push(format!("  {name:<24} {what}"));
    if let Some(key) = config.store_key() {
        write_file(&secrets.join("store.key"), key.text())?;
        tell("secrets/store.key", "the key of the store and the directory");
    }
    let (store, directory) = config.database_files();
    for (file, name) in [(store, "sso.db"), (directory, "directory.db")] {
        let Some(file) = file else { continue };
        let key = match config.store_key() {
            Some(key) => key.clone(),
            None => {
                let (key, name) = (StoreKey::beside(file)?, format!("{name}.key"));
                write_file(&secrets.join(&name), key.text())?;
                tell(&format!("secrets/{name}"), "the key of that file");
                key
            }
        };
        copy_database(file, &data.join(name), &key, options.with_sessions).await?;
        let sessions = if options.with_sessions { "with" } else { "without" };
        tell(&format!("data/{name}"), &format!("{}, {sessions} sessions and remembered browsers", file.display()));
    }
    let file = options.config.file();
    match fs::read(file) {
        Ok(text) => {
            write_file(&secrets.join("sso.toml"), &text)?;
            tell("secrets/sso.toml", "the configuration");
        }
        // Everything comes from the environment.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(file, &error)),
    }
    if let Some(from) = &config.keys {
        keys::copy(from, &secrets.join("keys"))?;
        tell("secrets/keys/", "the keys of tokens");
    }
    let mut has_brokers = false;
    for (name, file) in config.secret_files() {
        let text = fs::read(file).map_err(|error| failed(file, &error))?;
        if !has_brokers {
            make_directory(&secrets.join("brokers"))?;
            has_brokers = true;
        }
        write_file(&secrets.join("brokers").join(&name), &text)?;
        tell(&format!("secrets/brokers/{name}"), &file.display().to_string());
    }
    let variables = Config::variables_in_use();
    if !variables.is_empty() {
        summary.push(format!("Not in it, since it was in the environment: {}", variables.join(", ")));
    }
    for dir in [&data, &secrets, dir] {
        sync(dir)?;
    }
    Ok(summary.join("\n"))
}

async fn copy_database(from: &Path, to: &Path, key: &StoreKey, with_sessions: bool) -> Result<(), Failure> {
    // Its owner's only, from the beginning.
    write_file(to, b"")?;
    let what = if with_sessions { Copied::Everything } else { Copied::Lasting };
    let copied = SqlStore::copy_sqlite(from, to, &key.keys()?, what).await;
    copied.map_err(|error| Failure::other(format!("cannot copy {}: {error}", from.display())))?;
    File::open(to).and_then(|file| file.sync_all()).map_err(|error| failed(to, &error))
}

fn make_directory(dir: &Path) -> Result<(), Failure> {
    DirBuilder::new().mode(0o700).create(dir).map_err(|error| failed(dir, &error))
}

fn write_file(file: &Path, text: &[u8]) -> Result<(), Failure> {
    private_file::write_new(file, text).map_err(|error| failed(file, &error))
}

/// Makes the names in a directory outlive a crash.
fn sync(dir: &Path) -> Result<(), Failure> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failed(dir, &error))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::other(format!("{}: {error}", path.display()))
}
