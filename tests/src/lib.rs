//! What the end-to-end tests stand on: real processes on free ports, a visitor with a cookie jar, a real browser.
//!
//! - [`process`]: the demo, servers and brokers, started and ended
//! - [`stores`]: where they keep their sessions, as `SSO_TEST_STORE` says
//! - [`visitor`]: a browser without a screen: HTTP with cookies, forms and redirects that can be looked at
//! - [`peer`]: a broker without a site: attach URLs, bearer tokens, calls of the API
//! - [`load`]: many visitors at once, and what was acknowledged to them; [`nodes`]: several servers on one store behind nginx
//! - [`proxy`]: between a server and its store
//! - [`family`]: sites of one parent domain behind nginx, and a hostile neighbour
//! - [`browser`]: headless Chromium

pub mod browser;
pub mod family;
pub mod load;
pub mod nodes;
pub mod peer;
pub mod process;
pub mod proxy;
pub mod stores;
pub mod visitor;

pub use browser::Browser;
pub use process::{Demo, Site};
pub use visitor::Visitor;
