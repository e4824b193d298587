//! Ports that are free.

use std::{
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

/// The first of `count` ports in a row that are free on both loopback addresses, and that no other test of this process is given.
pub fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at the same time begin at different places.
    let seed = (std::process::id() % 120) as u16 * 100;
    loop {
        // Below the range from which the system takes ports for connections.
        let first = 20_000 + seed.wrapping_add(NEXT.fetch_add(count, Ordering::SeqCst)) % 12_000;
        let is_free = |port| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
                && TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok()
        };
        if (first..first + count).all(is_free) {
            return first;
        }
    }
}
