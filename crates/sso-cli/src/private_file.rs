//! Files that only their owner can read: written so from their first instant on, and read only if they are.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// Why such a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivateFileError {
    #[error("cannot read {}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{} can be read or changed by others: it must have mode 0600 (it has {mode:04o})", path.display())]
    Open { path: PathBuf, mode: u32 },
}

/// Reads a file that nobody but its owner can read or change.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, PrivateFileError> {
    let io = |error| PrivateFileError::Io { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(io)?;
    // Of the file that was opened, whatever its name leads to by now.
    let mode = file.metadata().map_err(io)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::Open { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

/// Writes a new file, never over another, and makes it outlive a crash.
pub(crate) fn write_new(file: &Path, text: &[u8]) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    new.write_all(text)?;
    new.sync_all()
}
