//! What every floor may use: the time, limits on repeated failures, and text for people.

pub mod clock;
pub mod humanize;
pub mod rate_limit;
