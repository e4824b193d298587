//! Over HTTP, against running programs.
//!
//! - [`story`]: the demo as its users see it
//! - [`attach`], [`attach_order`], [`silent`]: the server's `/attach`, on [`sites`]; [`api`], [`bearer`], [`ended`]: its API for
//!   brokers
//! - [`broker`], [`way_back`], [`ajax`], [`outage`]: the broker's side
//! - [`php`], [`broker_php_server`]: with a PHP broker, and with a PHP server
//! - [`forms`]: forms with a time limit; [`account`], [`remembered`]: the account page
//! - [`access`]: access tokens, and a service that takes them
//! - [`cli`]: the program's commands; [`admin`] and [`directory`]: those that change users and brokers, of running servers
//! - [`session`]: what is left of a session, and how it ends; the story with curl
//! - [`keys`]: keys of tokens and their rotation, [`pyjwt`]: with another library, on [`key_files`]
//! - [`restart`]: a killed server loses nothing; [`stores`]: what is in a store, and its key; [`frozen`]: stores that hang; [`backup`]: a copy of one is restored
//! - [`store_password`]: what is said of a store never shows its password
//! - [`readme`]: what the README shows

mod access;
mod account;
mod admin;
mod ajax;
mod api;
mod attach;
mod attach_order;
mod backup;
mod bearer;
mod broker;
mod broker_php_server;
mod broker_secrets;
mod cli;
mod directory;
mod ended;
mod entry;
mod forms;
mod frozen;
mod head;
mod key_files;
mod keys;
mod linked;
mod outage;
mod php;
mod pyjwt;
mod readme;
mod remembered;
mod restart;
mod session;
mod silent;
mod sites;
mod store_password;
mod stores;
mod story;
mod way_back;

use sso_tests::peer;
