//! What the server's site and the sites of the demo have in common.
//!
//! - [`Chrome`]: what is around a site's pages, from [`SiteInfo`]s; [`Layout`] is what templates see of it
//! - [`User`], [`Way`], [`THEMES`]: what several templates need
//! - [`assets`]: the files under `static/`
//! - [`page`], [`see_other`], [`page_policy`], [`no_store`]: how the sites answer
//!
//! A template's struct is in the crate that fills it in.

pub mod assets;
mod chrome;
mod pages;
mod response;

pub use chrome::{Chrome, NO_THEME, SiteInfo, theme_in, theme_of};
pub use pages::{EMAIL, FULL_NAME, Layout, Popup, SiteLink, THEMES, User, Way};
pub use response::{html, no_store, page, page_policy, see_other};
