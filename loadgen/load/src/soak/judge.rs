//! What to make of a soak: pure, from what was seen second by second.
//!
//! Two thirds of the measured part are compared, the second and the last: the first is for caches,
//! pools and tables to fill. Seconds of a fault, of the recovery from it, and of the moment behind
//! that do not count: what a fault costs has a bound of its own, the time to recover.
//!
//! | figure | of a third | the last third may have |
//! |---|---|---|
//! | resident memory | mean | 5 % more or less than the second |
//! | descriptors, threads | median | 10 % more |
//! | p50 | median of the seconds' medians | 50 % more |
//!
//! Memory is a mean, so that a leak of a page a second is seen in half an hour. The module has 16
//! descriptors and 3 threads, so that 10 % is one descriptor and no thread: one may be open for a
//! while, and one for each fault is past the bound in any run of ten faults. The bound for p50 is
//! wide because a virtual machine's neighbours move the median by a third within minutes, with
//! nothing wrong. What it is for is work that grows with time, which doubles.
//!
//! What is late may be late because somebody else had the cores. Where the run itself says so, a
//! slow recovery and a slow median make it invalid, not failed. What is lost or piles up fails.

use std::ops::Range;

use crate::fault::FaultKind;
use crate::outcome::{Fault, Figure, Outcome, Soak, Standing, Steadiness, Verdict};

/// Longest time from the end of a fault to full rate, in seconds.
pub const RECOVERY_S_MAX: f64 = 10.0;
/// By so much of it resident memory may change.
pub const RSS_CHANGE_MAX: f64 = 0.05;
/// Descriptors and threads of the last third are at most this times those of the second.
pub const COUNT_RATIO_MAX: f64 = 1.1;
/// The median latency of the last third is at most this times that of the second.
pub const P50_RATIO_MAX: f64 = 1.5;
/// Fewest undisturbed seconds of a third that say anything.
pub const SECONDS_MIN: usize = 3;
/// Behind a recovery, until what piled up is given back, in seconds.
const SETTLE_S: f64 = 0.5;
/// Behind the start of another process besides, whose memory grows until it has served a while.
const WARM_S: f64 = 1.0;
/// Most faults that are named in a reason.
const NAMED_MAX: usize = 3;

/// Completes a result: what stayed flat, and the verdict. `ended` says how the program ended by
/// itself, if it did.
pub fn judge(soak: &mut Soak, ended: Option<String>) {
    soak.steadiness = steadiness(soak);
    let bad = soak.steadiness.iter().filter(|it| it.held == Some(false));
    let (slower, piled_up): (Vec<_>, Vec<_>) = bad.partition(|it| it.figure == Figure::P50);
    let late = slow_recoveries(&soak.faults).into_iter().chain(slower.into_iter().map(moved));
    let mut late: Vec<String> = late.collect();
    let wrong = ended.map(|text| format!("it did not stay: {text}")).into_iter();
    let wrong: Vec<String> = wrong.chain(piled_up.into_iter().map(moved)).collect();
    let run = &soak.run.verdict;
    let crowd = crowd(&soak.run);
    let excused = run.standing == Standing::Invalid || crowd.is_some();
    let mut unknown = unknown(soak);
    let standing = match run.standing {
        _ if !wrong.is_empty() || !(late.is_empty() || excused) => Standing::Failed,
        Standing::Failed => Standing::Failed,
        _ if !late.is_empty() => Standing::Invalid,
        Standing::Passed if !unknown.is_empty() => Standing::Invalid,
        standing => standing,
    };
    if standing != Standing::Invalid {
        unknown.clear();
    } else if !late.is_empty() {
        late.extend(crowd.filter(|text| !run.reasons.contains(text)));
    }
    let reasons = [wrong, late, unknown, run.reasons.clone()].concat();
    soak.verdict = Verdict { standing, reasons };
}

/// Who had the cores, where that may be why something was late.
fn crowd(run: &Outcome) -> Option<String> {
    let others = run.others?;
    #[expect(clippy::cast_precision_loss, reason = "the cores of a machine")]
    let program = run.cost.map_or(0.0, |cost| cost.cpu_share * others.cores as f64);
    let text = || format!("{others}: end them, or measure when they have ended");
    others.is_crowd(run.own_cpu_share + program).then(text)
}

fn slow_recoveries(faults: &[Fault]) -> Option<String> {
    let slow: Vec<&Fault> = faults
        .iter()
        .filter(|fault| fault.recovery_s.is_none_or(|seconds| seconds > RECOVERY_S_MAX))
        .collect();
    let named = slow.iter().take(NAMED_MAX).map(|fault| {
        let took = fault.recovery_s.map_or("never back".to_owned(), |s| format!("{s:.1} s"));
        format!("{} at {:.0} s: {took}", fault.kind.text(), fault.at_s)
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let count = match slow.len() {
        0 => return None,
        1 => "1 fault was".to_owned(),
        count => format!("{count} faults were"),
    };
    Some(format!("{count} not recovered from within {RECOVERY_S_MAX:.0} s ({named})"))
}

/// Why a figure is not flat.
fn moved(it: &Steadiness) -> String {
    let change = (it.last / it.second - 1.0) * 100.0;
    let way = if change < 0.0 { "fell" } else { "grew" };
    let change = change.abs();
    let (name, from, to) =
        (name(it.figure), figure_text(it.figure, it.second), figure_text(it.figure, it.last));
    let bound = match it.figure {
        Figure::Rss => RSS_CHANGE_MAX,
        Figure::Descriptors | Figure::Threads => COUNT_RATIO_MAX - 1.0,
        Figure::P50 => P50_RATIO_MAX - 1.0,
    };
    format!(
        "{name} {way} by {change:.0} % from the second third to the last, from {from} to {to}; \
         {:.0} % are allowed",
        bound * 100.0
    )
}

/// What cannot be said of a run in which nothing is wrong.
fn unknown(soak: &Soak) -> Vec<String> {
    let untold = soak.patches > 0 && soak.patches_told == 0;
    let untold = untold.then(|| {
        "the program was told no change of the threshold, for it subscribes to none: give \
         --patch-every 0"
            .to_owned()
    });
    let few = soak.steadiness.iter().find(|it| it.held.is_none()).map(too_few);
    untold.into_iter().chain(few).collect()
}

fn too_few(it: &Steadiness) -> String {
    format!(
        "only {} and {} undisturbed seconds are left of the last two thirds, too few to say \
         whether {} stayed flat: soak for longer, or with fewer faults",
        it.seconds[0],
        it.seconds[1],
        name(it.figure)
    )
}

fn name(figure: Figure) -> &'static str {
    match figure {
        Figure::Rss => "resident memory",
        Figure::Descriptors => "the number of open descriptors",
        Figure::Threads => "the number of threads",
        Figure::P50 => "the median latency",
    }
}

fn figure_text(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Rss => format!("{:.1} MiB", value / 1024.0),
        Figure::Descriptors | Figure::Threads => format!("{value:.0}"),
        Figure::P50 => format!("{value:.0} µs"),
    }
}

/// Each figure in the last two thirds.
fn steadiness(soak: &Soak) -> Vec<Steadiness> {
    let duration = soak.measured_s;
    let thirds = [duration / 3.0..duration * 2.0 / 3.0, duration * 2.0 / 3.0..duration];
    let calm = |from: f64, to: f64| !soak.faults.iter().any(|fault| disturbs(fault, from, to));
    #[expect(clippy::cast_precision_loss, reason = "KiB and counts are far below 2^53")]
    let samples = |third: &Range<f64>, figure: Figure| -> Vec<f64> {
        let within = soak.samples.iter().filter(|it| third.contains(&it.at_s));
        let calm = within.filter(|it| calm(it.at_s, it.at_s));
        calm.map(|it| match figure {
            Figure::Rss => it.rss_kib as f64,
            Figure::Descriptors => it.descriptors as f64,
            Figure::Threads | Figure::P50 => it.threads as f64,
        })
        .collect()
    };
    let latencies = |third: &Range<f64>| -> Vec<f64> {
        let series = soak.run.series.iter();
        let within = series.filter(|it| it.at_s >= third.start && it.at_s + 1.0 <= third.end);
        let calm = within.filter(|it| it.alerts > 0 && calm(it.at_s, it.at_s + 1.0));
        calm.map(|it| it.p50_us).collect()
    };
    [Figure::Rss, Figure::Descriptors, Figure::Threads, Figure::P50]
        .map(|figure| {
            let of = |third| match figure {
                Figure::P50 => latencies(third),
                _ => samples(third, figure),
            };
            compare(figure, [of(&thirds[0]), of(&thirds[1])])
        })
        .into()
}

/// Whether a fault, the recovery from it or the moment behind that touches this time.
fn disturbs(fault: &Fault, from: f64, to: f64) -> bool {
    let over = fault.at_s + fault.length_s;
    let settle = if fault.kind == FaultKind::Kill { SETTLE_S + WARM_S } else { SETTLE_S };
    let end = fault.recovery_s.map_or(f64::INFINITY, |recovery| over + recovery + settle);
    fault.at_s <= to && from <= end
}

fn compare(figure: Figure, [second, last]: [Vec<f64>; 2]) -> Steadiness {
    let seconds = [second.len() as u64, last.len() as u64];
    let enough = second.len().min(last.len()) >= SECONDS_MIN;
    let of = |values: Vec<f64>| if figure == Figure::Rss { mean(&values) } else { median(values) };
    let (second, last) = (of(second), of(last));
    let ratio = last / second;
    let held = match figure {
        Figure::Rss => (ratio - 1.0).abs() <= RSS_CHANGE_MAX,
        Figure::Descriptors | Figure::Threads => ratio <= COUNT_RATIO_MAX,
        Figure::P50 => ratio <= P50_RATIO_MAX,
    };
    Steadiness { figure, second, last, seconds, held: enough.then_some(held) }
}

#[expect(clippy::cast_precision_loss, reason = "a day's seconds are far below 2^53")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len() as f64).max(1.0)
}

/// The one in the middle; of two, the lower.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
