//! Over HTTP, against running programs.

mod api;
mod attach;
mod broker;
mod broker_php_server;
mod cli;
mod outage;
mod peer;
mod php;
mod silent;
mod story;
