//! How names are resolved: those of this machine, and all others.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sso_core::loopback::is_loopback_name;

/// Resolves loopback names to the loopback, and all others as the system does.
///
/// Browsers and curl do so by themselves, glibc does not know `alice.localhost`. It also makes
/// [`is_loopback`](sso_core::is_loopback) true: no hosts file or DNS server can send such a name elsewhere.
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

    #[tokio::test]
    async fn names_under_localhost_resolve_to_both_loopback_addresses() {
        let found: Vec<_> = Resolver.resolve("sso.localhost".parse().unwrap()).await.unwrap().collect();
        assert_eq!(found, ["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse::<SocketAddr>().unwrap()]);
    }
}
