//! Files that only their owner can read, from their first instant on.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Writes a new file, never over another, and makes it outlive a crash.
pub(crate) fn write_new(file: &Path, text: &[u8]) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    new.write_all(text)?;
    new.sync_all()
}
