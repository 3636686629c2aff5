use super::*;
use crate::twin::limits::{TWIN_ANSWER_WAIT, TWIN_ANSWER_WAIT_MAX, VERSION_MAX};
use std::time::Duration;

use serde_json::json;

mod versions;

struct Bench {
    twin: Twin,
    cell: Arc<ThresholdCell>,
    now: Instant,
    /// What the hub has been told, for its documents.
    reported: Value,
}

fn threshold(value: f64) -> Threshold {
    Threshold::new(value).expect("finite")
}

fn bench() -> Bench {
    let cell = Arc::new(ThresholdCell::default());
    let mut twin = Twin::new(cell.clone(), threshold(25.0), 7);
    twin.connected();
    Bench { twin, cell, now: Instant::now(), reported: json!({"$version": 1}) }
}

impl Bench {
    fn in_force(&self) -> f64 {
        self.cell.load().threshold.value()
    }

    fn request(&mut self) -> Option<(String, Value)> {
        let request = self.twin.next_request(self.now)?;
        let body = serde_json::from_str(&request.body).unwrap_or(Value::Null);
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
        self.answer(&rid, desired)
    }

    /// Answers this GET.
    fn answer(&mut self, rid: &str, desired: &str) -> Outcome {
        let body = format!("{{\"desired\":{desired},\"reported\":{}}}", self.reported);
        self.twin.response(200, rid, body.as_bytes(), self.now)
    }

    fn patch(&mut self, body: &str) -> Outcome {
        self.twin.patch(None, body.as_bytes())
    }

    fn report(&mut self) -> Value {
        let (topic, body) = self.request().expect("a report is due");
        assert!(topic.starts_with("$iothub/twin/PATCH/properties/reported/?$rid="), "{topic}");
        let rid = Self::rid(&topic);
        assert_eq!(self.twin.response(204, &rid, b"", self.now), Outcome::Ignored);
        self.reported[PROPERTY] = body[PROPERTY].clone();
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
    bench.document(r#"{"TemperatureThreshold":40,"$version":5}"#);
    assert_eq!((bench.in_force(), bench.request()), (40.0, None), "the document says the same");
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
    bench.document(r#"{"TemperatureThreshold":51,"$version":10}"#);
    assert_eq!(bench.in_force(), 51.0);
    bench.report();
    assert_eq!(bench.request(), None);
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
    let outcome = bench.twin.response(429, &second, b"", bench.now);
    assert!(matches!(outcome, Outcome::RequestFailed(_)));
    assert_eq!(bench.twin.response(200, &first, b"{}", bench.now), Outcome::Ignored, "older");
    bench.now += TWIN_ANSWER_WAIT;
    assert_eq!(bench.request(), None, "not so soon");
    bench.now += TWIN_ANSWER_WAIT_MAX;
    let third = bench.get_rid();
    let outcome = bench.twin.response(200, &third, b"[]", bench.now);
    assert!(matches!(outcome, Outcome::RequestFailed(_)), "a document that is none: {outcome:?}");
    assert_eq!(bench.request(), None, "not at once");
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

/// For every delay of the hub's answers: the document counts, by the first answer that comes, and
/// so does every newer one; the GETs come ever more rarely.
#[test]
fn a_document_that_always_comes_late_counts() {
    for delay in [12, 35, 100, 600] {
        let mut bench = bench();
        let start = bench.now;
        let mut asked = Vec::new();
        while bench.now < start + Duration::from_secs(delay) {
            asked.extend(bench.request().map(|(topic, _)| (bench.now, Bench::rid(&topic))));
            bench.now += Duration::from_secs(1);
        }
        let waits: Vec<u64> =
            asked.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs()).collect();
        let expected: Vec<u64> = [10, 20, 40, 80, 160, 160, 160][..waits.len()].to_vec();
        assert_eq!(waits, expected, "{delay}");
        for ((_, rid), version) in asked.iter().zip(4..) {
            let desired = format!(r#"{{"TemperatureThreshold":{version},"$version":{version}}}"#);
            bench.answer(rid, &desired);
            assert_eq!(bench.in_force(), f64::from(version), "{delay}");
            assert_eq!(bench.report()["av"], json!(version));
        }
        assert_eq!(bench.request(), None, "{delay}");
    }
}

/// A report without answer is sent again at the same growing intervals, and so is one that the hub
/// puts off.
#[test]
fn a_report_without_answer_is_sent_again_ever_more_rarely() {
    for is_put_off in [false, true] {
        let mut bench = bench();
        bench.document(r#"{"TemperatureThreshold":31,"$version":4}"#);
        for wait_s in [10, 20, 40, 80, 160, 160] {
            let (topic, _) = bench.request().expect("the report");
            if is_put_off {
                bench.twin.response(429, &Bench::rid(&topic), b"", bench.now);
            }
            bench.now += Duration::from_secs(wait_s) - Duration::from_millis(1);
            assert_eq!(bench.request(), None, "{wait_s}");
            bench.now += Duration::from_millis(1);
        }
    }
}

/// What the twin acknowledges is not reported again, not even by a process that has just begun.
#[test]
fn a_document_that_holds_the_report_asks_for_none() {
    let mut bench = bench();
    bench.reported[PROPERTY] = json!({"value": 31, "ac": 200, "av": 4, "ad": "applied"});
    let outcome = bench.document(r#"{"TemperatureThreshold":31,"$version":4}"#);
    assert_eq!((outcome, bench.request()), (Outcome::Applied(threshold(31.0)), None));
    for other in [json!(null), json!({"value": 31, "ac": 200, "av": 3, "ad": "applied"}), json!(1)]
    {
        bench.reported[PROPERTY] = other;
        bench.twin.connected();
        bench.document(r#"{"TemperatureThreshold":31,"$version":4}"#);
        assert_eq!(bench.report()["av"], json!(4));
    }
}

/// For every depth, wherever it is: what is needed is read.
#[test]
fn depth_elsewhere_is_no_matter() {
    for depth in [130, 1_000, 100_000] {
        let deep = format!("{}1{}", "{\"a\":[".repeat(depth / 2), "]}".repeat(depth / 2));
        let mut bench = bench();
        let rid = bench.get_rid();
        let document = format!(
            r#"{{"desired":{{"x":{deep},"TemperatureThreshold":31,"$version":4,"$metadata":{deep}}},
                "reported":{{"x":{deep},"TemperatureThreshold":{deep}}},"y":{deep}}}"#
        );
        let outcome = bench.twin.response(200, &rid, document.as_bytes(), bench.now);
        assert_eq!(outcome, Outcome::Applied(threshold(31.0)), "{depth}");
        assert_eq!(bench.report()["av"], json!(4));
        let patch = format!(r#"{{"x":{deep},"TemperatureThreshold":32,"$version":5}}"#);
        assert_eq!(bench.patch(&patch), Outcome::Applied(threshold(32.0)), "{depth}");
        bench.report();
        let patch = format!(r#"{{"TemperatureThreshold":{deep},"$version":6}}"#);
        assert!(matches!(bench.patch(&patch), Outcome::Refused(_)), "{depth}");
        assert_eq!((bench.in_force(), &bench.report()["av"]), (32.0, &json!(6)));
        assert_eq!(bench.request(), None);
    }
}

/// A patch larger than is taken is refused and reported, and the document decides; one of these
/// that is too large is asked for again, ever more rarely.
#[test]
fn what_is_too_large_is_refused_and_the_document_asked_for() {
    let mut bench = started(r#"{"TemperatureThreshold":31,"$version":4}"#);
    let patch = Received::DesiredPatch { version: Some(5) };
    let outcome = bench.twin.too_large(&patch, 400_000, bench.now);
    assert!(
        matches!(&outcome, Outcome::Refused(problem) if problem.contains("400000")),
        "{outcome:?}"
    );
    let mut wait = TWIN_ANSWER_WAIT;
    for _ in 0..8 {
        let rid = bench.get_rid();
        if wait == TWIN_ANSWER_WAIT {
            let report = bench.report();
            let shown = (&report["value"], &report["ac"], &report["av"]);
            assert_eq!(shown, (&json!(31), &json!(400), &json!(5)));
        }
        let answer = Received::TwinResponse { status: 200, rid: rid.into(), version: None };
        let outcome = bench.twin.too_large(&answer, 400_000, bench.now);
        assert!(matches!(&outcome, Outcome::RequestFailed(problem) if problem.contains("400000")));
        bench.now += wait - Duration::from_millis(1);
        assert_eq!(bench.request(), None, "{wait:?}");
        bench.now += Duration::from_millis(1);
        wait = (wait * 2).min(TWIN_ANSWER_WAIT_MAX);
    }
    assert_eq!(bench.in_force(), 31.0);
    bench.document(r#"{"TemperatureThreshold":6,"$version":5}"#);
    assert_eq!((bench.in_force(), &bench.report()["ac"]), (6.0, &json!(200)));
    let other = Received::Method { name: "m".into(), rid: "1".into() };
    assert_eq!(bench.twin.too_large(&other, 400_000, bench.now), Outcome::Ignored);
}

/// A report whose answer always comes late is answered all the same; what is put off waits longer
/// each time.
#[test]
fn a_late_answer_to_a_report_counts() {
    let mut bench = bench();
    bench.document(r#"{"TemperatureThreshold":31,"$version":4}"#);
    let (first, _) = bench.request().expect("the report");
    bench.now += TWIN_ANSWER_WAIT;
    let (second, _) = bench.request().expect("the report again");
    let outcome = bench.twin.response(503, &Bench::rid(&first), b"", bench.now);
    assert!(matches!(outcome, Outcome::RequestFailed(_)));
    bench.now += TWIN_ANSWER_WAIT;
    assert_eq!(bench.request(), None, "not so soon");
    assert_eq!(bench.twin.response(204, &Bench::rid(&second), b"", bench.now), Outcome::Ignored);
    bench.now += TWIN_ANSWER_WAIT_MAX;
    assert_eq!(bench.request(), None, "it was taken");
}

/// A document that is none is asked for again once some time has passed, ever more of it.
#[test]
fn a_document_of_no_use_is_asked_for_ever_more_rarely() {
    let mut bench = bench();
    let mut waits = Vec::new();
    let mut rid = bench.get_rid();
    for _ in 0..4 {
        bench.now += TWIN_ANSWER_WAIT / 2;
        let outcome = bench.twin.response(200, &rid, b"[]", bench.now);
        assert!(matches!(outcome, Outcome::RequestFailed(_)), "{outcome:?}");
        let answered = bench.now;
        rid = loop {
            match bench.request() {
                Some((topic, _)) => break Bench::rid(&topic),
                None => bench.now += Duration::from_millis(100),
            }
        };
        let wait = bench.now - answered;
        assert!(wait >= TWIN_ANSWER_WAIT, "it counts from the answer on: {wait:?}");
        waits.push(wait);
    }
    assert!(waits.is_sorted() && waits[3] > waits[0], "{waits:?}");
    let outcome = bench.answer(&rid, r#"{"TemperatureThreshold":31,"$version":4}"#);
    assert_eq!(outcome, Outcome::Applied(threshold(31.0)));
}

/// A document that is as new as the patch that overtook it is the last word.
#[test]
fn a_document_as_new_as_the_patch_before_it_is_asked_for_once() {
    let mut bench = bench();
    let rid = bench.get_rid();
    bench.twin.patch(Some(9), br#"{"TemperatureThreshold":50,"$version":9}"#);
    bench.answer(&rid, r#"{"TemperatureThreshold":50,"$version":9}"#);
    bench.report();
    bench.now += TWIN_ANSWER_WAIT_MAX;
    assert_eq!(bench.request(), None);
}

/// A report that is under way is not sent once more because its value was confirmed.
#[test]
fn a_report_under_way_is_not_repeated() {
    let mut bench = bench();
    bench.document(r#"{"TemperatureThreshold":31,"$version":4}"#);
    let (report, _) = bench.request().expect("a report is due");
    assert_eq!(bench.twin.patch(Some(9), br#"{"other":1,"$version":9}"#), Outcome::Unrelated);
    bench.document(r#"{"TemperatureThreshold":31,"$version":4}"#);
    assert_eq!(bench.request(), None, "it is under way");
    let outcome = bench.twin.response(204, &Bench::rid(&report), b"", bench.now);
    assert_eq!((outcome, bench.request()), (Outcome::Ignored, None));
}

/// Only the very value of the very property is taken, once its report was answered.
#[test]
fn a_report_is_taken_by_its_property_and_value() {
    let (mut requests, now) = (requests::Requests::new(7), Instant::now());
    requests.report("a", json!(1));
    requests.report("b", json!(2));
    for _ in 0..2 {
        let topic = requests.next(now).expect("a report").topic;
        let (_, rid) = topic.split_once("$rid=").unwrap();
        requests.response(204, rid, now);
    }
    assert!(requests.is_taken("a", &json!(1)) && requests.is_taken("b", &json!(2)));
    assert!(!requests.is_taken("a", &json!(2)) && !requests.is_taken("b", &json!(3)));
    assert!(!requests.is_taken("c", &json!(1)));
}
