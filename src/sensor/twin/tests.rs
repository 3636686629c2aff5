use super::*;
use crate::twin::limits::{TWIN_ANSWER_WAIT, TWIN_ANSWER_WAIT_MAX};
use proptest::prelude::*;
use serde_json::{Map, json};

mod answers;
mod courses;

struct Bench {
    twin: SensorTwin,
    now: Instant,
}

fn bench() -> Bench {
    let mut twin = SensorTwin::new(7);
    twin.connected();
    Bench { twin, now: Instant::now() }
}

impl Bench {
    fn request(&mut self) -> Option<(String, String)> {
        self.twin.next_request(self.now).map(|request| (request.topic, request.body))
    }

    fn rid(topic: &str) -> String {
        topic.split_once("$rid=").expect("a request id").1.to_owned()
    }

    fn get(&mut self) -> String {
        let (topic, body) = self.request().expect("a GET is due");
        assert!(topic.starts_with("$iothub/twin/GET/?$rid=") && body == " ", "{topic}");
        Self::rid(&topic)
    }

    /// Answers the GET that is due.
    fn document(&mut self, document: &str) -> Vec<Wanted> {
        let rid = self.get();
        self.twin.response(200, &rid, document.as_bytes(), self.now).expect("a twin")
    }

    fn patch(&mut self, body: &str) -> Vec<Wanted> {
        self.twin.patch(None, body.as_bytes()).expect("a patch")
    }

    /// The report that is due: its request id and its body.
    fn report(&mut self) -> (String, Value) {
        let (topic, body) = self.request().expect("a report is due");
        assert!(topic.starts_with("$iothub/twin/PATCH/properties/reported/?$rid="), "{topic}");
        (Self::rid(&topic), serde_json::from_str(&body).expect("JSON"))
    }

    fn answer(&mut self, status: u32, rid: &str) -> Result<Vec<Wanted>, String> {
        self.twin.response(status, rid, b"", self.now)
    }

    /// Nothing is sent again, however long there is no answer.
    fn assert_nothing_waits(&mut self) {
        assert!(!self.twin.is_waiting());
        self.now += TWIN_ANSWER_WAIT_MAX;
        assert_eq!(self.request(), None);
    }
}

fn name(raw: Value, version: u64) -> Wanted {
    wanted(Writable::Name, raw, version)
}

fn brightness(raw: Value, version: u64) -> Wanted {
    wanted(Writable::Brightness, raw, version)
}

/// `null` for a property that was removed.
fn wanted(property: Writable, raw: Value, version: u64) -> Wanted {
    Wanted { property, raw: (!raw.is_null()).then(|| raw.to_string()), version }
}

/// A bench that knows an empty twin of desired version 1.
fn started() -> Bench {
    let mut bench = bench();
    assert_eq!(bench.document(r#"{"desired":{"$version":1},"reported":{"$version":1}}"#), []);
    bench
}

#[test]
fn what_was_missed_is_acted_on_and_what_was_acknowledged_is_not() {
    let cases = [
        // Nothing acknowledged: everything is new.
        ("{}", vec![name(json!("n"), 3), brightness(json!({"value": 9}), 3)]),
        // Acknowledged up to this very version, in either form.
        (r#"{"name":{"av":3},"brightness":{"desiredVersion":3}}"#, vec![]),
        // One of them is older.
        (r#"{"name":{"av":3},"brightness":{"av":2}}"#, vec![brightness(json!({"value": 9}), 3)]),
    ];
    for (reported, wanted) in cases {
        let document = format!(
            r#"{{"desired":{{"name":"n","brightness":{{"value":9}},"other":1,"$version":3}},
                 "reported":{reported}}}"#
        );
        assert_eq!(bench().document(&document), wanted, "{reported}");
    }
}

#[test]
fn patches_are_acted_on_once_and_in_order() {
    let mut bench = started();
    assert_eq!(bench.patch(r#"{"name":"a","$version":2}"#), [name(json!("a"), 2)]);
    assert_eq!(bench.patch(r#"{"name":"a","$version":2}"#), [], "again");
    assert_eq!(bench.patch(r#"{"name":"b","$version":1}"#), [], "older");
    let document = r#"{"desired":{"name":"a","$version":2},"reported":{}}"#;
    assert_eq!(bench.document(document), [], "what does not follow is asked for");
    assert_eq!(bench.patch(r#"{"fan":1,"$version":3}"#), [], "not of the template");
    assert_eq!(bench.request(), None, "no gap, no question");
    let wanted = bench.twin.patch(Some(4), br#"{"name":null}"#);
    assert_eq!(wanted, Ok(vec![name(Value::Null, 4)]), "the version of the topic");
}

/// A reconnect after which the document says nothing new does nothing again.
#[test]
fn a_reconnect_does_nothing_twice() {
    let mut bench = started();
    bench.patch(r#"{"name":"a","$version":2}"#);
    bench.patch(r#"{"brightness":5,"$version":3}"#);
    bench.twin.connected();
    // The changes are under way: nothing is acknowledged yet.
    let document = r#"{"desired":{"name":"a","brightness":5,"$version":3},"reported":{}}"#;
    assert_eq!(bench.document(document), []);
    bench.twin.connected();
    let document = r#"{"desired":{"name":"a","brightness":6,"$version":4},
        "reported":{"name":{"av":4},"brightness":{"av":3}}}"#;
    assert_eq!(bench.document(document), [brightness(json!(6), 4)]);
}

#[test]
fn a_gap_asks_for_the_document_which_brings_what_was_missed() {
    let mut bench = started();
    assert_eq!(bench.patch(r#"{"name":"d","$version":4}"#), [name(json!("d"), 4)]);
    let document = r#"{"desired":{"name":"d","brightness":2,"$version":4},"reported":{}}"#;
    assert_eq!(bench.document(document), [brightness(json!(2), 4)]);
    assert_eq!(bench.patch(r#"{"name":"e","$version":5}"#), [name(json!("e"), 5)]);
    assert_eq!(bench.request(), None);
}

#[test]
fn a_document_that_a_patch_overtook_is_asked_for_again() {
    let mut bench = bench();
    let rid = bench.get();
    assert_eq!(bench.patch(r#"{"name":"b","$version":5}"#), [name(json!("b"), 5)]);
    let old = br#"{"desired":{"name":"a","$version":4},"reported":{}}"#;
    assert_eq!(bench.twin.response(200, &rid, old, bench.now), Ok(vec![]));
    assert_eq!(bench.document(r#"{"desired":{"name":"b","$version":5},"reported":{}}"#), []);
}

/// Versions that went back without a patch are those of a device that was created anew.
#[test]
fn a_twin_made_anew_is_believed() {
    let mut bench = started();
    for version in 2..9 {
        bench.patch(&format!(r#"{{"name":"a","$version":{version}}}"#));
    }
    bench.twin.connected();
    let document = r#"{"desired":{"name":"z","$version":2},"reported":{"$version":1}}"#;
    assert_eq!(bench.document(document), [name(json!("z"), 2)]);
    assert_eq!(bench.patch(r#"{"name":"y","$version":3}"#), [name(json!("y"), 3)]);
}

#[test]
fn another_assignment_starts_from_nothing() {
    let mut bench = started();
    bench.patch(r#"{"name":"a","$version":2}"#);
    bench.twin.forget();
    bench.twin.connected();
    let document = r#"{"desired":{"name":"a","$version":2},"reported":{}}"#;
    assert_eq!(bench.document(document), [name(json!("a"), 2)]);
}

#[test]
fn a_get_without_answer_or_with_a_bad_one_is_sent_again() {
    let mut bench = bench();
    let first = bench.get();
    assert_eq!(bench.request(), None, "one at a time");
    bench.now += TWIN_ANSWER_WAIT;
    let second = bench.get();
    assert_ne!(first, second);
    for (status, body) in [
        (500, ""),
        (200, "not JSON"),
        (200, "[]"),
        (200, "{}"),
        (200, r#"{"desired":{}}"#),
        (429, r#"{"desired":{"$version":1}}"#),
    ] {
        let rid = if status == 500 { second.clone() } else { bench.get() };
        let problem = bench.twin.response(status, &rid, body.as_bytes(), bench.now);
        assert!(problem.is_err(), "{status} {body}");
        assert_eq!(bench.request(), None, "not at once");
        bench.now += TWIN_ANSWER_WAIT_MAX;
    }
    assert_eq!(bench.document(r#"{"desired":{"$version":1}}"#), [], "reported may be absent");
}

#[test]
fn a_malformed_patch_makes_the_twin_get_the_document() {
    for bad in ["", "[1]", "\"x\"", r#"{"name":"a"}"#, r#"{"name":"a","$version":"2"}"#] {
        let mut bench = started();
        assert!(bench.twin.patch(None, bad.as_bytes()).is_err(), "{bad:?}");
        bench.get();
    }
}

#[test]
fn reports_leave_one_by_one_and_end_with_their_answer() {
    let mut bench = started();
    bench.twin.report("state", json!("true"));
    bench.twin.report("name", json!({"value": "a"}));
    let (first, body) = bench.report();
    assert_eq!(body, json!({"state": "true"}));
    let (second, body) = bench.report();
    assert_eq!(body, json!({"name": {"value": "a"}}));
    assert_eq!(bench.request(), None);
    assert_eq!(bench.answer(204, &second), Ok(vec![]));
    assert!(bench.twin.is_waiting(), "for the first one's answer");
    assert_eq!(bench.answer(200, &first), Ok(vec![]));
    bench.assert_nothing_waits();
}

/// However many reports there are, at most one per property waits, and it is the newest.
#[test]
fn a_newer_report_replaces_the_older() {
    let mut bench = started();
    bench.twin.report("name", json!(1));
    let (old, _) = bench.report();
    bench.twin.report("name", json!(2));
    assert_eq!(bench.answer(204, &old), Ok(vec![]), "the older one's answer");
    let (new, body) = bench.report();
    assert_eq!(body, json!({"name": 2}));
    assert!(bench.twin.is_waiting(), "for the newer one's answer");
    assert_eq!(bench.answer(204, &new), Ok(vec![]));
    bench.assert_nothing_waits();
}

#[test]
fn reports_survive_a_reconnect_and_a_busy_hub() {
    let mut bench = started();
    bench.twin.report("state", json!("true"));
    let (lost, _) = bench.report();
    bench.twin.connected();
    bench.document(r#"{"desired":{"$version":1}}"#);
    let (rid, body) = bench.report();
    assert_eq!(body, json!({"state": "true"}));
    assert_eq!(bench.answer(204, &lost), Ok(vec![]));
    assert!(bench.twin.is_waiting(), "that was an answer of another connection");
    assert!(bench.answer(429, &rid).is_err());
    assert_eq!(bench.request(), None, "not at once");
    bench.now += TWIN_ANSWER_WAIT;
    let (rid, _) = bench.report();
    assert!(bench.answer(400, &rid).unwrap_err().contains("state"));
    // What is invalid stays so.
    bench.assert_nothing_waits();
}

/// For every version that the twin made anew has reached: its values are acted on.
#[test]
fn a_twin_made_anew_counts_whatever_its_version() {
    for version in [2, 8, 9, 10, 40] {
        let mut bench = started();
        for version in 2..10 {
            bench.patch(&format!(r#"{{"name":"a","brightness":1,"$version":{version}}}"#));
        }
        bench.twin.connected();
        let document = |reported| {
            let desired = format!(r#"{{"name":"z","brightness":1,"$version":{version}}}"#);
            format!(r#"{{"desired":{desired},"reported":{reported}}}"#)
        };
        // A report about the old twin may have come to the new one.
        let stale =
            format!(r#"{{"name":{{"value":"a","av":{version}}},"brightness":{{"av":{version}}}}}"#);
        assert_eq!(bench.document(&document(&*stale)), [name(json!("z"), version)], "{version}");
        bench.twin.connected();
        assert_eq!(bench.document(&document("{}")), [], "{version}: it is under way");
        let next = format!(r#"{{"name":"y","$version":{}}}"#, version + 1);
        assert_eq!(bench.patch(&next), [name(json!("y"), version + 1)]);
        assert_eq!(bench.request(), None);
    }
}

/// For every version that does not follow on the known one: the document is asked for and decides,
/// and patches that follow on it count.
#[test]
fn any_version_that_does_not_follow_makes_the_document_decide() {
    let odd = [
        "1",
        "4",
        "5",
        "7",
        "4503599627370495",
        "4503599627370496",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "1.5",
        "6.0",
        "\"6\"",
        "null",
        "{}",
    ];
    for version in odd {
        let mut bench = bench();
        bench.document(r#"{"desired":{"name":"a","$version":5}}"#);
        let patch = format!(r#"{{"name":"b","$version":{version}}}"#);
        let _ = bench.twin.patch(version.parse().ok(), patch.as_bytes());
        let document = r#"{"desired":{"name":"c","$version":3},"reported":{}}"#;
        assert_eq!(bench.document(document), [name(json!("c"), 3)], "{version}");
        assert_eq!(bench.patch(r#"{"name":"d","$version":4}"#), [name(json!("d"), 4)], "{version}");
        assert_eq!(bench.request(), None, "{version}");
    }
}

/// A document counts by the first answer that comes, whichever GET it answers, and no older one
/// does after it.
#[test]
fn a_document_that_always_comes_late_counts() {
    let mut bench = bench();
    let first = bench.get();
    bench.now += TWIN_ANSWER_WAIT;
    let second = bench.get();
    bench.now += TWIN_ANSWER_WAIT;
    assert_eq!(bench.request(), None, "the wait has grown");
    let answer = |bench: &mut Bench, rid: &str, version: u64| {
        let document = format!(r#"{{"desired":{{"name":"{version}","$version":{version}}}}}"#);
        bench.twin.response(200, rid, document.as_bytes(), bench.now)
    };
    assert_eq!(answer(&mut bench, &first, 2), Ok(vec![name(json!("2"), 2)]));
    assert!(!bench.twin.is_waiting(), "nothing keeps the device from leaving");
    assert_eq!(answer(&mut bench, &first, 3), Ok(vec![]), "twice");
    assert_eq!(answer(&mut bench, &second, 3), Ok(vec![name(json!("3"), 3)]), "newer");
    bench.now += TWIN_ANSWER_WAIT_MAX;
    assert_eq!(bench.request(), None);
}

/// For every depth, wherever it is: what is needed is read. A value too deep is refused by the
/// template, whatever it is for.
#[test]
fn depth_elsewhere_is_no_matter() {
    for depth in [130, 1_000, 100_000] {
        let deep = format!("{}1{}", "{\"a\":[".repeat(depth / 2), "]}".repeat(depth / 2));
        let mut bench = bench();
        let document = format!(
            r#"{{"desired":{{"x":{deep},"name":"n","brightness":{deep},"$version":4}},
                "reported":{{"x":{deep},"brightness":{deep},"name":{{"av":4,"ad":{deep}}}}}}}"#
        );
        let wanted = Wanted { property: Writable::Brightness, raw: Some(deep.clone()), version: 4 };
        assert_eq!(bench.document(&document), [wanted], "{depth}");
        assert!(Writable::Brightness.check(&deep).is_err());
        let patch = format!(r#"{{"x":{deep},"name":"o","$version":5}}"#);
        assert_eq!(bench.patch(&patch), [name(json!("o"), 5)], "{depth}");
        assert_eq!(bench.request(), None);
    }
}

/// A refusal is not repeated by a later process: what it reports is in force, and not what was
/// asked for. One of a value that can be set is another twin's.
#[test]
fn a_refusal_settles_what_cannot_be_and_nothing_else() {
    let plain = r#"{"value":7,"ac":400,"av":3,"ad":"no"}"#;
    let wrapped = r#"{"value":7,"status":"failed","desiredVersion":3,"message":"no"}"#;
    let older = r#"{"value":"high","ac":400,"av":3}"#;
    let gone = r#"{"ac":404,"av":3}"#;
    for report in [plain, wrapped, older, gone] {
        for refused in [r#""high""#, "1e999", "null", "[7]", r#"{"value":null}"#, "7.5"] {
            let document = |version: u64| {
                format!(
                    r#"{{"desired":{{"brightness":{refused},"$version":{version}}},
                         "reported":{{"brightness":{report}}}}}"#
                )
            };
            let mut bench = bench();
            assert_eq!(bench.document(&document(3)), [], "{report} {refused}");
            let shown: Vec<_> = bench.twin.reported().collect();
            let expected = json!(7);
            let is_shown = [plain, wrapped].contains(&report);
            let in_force = (Writable::Brightness, &expected);
            assert_eq!(shown, if is_shown { vec![in_force] } else { vec![] }, "{report}");
            bench.twin.connected();
            let raw = Some(refused.to_owned());
            let again = Wanted { property: Writable::Brightness, raw, version: 4 };
            assert_eq!(bench.document(&document(4)), [again], "{report} {refused}");
        }
        let document = format!(
            r#"{{"desired":{{"brightness":7,"$version":3}},"reported":{{"brightness":{report}}}}}"#
        );
        assert_eq!(bench().document(&document), [brightness(json!(7), 3)], "{report}");
    }
}

/// The same value is not acted on again for being written in another way.
#[test]
fn a_value_that_is_written_differently_is_the_same() {
    let mut bench = started();
    bench.patch(r#"{"brightness":{ "value" : 10 },"name":"\u0061","$version":2}"#);
    bench.twin.connected();
    let document = r#"{"desired":{"brightness":{"value":10},"name":"a","$version":2}}"#;
    assert_eq!(bench.document(document), []);
}

/// What is too large is said, and the document is asked for.
#[test]
fn what_is_too_large_makes_the_document_decide() {
    let mut bench = started();
    let patch = Received::DesiredPatch { version: Some(2) };
    let problem = bench.twin.too_large(&patch, 400_000, bench.now).unwrap_err();
    assert!(problem.contains("400000"), "{problem}");
    let rid = bench.get();
    let answer = Received::TwinResponse { status: 200, rid: rid.into(), version: None };
    let problem = bench.twin.too_large(&answer, 400_000, bench.now).unwrap_err();
    assert!(problem.contains("400000"), "{problem}");
    assert_eq!(bench.request(), None, "not at once");
    bench.now += TWIN_ANSWER_WAIT;
    let document = r#"{"desired":{"name":"b","$version":2},"reported":{}}"#;
    assert_eq!(bench.document(document), [name(json!("b"), 2)]);
    assert_eq!(bench.twin.too_large(&Received::Other, 400_000, bench.now), Ok(vec![]));
}
