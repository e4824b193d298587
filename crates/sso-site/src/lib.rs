//! What the server's site and the sites of the demo have in common.
//!
//! - [`SiteFrame`]: what is around a site's pages, from [`SiteInfo`]s; [`Layout`] is what templates see of it
//! - [`UserView`], [`PageLink`], [`THEMES`]: what several templates need
//! - [`assets`]: the files under `static/`
//! - [`page`], [`see_other`], [`no_store`]: how the sites answer
//!
//! A template's struct is in the crate that fills it in.

pub mod assets;
mod frame;
mod pages;
mod response;

pub use frame::{NO_THEME, SiteFrame, SiteInfo, theme_in, theme_of};
pub use pages::{EMAIL, FULL_NAME, Layout, PageLink, Popup, SiteLink, THEMES, UserView};
pub use response::{html, no_store, page, see_other};
