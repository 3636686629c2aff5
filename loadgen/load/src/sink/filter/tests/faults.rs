//! Faults in what is sent, at exact positions.

use std::num::NonZeroU64;

use super::*;

/// The messages that a peer sees when inputs 1, 2, 3… at QoS 0 have these temperatures.
fn forwarded(faults: Faults, temperatures: &[u32]) -> (Vec<String>, SinkCounts) {
    let mut filter = Filter::new(&SinkSettings { faults, ..settings() });
    let inputs = temperatures.iter().zip(1..);
    let bytes: Vec<u8> =
        inputs.flat_map(|(&temperature, number)| input(number, false, temperature)).collect();
    let out = take_all(&mut filter, &bytes);
    let texts = seen(&out).iter().map(|text| text.replace("-:", "")).collect();
    (texts, filter.counts())
}

fn every(count: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(count)
}

#[test]
fn each_fault_hits_where_it_is_set() {
    const NONE: Faults = Faults {
        drop_every: None,
        duplicate_every: None,
        swap_every: None,
        flip_every: None,
        strip_every: None,
        forge_every: None,
        stall: None,
        delay: None,
        limit_rate: None,
        exit_after: None,
    };
    let three = every(3);
    let table: [(Faults, &[&str]); 7] = [
        (NONE, &["1", "3", "4", "5", "6", "8", "9"]),
        (Faults { drop_every: three, ..NONE }, &["1", "3", "5", "6", "9"]),
        (Faults { duplicate_every: three, ..NONE }, &["1", "3", "4", "4", "5", "6", "8", "8", "9"]),
        (Faults { swap_every: three, ..NONE }, &["1", "3", "5", "4", "6", "9", "8"]),
        (Faults { flip_every: three, ..NONE }, &["1", "3", "4x", "5", "6", "8x", "9"]),
        (Faults { strip_every: three, ..NONE }, &["1", "3", "4s", "5", "6", "8s", "9"]),
        (Faults { forge_every: three, ..NONE }, &["1", "3", "4", "5", "6", "7f", "8", "9"]),
    ];
    for (faults, expected) in table {
        // Alerts 1, 2, 3… are inputs 1, 3, 4, 5, 6, 8, 9.
        let (seen, counts) = forwarded(faults, &[30, 20, 30, 30, 30, 30, 20, 30, 30]);
        assert_eq!(seen, expected, "{faults:?}");
        assert_eq!((counts.inputs, counts.alerts), (9, 7), "{faults:?}");
        assert_eq!(counts.forwarded, expected.len() as u64, "{faults:?}");
        let hit = |every: Option<NonZeroU64>| if every.is_some() { 2 } else { 0 };
        assert_eq!(counts.dropped, hit(faults.drop_every));
        assert_eq!(counts.duplicated, hit(faults.duplicate_every));
        assert_eq!(counts.swapped, hit(faults.swap_every));
        assert_eq!(counts.flipped, hit(faults.flip_every));
        assert_eq!(counts.stripped, hit(faults.strip_every));
        // The second is still owed: nothing below the threshold came after it.
        assert_eq!(counts.forged, hit(faults.forge_every) / 2);
    }
}

#[test]
fn faults_combine() {
    let all = Faults {
        drop_every: every(4),
        duplicate_every: every(3),
        swap_every: every(1),
        flip_every: every(2),
        strip_every: every(3),
        forge_every: every(5),
        ..Faults::default()
    };
    let (seen, _) = forwarded(all, &[30, 30, 30, 30, 30, 30, 20]);
    // 1 behind 2; 3 behind 5, as 4 is dropped; 6 has nothing to go behind yet.
    assert_eq!(seen, ["2x", "1", "5", "3s", "3s", "7f"]);
}

/// Acknowledgements of inputs are sent at once and in order, whatever happens to the alerts; packet
/// ids go out in turn.
#[test]
fn acknowledgements_have_no_faults() {
    let faults = Faults {
        swap_every: every(2),
        duplicate_every: every(4),
        drop_every: every(5),
        ..Faults::default()
    };
    let mut filter = Filter::new(&SinkSettings { faults, ..settings() });
    let bytes: Vec<u8> = (1..=6).flat_map(|number| input(number, true, 30)).collect();
    let out = take_all(&mut filter, &bytes);
    let expected = ["1:1", "a1", "a2", "2:3", "3:2", "a3", "a4", "a5", "4:6", "5:4", "6:4", "a6"];
    assert_eq!(seen(&out), expected);
}

#[test]
fn an_alert_that_nothing_follows_is_released() {
    let faults = Faults { swap_every: every(2), ..Faults::default() };
    let mut filter = Filter::new(&SinkSettings { faults, ..settings() });
    let bytes = [input(1, true, 30), input(2, true, 30)].concat();
    assert_eq!(seen(&take_all(&mut filter, &bytes)), ["1:1", "a1", "a2"]);
    let mut out = Vec::new();
    assert!(filter.holds());
    filter.release(&mut out);
    assert!(!filter.holds());
    filter.release(&mut out);
    assert_eq!(seen(&out), ["2:2"]);
}

#[test]
fn it_ends_after_so_many_inputs() {
    let faults = Faults { exit_after: every(2), ..Faults::default() };
    let mut filter = Filter::new(&SinkSettings { faults, ..settings() });
    let bytes = [input(1, true, 20), input(2, true, 20), input(3, true, 20)].concat();
    let mut out = Vec::new();
    assert_eq!(filter.take(&bytes, 1, &mut out).unwrap(), bytes.len() / 3);
    assert!(!filter.is_finished());
    assert_eq!(
        filter.take(&bytes[bytes.len() / 3..], u64::MAX, &mut out).unwrap(),
        bytes.len() / 3
    );
    assert!(filter.is_finished());
    assert_eq!(filter.take(&bytes, u64::MAX, &mut out).unwrap(), 0);
    assert_eq!(seen(&out), ["a1", "a2"]);
}
