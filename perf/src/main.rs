//! `perf core`: time per message of the bare core, median of several rounds.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Instant;

use bytes::BytesMut;
use mimalloc::MiMalloc;
use perf::core::{Core, Tally, traffic};
use sluicegate::threshold::Threshold;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const MESSAGES: u32 = 100_000;
const ROUNDS: usize = 15;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("core") {
        eprintln!("usage: perf core   time per message of decode, judge, acknowledge and encode");
        return ExitCode::from(64);
    }
    let stream = traffic(MESSAGES, 10);
    let expected =
        Tally { messages: u64::from(MESSAGES), alerts: u64::from(MESSAGES.div_ceil(10)) };
    let mut core = Core::new(Threshold::DEFAULT);
    let mut output = BytesMut::with_capacity(stream.len());
    let mut nanoseconds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let mut input = stream.clone();
        output.clear();
        let start = Instant::now();
        let tally = core.run(&mut input, &mut output);
        let elapsed = start.elapsed();
        if !matches!(tally, Ok(tally) if tally == expected) {
            eprintln!("wrong result: {tally:?}, expected {expected:?}");
            return ExitCode::FAILURE;
        }
        nanoseconds.push(elapsed.as_nanos() / u128::from(MESSAGES));
    }
    nanoseconds.sort_unstable();
    println!(
        "bare core, QoS 1, 10 % alerts: {} ns a message (median of {ROUNDS}; {} to {})",
        nanoseconds[ROUNDS / 2],
        nanoseconds[0],
        nanoseconds[ROUNDS - 1],
    );
    ExitCode::SUCCESS
}
