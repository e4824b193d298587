//! Ports for what a test starts: no other test on this machine has them, in this process or in another one.

use std::{
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Below the range from which the system takes ports for connections.
const FIRST: u16 = 10_000;
const BLOCKS: u16 = 440;
/// Ports in a block. The first one is its lock: whoever listens there has the others.
const BLOCK: u16 = 50;

/// How long other test programs may take to end when they have every block.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// The block that this process takes its ports from.
struct Block {
    first: u16,
    /// How many of its ports were looked at.
    used: u16,
}

/// Browsers open no page at this port, which is known for another protocol.
const NO_BROWSER: u16 = 10_080;

/// The first of `count` ports in a row that are free on both loopback addresses. They stay with this process until it
/// ends, also while nothing listens there: a server can be ended and started again.
pub fn free_ports(count: u16) -> u16 {
    assert!(count < BLOCK, "a block has only {BLOCK} ports");
    static BLOCK_IN_USE: Mutex<Option<Block>> = Mutex::new(None);
    let mut in_use = BLOCK_IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut block = in_use.take().unwrap_or_else(|| take_block(0));
    loop {
        if block.used + count > BLOCK {
            block = take_block(block.first + BLOCK);
        }
        let first = block.first + block.used;
        block.used += count;
        // Nobody else looks at these, so looking disturbs nobody.
        let is_free = |port| listen(Ipv4Addr::LOCALHOST, port) && listen(Ipv6Addr::LOCALHOST, port);
        if (first..first + count).all(|port| port != NO_BROWSER && is_free(port)) {
            *in_use = Some(block);
            return first;
        }
    }
}

fn listen(address: impl Into<std::net::IpAddr>, port: u16) -> bool {
    TcpListener::bind((address.into(), port)).is_ok()
}

/// Takes a block that no running process has, from this port on.
fn take_block(from: u16) -> Block {
    let begin = match from {
        // Programs that start at the same time begin at different places.
        0 => (std::process::id() % u32::from(BLOCKS)) as u16,
        from => (from - FIRST) / BLOCK,
    };
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        for n in 0..BLOCKS {
            let first = FIRST + (begin + n) % BLOCKS * BLOCK;
            if let Ok(lock) = TcpListener::bind((Ipv4Addr::LOCALHOST, first)) {
                // Until the process ends, however that comes.
                std::mem::forget(lock);
                return Block { first, used: 1 };
            }
        }
        thread::sleep(Duration::from_millis(200));
    }
    panic!("all ports from {FIRST} on are taken");
}
