//! What is to be compared, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// Longest `--for`.
pub(super) const TIME_MAX: Duration = Duration::from_secs(60);
/// Shortest `--for`: below it the clock ticks in which CPU time is known show.
pub(super) const TIME_MIN: Duration = Duration::from_millis(100);
const AFTER_HELP: &str = "First A, the commit, runs against itself: where that differs by more \
    than 3 % or beyond chance, there is no answer today. Then A and B, the work tree, run in turns \
    (A B, B A); more sets of pairs follow, up to 4, until the answer is sure. Slower means: the \
    median of the ratios of CPU time a message is above 1.03, a permutation test gives p < 0.01, \
    and both hold again, with p < 0.001, when another set of pairs is added.\n\n\
    Exit codes: 0 the same or faster; 1 slower; 2 too noisy or no figure; 64 wrong usage; 69 a \
    program cannot be built or is not of its tree; 70 stopped or an internal error";

/// What to compare.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct AbArgs {
    /// Commit to compare the work tree with [default: HEAD, or HEAD~1 when nothing was changed]
    pub(super) base: Option<String>,
    /// Pairs of runs in a set
    #[arg(long, value_name = "N", default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(6..=1000))]
    pub(super) pairs: u32,
    /// Length of the measured part of each run
    #[arg(long = "for", value_name = "TIME", default_value = "200ms", value_parser = parse_time)]
    pub(super) time: Duration,
    /// Seed of the permutation test
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Write every run and the verdict to this file
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    let time = sluicegate::host::duration::parse(text)?;
    (TIME_MIN..=TIME_MAX).contains(&time).then_some(time).ok_or("from 100ms to 60s".to_owned())
}
