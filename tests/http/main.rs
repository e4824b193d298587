//! Over HTTP, against running programs.
//!
//! - [`story`]: the demo as its users see it
//! - [`attach`], [`attach_order`], [`silent`]: the server's `/attach`, on [`sites`]; [`api`], [`bearer`], [`ended`]: its API for
//!   brokers
//! - [`broker`], [`ajax`], [`outage`]: the broker's side
//! - [`php`], [`broker_php_server`]: with a PHP broker, and with a PHP server
<<<<<<< HEAD
//! - [`forms`]: forms with a time limit; [`account`]: the account page
=======
//! - [`access`]: access tokens, and a service that takes them
//! - [`forms`]: forms with a time limit
>>>>>>> 12e8be0 (sso api; attacks on access tokens, and their honest twins; the demo's service over HTTP)
//! - [`cli`]: the program's commands
//! - [`session`]: what is left of a session, and how it ends; the story with curl
//! - [`readme`]: what the README shows
//! - [`peer`]: a broker without a site

<<<<<<< HEAD
mod account;
=======
mod access;
>>>>>>> 12e8be0 (sso api; attacks on access tokens, and their honest twins; the demo's service over HTTP)
mod ajax;
mod api;
mod attach;
mod attach_order;
mod bearer;
mod broker;
mod broker_php_server;
mod cli;
mod ended;
mod forms;
mod outage;
mod peer;
mod php;
mod readme;
mod session;
mod silent;
mod sites;
mod story;
