//! Key files: readable by their owner only, and whole at every instant.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use sso_jwt::{InvalidKeys, KeySet};

use super::{Purpose, now};
use crate::private_file::{self, PrivateFileError};

/// Why a key file cannot be used. Nothing of its keys is in the text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{} is not there: `sso keys new` makes it", .0.display())]
    Missing(PathBuf),
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    NotPrivate(PrivateFileError),
    #[error("{} can be changed by others: it must have mode 0700 (it has {mode:04o})", path.display())]
    OpenDirectory { path: PathBuf, mode: u32 },
    #[error("{}: {error}", path.display())]
    Invalid { path: PathBuf, error: InvalidKeys },
    #[error("{}: no key in it can sign now", .0.display())]
    NothingSigns(PathBuf),
}

/// Where the keys of a purpose are.
pub(crate) fn path(dir: &Path, purpose: Purpose) -> PathBuf {
    dir.join(format!("{}.json", purpose.name()))
}

/// Reads the keys of a purpose. One of them must be able to sign now.
pub(crate) fn load(dir: &Path, purpose: Purpose) -> Result<KeySet, FileError> {
    let path = path(dir, purpose);
    let text = private_file::read(&path).map_err(|error| match error {
        PrivateFileError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
            FileError::Missing(path.clone())
        }
        error => FileError::NotPrivate(error),
    })?;
    let dir_io = |error| FileError::Io { path: dir.to_owned(), error };
    let mode = fs::metadata(dir).map_err(dir_io)?.mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(FileError::OpenDirectory { path: dir.to_owned(), mode });
    }
    let keys = KeySet::from_json(&text).map_err(|error| FileError::Invalid { path: path.clone(), error })?;
    if keys.signing(now()).is_none() {
        return Err(FileError::NothingSigns(path));
    }
    Ok(keys)
}

/// Makes the directory of keys, for its owner only. One that is there stays as it is.
pub(crate) fn make_directory(dir: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| FileError::Io { path: dir.to_owned(), error })
}

/// Keeps other commands out of this directory until the answer is dropped.
pub(crate) fn lock(dir: &Path) -> Result<File, FileError> {
    let locked = File::open(dir).and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| FileError::Io { path: dir.to_owned(), error })
}

/// Writes the first keys of a purpose; never over others.
pub(crate) fn create(dir: &Path, purpose: Purpose, keys: &KeySet) -> Result<(), FileError> {
    let path = path(dir, purpose);
    if path.exists() { Err(FileError::Exists(path)) } else { save(dir, purpose, keys) }
}

/// Writes the keys of a purpose. Who reads meanwhile, or after a crash, finds the old ones or the new ones, whole.
pub(crate) fn save(dir: &Path, purpose: Purpose, keys: &KeySet) -> Result<(), FileError> {
    let path = path(dir, purpose);
    let temporary = dir.join(format!(".{}.json.new", purpose.name()));
    let written = (|| {
        // Left behind by a crash.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        private_file::write_new(&temporary, keys.to_json().as_bytes())?;
        fs::rename(&temporary, &path)?;
        // The new name, too, must survive a crash.
        File::open(dir)?.sync_all()
    })();
    written.map_err(|error| FileError::Io { path, error })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use sso_jwt::Algorithm;
    use tempfile::TempDir;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn kids(keys: &KeySet) -> Vec<&str> {
        keys.keys().iter().map(|key| key.kid()).collect()
    }

    #[test]
    fn what_is_written_is_read_again_and_its_owners_only() {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("keys");
        make_directory(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        for algorithm in [Algorithm::Hs256, Algorithm::EdDsa] {
            let keys = KeySet::generate(algorithm, now()).unwrap();
            save(&dir, Purpose::Access, &keys).unwrap();
            let file = path(&dir, Purpose::Access);
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
            assert_eq!(kids(&load(&dir, Purpose::Access).unwrap()), kids(&keys));
            assert!(matches!(create(&dir, Purpose::Access, &keys), Err(FileError::Exists(_))));
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = TempDir::new().unwrap();
        let file = path(dir.path(), Purpose::Remember);
        save(dir.path(), Purpose::Remember, &KeySet::generate(Algorithm::Hs256, now()).unwrap()).unwrap();
        for mode in [0o640, 0o604, 0o644, 0o620, 0o602, 0o610] {
            set_mode(&file, mode);
            let error = load(dir.path(), Purpose::Remember).unwrap_err().to_string();
            assert!(error.contains("must have mode 0600") && !error.contains('\n'), "{error}");
        }
        set_mode(&file, 0o400);
        assert!(load(dir.path(), Purpose::Remember).is_ok());
        set_mode(dir.path(), 0o777);
        assert!(matches!(load(dir.path(), Purpose::Remember), Err(FileError::OpenDirectory { .. })));
    }

    #[test]
    fn a_broken_file_is_told_without_what_is_in_it() {
        let dir = TempDir::new().unwrap();
        assert!(matches!(load(dir.path(), Purpose::Access), Err(FileError::Missing(_))));
        let late = KeySet::generate(Algorithm::EdDsa, now() + 1_000).unwrap();
        save(dir.path(), Purpose::Access, &late).unwrap();
        assert!(matches!(load(dir.path(), Purpose::Access), Err(FileError::NothingSigns(_))));
        for text in ["", "{", "{\"keys\":[{\"kid\":\"HIDDEN\"}]}", "{\"keys\":1,\"HIDDEN\":2}"] {
            fs::write(path(dir.path(), Purpose::Access), text).unwrap();
            let error = load(dir.path(), Purpose::Access).unwrap_err();
            assert!(matches!(error, FileError::Invalid { .. }) && !error.to_string().contains("HIDDEN"), "{error}");
        }
    }
}
