//! Every fault that sluicegate must survive, one table of them, and what must hold meanwhile.
//!
//! Messages enter as loadgen's traffic, and what comes back is judged by loadgen's ledger: each
//! alert that must come does, whole and in its sensor's order, and comes again only if it was
//! unacknowledged at a fault. Rows are data and a function; the functions stand in modules by who
//! is at fault. Run it by `tests/run faults`, or `cargo test -p faults -- --help`.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod arguments;
mod books;
mod broker_way;
mod durable_way;
mod fault;
mod hub;
mod hub_way;
mod peer_acks;
mod peer_clock;
mod peer_daemon;
mod peer_flood;
mod peer_login;
mod peer_proxy;
mod peer_twin;
mod peer_way;
mod process;
mod runner;
mod source;
mod stream;
mod table;
mod trial;
mod wire;

use std::process::ExitCode;

use fault::Fault;

/// All rows.
fn faults() -> Vec<Fault> {
    [
        wire::faults(),
        process::faults(),
        hub::faults(),
        peer_acks::faults(),
        peer_login::faults(),
        peer_twin::faults(),
        peer_flood::faults(),
        peer_clock::faults(),
        peer_daemon::faults(),
        peer_proxy::faults(),
    ]
    .concat()
}

fn main() -> ExitCode {
    match arguments::read() {
        arguments::Asked::Run(settings) => runner::run(&faults(), &settings),
        arguments::Asked::List => {
            table::list(&faults());
            match table::check_page(&faults()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(why) => {
                    println!("{why}");
                    ExitCode::FAILURE
                }
            }
        }
        arguments::Asked::Help => {
            println!("{}", arguments::HELP);
            ExitCode::SUCCESS
        }
        arguments::Asked::Wrong(why) => {
            eprintln!("{why}\n\n{}", arguments::HELP);
            ExitCode::from(64)
        }
    }
}
