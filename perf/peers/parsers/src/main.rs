//! `parsers NAME SIZE MESSAGES`: judges so many bodies of one size by one parser, one alert in ten,
//! for a program that counts instructions. Without arguments it lists them.
//!
//! The parsers and bodies are those of `cargo bench --bench parse`.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::process::ExitCode;

use mimalloc::MiMalloc;
use sluicegate::pipeline::threshold::Threshold;
use stages::body::{COLD, HOT, SIZES, sensor};

#[path = "../../../../benches/parse/parsers.rs"]
mod parsers;

use parsers::{Answer, CANDIDATES, Candidate, Kind};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ALERT_EVERY: u32 = 10;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() {
        for Candidate { name, kind, .. } in CANDIDATES {
            println!("{name} {kind:?}");
        }
        return ExitCode::SUCCESS;
    }
    let [name, size, messages] = &arguments[..] else { return ExitCode::from(64) };
    let candidate = CANDIDATES.iter().find(|candidate| candidate.name == *name);
    let (Some(candidate), Ok(size), Ok(messages)) = (candidate, size.parse(), messages.parse())
    else {
        return ExitCode::from(64);
    };
    if !SIZES.contains(&size) {
        return ExitCode::from(64);
    }
    match run(candidate, size, messages) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("parsers {name} {size}: {wrong}");
            ExitCode::FAILURE
        }
    }
}

/// Checks its answers, and then counts them: what is counted as work must have been done.
fn run(candidate: &Candidate, size: usize, messages: u32) -> Result<(), String> {
    candidate.verify(size)?;
    let hot = HOT.map(|reading| sensor(size, reading));
    let cold = COLD.map(|reading| sensor(size, reading));
    let mut judge = (candidate.start)(Threshold::DEFAULT);
    let mut alerts = 0;
    for (index, readings) in (0..messages).zip((0..hot.len()).cycle()) {
        let bodies = if index % ALERT_EVERY == 0 { &hot } else { &cold };
        alerts += u32::from(judge(black_box(&bodies[readings])) == Answer::Alert);
    }
    let expected = match candidate.kind {
        Kind::Floor => 0,
        Kind::Validating | Kind::Trusting => messages.div_ceil(ALERT_EVERY),
    };
    if alerts != expected {
        return Err(format!("{alerts} alerts of {messages} in place of {expected}"));
    }
    Ok(())
}
