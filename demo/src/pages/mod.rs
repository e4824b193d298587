//! The pages that people see, as plain data: one struct for each file in `templates/`, no decisions, no I/O.
//!
//! A caller fills in a struct and calls `render()` (from `askama::Template`). Everything is escaped by askama;
//! the templates have no inline script or style, so they work under a Content-Security-Policy of `'self'` alone.

mod broker;
mod linked;

pub(crate) use broker::{
    AjaxHome, AjaxState, BrokerAbout, BrokerHome, BrokerLogin, BrokerProblem, BrokerReports, ended_words,
};
pub(crate) use linked::{LinkedLogin, LinkedPage, MayLeave, OnTheWay, SwitchUser};
