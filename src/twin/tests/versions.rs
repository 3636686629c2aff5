//! Which of several documents and patches counts, by their versions.

use super::*;

/// A late answer to an earlier GET is older than the answer to a later one.
#[test]
fn of_two_documents_the_one_asked_for_last_counts() {
    let mut bench = bench();
    let first = bench.get_rid();
    bench.now += TWIN_ANSWER_WAIT;
    let second = bench.get_rid();
    bench.answer(&second, r#"{"TemperatureThreshold":2,"$version":2}"#);
    assert_eq!(
        bench.answer(&first, r#"{"TemperatureThreshold":1,"$version":1}"#),
        Outcome::Ignored
    );
    assert_eq!(bench.in_force(), 2.0);
    bench.twin.connected();
    let third = bench.get_rid();
    bench.twin.connected();
    let of_another = bench.answer(&third, r#"{"TemperatureThreshold":3,"$version":3}"#);
    assert_eq!((of_another, bench.in_force()), (Outcome::Ignored, 2.0), "of another connection");
}

/// For every version that the twin made anew has reached, at a reconnect and on a live connection:
/// what its document says is in force and reported.
#[test]
fn a_twin_made_anew_counts_whatever_its_version() {
    for version in [1, 39, 40, 41, 100] {
        for value in ["12", "\"bad\"", "31"] {
            let mut bench = started(r#"{"TemperatureThreshold":31,"$version":40}"#);
            bench.twin.connected();
            bench.reported = json!({"$version": 1});
            bench.document(&format!(r#"{{"TemperatureThreshold":{value},"$version":{version}}}"#));
            let (in_force, code) = if value == "12" { (12, 200) } else { (31, 200) };
            let code = if value == "\"bad\"" { 400 } else { code };
            assert_eq!(bench.in_force(), f64::from(in_force), "{version} {value}");
            let report = bench.report();
            let shown = (&report["value"], &report["ac"], &report["av"]);
            assert_eq!(shown, (&json!(in_force), &json!(code), &json!(version)), "{value}");
            // The next version follows on it.
            let next = format!(r#"{{"TemperatureThreshold":13,"$version":{}}}"#, version + 1);
            assert_eq!(bench.patch(&next), Outcome::Applied(threshold(13.0)), "{version}");
            bench.report();
            assert_eq!(bench.request(), None);
        }
    }
}

/// For every version that does not follow on the known one: the document is asked for and decides,
/// and patches that follow on it count.
#[test]
fn any_version_that_does_not_follow_makes_the_document_decide() {
    let odd = [
        "1",
        "39",
        "40",
        "42",
        "4503599627370495",
        "4503599627370496",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "1.5",
        "41.0",
        "\"41\"",
        "null",
        "{}",
    ];
    for version in odd {
        let mut bench = started(r#"{"TemperatureThreshold":31,"$version":40}"#);
        let patch = format!(r#"{{"TemperatureThreshold":50,"$version":{version}}}"#);
        bench.twin.patch(version.parse().ok(), patch.as_bytes());
        assert_eq!(
            bench.document(r#"{"TemperatureThreshold":3,"$version":7}"#),
            Outcome::Applied(threshold(3.0)),
            "{version}"
        );
        assert_eq!(bench.in_force(), 3.0, "{version}");
        assert_eq!(bench.report()["av"], json!(7), "{version}");
        let next = bench.patch(r#"{"TemperatureThreshold":4,"$version":8}"#);
        assert_eq!(next, Outcome::Applied(threshold(4.0)), "{version}");
        bench.report();
        assert_eq!(bench.request(), None, "{version}");
    }
}

/// A patch of a twin made anew comes while its document is asked for already: the answer may be
/// older than the patch, so it is put in force and asked for once more.
#[test]
fn a_patch_that_was_passed_over_is_made_up_for() {
    let mut bench = started(r#"{"TemperatureThreshold":31,"$version":40}"#);
    bench.twin.connected();
    let rid = bench.get_rid();
    assert_eq!(bench.patch(r#"{"TemperatureThreshold":2,"$version":2}"#), Outcome::Stale);
    assert_eq!(bench.request(), None, "one GET at a time");
    assert_eq!(
        bench.answer(&rid, r#"{"TemperatureThreshold":1,"$version":1}"#),
        Outcome::Applied(threshold(1.0))
    );
    assert_eq!(
        bench.document(r#"{"TemperatureThreshold":2,"$version":2}"#),
        Outcome::Applied(threshold(2.0))
    );
    assert_eq!(bench.report()["av"], json!(2));
    assert_eq!(bench.request(), None);
}

/// The largest version that can be one is reported as it is; a hub takes it.
#[test]
fn the_largest_version_is_one() {
    let mut bench = bench();
    bench.document(&format!(r#"{{"TemperatureThreshold":3,"$version":{VERSION_MAX}}}"#));
    assert_eq!(bench.report()["av"], json!(VERSION_MAX));
    bench.twin.connected();
    bench.document(r#"{"TemperatureThreshold":3,"$version":18446744073709551615}"#);
    assert_eq!(bench.report()["av"], json!(0), "no version");
}
