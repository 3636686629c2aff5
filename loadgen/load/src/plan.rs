//! Which fault comes when: a schedule fixed ahead, from the settings and the traffic's seed.
//!
//! Pure: settings enter, a list leaves, the same one for the same settings. Kinds come in rounds,
//! each of which has every kind once in an order of its own, so that each has its share. Bounded by
//! [`FAULTS_MAX`].
//!
//! What is judged is how one process changes from the second third of the run to the last. So kills
//! stand in the first quarter alone: a process that was started later would hide a leak. And until
//! the second third each fault is as long as its kind ever is, the longest kinds right behind the
//! first kill: whatever a fault fills for good (buffers, pools) is full before it is looked at.

use std::time::Duration;

use super::fault::FaultKind;
use super::settings::Disturbances;

/// Most faults of a run: a day's at one a second.
pub(super) const FAULTS_MAX: usize = 86_400;
/// What is left between the begin of the last fault and the end of the measured part, at most: time
/// to recover in.
const QUIET_END: Duration = Duration::from_secs(15);
/// A fault lasts at most this part of the distance between two.
const LENGTH_PART: u32 = 4;
/// Keeps the faults independent of what traffic draws from the same seed.
const SEED_SALT: u64 = 0x50a6_fa17_50a6_fa17;

/// A fault to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    /// When it is due, since the measured part began. It waits until the one before is recovered
    /// from.
    pub(super) at: Duration,
    pub(super) kind: FaultKind,
    /// How long it lasts.
    pub(super) length: Duration,
}

/// The end of the part in which the program is killed.
pub(super) fn last_kill(duration: Duration) -> Duration {
    duration / 4
}

/// The faults of a measured part of this length.
pub(super) fn faults(asked: &Disturbances, duration: Duration, seed: u64) -> Vec<Planned> {
    let mut random = fastrand::Rng::with_seed(seed ^ SEED_SALT);
    let every = asked.fault_every;
    let end = duration.saturating_sub(QUIET_END.min(every));
    let mut round: Vec<FaultKind> = Vec::new();
    let mut planned = Vec::new();
    let mut at = every;
    while at <= end && planned.len() < FAULTS_MAX && !every.is_zero() {
        let may_kill = at <= last_kill(duration);
        round.retain(|kind| may_kill || *kind != FaultKind::Kill);
        if round.is_empty() {
            round = asked.faults.clone();
            round.retain(|kind| may_kill || *kind != FaultKind::Kill);
            random.shuffle(&mut round);
            if planned.is_empty() {
                // The last is the first to come.
                round.sort_by_key(|kind| weight(*kind));
            }
        }
        let Some(kind) = round.pop() else { break };
        let [least, most] = lengths(kind);
        let tenths = if at <= duration / 3 { most } else { random.u64(least..=most) };
        let length = Duration::from_millis(tenths * 100).min(every / LENGTH_PART);
        planned.push(Planned { at, kind, length });
        at += every;
    }
    planned
}

/// Shortest and longest, in tenths of a second.
fn lengths(kind: FaultKind) -> [u64; 2] {
    match kind {
        FaultKind::Cut | FaultKind::Reset | FaultKind::Kill => [0, 0],
        FaultKind::Stop => [10, 10],
        FaultKind::Stall => [10, 30],
        FaultKind::Restart => [5, 20],
    }
}

/// By how much a kind comes earlier in the first round.
fn weight(kind: FaultKind) -> u8 {
    match kind {
        FaultKind::Kill => 2,
        FaultKind::Stall | FaultKind::Restart => 1,
        FaultKind::Cut | FaultKind::Reset | FaultKind::Stop => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Disturbances {
        Disturbances {
            fault_every: Duration::from_secs(20),
            faults: FaultKind::ALL.to_vec(),
            patch_every: None,
            renew_every: None,
        }
    }

    const HALF_HOUR: Duration = Duration::from_secs(1800);

    #[test]
    fn the_same_seed_makes_the_same_faults_and_another_one_others() {
        let planned = faults(&asked(), HALF_HOUR, 7);
        assert_eq!(planned, faults(&asked(), HALF_HOUR, 7));
        let others = faults(&asked(), HALF_HOUR, 8);
        assert_eq!(planned.len(), others.len());
        assert_ne!(planned, others);
    }

    /// One in 20 s, every kind about as often as any other, and none in the last 15 s.
    #[test]
    fn faults_come_in_time_and_in_turn() {
        let planned = faults(&asked(), HALF_HOUR, 1);
        assert_eq!(planned.len(), 89);
        for (number, fault) in (1..).zip(&planned) {
            assert_eq!(fault.at, Duration::from_secs(20 * number));
            assert!(fault.length <= Duration::from_secs(3), "{fault:?}");
        }
        let count = |kind| planned.iter().filter(|fault| fault.kind == kind).count();
        for kind in FaultKind::ALL {
            let expected = if kind == FaultKind::Kill { 3..=4 } else { 16..=18 };
            assert!(expected.contains(&count(kind)), "{kind:?}: {}", count(kind));
        }
        assert!(planned[..18].chunks_exact(6).all(|round| {
            FaultKind::ALL.iter().all(|kind| round.iter().any(|fault| fault.kind == *kind))
        }));
    }

    /// Before the second third a fault fills whatever any fault will.
    #[test]
    fn the_longest_faults_come_first() {
        for seed in 0..100 {
            let planned = faults(&asked(), HALF_HOUR, seed);
            assert_eq!(planned[0].kind, FaultKind::Kill, "{seed}");
            let mut heavy = [planned[1].kind, planned[2].kind];
            heavy.sort_unstable();
            assert_eq!(heavy, [FaultKind::Stall, FaultKind::Restart], "{seed}");
            for fault in planned.iter().filter(|fault| fault.at <= HALF_HOUR / 3) {
                let longest = Duration::from_millis(lengths(fault.kind)[1] * 100);
                assert_eq!(fault.length, longest, "{seed}: {fault:?}");
            }
        }
        let last = |seed| faults(&asked(), HALF_HOUR, seed)[80..].to_vec();
        assert!((0..10).any(|seed| last(seed).iter().any(|fault| {
            (Duration::from_millis(1)..Duration::from_millis(900)).contains(&fault.length)
        })));
    }

    /// A new process in the part that is judged would hide what the old one had piled up.
    #[test]
    fn nothing_is_killed_behind_the_first_quarter() {
        for seed in 0..100 {
            let planned = faults(&asked(), HALF_HOUR, seed);
            let late = planned.iter().filter(|fault| fault.at > last_kill(HALF_HOUR));
            assert_eq!(late.clone().count(), 67, "{seed}");
            assert!(late.clone().all(|fault| fault.kind != FaultKind::Kill), "{seed}");
        }
    }

    #[test]
    fn what_cannot_be_is_not_planned() {
        let none = Disturbances { faults: Vec::new(), ..asked() };
        assert_eq!(faults(&none, HALF_HOUR, 1), []);
        let only = Disturbances { faults: vec![FaultKind::Kill], ..asked() };
        assert_eq!(faults(&only, HALF_HOUR, 1).len(), 22);
        assert_eq!(faults(&asked(), Duration::from_secs(19), 1), []);
        let dense = Disturbances { fault_every: Duration::from_secs(1), ..asked() };
        let planned = faults(&dense, Duration::from_secs(200_000), 1);
        assert_eq!(planned.len(), FAULTS_MAX);
        assert!(planned.iter().all(|fault| fault.length <= Duration::from_millis(250)));
        let never = Disturbances { fault_every: Duration::ZERO, ..asked() };
        assert_eq!(faults(&never, HALF_HOUR, 1), []);
    }
}
