//! `perf core` and `perf hub`: the bare core, and the module behind the local hub.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use mimalloc::MiMalloc;
use perf::core::{Core, Tally, traffic};
use perf::through_hub::{Failure, Scene};
use sluicegate::threshold::Threshold;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const USAGE: &str = "usage: perf core   time per message of decode, judge, acknowledge and encode
       perf hub    rate and latency of the module through the local hub, window 1000, TLS";
const CORE_MESSAGES: u32 = 100_000;
const CORE_ROUNDS: usize = 15;
const HUB_WINDOW: usize = 1000;
const HUB_MESSAGES: u64 = 500_000;
const HUB_ROUNDS: usize = 3;
const LATENCY_RATE: u64 = 10_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let command = arguments.nth(1);
    let result = match command.as_ref().and_then(|command| command.to_str()) {
        Some("core") => core(),
        Some("hub") => hub(),
        Some("module") => {
            let name = std::iter::once("sluicegate".into());
            return sluicegate::cli::main_from(name.chain(arguments));
        }
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

fn core() -> Result<(), Failure> {
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

fn hub() -> Result<(), Failure> {
    let mut rates = Vec::with_capacity(HUB_ROUNDS);
    for _ in 0..HUB_ROUNDS {
        let scene = Scene::start(HUB_WINDOW)?;
        rates.push(scene.rate(HUB_MESSAGES)?);
        println!(
            "window {HUB_WINDOW}: {:.0} messages/s, module peak RSS {} KiB",
            rates[rates.len() - 1],
            scene.module_peak_rss_kib()?
        );
    }
    rates.sort_by(f64::total_cmp);
    println!("median of {HUB_ROUNDS}: {:.0} messages/s", rates[HUB_ROUNDS / 2]);
    let scene = Scene::start(HUB_WINDOW)?;
    let latency = scene.latency(LATENCY_RATE, Duration::from_secs(5))?;
    println!(
        "at {LATENCY_RATE} messages/s: p50 {} us, p99 {} us, p99.9 {} us, max {} us",
        latency.value_at_quantile(0.5),
        latency.value_at_quantile(0.99),
        latency.value_at_quantile(0.999),
        latency.max()
    );
    Ok(())
}
