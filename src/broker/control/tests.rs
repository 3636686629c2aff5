use super::*;
use crate::pipeline::threshold::Setting;
use serde_json::{Value, json};

fn threshold(value: f64) -> Threshold {
    Threshold::new(value).expect("finite")
}

fn control() -> (Control, Arc<ThresholdCell>) {
    let cell = Arc::new(ThresholdCell::new(Setting { threshold: threshold(20.0), version: None }));
    (Control::new(Arc::clone(&cell), threshold(20.0)), cell)
}

fn report(control: &mut Control) -> Value {
    let body = control.next_report().expect("a report is due");
    assert_eq!(control.next_report(), None, "one at a time");
    control.acknowledged();
    assert_eq!(control.next_report(), None, "once");
    let report: Value = serde_json::from_slice(&body).unwrap();
    report["TemperatureThreshold"].clone()
}

#[test]
fn a_patch_is_put_in_force_and_reported() {
    let (mut control, cell) = control();
    assert_eq!(control.next_report(), None);
    let outcome = control.on_patch(br#"{"TemperatureThreshold": 30}"#, false);
    assert_eq!(outcome, Outcome::Applied(threshold(30.0)));
    assert_eq!(cell.load(), Setting { threshold: threshold(30.0), version: None });
    let body = control.next_report().expect("a report");
    let expected =
        json!({"TemperatureThreshold": {"value": 30, "ac": 200, "av": 0, "ad": "applied"}});
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
}

/// The version of the payload is the one that is acknowledged; an older one changes nothing.
#[test]
fn versions_count_where_there_are_some() {
    let (mut control, cell) = control();
    control.on_patch(br#"{"TemperatureThreshold":31.5,"$version":7}"#, false);
    assert_eq!(cell.load(), Setting { threshold: threshold(31.5), version: Some(7) });
    let expected = json!({"value": 31.5, "ac": 200, "av": 7, "ad": "applied"});
    assert_eq!(report(&mut control), expected);
    for version in [7, 6, 0] {
        let patch = format!(r#"{{"TemperatureThreshold":1,"$version":{version}}}"#);
        assert_eq!(control.on_patch(patch.as_bytes(), false), Outcome::Stale);
    }
    assert_eq!((cell.load().threshold, control.next_report()), (threshold(31.5), None));
    control.on_patch(br#"{"TemperatureThreshold":2}"#, false);
    assert_eq!(report(&mut control)["av"], json!(0), "no number of patches is made up");
    assert_eq!(
        control.on_patch(br#"{"TemperatureThreshold":1,"$version":7}"#, false),
        Outcome::Stale
    );
    control.on_patch(br#"{"TemperatureThreshold":3,"$version":8}"#, false);
    assert_eq!(report(&mut control)["av"], json!(8));
}

/// A cleared topic and a `null` mean the default; behind a cleared one versions begin anew.
#[test]
fn clearing_brings_the_default_back() {
    for gone in [&b""[..], br#"{"TemperatureThreshold":null}"#] {
        let (mut control, cell) = control();
        control.on_patch(br#"{"TemperatureThreshold":40,"$version":9}"#, false);
        report(&mut control);
        assert_eq!(control.on_patch(gone, false), Outcome::Applied(threshold(20.0)));
        assert_eq!(cell.load().threshold, threshold(20.0));
        let ad = "not set: the default is in force";
        let expected = json!({"value": 20, "ac": 200, "av": 0, "ad": ad});
        assert_eq!(report(&mut control), expected);
        let again = control.on_patch(br#"{"TemperatureThreshold":41,"$version":1}"#, false);
        let expected =
            if gone.is_empty() { Outcome::Applied(threshold(41.0)) } else { Outcome::Stale };
        assert_eq!(again, expected);
    }
}

#[test]
fn what_is_bad_changes_nothing_and_is_reported() {
    let bad = [
        &b"30"[..],
        b" ",
        b"{",
        b"\xff",
        br#"{"TemperatureThreshold":"30"}"#,
        br#"{"TemperatureThreshold":1e999}"#,
        br#"{"TemperatureThreshold":[30]}"#,
    ];
    for payload in bad {
        let (mut control, cell) = control();
        assert!(matches!(control.on_patch(payload, false), Outcome::Refused(_)), "{payload:?}");
        assert_eq!(cell.load().threshold, threshold(20.0));
        let report = report(&mut control);
        assert_eq!((&report["value"], &report["ac"]), (&json!(20), &json!(400)), "{payload:?}");
        assert!(report["ad"].as_str().is_some_and(|text| !text.is_empty()), "{payload:?}");
    }
}

#[test]
fn a_patch_of_something_else_is_not_reported() {
    let (mut control, _) = control();
    assert_eq!(control.on_patch(br#"{"other":1,"$version":3}"#, false), Outcome::Unrelated);
    assert_eq!(control.next_report(), None);
    // Nor does it use the version up.
    let outcome = control.on_patch(br#"{"TemperatureThreshold":1,"$version":3}"#, false);
    assert_eq!(outcome, Outcome::Applied(threshold(1.0)));
}

/// A mended patch may come under the version of the one that was refused.
#[test]
fn a_refused_patch_does_not_use_its_version_up() {
    let (mut control, _) = control();
    let bad = control.on_patch(br#"{"TemperatureThreshold":"1","$version":9}"#, false);
    assert!(matches!(bad, Outcome::Refused(_)));
    for version in [8, 9] {
        let patch = format!(r#"{{"TemperatureThreshold":1,"$version":{version}}}"#);
        assert_eq!(control.on_patch(patch.as_bytes(), false), Outcome::Applied(threshold(1.0)));
    }
}

/// Nothing retained on a new connection means cleared, where something was told before; but
/// neither a patch that came again, nor a bad one in its place.
#[test]
fn what_was_cleared_meanwhile_is_gone() {
    let (mut control, cell) = control();
    control.connected();
    assert_eq!(control.on_retained_delivered(), None, "nothing was ever told");
    let patch = br#"{"TemperatureThreshold":40,"$version":9}"#;
    control.on_patch(patch, false);
    assert_eq!(control.on_retained_delivered(), None);
    for retained in [&patch[..], b"{", br#"{"other":1}"#] {
        control.connected();
        control.on_patch(retained, false);
        assert_eq!(
            (control.on_retained_delivered(), cell.load().threshold),
            (None, threshold(40.0))
        );
    }
    control.connected();
    assert_eq!(control.on_retained_delivered(), Some(Outcome::Applied(threshold(20.0))));
    assert_eq!(report(&mut control)["value"], json!(20));
    control.connected();
    assert_eq!(control.on_retained_delivered(), None, "once");
    control.on_patch(br#"{"TemperatureThreshold":41,"$version":1}"#, false);
    assert_eq!(cell.load().threshold, threshold(41.0), "versions begin anew");
}

/// What is retained on a new connection is in force whatever its version: the topic may have
/// been cleared and set anew meanwhile. The same patch again is no news.
#[test]
fn what_is_retained_counts_whatever_its_version() {
    for version in [1, 8, 9, 10] {
        let (mut control, cell) = control();
        control.on_patch(br#"{"TemperatureThreshold":40,"$version":9}"#, false);
        report(&mut control);
        control.connected();
        let again = control.on_patch(br#"{"TemperatureThreshold":40,"$version":9}"#, true);
        assert_eq!((again, control.next_report()), (Outcome::Stale, None));
        control.connected();
        let patch = format!(r#"{{"TemperatureThreshold":41,"$version":{version}}}"#);
        let outcome = control.on_patch(patch.as_bytes(), true);
        assert_eq!(
            (outcome, control.on_retained_delivered()),
            (Outcome::Applied(threshold(41.0)), None)
        );
        assert_eq!(report(&mut control)["av"], json!(version));
        let next = format!(r#"{{"TemperatureThreshold":42,"$version":{}}}"#, version + 1);
        control.on_patch(next.as_bytes(), false);
        assert_eq!(cell.load().threshold, threshold(42.0), "{version}");
    }
}

/// What cannot be a version is refused and reported, and does not stick.
#[test]
fn an_impossible_version_is_refused() {
    let odd = [
        "4503599627370496",
        "9223372036854775808",
        "18446744073709551615",
        "1e3",
        "18446744073709551616",
        "-1",
        "1.5",
        "2.0",
        "\"2\"",
        "null",
        "{}",
        "[2]",
        "true",
    ];
    for is_retained in [false, true] {
        for version in odd {
            let (mut control, cell) = control();
            let patch = format!(r#"{{"TemperatureThreshold":30,"$version":{version}}}"#);
            let outcome = control.on_patch(patch.as_bytes(), is_retained);
            assert!(matches!(outcome, Outcome::Refused(_)), "{version}: {outcome:?}");
            let report = report(&mut control);
            assert_eq!((&report["value"], &report["ac"]), (&json!(20), &json!(400)));
            assert!(report["ad"].as_str().unwrap().contains("$version"), "{report}");
            control.on_patch(br#"{"TemperatureThreshold":31,"$version":1}"#, is_retained);
            assert_eq!(cell.load().threshold, threshold(31.0), "{version}");
        }
    }
}

/// A version that is too high by mistake holds until the topic is cleared.
#[test]
fn clearing_forgets_a_version_that_was_too_high() {
    let (mut control, cell) = control();
    control.on_patch(br#"{"TemperatureThreshold":30,"$version":4503599627370495}"#, false);
    assert_eq!(report(&mut control)["av"], json!(4_503_599_627_370_495_u64));
    let next = br#"{"TemperatureThreshold":31,"$version":8}"#;
    assert_eq!(control.on_patch(next, false), Outcome::Stale);
    control.on_patch(b"", false);
    control.on_patch(next, false);
    assert_eq!(cell.load(), Setting { threshold: threshold(31.0), version: Some(8) });
}

/// A patch that is larger than is taken is refused and reported: it clears nothing, neither at
/// once nor when the broker has told all.
#[test]
fn what_is_too_large_is_refused_and_clears_nothing() {
    let (mut control, cell) = control();
    control.on_patch(br#"{"TemperatureThreshold":40,"$version":9}"#, false);
    report(&mut control);
    for _ in 0..2 {
        control.connected();
        assert!(matches!(control.on_too_large_patch(400_000), Outcome::Refused(_)));
        assert_eq!(
            (control.on_retained_delivered(), cell.load().threshold),
            (None, threshold(40.0))
        );
        let report = report(&mut control);
        assert_eq!((&report["value"], &report["ac"]), (&json!(40), &json!(400)));
        assert!(report["ad"].as_str().unwrap().contains("400000 bytes"), "{report}");
    }
    control.connected();
    assert_eq!(control.on_retained_delivered(), Some(Outcome::Applied(threshold(20.0))), "cleared");
}

/// For every depth of what is passed over, and of what is refused.
#[test]
fn depth_elsewhere_is_no_matter() {
    for depth in [130, 1_000, 100_000] {
        let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let (mut control, cell) = control();
        let patch = format!(r#"{{"x":{deep},"TemperatureThreshold":30}}"#);
        let outcome = control.on_patch(patch.as_bytes(), false);
        assert_eq!(outcome, Outcome::Applied(threshold(30.0)), "{depth}");
        let bad = format!(r#"{{"TemperatureThreshold":{deep}}}"#);
        assert!(matches!(control.on_patch(bad.as_bytes(), false), Outcome::Refused(_)));
        assert_eq!(cell.load().threshold, threshold(30.0));
    }
}

fn value(body: Option<Bytes>) -> f64 {
    let report: Value = serde_json::from_slice(&body.expect("a report is due")).unwrap();
    report["TemperatureThreshold"]["value"].as_f64().unwrap()
}

/// However many patches come, one report waits: the newest.
#[test]
fn a_newer_report_replaces_the_one_that_waits() {
    let (mut control, _) = control();
    let tell = |control: &mut Control, value: i32| {
        control.on_patch(format!(r#"{{"TemperatureThreshold":{value}}}"#).as_bytes(), false);
    };
    tell(&mut control, 1);
    tell(&mut control, 2);
    assert_eq!(value(control.next_report()), 2.0);
    (3..1000).for_each(|value| tell(&mut control, value));
    assert_eq!(control.next_report(), None, "the first has no answer yet");
    control.acknowledged();
    assert_eq!(value(control.next_report()), 999.0);
    control.acknowledged();
    assert_eq!(control.next_report(), None);
}
