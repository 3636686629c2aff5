use fastrand::Rng;

use super::*;
use crate::ab::pairs::{PairReading, Side, pairs, ratios};

const PAIRS: u32 = 30;
/// Fewer than in earnest, so that thousands of tests are quick.
const FLIPS: u32 = 2000;
/// Machines of each kind.
const MACHINES: u64 = 50;

/// A machine, and what B costs on it where A costs 1.
struct Machine {
    rng: Rng,
    /// Standard deviation of the logarithm of a run's cost.
    noise: f64,
    /// Share of runs that something else makes three times as dear.
    outliers: f64,
    /// The machine is at any time in one of two modes, this much apart.
    modes: f64,
    /// It changes its mode in this share of runs.
    changes: f64,
    /// From run to run everything gets dearer by this.
    drift: f64,
    effect: f64,
    slow: bool,
    runs: f64,
}

impl Machine {
    fn new(seed: u64, noise: f64, effect: f64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            noise,
            outliers: 0.0,
            modes: 0.0,
            changes: 0.05,
            drift: 0.0,
            effect,
            slow: false,
            runs: 0.0,
        }
    }

    fn run(&mut self, side: Side) -> f64 {
        self.runs += 1.0;
        self.slow ^= self.rng.f64() < self.changes;
        let normal: f64 = (0..12).map(|_| self.rng.f64()).sum::<f64>() - 6.0;
        let mut cost = (normal * self.noise + self.runs * self.drift).exp();
        if self.rng.f64() < self.outliers {
            cost *= 3.0;
        }
        if self.slow {
            cost *= 1.0 + self.modes;
        }
        if side == Side::B { cost * (1.0 + self.effect) } else { cost }
    }

    fn summary(&mut self, found: &mut Vec<f64>, against: Side) -> Summary {
        let mut measure = |side| {
            let side = if side == Side::B { against } else { side };
            Ok::<_, ()>(PairReading { cpu_ns: self.run(side), rate: 1.0 })
        };
        found.extend(ratios(&pairs(PAIRS, &mut measure).unwrap()));
        Summary::of(found, FLIPS, 1).unwrap()
    }

    /// The whole comparison, as it goes in earnest.
    fn verdict(mut self) -> PairsVerdict {
        if noise(&self.summary(&mut Vec::new(), Side::A)).is_some() {
            return PairsVerdict::TooNoisy;
        }
        let (mut found, mut looks) = (Vec::new(), Vec::new());
        loop {
            looks.push(self.summary(&mut found, Side::B));
            if let Some(verdict) = verdict(&looks) {
                return verdict;
            }
            assert!(looks.len() < SETS_MAX, "it comes to an end");
        }
    }
}

/// Share of machines that come to each verdict, per cent: slower, faster, same, too noisy.
fn shares(machine: impl Fn(u64) -> Machine) -> [usize; 4] {
    let verdicts: Vec<PairsVerdict> = (1..=MACHINES).map(|seed| machine(seed).verdict()).collect();
    let count = |verdict| verdicts.iter().filter(|found| **found == verdict).count();
    [PairsVerdict::Slower, PairsVerdict::Faster, PairsVerdict::Same, PairsVerdict::TooNoisy]
        .map(|verdict| count(verdict) * 100 / verdicts.len())
}

/// A change that is larger than 3 % is found, smaller ones are none, in both directions.
#[test]
fn a_quiet_machine_tells_right_from_wrong() {
    for (effect, at) in [(0.0, 2), (0.015, 2), (-0.015, 2), (0.05, 0), (0.3, 0), (-0.05, 1)] {
        let found = shares(|seed| Machine::new(seed, 0.01, effect));
        // One in a hundred seems to differ from itself: chance is allowed that.
        assert!(
            found[at] >= 95 && found[at] + found[3] == 100,
            "{effect}, seeds from 1: {found:?}"
        );
    }
}

/// No alarm of a tree against itself, whatever the machine: noisy, with outliers, in two modes,
/// getting warmer.
#[test]
fn no_machine_raises_a_false_alarm() {
    for noise in [0.05, 0.1] {
        for (outliers, modes, drift) in
            [(0.0, 0.0, 0.0), (0.1, 0.0, 0.0), (0.0, 0.3, 0.0), (0.0, 0.0, 0.002)]
        {
            let machine =
                |seed| Machine { outliers, modes, drift, ..Machine::new(seed, noise, 0.0) };
            let [slower, faster, ..] = shares(machine);
            let what = (noise, outliers, modes, drift);
            assert!(slower == 0 && faster == 0, "{what:?}, seeds from 1: {slower} {faster}");
        }
    }
}

/// Noise of the size that is seen here hides a small change at most by giving no answer; a large
/// one it does not hide.
#[test]
fn a_noisy_machine_still_finds_what_is_large() {
    let found = shares(|seed| Machine::new(seed, 0.07, 0.10));
    assert!(found[0] >= 75 && found[1] == 0 && found[2] <= 3, "seeds from 1: {found:?}");
    let found = shares(|seed| Machine::new(seed, 0.07, 0.05));
    assert!(found[0] >= 30 && found[1] == 0, "seeds from 1: {found:?}");
    let found = shares(|seed| Machine { outliers: 0.1, ..Machine::new(seed, 0.03, 0.10) });
    assert!(found[0] >= 90 && found[1] == 0, "outliers, seeds from 1: {found:?}");
    let found = shares(|seed| Machine { modes: 0.3, ..Machine::new(seed, 0.03, 0.10) });
    assert!(found[0] >= 85 && found[1] == 0, "modes, seeds from 1: {found:?}");
}

fn look(median: f64, half_width: f64, p: f64) -> Summary {
    let (low, high) = (median - half_width, median + half_width);
    Summary { pairs: 30, median, low, high, p }
}

/// Slower is said twice, or not at all; unsure looks lead to another one, four at most.
#[test]
fn looks_lead_to_a_verdict() {
    let slower = look(1.06, 0.02, 0.0005);
    let faster = look(0.94, 0.02, 0.0005);
    let perhaps = look(1.06, 0.02, 0.005);
    let same = look(1.01, 0.01, 0.2);
    let wide = look(1.01, 0.04, 0.2);
    let far = look(1.06, 0.07, 0.2);
    // Beyond chance, but not beyond 3 %.
    let small = look(1.02, 0.005, 0.001);
    for (looks, expected) in [
        (&[][..], None),
        (&[same][..], Some(PairsVerdict::Same)),
        (&[small], Some(PairsVerdict::Same)),
        (&[slower], None),
        (&[slower, slower], Some(PairsVerdict::Slower)),
        (&[faster, faster], Some(PairsVerdict::Faster)),
        (&[perhaps, slower], Some(PairsVerdict::Slower)),
        (&[slower, perhaps], None),
        (&[slower, perhaps, slower], Some(PairsVerdict::Slower)),
        (&[slower, faster], None),
        (&[slower, same], Some(PairsVerdict::Same)),
        (&[far, slower], None),
        (&[far, slower, slower], Some(PairsVerdict::Slower)),
        (&[wide, wide, wide], None),
        (&[wide, wide, wide, wide], Some(PairsVerdict::Same)),
        (&[far, far, far, far], Some(PairsVerdict::TooNoisy)),
        (&[wide, wide, wide, slower], Some(PairsVerdict::TooNoisy)),
    ] {
        assert_eq!(verdict(looks), expected, "{looks:?}");
    }
}

#[test]
fn a_machine_that_differs_from_itself_is_noisy() {
    for (found, is_noisy) in [
        (look(1.0, 0.01, 0.5), false),
        (look(1.029, 0.1, 0.5), false),
        (look(1.031, 0.01, 0.5), true),
        (look(0.97, 0.01, 0.5), true),
        (look(1.01, 0.005, 0.009), true),
    ] {
        assert_eq!(noise(&found).is_some(), is_noisy, "{found:?}");
    }
}

/// Only what is slower fails; what is not known is neither.
#[test]
fn exit_codes_are_as_documented() {
    let codes =
        [PairsVerdict::Same, PairsVerdict::Faster, PairsVerdict::Slower, PairsVerdict::TooNoisy];
    assert_eq!(codes.map(PairsVerdict::exit_code), [0, 0, 1, 2]);
}
