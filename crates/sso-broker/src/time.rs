//! The present instant.

use std::time::SystemTime;

use sso_core::unix_time;

pub(crate) fn seconds() -> i64 {
    unix_time::seconds(SystemTime::now())
}

pub(crate) fn millis() -> i64 {
    unix_time::millis(SystemTime::now())
}
