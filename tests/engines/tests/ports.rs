//! Ports are given to one test program at a time.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
};

use sso_engines::free_ports;

/// How many each of the programs below takes, and in which portions: more than a block has.
const PORTIONS: [u16; 40] = [7; 40];

/// What [`programs_that_run_at_once_have_no_port_in_common`] starts.
#[test]
#[ignore = "part of another test, and waits for its end"]
fn takes_ports() {
    let firsts = PORTIONS.map(|count| free_ports(count).to_string());
    println!("\nports {}", firsts.join(" "));
    let _ = std::io::stdin().read(&mut [0]);
}

struct Program {
    child: Child,
    ports: Vec<u16>,
}

fn start() -> Child {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "takes_ports", "--ignored", "--nocapture"]);
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn ports_of(mut child: Child) -> Program {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.into_iter().find(|line| line.starts_with("ports ")).expect("what it took");
    let firsts = line.split(' ').skip(1).map(|first| first.parse::<u16>().unwrap());
    let ports = firsts.zip(PORTIONS).flat_map(|(first, count)| first..first + count).collect();
    Program { child, ports }
}

#[test]
fn programs_that_run_at_once_have_no_port_in_common() {
    // All at the same time, and nobody listens at any of them.
    let programs: Vec<Child> = (0..8).map(|_| start()).collect();
    let programs: Vec<Program> = programs.into_iter().map(ports_of).collect();
    let mut taken = HashSet::new();
    for port in programs.iter().flat_map(|program| &program.ports) {
        assert!(taken.insert(*port), "{port} was given twice");
    }
    for Program { mut child, .. } in programs {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_port_that_somebody_listens_at_is_passed_over() {
    let held: Vec<_> = (0..3).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, free_ports(1) + 1)).unwrap()).collect();
    let held: Vec<u16> = held.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    let next: Vec<u16> = (0..100).map(|_| free_ports(1)).collect();
    assert!(held.iter().all(|port| !next.contains(port)), "{held:?} {next:?}");
}
