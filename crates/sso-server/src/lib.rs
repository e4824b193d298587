//! sso-server
