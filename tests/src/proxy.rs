//! A TCP proxy between a server and its store, whose connections can be ended or made silent.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{copy, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::process::free_ports;

/// It carries what comes to its port to another port of this machine.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    target: Arc<Mutex<u16>>,
    fate: watch::Sender<Fate>,
}

/// What has become of connections, by the number of the first one that it is not about.
#[derive(Clone, Copy, Default)]
struct Fate {
    made: u64,
    cut: u64,
    silent: u64,
}

impl Proxy {
    /// Starts one that leads to this port.
    pub async fn start(target: u16) -> Self {
        let port = free_ports(1);
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (target, fate) = (Arc::new(Mutex::new(target)), watch::Sender::new(Fate::default()));
        let (to, fates) = (target.clone(), fate.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut number = 0;
                fates.send_modify(|fate| {
                    number = fate.made;
                    fate.made += 1;
                });
                let to = *to.lock().unwrap();
                tokio::spawn(carry(client, to, number, fates.subscribe()));
            }
        });
        Self { port, target, fate }
    }

    /// New connections lead to this port; those that are there stay where they are.
    pub fn lead_to(&self, port: u16) {
        *self.target.lock().unwrap() = port;
    }

    /// Ends all connections that are there, as one that has had enough of idle ones.
    pub fn cut(&self) {
        self.fate.send_modify(|fate| fate.cut = fate.made);
    }

    /// Loses all answers on the connections that are there: they stay open, what is sent arrives, and nothing is heard
    /// any more.
    pub fn silence(&self) {
        self.fate.send_modify(|fate| fate.silent = fate.made);
    }
}

async fn carry(mut client: TcpStream, to: u16, number: u64, mut fate: watch::Receiver<Fate>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = fate.wait_for(|fate| number < fate.cut || number < fate.silent) => {}
    }
    if number < fate.borrow().silent {
        tokio::select! {
            _ = copy(&mut client, &mut server) => {}
            _ = fate.wait_for(|fate| number < fate.cut) => {}
        }
    }
}
