//! The connection owners under random schedules, in virtual time: the link to the hub, a broker's
//! source and its outlet, each in its session, with the pipeline behind them.
//!
//! ```text
//!              schedule: inputs, PUBACKs, answers, stalls, cuts, patches, kills, time
//!                 │                                   │
//!                 ▼                                   ▼
//!   ┌─ world ───────────────┐                ┌─ module ───────────────────────────┐
//!   │ hub, broker ── model  │ ◄─── pipe ───► │ session ─ link, source, outlet     │
//!   │   (peers)   (promises)│    (bytes)     │            └─ pipeline ─ pool      │
//!   └───────────────────────┘                └────────────────────────────────────┘
//!                 │ after each step: is a promise broken? does something wait for nothing?
//! ```
//!
//! - **A schedule is data** ([`script`]): a setup and a list of steps. proptest draws it, and on a
//!   failure takes steps away and makes numbers smaller as long as it still fails. What is left is
//!   printed as text ([`text`]), and played again from that.
//! - **The peers answer within the write that asks** ([`world`]), unless the schedule makes them
//!   wait. So what the module does not do at once shows at the end of the step.
//! - **Time is the runtime's stopped clock.** It moves on only when nothing can run any more. One
//!   millisecond later all is done that could be, and everything that is left undone is looked at:
//!   a wake-up that is lost is never hidden by the tick that would mend it.
//! - **Nothing else is random.** One thread runs all. The jitter of waits has the schedule's seed,
//!   and batches that go to the pool are judged when the schedule says so, in its order.
//! - **The model** ([`model`]) knows what is promised and not how it is done. It sees what each
//!   side has sent, and what the other has read of it.
//! - After the last step all faults end. Within 10 s everything must be delivered and reported.
//!   Then messages are sent that must be done with at once, and at last the process must end in
//!   time.
//!
//! A plain run plays [`SCHEDULES_DEFAULT`] schedules. `SLUICEGATE_SIM_SCHEDULES` is another number,
//! `SLUICEGATE_SIM_SEED` the seed that a failure has printed, and `SLUICEGATE_SIM_SCRIPT` the text
//! of the one schedule to play. Faults planted in the product, each of which must be found, are in
//! `tests/planted`.

mod director;
mod feed;
mod model;
mod module;
mod pipe;
mod script;
mod seen;
mod text;
mod wire;
mod world;

use std::cell::RefCell;
use std::env;
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tracing::Level;

use director::play;
use script::{Script, scripts};
use seen::Seen;

/// Schedules of a plain run; `tests/run` plays ten times as many.
const SCHEDULES_DEFAULT: u32 = 2_000;
/// From so many schedules on all must have been reached.
const SCHEDULES_ENOUGH: u64 = 20_000;
/// Steps of one.
const STEPS_MAX: usize = 24;
/// How often a schedule that fails is played to make it smaller.
const SHRINKS_MAX: u32 = 20_000;

/// Schedules that are worth playing each time: the shortest ones that found a planted fault, and
/// those that found a real one.
const KNOWN: &[&str] = &[
    // An acknowledgement before the PUBACK of its alert.
    "hub window=100 jitter=0; acks held; input first count=1 value=99 bytes=0",
    // A wake-up that is lost between source and outlet, and one of the pool.
    "broker window=100 jitter=0; input first count=1 value=99 bytes=0",
    "both window=100 jitter=0 pool; input first count=1 value=1 bytes=8175; judge which=0",
    // An id that the SUBSCRIBE has.
    "broker window=100 jitter=0; hang-up output closed kept; input first count=1 value=30 bytes=0;
     input first count=1 value=1 bytes=0",
    // Order between pool and ingest thread.
    "hub window=2 jitter=0 pool; input first count=1 value=30 bytes=8125;
     input first count=1 value=30 bytes=0",
    // One publish too many on a new connection.
    "hub window=100 jitter=0; acks held; input first count=1 value=30 bytes=0;
     hang-up output closed kept; input first count=66 value=30 bytes=0",
    // More is held than may be.
    "hub window=100 jitter=0 pool tight; input first count=1 value=1 bytes=8125;
     input first count=5 value=1 bytes=9865",
    // A patch parts what one read brought: each part counts as if it had a chunk alone.
    "both window=12 jitter=0 pool tight; input second count=1 value=1 bytes=8125;
     input second count=4 value=1 bytes=8000; patch set=25; input second count=1 value=1 bytes=0;
     judge which=0",
    // A control topic is cleared, and the connection lost before that was read.
    "broker window=100 jitter=0; stall input both after=0; patch set=40;
     input first count=1 value=30 bytes=0; stall output both after=0; patch removed;
     hang-up output closed kept; wait ms=5573",
    // A session that was kept.
    "hub window=100 jitter=0; stall output in after=0; input first count=1 value=30 bytes=0;
     hang-up output closed kept",
    // A patch between two messages of one read.
    "hub window=100 jitter=0; stall output both after=0; patch set=40;
     input first count=1 value=30 bytes=0",
];

/// Every random schedule keeps every promise.
#[test]
fn random_schedules_keep_the_promises() {
    if let Ok(text) = env::var("SLUICEGATE_SIM_SCRIPT") {
        return replay(&text);
    }
    let schedules = number("SLUICEGATE_SIM_SCHEDULES").unwrap_or(SCHEDULES_DEFAULT);
    let seed = number("SLUICEGATE_SIM_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("SLUICEGATE_SIM_SEED={seed} SLUICEGATE_SIM_SCHEDULES={schedules}");
    let (begun, played) = (Instant::now(), RefCell::new((0u64, 0u128, Seen::default())));
    let outcome = runner(seed, schedules).run(&scripts(STEPS_MAX), |script| {
        let course = play(&script).map_err(TestCaseError::fail)?;
        let (schedules, virtual_ms, seen) = &mut *played.borrow_mut();
        (*schedules, *virtual_ms) = (*schedules + 1, *virtual_ms + course.virtual_ms);
        seen.join(&course.seen);
        Ok(())
    });
    let (count, virtual_ms, seen) = played.into_inner();
    let (took, virtual_s) = (begun.elapsed(), virtual_ms / 1000);
    println!("{count} schedules in {took:.1?}, {virtual_s} s of virtual time: {seen:?}");
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, script)) => panic!(
            "{why}\nafter {count} schedules; this is the shortest script that fails, to be played \
             with\nSLUICEGATE_SIM_SCRIPT='{script}'\nSLUICEGATE_SIM_SEED={seed} draws it again"
        ),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
    if count >= SCHEDULES_ENOUGH {
        let never: Vec<_> = seen.all().into_iter().filter(|(_, count)| *count == 0).collect();
        assert!(never.is_empty(), "never reached: {never:?}");
    }
}

/// Plays one schedule, and tells all of it.
fn replay(text: &str) {
    let script: Script = text.parse().expect("SLUICEGATE_SIM_SCRIPT");
    let log = tracing_subscriber::fmt().without_time().with_max_level(Level::DEBUG);
    let log = log.with_ansi(false).with_test_writer().finish();
    let course = tracing::subscriber::with_default(log, || play(&script));
    let course = course.expect("a promise is broken");
    println!("{script}{course:?}");
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn runner(seed: u64, schedules: u32) -> TestRunner {
    // Never all zeros, of which this generator would make nothing else.
    let mut bytes = [1; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: schedules,
        max_shrink_iters: SHRINKS_MAX,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::XorShift, &bytes))
}

/// What once found something goes on finding nothing.
#[test]
fn known_schedules_keep_the_promises() {
    for text in KNOWN {
        let script: Script = text.parse().expect("a schedule");
        if let Err(why) = play(&script) {
            panic!("{why}\n{script}");
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 64, ..Config::default() })]

    /// What is printed is read back as it was, in lines or in one line.
    #[test]
    fn a_script_is_read_as_it_is_written(script in scripts(STEPS_MAX)) {
        let text = script.to_string();
        prop_assert_eq!(text.parse::<Script>(), Ok(script.clone()));
        prop_assert_eq!(text.replace('\n', "; ").parse::<Script>(), Ok(script));
    }

    /// A schedule goes the same way each time it is played, to the byte and the millisecond.
    #[test]
    fn a_schedule_goes_the_same_way_each_time(script in scripts(STEPS_MAX)) {
        prop_assert_eq!(play(&script), play(&script));
    }
}

/// A line that is no step says what is wrong with it.
#[test]
fn a_script_that_cannot_be_read_says_why() {
    for (text, why) in [
        ("", "how things are set up"),
        ("ring window=1 jitter=0", "no ring here"),
        ("hub window=1 jitter=0; dance", "no step dance"),
        ("hub window=1 jitter=0; wait 5", "ms=NUMBER is wanted"),
        ("hub window=1 jitter=0; cut output", "a word is missing"),
    ] {
        let problem = text.parse::<Script>().expect_err(text);
        assert!(problem.contains(why), "{text}: {problem}");
    }
}
