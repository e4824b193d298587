//! The attacks of the threat list, carried out against running programs: each must fail, and its honest twin succeed.
//!
//! - [`return_url`]: a code led astray; [`poisoning`]: a broker led astray, and dead ends
//! - [`silent`]: reading a code by script; [`tokens`]: planting and copying them; [`planted`]: what that is worth in the next login;
//!   [`guessing`] and wearing them out
//! - [`pages`], [`forgery`]: what a hostile page can show or send; [`malformed`]: what a hostile client can send
//! - [`flood`]: filling the store; [`slow`]: holding connections
//! - [`profile`]: what a broker may not see of its users
//! - [`cookies`]: cookies that a neighbour under the same parent domain plants
//! - [`remember`]: remember-me cookies that were stolen
//! - [`handoff`]: users who are sent to another application, or arrive there, against their will; [`linked`]: what leads
//!   out of an application, and what is left there of a login
//! - [`jwt`]: access tokens that are not what they seem; [`audiences`]: those of others
//! - [`spoofed`]: headers that lie about the host; [`log`]: what a thief finds in the log
//!
//! Comparing in constant time cannot be seen from outside: a difference of nanoseconds is lost in the noise of HTTP.
//! `sso-core` sees to it by type: checksums and codes have no other equality than `subtle`'s.

mod audiences;
mod cookies;
mod flood;
mod forgery;
mod ground;
mod guessing;
mod handoff;
mod jwt;
mod linked;
mod log;
mod malformed;
mod pages;
mod planted;
mod poisoning;
mod profile;
mod remember;
mod return_url;
mod silent;
mod slow;
mod spoofed;
mod tokens;

use sso_tests::peer;
