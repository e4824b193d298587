//! A running server takes up its key files when they change, or when SIGHUP says so.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use sso_jwt::SharedKeys;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{Purpose, file};
use crate::Failure;

/// How often the files are looked at.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// Reads the keys of a purpose, and starts a task that replaces them when their file changes.
pub(super) fn start(dir: &Path, purpose: Purpose) -> Result<SharedKeys, Failure> {
    let path = file::path(dir, purpose);
    // Before it is read: a change in between is seen later.
    let stamp = Stamp::of(&path);
    let keys = SharedKeys::new(file::load(dir, purpose).map_err(Failure::settings)?);
    // Before anybody is told that the server is up: unheard, the signal would end it.
    let hangup = signal(SignalKind::hangup()).map_err(Failure::other)?;
    let watch = Watch { dir: dir.to_owned(), path, purpose, keys: keys.clone(), loaded: stamp, failure: None };
    actix_web::rt::spawn(watch.run(hangup));
    Ok(keys)
}

/// What tells a file from what it was: every write makes a new file, or changes this time, as does `chmod`.
#[derive(PartialEq, Eq)]
struct Stamp(Option<(u64, u64, i64, i64)>);

impl Stamp {
    fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).ok();
        Self(metadata.map(|metadata| (metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec())))
    }
}

struct Watch {
    dir: PathBuf,
    path: PathBuf,
    purpose: Purpose,
    keys: SharedKeys,
    /// The file whose keys are in use.
    loaded: Stamp,
    /// Why a newer one is not. It is tried again, for what mends it may not be in the file: the directory's mode, or
    /// time itself.
    failure: Option<String>,
}

impl Watch {
    async fn run(mut self, mut hangup: Signal) {
        let mut poll = interval(POLL_EVERY);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_requested = tokio::select! {
                _ = hangup.recv() => true,
                _ = poll.tick() => false,
            };
            // Before it is read: a change in between is seen the next time.
            let stamp = Stamp::of(&self.path);
            if is_requested || stamp != self.loaded || self.failure.is_some() {
                self.reload(stamp, is_requested);
            }
        }
    }

    /// What cannot be used leaves the old keys in place, and is logged once, or whenever a signal asks.
    fn reload(&mut self, stamp: Stamp, is_requested: bool) {
        match file::load(&self.dir, self.purpose) {
            Ok(keys) => {
                self.keys.replace(keys);
                self.loaded = stamp;
                self.failure = None;
                tracing::info!(purpose = self.purpose.name(), "keys reloaded");
            }
            Err(error) => {
                let error = error.to_string();
                if is_requested || self.failure.as_ref() != Some(&error) {
                    tracing::error!(purpose = self.purpose.name(), %error, "cannot reload keys: the old ones go on");
                }
                self.failure = Some(error);
            }
        }
    }
}
