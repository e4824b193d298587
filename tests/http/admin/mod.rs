//! What `sso users`, `sso brokers` and `sso sessions` show, refuse and end.

mod lists;
mod names;
mod places;
mod sessions;

use crate::directory::Said;

const KEY: &str = "0123456789abcdef0123456789abcdef";

pub fn refused(said: &Said, status: i32, what: &str) {
    assert_eq!((said.status, said.out.as_str(), said.err.trim_end().lines().count()), (status, "", 1), "{said:?}");
    assert!(said.err.starts_with("sso: ") && said.err.contains(what), "{what}\n{said:?}");
}
