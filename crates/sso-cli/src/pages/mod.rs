//! The pages of the server's site, as plain data: one struct for each file in `templates/server/`, no decisions, no
//! I/O.
//!
//! A caller fills in a struct and calls `render()` (from `askama::Template`). Everything is escaped by askama;
//! the templates have no inline script or style, so they work under a Content-Security-Policy of `'self'` alone.

mod account;
mod profile;
mod server;

pub(crate) use account::{Begun, BrowserRow, PasswordForm, ServerAccount, ServerConfirm, SessionRow, When};
pub(crate) use profile::{Field, ServerProfile, ServerProfileDone};
pub(crate) use server::{ServerError, ServerHome, ServerLogin, ServerLogout};
