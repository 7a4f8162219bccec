//! A line that is far away and narrow, for the benchmarks: `slow-line HOST:PORT MILLISECONDS MB` prints the address of a
//! gate before that server which holds every request back for so long and lets so many megabytes (10^6) of answers pass in
//! a second on each connection; 0 is no bound. It ends with its standard input.

#![allow(
    clippy::expect_used,
    reason = "a tool of the benchmarks says what is wrong with how it was called by panicking"
)]

use std::io::Read as _;
use std::time::Duration;

use portolan_tests::gate::Gate;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, milliseconds, megabytes] = &*arguments else {
        eprintln!("usage: slow-line HOST:PORT MILLISECONDS MB");
        std::process::exit(2);
    };
    let gate = Gate::before(server);
    gate.delay(Duration::from_millis(milliseconds.parse().expect("milliseconds")));
    gate.narrow(megabytes.parse::<u64>().expect("megabytes a second") * 1_000_000);
    println!("{}", gate.host());
    let _ = std::io::stdin().read(&mut [0]);
}
