//! The books against every kind of fault, each named as it is.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::settings::TrafficSettings;
use crate::traffic::Topics;

fn traffic(sensors: u32) -> Traffic {
    let settings = TrafficSettings { sensors, alerts: 0.25, ..TrafficSettings::default() };
    Traffic::build(&settings, Topics::Broker { topic: "sensors/{sensor}" }).unwrap()
}

/// The body as it travels in this lap.
fn body(traffic: &Traffic, place: u64) -> Vec<u8> {
    let slots = u64::from(traffic.slots());
    let slot = u32::try_from(place % slots).unwrap();
    let lap = lap_text(u32::try_from(place / slots).unwrap());
    let mut body = traffic.body(slot).to_vec();
    let at = body.len() - STAMP_BYTES;
    body[at..at + LAP_TEXT_BYTES].copy_from_slice(&lap);
    body
}

fn is_alert(traffic: &Traffic, place: u64) -> bool {
    traffic.is_alert(u32::try_from(place % u64::from(traffic.slots())).unwrap())
}

/// Books that have sent `count` messages, message `n` due at `n` nanoseconds, and its alerts.
fn sent(traffic: &Traffic, count: u64) -> (Ledger, Vec<u64>) {
    let mut ledger = Ledger::new(traffic);
    for place in 0..count {
        ledger.sent(is_alert(traffic, place), place);
    }
    (ledger, (0..count).filter(|place| is_alert(traffic, *place)).collect())
}

fn give(ledger: &mut Ledger, traffic: &Traffic, place: u64) -> Returned {
    ledger.returned(traffic, &body(traffic, place))
}

#[test]
fn everything_back_in_order_over_laps() {
    let traffic = traffic(10);
    let count = u64::from(traffic.slots()) * 3 + 7;
    let (mut ledger, alerts) = sent(&traffic, count);
    for place in &alerts {
        let slot = u32::try_from(place % u64::from(traffic.slots())).unwrap();
        let expected = Returned::Alert { slot, intended_ns: *place };
        assert_eq!(give(&mut ledger, &traffic, *place), expected);
    }
    assert!(ledger.is_settled());
    let alerts = alerts.len() as u64;
    let expected = Counts {
        sent: count,
        alerts_expected: alerts,
        alerts_correct: alerts,
        ..Counts::default()
    };
    assert_eq!(ledger.close(), expected);
}

#[test]
fn a_lost_one_is_missing() {
    // One sensor and two laps: bodies that differ in one digit come by.
    let traffic = traffic(1);
    let (mut ledger, alerts) = sent(&traffic, 2 * u64::from(traffic.slots()));
    let is_lost = |number: usize| number % 100 == 5 || number.is_multiple_of(3);
    let mut lost = 0;
    for (number, place) in alerts.iter().enumerate() {
        if is_lost(number) {
            lost += 1;
        } else {
            give(&mut ledger, &traffic, *place);
        }
    }
    assert!(!ledger.is_settled());
    let counts = ledger.close();
    assert_eq!((counts.missing, counts.alerts_correct), (lost, alerts.len() as u64 - lost));
    assert_eq!(counts.disordered + counts.corrupted + counts.duplicated, 0);
}

#[test]
fn a_closed_loop_waits_for_the_first_alert_behind_all_that_came_back() {
    let traffic = traffic(10);
    let count = u64::from(traffic.slots()) + 1000;
    let (mut ledger, alerts) = sent(&traffic, count);
    assert_eq!(ledger.waits_for(), Some(alerts[0]));
    give(&mut ledger, &traffic, alerts[7]);
    assert_eq!(ledger.waits_for(), Some(alerts[8]));
    give(&mut ledger, &traffic, alerts[3]);
    assert_eq!(ledger.waits_for(), Some(alerts[8]));
    give(&mut ledger, &traffic, *alerts.last().unwrap());
    assert_eq!(ledger.waits_for(), None);
    let next = (count..).find(|place| is_alert(&traffic, *place)).unwrap();
    for place in count..=next {
        ledger.sent(is_alert(&traffic, place), place);
    }
    assert_eq!(ledger.waits_for(), Some(next));
}

#[test]
fn twice_is_duplicated_unless_it_was_in_flight_when_a_connection_was_lost() {
    let traffic = traffic(10);
    let (mut ledger, alerts) = sent(&traffic, 1000);
    for place in &alerts {
        give(&mut ledger, &traffic, *place);
    }
    give(&mut ledger, &traffic, alerts[3]);
    ledger.fault(alerts[4], None);
    give(&mut ledger, &traffic, alerts[4]);
    give(&mut ledger, &traffic, alerts[2]);
    let counts = ledger.close();
    assert_eq!((counts.duplicated, counts.duplicated_after_fault), (2, 1));
    assert_eq!(counts.alerts_correct, alerts.len() as u64);
}

/// Books of alerts of which some lie between two thresholds: their places, and those of the others.
fn split() -> (Traffic, Ledger, Vec<u64>, Vec<u64>) {
    let mut traffic = traffic(10);
    traffic.split_alerts().unwrap();
    let is_between = traffic.alerts_between();
    let alerts = (0..u64::from(traffic.slots())).filter(|place| is_alert(&traffic, *place));
    let (between, above): (Vec<_>, Vec<_>) =
        alerts.zip(is_between).partition(|(_, is_between)| *is_between);
    let places = |pairs: Vec<(u64, bool)>| pairs.into_iter().map(|(place, _)| place).collect();
    let ledger = Ledger::new(&traffic);
    (traffic, ledger, places(between), places(above))
}

fn send_lap(ledger: &mut Ledger, traffic: &Traffic) {
    for place in ledger.sent..ledger.sent + u64::from(traffic.slots()) {
        ledger.sent(is_alert(traffic, place), place);
    }
}

/// By the higher threshold what lies between the two must not come back, by the lower it must.
#[test]
fn the_threshold_in_force_decides_what_must_come_back() {
    let (traffic, mut ledger, between, above) = split();
    let slots = u64::from(traffic.slots());
    send_lap(&mut ledger, &traffic);
    ledger.set_between(Between::Silence);
    send_lap(&mut ledger, &traffic);
    for place in above.iter().chain(&between[1..]) {
        give(&mut ledger, &traffic, *place);
    }
    for place in above.iter().chain(&between[..2]) {
        give(&mut ledger, &traffic, slots + place);
    }
    let counts = ledger.close();
    assert_eq!((counts.missing, counts.false_alerts), (1, 2), "{counts:?}");
    let expected = 2 * above.len() + between.len();
    assert_eq!(counts.alerts_expected, expected as u64);
    assert_eq!((counts.undecided, counts.duplicated), (0, 0));
}

/// Where nobody knows the threshold both verdicts are right, but twice is once too often.
#[test]
fn undecided_alerts_may_come_back_once_or_never() {
    let (traffic, mut ledger, between, above) = split();
    ledger.set_between(Between::Either);
    send_lap(&mut ledger, &traffic);
    assert!(!ledger.is_settled());
    for place in &above {
        give(&mut ledger, &traffic, *place);
    }
    assert!(ledger.is_settled());
    let returned = give(&mut ledger, &traffic, between[5]);
    assert!(matches!(returned, Returned::Alert { intended_ns, .. } if intended_ns == between[5]));
    assert_eq!(give(&mut ledger, &traffic, between[5]), Returned::Other);
    let counts = ledger.close();
    assert_eq!((counts.duplicated, counts.missing, counts.false_alerts), (1, 0, 0), "{counts:?}");
    assert_eq!(counts.undecided, between.len() as u64);
    assert_eq!(counts.alerts_expected, above.len() as u64);
}

/// What was in flight when a connection was lost is judged again, by whatever is in force then;
/// what was not stays decided.
#[test]
fn a_fault_makes_what_was_in_flight_undecided() {
    for verdict in [Between::Alert, Between::Silence] {
        let (traffic, mut ledger, between, above) = split();
        ledger.set_between(verdict);
        send_lap(&mut ledger, &traffic);
        let since = between[between.len() / 2];
        ledger.fault(0, Some(since));
        for place in &above {
            give(&mut ledger, &traffic, *place);
        }
        let (before, after) = between.split_at(between.len() / 2);
        give(&mut ledger, &traffic, after[0]);
        give(&mut ledger, &traffic, before[0]);
        let counts = ledger.close();
        assert_eq!(counts.undecided, after.len() as u64);
        let (missing, made_up) = match verdict {
            Between::Alert => (before.len() as u64 - 1, 0),
            _ => (0, 1),
        };
        assert_eq!((counts.missing, counts.false_alerts), (missing, made_up), "{verdict:?}");
    }
}

#[test]
fn swapped_is_disordered_for_one_sensor_and_not_for_two() {
    for (sensors, expected) in [(1, 1), (64, 0)] {
        let traffic = traffic(sensors);
        let (mut ledger, mut alerts) = sent(&traffic, 1000);
        let neighbours = (0..alerts.len() - 1)
            .find(|at| sensors == 1 || !(alerts[at + 1] - alerts[*at]).is_multiple_of(64));
        let at = neighbours.unwrap();
        alerts.swap(at, at + 1);
        for place in &alerts {
            give(&mut ledger, &traffic, *place);
        }
        let counts = ledger.close();
        assert_eq!((counts.disordered, counts.missing), (expected, 0), "{sensors} sensors");
        assert_eq!(counts.alerts_correct, alerts.len() as u64 - expected);
    }
}

#[test]
fn what_is_no_alert_is_false() {
    let traffic = traffic(10);
    let (mut ledger, alerts) = sent(&traffic, 1000);
    let quiet = (0..1000).find(|place| !alerts.contains(place)).unwrap();
    give(&mut ledger, &traffic, quiet);
    let counts = ledger.close();
    assert_eq!((counts.false_alerts, counts.corrupted), (1, 0));
}

#[test]
fn what_was_not_sent_yet_is_corrupted() {
    let traffic = traffic(10);
    let (mut ledger, _) = sent(&traffic, 1000);
    let future = (1000..2000).find(|place| is_alert(&traffic, *place)).unwrap();
    give(&mut ledger, &traffic, future);
    assert_eq!(ledger.close().corrupted, 1);
}

#[test]
fn the_oldest_alerts_fall_out_as_missing() {
    let traffic = traffic(10);
    let mut ledger = Ledger::new(&traffic);
    let over = 3;
    for number in 0..(ALERTS_OPEN_MAX as u64 + over) {
        ledger.sent(true, number);
    }
    assert_eq!(ledger.failures(), over);
    assert_eq!(ledger.close().missing, ALERTS_OPEN_MAX as u64 + over);
}

/// Built once: a debug build takes a while.
static TEN_SENSORS: LazyLock<Traffic> = LazyLock::new(|| traffic(10));

proptest! {
    /// One changed bit anywhere in a body is a corrupted alert, never a missing one besides, and
    /// never passes.
    #[test]
    fn one_flipped_bit_is_corrupted(
        which in 0usize..100,
        byte in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let traffic = &*TEN_SENSORS;
        let (mut ledger, alerts) = sent(traffic, u64::from(traffic.slots()) + 1000);
        for (number, place) in alerts.iter().enumerate() {
            let mut body = body(traffic, *place);
            if number == which {
                let at = byte.index(body.len());
                body[at] ^= 1 << bit;
            }
            ledger.returned(traffic, &body);
        }
        let counts = ledger.close();
        let content = (counts.corrupted, counts.missing, counts.duplicated);
        prop_assert_eq!(content, (1, 0, 0));
        prop_assert_eq!((counts.false_alerts, counts.disordered), (0, 0));
        prop_assert_eq!(counts.alerts_correct, alerts.len() as u64 - 1);
    }

    /// No bytes whatever make a panic, and none that were not sent pass.
    #[test]
    fn any_other_body_is_corrupted(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let traffic = &*TEN_SENSORS;
        let (mut ledger, _) = sent(traffic, 1000);
        prop_assert_eq!(ledger.returned(traffic, &body), Returned::Other);
        prop_assert_eq!(ledger.close().corrupted, 1);
    }
}
