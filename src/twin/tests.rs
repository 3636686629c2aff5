use super::desired::PROPERTY;
use super::*;

use serde_json::json;

struct Bench {
    twin: Twin,
    cell: Arc<ThresholdCell>,
    now: Instant,
}

fn threshold(value: f64) -> Threshold {
    Threshold::new(value).expect("finite")
}

fn bench() -> Bench {
    let cell = Arc::new(ThresholdCell::default());
    let mut twin = Twin::new(cell.clone(), threshold(25.0), 7);
    twin.connected();
    Bench { twin, cell, now: Instant::now() }
}

impl Bench {
    fn in_force(&self) -> f64 {
        self.cell.load().threshold.value()
    }

    fn request(&mut self) -> Option<(String, Value)> {
        let request = self.twin.next_request(self.now)?;
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        Some((request.topic, body))
    }

    fn rid(topic: &str) -> String {
        topic.split_once("$rid=").expect("a request id").1.to_owned()
    }

    fn get_rid(&mut self) -> String {
        let (topic, _) = self.request().expect("a GET is due");
        assert!(topic.starts_with("$iothub/twin/GET/?$rid="), "{topic}");
        Self::rid(&topic)
    }

    fn document(&mut self, desired: &str) -> Outcome {
        let rid = self.get_rid();
        let body = format!("{{\"desired\":{desired},\"reported\":{{\"$version\":1}}}}");
        self.twin.response(200, &rid, body.as_bytes(), self.now)
    }

    fn report(&mut self) -> Value {
        let (topic, body) = self.request().expect("a report is due");
        assert!(topic.starts_with("$iothub/twin/PATCH/properties/reported/?$rid="), "{topic}");
        let rid = Self::rid(&topic);
        assert_eq!(self.twin.response(204, &rid, b"", self.now), Outcome::Ignored);
        body[PROPERTY].clone()
    }
}

fn started(desired: &str) -> Bench {
    let mut bench = bench();
    bench.document(desired);
    bench.report();
    bench
}

#[test]
fn the_document_sets_the_threshold_and_is_reported() {
    let mut bench = bench();
    assert!(!bench.twin.is_known());
    let outcome = bench.document(r#"{"TemperatureThreshold":31.5,"$version":4}"#);
    assert_eq!(outcome, Outcome::Applied(threshold(31.5)));
    assert!(bench.twin.is_known());
    assert_eq!(bench.in_force(), 31.5);
    let expected = json!({"value": 31.5, "ac": 200, "av": 4, "ad": "applied"});
    assert_eq!(bench.report(), expected);
    assert_eq!(bench.request(), None, "nothing more to say");
}

#[test]
fn a_document_without_the_property_means_the_default() {
    let mut bench = started(r#"{"TemperatureThreshold":31,"$version":4}"#);
    bench.twin.connected();
    bench.document(r#"{"$version":5}"#);
    assert_eq!(bench.in_force(), 25.0);
    let report = bench.report();
    assert_eq!(
        (&report["value"], &report["ac"], &report["av"]),
        (&json!(25), &json!(200), &json!(5))
    );
}

#[test]
fn a_patch_applies_at_once_and_only_when_newer() {
    let mut bench = started(r#"{"TemperatureThreshold":31,"$version":4}"#);
    let patch = br#"{"TemperatureThreshold":40,"$version":5}"#;
    assert_eq!(bench.twin.patch(Some(5), patch), Outcome::Applied(threshold(40.0)));
    assert_eq!(bench.report()["av"], json!(5));
    for version in [5, 4, 1] {
        let patch = format!("{{\"TemperatureThreshold\":1,\"$version\":{version}}}");
        assert_eq!(bench.twin.patch(Some(version), patch.as_bytes()), Outcome::Stale);
    }
    assert_eq!(bench.in_force(), 40.0);
    assert_eq!(bench.request(), None);
}

#[test]
fn a_patch_without_the_property_changes_nothing_but_the_version() {
    let mut bench = started(r#"{"TemperatureThreshold":31,"$version":4}"#);
    assert_eq!(bench.twin.patch(Some(5), br#"{"other":1,"$version":5}"#), Outcome::Unrelated);
    assert_eq!((bench.in_force(), bench.request()), (31.0, None));
    let patch = br#"{"TemperatureThreshold":40,"$version":6}"#;
    assert_eq!(bench.twin.patch(None, patch), Outcome::Applied(threshold(40.0)));
    bench.report();
    assert_eq!(bench.request(), None, "5 to 6 is no gap");
}

#[test]
fn a_gap_applies_the_patch_and_asks_for_the_document() {
    let mut bench = started(r#"{"TemperatureThreshold":31,"$version":4}"#);
    let patch = br#"{"TemperatureThreshold":40,"$version":7}"#;
    assert_eq!(bench.twin.patch(Some(7), patch), Outcome::Applied(threshold(40.0)));
    assert_eq!(bench.in_force(), 40.0);
    bench.document(r#"{"TemperatureThreshold":41,"$version":8}"#);
    assert_eq!(bench.in_force(), 41.0);
}

/// A document that a patch overtook on the same connection is not applied; it is asked for again.
#[test]
fn an_overtaken_document_is_asked_for_again() {
    let mut bench = bench();
    let rid = bench.get_rid();
    bench.twin.patch(Some(9), br#"{"TemperatureThreshold":50,"$version":9}"#);
    let old = br#"{"desired":{"TemperatureThreshold":31,"$version":8}}"#;
    assert_eq!(bench.twin.response(200, &rid, old, bench.now), Outcome::Stale);
    assert_eq!(bench.in_force(), 50.0);
    bench.report();
    assert_eq!(bench.request(), None, "not at once");
    bench.now += TWIN_ANSWER_WAIT;
    bench.document(r#"{"TemperatureThreshold":51,"$version":10}"#);
    assert_eq!(bench.in_force(), 51.0);
}

/// edgeHub answers with an empty twin before it has ever seen the cloud: that removes nothing, and
/// behind a patch it is not asked for over and over.
#[test]
fn an_empty_document_is_no_news() {
    let mut bench = bench();
    assert_eq!(bench.document("{}"), Outcome::Unrelated);
    assert!(bench.twin.is_known());
    assert_eq!(bench.in_force(), 25.0);
    bench.twin.connected();
    bench.twin.patch(Some(9), br#"{"TemperatureThreshold":50,"$version":9}"#);
    assert_eq!(bench.document("{}"), Outcome::Stale);
    assert_eq!(bench.in_force(), 50.0);
    bench.report();
    bench.now += TWIN_ANSWER_WAIT;
    assert_eq!(bench.request(), None);
}

/// A module that was created anew starts at version 1 again: after a reconnect its document counts.
#[test]
fn a_document_after_a_reconnect_counts_even_with_a_lower_version() {
    let mut bench = started(r#"{"TemperatureThreshold":31,"$version":40}"#);
    bench.twin.connected();
    bench.document(r#"{"TemperatureThreshold":12,"$version":1}"#);
    assert_eq!(bench.in_force(), 12.0);
    let patch = br#"{"TemperatureThreshold":13,"$version":2}"#;
    assert_eq!(bench.twin.patch(Some(2), patch), Outcome::Applied(threshold(13.0)));
}

#[test]
fn an_unchanged_document_after_a_reconnect_is_not_reported_again() {
    let mut bench = started(r#"{"TemperatureThreshold":31,"$version":4}"#);
    bench.twin.connected();
    bench.document(r#"{"TemperatureThreshold":31,"$version":4}"#);
    assert_eq!(bench.request(), None);
}

#[test]
fn a_bad_value_changes_nothing_and_is_reported() {
    for bad in ["\"30\"", "true", "{}", "[30]", "NaN", "1e999", "-Infinity"] {
        let mut bench = started(r#"{"TemperatureThreshold":31,"$version":4}"#);
        let patch = format!("{{\"TemperatureThreshold\":{bad},\"$version\":5}}");
        let outcome = bench.twin.patch(Some(5), patch.as_bytes());
        assert!(matches!(outcome, Outcome::Refused(_)), "{bad}: {outcome:?}");
        assert_eq!(bench.in_force(), 31.0, "{bad}");
        let report = bench.report();
        assert_eq!(report["value"], json!(31), "{bad}");
        assert_eq!((&report["ac"], &report["av"]), (&json!(400), &json!(5)), "{bad}");
        assert!(report["ad"].as_str().is_some_and(|text| !text.is_empty()), "{bad}");
    }
}

#[test]
fn null_removes_in_a_patch_and_is_bad_in_a_document() {
    let mut bench = started(r#"{"TemperatureThreshold":31,"$version":4}"#);
    let patch = br#"{"TemperatureThreshold":null,"$version":5}"#;
    assert_eq!(bench.twin.patch(Some(5), patch), Outcome::Applied(threshold(25.0)));
    assert_eq!(bench.report()["value"], json!(25));
    bench.twin.connected();
    bench.twin.patch(Some(6), br#"{"TemperatureThreshold":33,"$version":6}"#);
    let outcome = bench.document(r#"{"TemperatureThreshold":null,"$version":7}"#);
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    assert_eq!(bench.in_force(), 33.0);
    assert_eq!(bench.report()["ac"], json!(400));
}

#[test]
fn a_get_without_answer_and_one_refused_are_sent_again_later() {
    let mut bench = bench();
    let first = bench.get_rid();
    assert_eq!(bench.request(), None);
    bench.now += TWIN_ANSWER_WAIT;
    let second = bench.get_rid();
    assert_ne!(first, second);
    assert_eq!(bench.twin.response(200, &first, b"{}", bench.now), Outcome::Ignored, "too late");
    let outcome = bench.twin.response(429, &second, b"", bench.now);
    assert!(matches!(outcome, Outcome::RequestFailed(_)));
    assert_eq!(bench.request(), None, "not at once");
    bench.now += TWIN_ANSWER_WAIT;
    let third = bench.get_rid();
    let outcome = bench.twin.response(200, &third, b"[]", bench.now);
    assert!(matches!(outcome, Outcome::RequestFailed(_)), "a document that is none: {outcome:?}");
    assert!(!bench.twin.is_known());
}

#[test]
fn a_report_is_sent_again_after_a_reconnect_until_it_is_answered() {
    let mut bench = bench();
    bench.document(r#"{"TemperatureThreshold":31,"$version":4}"#);
    let (topic, _) = bench.request().expect("the report");
    bench.twin.connected();
    bench.document(r#"{"TemperatureThreshold":31,"$version":4}"#);
    let (again, body) = bench.request().expect("the report again");
    assert_ne!(topic, again, "under a new request id");
    assert_eq!(body[PROPERTY]["value"], json!(31));
    let outcome = bench.twin.response(400, &Bench::rid(&again), b"", bench.now);
    assert!(matches!(outcome, Outcome::RequestFailed(_)));
    assert_eq!(bench.request(), None, "a refused report is not repeated");
}

/// A hub refuses a whole report with an integer outside of ±2^52: larger numbers are written with
/// a fraction or an exponent.
#[test]
fn a_report_holds_no_integer_that_a_twin_cannot() {
    let mut bench = bench();
    bench.document(r#"{"TemperatureThreshold":4503599627370495,"$version":1}"#);
    let (_, body) = bench.request().expect("the report");
    assert_eq!(body[PROPERTY]["value"].as_i64(), Some(4_503_599_627_370_495));
    for (version, text) in [(2, "4503599627370496"), (3, "-9007199254740992"), (4, "1e300")] {
        let patch = format!(r#"{{"TemperatureThreshold":{text},"$version":{version}}}"#);
        bench.twin.patch(Some(version), patch.as_bytes());
        let (_, body) = bench.request().expect("the report");
        assert!(body[PROPERTY]["value"].is_f64(), "{body}");
        assert_eq!(body[PROPERTY]["value"].as_f64(), text.parse().ok());
    }
}
