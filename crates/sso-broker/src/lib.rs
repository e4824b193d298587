//! sso-broker
