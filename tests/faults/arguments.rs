//! What the suite is asked for.

use crate::trial::Form;

/// How many rows run beside each other, unless told otherwise: they wait more than they compute.
const JOBS: usize = 12;

pub(crate) const HELP: &str = "\
usage: tests/run faults [OPTION...] [NAME...]
       cargo test -p faults -- [OPTION...] [NAME...]

  NAME        only rows whose name contains one of these
  --long      as often and as long as the promises say, in place of two minutes
  --seed N    the same random instants as another run; else a new seed, which is printed
  --jobs N    rows that run beside each other (12); those that measure run alone all the same
  --list      the rows, and what each does

Variables stand for options: SLUICEGATE_FAULTS_LONG=1, SLUICEGATE_FAULTS_SEED=N.";

/// What is asked.
pub(crate) enum Asked {
    Run(Settings),
    List,
    Help,
    Wrong(String),
}

/// Of a run.
pub(crate) struct Settings {
    pub(crate) form: Form,
    pub(crate) seed: u64,
    pub(crate) jobs: usize,
    /// Parts of names; none: all rows.
    pub(crate) names: Vec<String>,
}

pub(crate) fn read() -> Asked {
    let long = std::env::var_os("SLUICEGATE_FAULTS_LONG").is_some_and(|value| !value.is_empty());
    let seed = std::env::var("SLUICEGATE_FAULTS_SEED").unwrap_or_default();
    let arguments = std::env::args().skip(1);
    parse(arguments, long, &seed)
}

fn parse(arguments: impl Iterator<Item = String>, long: bool, seed: &str) -> Asked {
    let form = if long { Form::Long } else { Form::Short };
    let mut settings = Settings { form, seed: 0, jobs: JOBS, names: Vec::new() };
    let mut seed = seed.to_owned();
    let mut jobs = JOBS.to_string();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--long" => settings.form = Form::Long,
            "--seed" => seed = arguments.next().unwrap_or_default(),
            "--jobs" => jobs = arguments.next().unwrap_or_default(),
            "--list" => return Asked::List,
            "--help" | "-h" => return Asked::Help,
            // Of the usual harness, which `tests/run` tells all tests.
            "--quiet" | "-q" => {}
            option if option.starts_with('-') => return Asked::Wrong(format!("what is {option}?")),
            _ => settings.names.push(argument),
        }
    }
    settings.seed = match seed.as_str() {
        "" => fastrand::u64(..),
        seed => match seed.parse() {
            Ok(seed) => seed,
            Err(error) => return Asked::Wrong(format!("seed {seed:?}: {error}")),
        },
    };
    match jobs.parse() {
        Ok(jobs @ 1..) => settings.jobs = jobs,
        _ => return Asked::Wrong(format!("jobs {jobs:?}: a number from 1 on")),
    }
    Asked::Run(settings)
}
