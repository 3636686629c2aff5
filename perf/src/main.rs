//! `perf core`: the bare core.
#![forbid(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use bytes::BytesMut;
use mimalloc::MiMalloc;
use perf::core::{Core, Tally, traffic};
use sluicegate::threshold::Threshold;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const USAGE: &str = "usage: perf core   time per message of decode, judge, acknowledge and encode";
const CORE_MESSAGES: u32 = 100_000;
const CORE_ROUNDS: usize = 15;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let command = arguments.nth(1);
    let result = match command.as_ref().and_then(|command| command.to_str()) {
        Some("core") => core(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("perf: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn core() -> Result<(), Box<dyn Error>> {
    let stream = traffic(CORE_MESSAGES, 10);
    let alerts = u64::from(CORE_MESSAGES.div_ceil(10));
    let expected = Tally { messages: u64::from(CORE_MESSAGES), alerts };
    let mut core = Core::new(Threshold::DEFAULT);
    let mut output = BytesMut::with_capacity(stream.len());
    let mut nanoseconds = Vec::with_capacity(CORE_ROUNDS);
    for _ in 0..CORE_ROUNDS {
        let mut input = stream.clone();
        output.clear();
        let start = Instant::now();
        let tally = core.run(&mut input, &mut output)?;
        let elapsed = start.elapsed();
        if tally != expected {
            return Err(format!("wrong result: {tally:?}, expected {expected:?}").into());
        }
        nanoseconds.push(elapsed.as_nanos() / u128::from(CORE_MESSAGES));
    }
    nanoseconds.sort_unstable();
    let (least, median, most) =
        (nanoseconds[0], nanoseconds[CORE_ROUNDS / 2], nanoseconds[CORE_ROUNDS - 1]);
    println!(
        "bare core, QoS 1, 10 % alerts: {median} ns a message \
         (median of {CORE_ROUNDS}; {least} to {most})"
    );
    Ok(())
}
