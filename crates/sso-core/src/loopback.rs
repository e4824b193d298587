//! Which hosts are this machine: nothing sent to them crosses a network.

use url::{Host, Url};

/// Whether the URL's host is this machine itself: a loopback address, `localhost`, or a name under it.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_loopback_name(name),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// `localhost` and every name under it (RFC 6761 section 6.3).
///
/// Browsers and curl resolve such names to the loopback by themselves; the system's resolver may not.
pub fn is_loopback_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_the_loopback() {
        for near in [
            "http://localhost",
            "http://LOCALHOST.:81",
            "http://sso.localhost:8000",
            "http://127.9.9.9",
            "http://[::1]:80",
            "http://2130706433",
        ] {
            assert!(is_loopback(&near.parse().unwrap()), "{near}");
        }
        for far in ["http://localhost.example", "http://notlocalhost", "http://10.0.0.1", "http://[::2]"] {
            assert!(!is_loopback(&far.parse().unwrap()), "{far}");
        }
    }
}
