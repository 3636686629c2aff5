//! Runs rows, those that measure alone behind all others, and says what came out.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use fastrand::Rng;

use crate::arguments::Settings;
use crate::fault::Fault;
use crate::table::{self, Line};
use crate::trial::{Form, Trial};

/// Runs what is asked for. The last line but for the table is in the form of the usual harness.
pub(crate) fn run(faults: &[Fault], settings: &Settings) -> ExitCode {
    let asked = |fault: &&Fault| {
        settings.names.is_empty() || settings.names.iter().any(|name| fault.name.contains(name))
    };
    let (alone, beside): (Vec<&Fault>, Vec<&Fault>) =
        faults.iter().filter(asked).partition(|fault| fault.is_alone);
    let form = if settings.form == Form::Long { " --long" } else { "" };
    println!("\nrunning {} faults", alone.len() + beside.len());
    println!("again with: tests/run faults --seed {}{form}", settings.seed);
    // Built before the first row begins, if they are not: no row is charged for it.
    for package in ["sluicegate", "loadgen"] {
        test_support::program(package);
    }
    let begun = Instant::now();
    let mut lines = side_by_side(&beside, settings, settings.jobs);
    lines.extend(side_by_side(&alone, settings, 1));
    lines.sort_by_key(|line| faults.iter().position(|fault| fault.name == line.name));
    if settings.names.is_empty()
        && let Err(why) = table::check_page(faults)
    {
        lines.push(Line::failed("the page of the rows", why));
    }
    println!();
    table::print(&lines);
    let failed: Vec<&Line> = lines.iter().filter(|line| line.failure.is_some()).collect();
    for line in &failed {
        println!("\n{}: {}", line.name, line.failure.as_deref().unwrap_or_default());
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; \
         finished in {:.2}s",
        if failed.is_empty() { "ok" } else { "FAILED" },
        lines.len() - failed.len(),
        failed.len(),
        faults.len() - alone.len() - beside.len(),
        begun.elapsed().as_secs_f64(),
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn side_by_side(faults: &[&Fault], settings: &Settings, jobs: usize) -> Vec<Line> {
    let next = AtomicUsize::new(0);
    let lines = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(faults.len()) {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let line = run_one(fault, settings);
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
    });
    let mut lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
    for line in lines.iter_mut().filter(|line| line.failure.is_some()) {
        *line = judged_alone(line, faults, settings);
    }
    lines
}

/// A failure beside others may be the machine's: the row is run once more by itself, and both
/// outcomes are shown.
fn judged_alone(line: &Line, faults: &[&Fault], settings: &Settings) -> Line {
    let fault = faults.iter().find(|fault| fault.name == line.name).expect("one of these rows");
    let reason = line.failure.as_deref().unwrap_or_default();
    println!("{} failed beside others, and is run alone: {reason}", line.name);
    run_one(fault, settings)
}

fn run_one(fault: &Fault, settings: &Settings) -> Line {
    let begun = Instant::now();
    let random = Rng::with_seed(settings.seed ^ digest(fault.name));
    let mut trial = Trial::new(settings.form, random, fault.must);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        (fault.run)(&mut trial);
        trial.check();
    }));
    let failure = outcome.err().map(|panic| said(panic.as_ref()));
    Line { name: fault.name, found: trial.found, took: begun.elapsed(), failure }
}

/// FNV-1a: the same name has the same random numbers, whichever rows run.
fn digest(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "it panicked".to_owned())
}
