//! A running server takes up its key files when they change, or when SIGHUP says so.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sso_core::jwt::SharedKeys;
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
    let watch = Watch { dir: dir.to_owned(), path, purpose, keys: keys.clone(), stamp };
    actix_web::rt::spawn(watch.run(hangup));
    Ok(keys)
}

/// What tells a file from what it was: every write makes a new file.
#[derive(PartialEq, Eq)]
struct Stamp(Option<(u64, u64, Option<SystemTime>)>);

impl Stamp {
    fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).ok();
        Self(metadata.map(|metadata| (metadata.ino(), metadata.len(), metadata.modified().ok())))
    }
}

struct Watch {
    dir: PathBuf,
    path: PathBuf,
    purpose: Purpose,
    keys: SharedKeys,
    stamp: Stamp,
}

impl Watch {
    async fn run(mut self, mut hangup: Signal) {
        let mut poll = interval(POLL_EVERY);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                _ = hangup.recv() => true,
                _ = poll.tick() => false,
            };
            let stamp = Stamp::of(&self.path);
            if told || stamp != self.stamp {
                self.stamp = stamp;
                self.reload();
            }
        }
    }

    /// What cannot be used leaves the old keys in place.
    fn reload(&self) {
        match file::load(&self.dir, self.purpose) {
            Ok(keys) => {
                self.keys.replace(keys);
                tracing::info!(purpose = self.purpose.name(), "keys reloaded");
            }
            Err(error) => {
                tracing::error!(purpose = self.purpose.name(), %error, "cannot reload keys: the old ones go on");
            }
        }
    }
}
