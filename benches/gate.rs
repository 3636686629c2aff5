//! `cargo bench --bench gate [-- ARGS]`: the gate itself, as `cargo perf gate [ARGS]`. Without
//! `--bench`, which cargo gives to benches that are to be run, it is a smoke: every stage runs over
//! a few messages in this process and verifies its answers.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use perf::gate::{self, GateArgs};

#[derive(Debug, Parser)]
#[command(name = "gate")]
struct Arguments {
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
    #[command(flatten)]
    gate: GateArgs,
}

/// Wrong arguments (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;
/// The workspace is not where it was built (`EX_UNAVAILABLE`).
const EXIT_UNAVAILABLE: u8 = 69;

fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        return smoke();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refused) => {
            // Help is not an error; printing fails only where nobody reads.
            let _ = refused.print();
            return if refused.use_stderr() { EXIT_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    // Cargo starts a bench in the folder of its package.
    if let Err(why) = std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")) {
        eprintln!("gate: {}/..: {why}", env!("CARGO_MANIFEST_DIR"));
        return EXIT_UNAVAILABLE.into();
    }
    match gate::run(&arguments.gate) {
        Ok(code) => code.into(),
        Err(failure) => {
            eprintln!("gate: {failure}");
            failure.code.into()
        }
    }
}

fn smoke() -> ExitCode {
    match gate::smoke() {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("gate: {wrong}");
            ExitCode::FAILURE
        }
    }
}
