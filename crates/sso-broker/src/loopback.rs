//! The loopback: which hosts are this machine, and how their names are resolved.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Whether the URL's host is this machine itself, so that nothing sent to it crosses a network.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_loopback_name(name),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// `localhost` and every name under it (RFC 6761 section 6.3).
fn is_loopback_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Resolves loopback names to the loopback, and all others as the system does.
///
/// Browsers and curl do so by themselves, glibc does not know `alice.localhost`. It also makes [`is_loopback`]
/// true: no hosts file or DNS server can send such a name elsewhere.
#[derive(Debug)]
pub(crate) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // Port 0: the client puts in the URL's.
            let addresses: Vec<SocketAddr> = if is_loopback_name(name.as_str()) {
                vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]
            } else {
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect()
            };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
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

    #[tokio::test]
    async fn names_under_localhost_resolve_to_both_loopback_addresses() {
        let found: Vec<_> = Resolver.resolve("sso.localhost".parse().unwrap()).await.unwrap().collect();
        assert_eq!(found, ["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse::<SocketAddr>().unwrap()]);
    }
}
