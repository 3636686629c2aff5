//! What is told of a comparison: lines for people, and a JSON file. Pure but for the machine's
//! facts.

use loadgen_load::machine::Machine;
use serde::Serialize;

use super::args::AbArgs;
use super::commits::States;
use super::judge::{self, PairsVerdict};
use super::pairs::{Pair, PairReading};
use crate::record::row::number;
use paired::{FLIPS, Summary};

/// The JSON file.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    states: States,
    /// Whether both programs are the same.
    identical: bool,
    machine: Machine,
    /// Length of the measured part of each run.
    for_s: f64,
    seed: u64,
    flips: u32,
    pub(super) a_against_a: Option<Look>,
    /// Set by set, each summed up with those before it.
    pub(super) a_against_b: Vec<Look>,
    pub(super) verdict: Option<PairsVerdict>,
}

/// A set of pairs, and what was known after it.
#[derive(Debug, Serialize)]
pub(super) struct Look {
    pub(super) summary: Summary,
    pub(super) pairs: Vec<Pair>,
}

impl Report {
    pub(super) fn new(states: States, identical: bool, args: &AbArgs) -> Self {
        Self {
            states,
            identical,
            machine: Machine::here(),
            for_s: args.time.as_secs_f64(),
            seed: args.seed,
            flips: FLIPS,
            a_against_a: None,
            a_against_b: Vec::new(),
            verdict: None,
        }
    }
}

/// What is compared.
pub(super) fn heading(states: &States, identical: bool, args: &AbArgs) -> String {
    let alike = if identical {
        "\nA and B are the same program, byte for byte: measured all the same"
    } else {
        ""
    };
    format!(
        "A  {}\nB  the work tree, {}{alike}\n{} pairs in a set, runs of {}, seed {}\n",
        short(&states.base),
        short(&states.work_tree),
        args.pairs,
        humantime::format_duration(args.time),
        args.seed,
    )
}

/// A line: the ratio with its interval, chance, and medians of all runs until now.
pub(super) fn look(what: &str, summary: &Summary, pairs: &[Pair]) -> String {
    let Summary { pairs: count, median, low, high, p } = summary;
    let of = |reading: fn(&Pair) -> PairReading| {
        let middle = |figure: fn(PairReading) -> f64| {
            let values: Vec<f64> = pairs.iter().map(|pair| figure(reading(pair))).collect();
            paired::median(&values).unwrap_or_default()
        };
        (middle(|reading| reading.cpu_ns), middle(|reading| reading.rate))
    };
    let ((first_ns, first_rate), (second_ns, second_rate)) = (of(|pair| pair.a), of(|pair| pair.b));
    format!(
        "{what}, {count} pairs: {median:.3} ({low:.3} to {high:.3}), p {p:.4}; {} and {} ns a \
         message, {} and {} M/s",
        number(first_ns),
        number(second_ns),
        number(first_rate / 1e6),
        number(second_rate / 1e6),
    )
}

/// The last line.
pub(super) fn verdict(verdict: PairsVerdict, report: &Report) -> String {
    let last = report.a_against_b.last().map(|look| look.summary);
    let noise = report.a_against_a.as_ref().and_then(|look| judge::noise(&look.summary));
    let measured = last.map_or_else(String::new, |Summary { pairs, median, low, high, p }| {
        format!(
            "B takes {} of A's CPU time a message ({} to {}, {pairs} pairs, p {p:.4})",
            percent(median),
            percent(low),
            percent(high)
        )
    });
    match (verdict, noise) {
        (PairsVerdict::Slower, _) => format!("\nslower: {measured}"),
        (PairsVerdict::Faster, _) => format!("\nfaster: {measured}"),
        (PairsVerdict::Same, _) => format!("\nsame: {measured}"),
        (PairsVerdict::TooNoisy, Some(why)) => format!("\ntoo noisy today: {why}"),
        (PairsVerdict::TooNoisy, None) => {
            format!("\ntoo noisy today: more than 3 % apart, but not beyond chance; {measured}")
        }
    }
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// A commit as people write it.
pub(super) fn short(commit: &str) -> String {
    let (hash, rest) = commit.split_once('-').unwrap_or((commit, ""));
    let dash = if rest.is_empty() { "" } else { "-" };
    format!("{}{dash}{rest}", hash.get(..12).unwrap_or(hash))
}
