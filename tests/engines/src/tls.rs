//! Certificates for engines that take TLS: an authority of their own, and what it vouches for.

use std::{path::Path, process::Command};

use crate::{check, text};

/// The file of the authority's certificate, in the engine's directory.
pub(crate) const CA: &str = "ca.pem";
/// The engine's own certificate and key, for `localhost` by name.
pub(crate) const CERTIFICATE: &str = "tls.pem";
pub(crate) const KEY: &str = "tls.key";

/// Makes them in this directory.
pub(crate) fn make_certificates(dir: &Path) {
    let (ca, ca_key) = (text(&dir.join(CA)), text(&dir.join("ca.key")));
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    let openssl = |subject: &str, more: &[&str]| {
        let mut command = Command::new("openssl");
        check(command.args(new.split(' ')).args(["-subj", subject]).args(more).stderr(std::process::Stdio::null()));
    };
    openssl("/CN=authority of a test", &["-out", &ca, "-keyout", &ca_key]);
    let own = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    let (certificate, key) = (text(&dir.join(CERTIFICATE)), text(&dir.join(KEY)));
    let files = ["-CA", &ca, "-CAkey", &ca_key, "-out", &certificate, "-keyout", &key];
    openssl("/CN=localhost", &[&own[..], &files].concat());
}
