use loadgen_load::outcome::Objective;

use super::*;
use crate::example::{comparison, outcome};

use Standing::{Failed, Invalid, Passed, Saturated};

/// Every figure is read from its place, in its unit.
#[test]
fn figures_are_read_in_their_units() {
    let reading = read(&outcome(Passed, None, 2e6), Run::PlainQos1).unwrap();
    for (figure, value) in [
        (Figure::Rate, Some(2e6)),
        (Figure::CpuNs, Some(250.0)),
        (Figure::CpuUs, Some(0.25)),
        (Figure::P50, Some(40.0)),
        (Figure::P99, Some(90.0)),
        (Figure::RssMb, Some(10.24)),
        (Figure::Share, None),
    ] {
        assert_eq!(reading.figure(figure), value, "{figure:?}");
    }
}

/// A module that is slow counts, one that is wrong does not, and neither does a late instrument,
/// unless only CPU or memory is asked at a rate that was reached.
#[test]
fn only_what_can_be_believed_counts() {
    for (standing, run, asked, achieved, counts) in [
        (Passed, Run::Latency100k, Some(1e5), 1e5, true),
        (Saturated, Run::Latency100k, Some(1e5), 5e4, true),
        (Failed, Run::Cpu1k, Some(1e3), 1e3, false),
        (Invalid, Run::Latency100k, Some(1e5), 1e5, false),
        (Invalid, Run::PlainQos1, None, 3e6, false),
        (Invalid, Run::Rss1M, Some(1e6), 1e6, true),
        (Invalid, Run::Rss1M, Some(1e6), 0.995e6, true),
        (Invalid, Run::Rss1M, Some(1e6), 0.98e6, false),
        // Four of five.
        (Invalid, Run::RssIdle, Some(1.0), 0.8, true),
        (Invalid, Run::RssIdle, Some(1.0), 0.6, false),
    ] {
        let read = read(&outcome(standing, asked, achieved), run);
        assert_eq!(read.is_ok(), counts, "{standing:?} {run:?} {achieved}: {read:?}");
    }
    let mut unsent = outcome(Invalid, Some(1e6), 1e6);
    unsent.counts.unsent = 1;
    assert_eq!(read(&unsent, Run::Rss1M), Err("a reason".to_owned()));
}

#[test]
fn a_comparison_gives_the_ratio_of_medians() {
    let share = |module, bare| {
        let finding = Finding::Compare(Box::new(comparison([module, bare])));
        let attempt = Attempt::of(&finding, Run::ShareOfBare, 0);
        assert_eq!(attempt.standings.len(), 2);
        attempt.reading.map(|reading| reading.share)
    };
    assert_eq!(share((3e6, Passed), (4e6, Passed)), Ok(Some(75.0)));
    assert!(share((3e6, Passed), (0.0, Passed)).is_err());
    for bad in [Failed, Invalid] {
        assert!(share((3e6, bad), (4e6, Passed)).is_err(), "{bad:?}");
        assert!(share((3e6, Passed), (4e6, bad)).is_err(), "{bad:?}");
    }
}

/// A search gives the rate that it found; one that found none gives no figure.
#[test]
fn a_search_gives_the_rate_found() {
    let Outcome { settings, .. } = outcome(Passed, Some(1e6), 1e6);
    let objective = Objective { p99_us: 1e4, loss: 0.0 };
    let notes = vec!["a note".to_owned()];
    let mut capacity = Capacity { settings, objective, probes: Vec::new(), rate: Some(2e6), notes };
    let read = |capacity: &Capacity| {
        let finding = Finding::Capacity(Box::new(capacity.clone()));
        Attempt::of(&finding, Run::Capacity, 0).reading
    };
    assert_eq!(read(&capacity).map(|reading| reading.figure(Figure::Rate)), Ok(Some(2e6)));
    capacity.rate = None;
    assert!(read(&capacity).unwrap_err().contains("a note"));
}
