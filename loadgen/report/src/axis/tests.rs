//! Ticks are round, few and inside; places are within the axis whatever the value.

use proptest::prelude::*;

use super::*;

fn labels(axis: &Axis, most: usize) -> Vec<String> {
    axis.ticks(most).into_iter().map(|tick| tick.label).collect()
}

#[test]
fn percentiles_are_labelled_by_their_nines() {
    let axis = Axis::quantiles(1e5);
    let nines = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
    assert_eq!(labels(&axis, 9), nines);
    assert_eq!(labels(&axis, 4), ["0 %", "99 %", "99.99 %"], "every other one where it is narrow");
    for (decade, tick) in axis.ticks(9).iter().enumerate() {
        let place = decade as f64 / 5.0;
        assert!((axis.position(tick.value) - place).abs() < 1e-9, "decades are equally wide");
    }
}

#[test]
fn linear_labels_share_a_unit() {
    let axis = Axis::from_zero("latency", Unit::Micros, [100.0, 1900.0]);
    assert_eq!(labels(&axis, 6), ["0", "0.5 ms", "1 ms", "1.5 ms", "2 ms"]);
    let axis = Axis::from_zero("rate", Unit::Plain, [199_950.0]);
    assert_eq!(labels(&axis, 6), ["0", "50k", "100k", "150k", "200k"]);
    let axis = Axis::between("time", Unit::Seconds, -2.0, 10.0);
    assert_eq!(labels(&axis, 8), ["−2", "0", "2", "4", "6", "8", "10"]);
}

#[test]
fn logarithmic_labels_have_their_own_unit() {
    let axis = Axis::log("latency", Unit::Micros, [120.0, 3_000_000.0]);
    assert_eq!(labels(&axis, 6), ["100 µs", "1 ms", "10 ms", "100 ms", "1 s"]);
    let axis = Axis::log("latency", Unit::Micros, [120.0, 1900.0]);
    assert_eq!(labels(&axis, 6), ["100 µs", "200 µs", "500 µs", "1 ms", "2 ms"]);
}

#[test]
fn the_spread_decides_about_the_logarithm() {
    assert!(!Axis::fitting("", Unit::Micros, &[100.0, 1900.0]).is_log());
    assert!(Axis::fitting("", Unit::Micros, &[100.0, 2000.0]).is_log());
    assert!(!Axis::fitting("", Unit::Micros, &[0.0, 0.0]).is_log());
    assert!(!Axis::fitting("", Unit::Micros, &[]).is_log());
}

#[test]
fn too_little_room_leaves_fewer_ticks() {
    let axis = Axis::quantiles(1e6);
    assert_eq!(axis.ticks_with_room(|_, _| 0.1).len(), 7);
    assert_eq!(axis.ticks_with_room(|_, _| 0.3).len(), 4);
    assert!(axis.ticks_with_room(|_, _| 2.0).len() <= 2, "even where nothing fits");
}

/// Any number, the odd ones included.
fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::num::f64::ANY,
        -1e6..1e6f64,
        Just(0.0),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE)
    ]
}

proptest! {
    /// Whatever the values: ticks are few, ascending and labelled differently, places lie within.
    #[test]
    fn nothing_breaks_an_axis(
        values in prop::collection::vec(any_value(), 0..5), most in 0..12usize,
    ) {
        let first = values.first().copied().unwrap_or_default();
        let axes = [
            Axis::from_zero("", Unit::Plain, values.iter().copied()),
            Axis::log("", Unit::Micros, values.iter().copied()),
            Axis::fitting("", Unit::Micros, &values),
            Axis::quantiles(first),
            Axis::between("", Unit::Seconds, first, values.last().copied().unwrap_or_default()),
        ];
        for axis in axes {
            let ticks = axis.ticks(most);
            prop_assert!(ticks.len() <= most.max(2), "{axis:?} {ticks:?}");
            prop_assert!(!ticks.is_empty(), "{axis:?}");
            prop_assert!(ticks.is_sorted_by(|a, b| a.value < b.value), "{axis:?} {ticks:?}");
            for value in &values {
                prop_assert!((0.0..=1.0).contains(&axis.position(*value)), "{axis:?} {value}");
            }
        }
    }
}

/// A span between two multiples of the first round step has ticks of the step below it.
#[test]
fn a_span_between_round_numbers_has_ticks() {
    let axis = Axis::between("", Unit::Seconds, 571_747.857_227_306_5, 998_809.473_688_699);
    let values: Vec<f64> = axis.ticks(0).into_iter().map(|tick| tick.value).collect();
    assert_eq!(values, [600_000.0, 800_000.0]);
}

/// Numbers so close that no float lies between their ticks are on a wider axis.
#[test]
fn ticks_are_apart_where_floats_are_coarse() {
    for (min, max) in [(871_041_225_777_166.6, 0.0), (1.0, 1.0 + f64::EPSILON)] {
        let ticks = Axis::between("", Unit::Seconds, min, max).ticks(11);
        assert!(!ticks.is_empty() && ticks.is_sorted_by(|a, b| a.value < b.value), "{ticks:?}");
    }
}

/// Places have their names, the last one always; where there is no room, some go without.
#[test]
fn places_have_names() {
    let axis = Axis::places("record", ["a", "b", "c", "d"].map(str::to_owned).to_vec());
    assert_eq!(labels(&axis, 9), ["a", "b", "c", "d"]);
    assert_eq!(labels(&axis, 3), ["b", "d"]);
    assert_eq!(axis.position(0.0), 0.125);
    assert_eq!(axis.position(3.0), 0.875);
    assert!(labels(&Axis::places("record", Vec::new()), 5).is_empty());
}
