//! What the commands print: sentences, tables and JSON.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use sso_server::{EndedCounts, directory::Unreadable};

use crate::{Failure, say};

/// Something as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    say(serde_json::to_string_pretty(value).map_err(Failure::other)?);
    Ok(())
}

/// Rows in columns as wide as what is in them.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |cells: [&str; N]| {
        let padded: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        say(padded.join("  ").trim_end());
    };
    line(head);
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
}

/// Names one after the other, as people write them.
pub(crate) fn names(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| printable(name.as_ref())).collect();
    names.join(", ")
}

/// Without what would move the cursor: others chose this text.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// An instant, in seconds since 1970-01-01 UTC; the last of the year 9999 for all that is later, which cannot be
/// written.
pub(crate) fn time(seconds: i64) -> String {
    const LAST: u64 = 253_402_300_799;
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default().min(LAST));
    UNIX_EPOCH.checked_add(since).map_or_else(String::new, |time| humantime::format_rfc3339_seconds(time).to_string())
}

/// A number of things.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// What was ended.
pub(crate) fn ended(ended: &EndedCounts) -> String {
    format!("{} and {}", count(ended.sessions, "session"), count(ended.browsers, "remembered browser"))
}

/// What cannot be read of a user or broker of the directory, in place of what becomes of them.
pub(crate) fn unreadable(entry: &Unreadable) -> String {
    format!("unreadable: its {}", entry.what)
}

/// What becomes of a user or broker of the directory.
pub(crate) fn state(is_hidden: bool, is_disabled: bool) -> String {
    let state = match (is_hidden, is_disabled) {
        (true, _) => "hidden by the configuration",
        (false, true) => "disabled",
        (false, false) => "active",
    };
    state.into()
}
