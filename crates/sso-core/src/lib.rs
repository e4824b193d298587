//! The broker-token protocol of shared-session single sign-on, and nothing else: no I/O, no async, no framework, no
//! clock, no JWT.
//!
//! A *broker* (a web site) makes a random [`Token`] for its visitor and sends the browser with it to the *server*'s
//! `/attach`, proven by a [`Checksum`] over the shared [`Secret`]. The server links (broker, token) to the
//! browser's one session there and sends back a [`VerificationCode`]. From then on the broker calls the server with a
//! [`BearerToken`], which only someone who holds secret, token and code can make.
//!
//! # Layout
//!
//! In the order in which a handshake meets them:
//!
//! - [`broker_id`], [`secret`]: what operator, broker and server agree on
//! - [`token`]: the broker's token and the server's code
//! - [`checksum`], on [`base36`]: how a broker proves itself
//! - [`credential`]: the same where it shows the secret itself
//! - [`attach`]: the request to link a token, and its checks; [`origin`]: where the answer may go
//! - [`bearer`]: what a broker shows at each later call
//! - [`wire`]: names and JSON shapes
//! - [`local_path`]: a page of the site's own, the only one that a visitor is sent on to
//! - [`cookie`]: how a browser's cookies are read, by either side
//! - [`loopback`]: which hosts are this machine
//! - [`form`]: form tokens, for the pages of either side; [`sent_by`]: whether a page of the site's own sent a request;
//!   [`headers`]: what every answer of either side carries
//! - [`random`]: where all randomness comes from; [`unix_time`]: how instants are counted
//!
//! # Warnings
//!
//! - Compare secrets only through the types here: [`Checksum`]'s equality takes constant time.
//! - [`Encoding::Php`] exists for peers that cannot do better: about 53 bits of each digest survive.
//! - A [`ReturnUrl`] can only be had from [`AllowedOrigins`]; redirect to nothing else.

pub mod attach;
pub mod base36;
pub mod bearer;
pub mod broker_id;
pub mod checksum;
pub mod cookie;
pub mod credential;
pub mod form;
pub mod headers;
pub mod local_path;
pub mod loopback;
pub mod origin;
pub mod random;
pub mod secret;
pub mod sent_by;
pub mod token;
pub mod unix_time;
pub mod wire;

pub use attach::{AttachError, AttachRequest, AttachRules, BrowserHeaders, Mode, Silent};
pub use bearer::BearerToken;
pub use broker_id::BrokerId;
pub use checksum::{Checksum, ChecksumKey, Encoding};
pub use cookie::{AmbiguousCookie, SentCookies};
pub use credential::Credential;
pub use form::FormKey;
pub use headers::BaseHeaders;
pub use local_path::LocalPath;
pub use loopback::is_loopback;
pub use origin::{AllowedOrigins, ReturnPages, ReturnUrl};
pub use secret::Secret;
pub use sent_by::SentBy;
pub use token::{Token, VerificationCode};
