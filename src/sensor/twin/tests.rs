use super::*;
use crate::twin::limits::{TWIN_ANSWER_WAIT, TWIN_ANSWER_WAIT_MAX};
use proptest::prelude::*;
use serde_json::{Map, json};

struct Bench {
    twin: Twin,
    now: Instant,
}

fn bench() -> Bench {
    let mut twin = Twin::new(7);
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
fn a_patch_that_is_none_asks_for_the_document() {
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
    assert_eq!(bench.answer(200, &first), Ok(vec![]));
    assert_eq!(bench.twin.reports_waiting(), 0);
}

/// The acknowledgement that a device makes of `raw`.
fn answer_to(property: Writable, raw: &Value, version: u64) -> Value {
    let raw = raw.to_string();
    let (form, value) = conventions::desired(&raw);
    let (value, verdict) = match property.check(value) {
        Ok(value) => (value, conventions::Verdict::Completed),
        Err(why) => (property.default_value(), conventions::Verdict::Rejected(why)),
    };
    conventions::acknowledgement(form, &value, &verdict, version)
}

/// What a hub does with a patch of reported properties (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else { return target.clone_from(patch) };
    if !target.is_object() {
        *target = json!({});
    }
    let members = target.as_object_mut().expect("made one");
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Pairs of desired values, good and refused, in every mix of the two forms.
fn pairs() -> Vec<(Writable, Value, Value)> {
    let values = [
        (Writable::Brightness, vec![json!(-3), json!(7.5), json!("high"), json!(40)]),
        (Writable::Name, vec![json!("lamp"), json!(5), json!([1]), json!("desk")]),
    ];
    let forms = |value: &Value| [value.clone(), json!({ "value": value })];
    let mut pairs = Vec::new();
    for (property, values) in values {
        let all: Vec<_> = values.iter().flat_map(forms).collect();
        for one in &all {
            pairs.extend(all.iter().map(|other| (property, one.clone(), other.clone())));
        }
    }
    pairs
}

/// For every pair of answers, of one process or of two, taken or not: what the twin holds in the
/// end is the second, without a member of the first.
#[test]
fn an_answer_leaves_nothing_of_an_earlier_one() {
    for (property, one, other) in pairs() {
        let (first, second) = (answer_to(property, &one, 2), answer_to(property, &other, 3));
        for is_restarted in [false, true] {
            let mut bench = started();
            bench.twin.report(property.name(), first.clone());
            let (rid, mut twin) = bench.report();
            assert_eq!(twin, json!({ property.name(): first }), "the first is as it always was");
            assert_eq!(bench.answer(204, &rid), Ok(vec![]));
            if is_restarted {
                bench = self::bench();
                bench.document(&json!({"desired": {"$version": 2}, "reported": twin}).to_string());
            }
            bench.twin.report(property.name(), second.clone());
            merge(&mut twin, &bench.report().1);
            assert_eq!(twin, json!({ property.name(): second }), "{one} {other} {is_restarted}");
        }
    }
}

/// An answer that left before the document came is mended when it tells of an earlier one; one that
/// was replaced on its way has removed nothing for good.
#[test]
fn an_answer_that_came_too_early_is_mended() {
    for (property, one, other) in pairs() {
        let (first, second) = (answer_to(property, &one, 2), answer_to(property, &other, 3));
        let mut bench = bench();
        let rid = bench.get();
        bench.twin.report(property.name(), second.clone());
        let mut twin = json!({ property.name(): first });
        let document = json!({"desired": {"$version": 2}, "reported": twin}).to_string();
        merge(&mut twin, &bench.report().1);
        bench.twin.response(200, &rid, document.as_bytes(), bench.now).expect("a twin");
        if let Some((_, body)) = bench.request() {
            merge(&mut twin, &serde_json::from_str(&body).expect("JSON"));
        }
        assert_eq!(twin, json!({ property.name(): second }), "{one} {other}");
        bench.twin.report(property.name(), first.clone());
        bench.twin.report(property.name(), second.clone());
        bench.twin.report(property.name(), first.clone());
        merge(&mut twin, &bench.report().1);
        assert_eq!(twin, json!({ property.name(): first }), "{one} {other}");
    }
}

/// Answers of one kind stay as they always were, and those of the other properties.
#[test]
fn usual_answers_carry_nothing_else() {
    for raw in [json!(4), json!({"value": 4})] {
        let mut bench = started();
        for version in 2..5 {
            let answer = answer_to(Writable::Brightness, &raw, version);
            for (name, value) in [("brightness", answer), ("state", json!("true"))] {
                bench.twin.report(name, value.clone());
                let (rid, body) = bench.report();
                assert_eq!(body, json!({ name: value }));
                assert_eq!(bench.answer(204, &rid), Ok(vec![]));
            }
        }
    }
}

/// However many reports there are, at most one per property waits, and it is the newest.
#[test]
fn a_newer_report_replaces_the_older() {
    let mut bench = started();
    bench.twin.report("name", json!(1));
    let (old, _) = bench.report();
    bench.twin.report("name", json!(2));
    assert_eq!(bench.answer(204, &old), Ok(vec![]), "the older one's answer");
    assert_eq!(bench.twin.reports_waiting(), 1);
    let (new, body) = bench.report();
    assert_eq!(body, json!({"name": 2}));
    assert_eq!(bench.answer(204, &new), Ok(vec![]));
    assert_eq!(bench.twin.reports_waiting(), 0);
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
    assert_eq!(bench.twin.reports_waiting(), 1, "an answer of another connection");
    assert!(bench.answer(429, &rid).is_err());
    assert_eq!(bench.request(), None, "not at once");
    bench.now += TWIN_ANSWER_WAIT;
    let (rid, _) = bench.report();
    assert!(bench.answer(400, &rid).unwrap_err().contains("state"));
    assert_eq!(bench.twin.reports_waiting(), 0, "what is invalid stays so");
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
            let told: Vec<_> = bench.twin.reported().collect();
            let expected = json!(7);
            let is_told = [plain, wrapped].contains(&report);
            let in_force = (Writable::Brightness, &expected);
            assert_eq!(told, if is_told { vec![in_force] } else { vec![] }, "{report}");
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

/// A hub's side of the twin, and a device that acknowledges at once.
#[derive(Default)]
struct Hub {
    version: u64,
    desired: Map<String, Value>,
    reported: Map<String, Value>,
    /// Asked for and not answered: the request id, and the document at that time.
    asked: Option<(String, Vec<u8>)>,
    acted: Vec<Wanted>,
}

impl Hub {
    fn document(&self) -> Vec<u8> {
        let mut desired = self.desired.clone();
        desired.insert("$version".to_owned(), json!(self.version));
        json!({ "desired": desired, "reported": self.reported }).to_string().into_bytes()
    }

    /// The patch that sets a property.
    fn set(&mut self, property: Writable, value: u64) -> Vec<u8> {
        self.version += 1;
        self.desired.insert(property.name().to_owned(), json!(value));
        json!({ property.name(): value, "$version": self.version }).to_string().into_bytes()
    }

    fn take(&mut self, wanted: Result<Vec<Wanted>, String>) {
        for wanted in wanted.expect("well-formed") {
            let raw = wanted.raw.as_deref().unwrap_or("null");
            let value: Value = serde_json::from_str(raw).expect("JSON");
            // A value that the template does not take is refused.
            let (value, code) = match wanted.property.check(raw) {
                Ok(value) => (value, 200),
                Err(_) => (json!({ "not": value }), 400),
            };
            let report = json!({ "value": value, "ac": code, "av": wanted.version });
            self.reported.insert(wanted.property.name().to_owned(), report);
            self.acted.push(wanted);
        }
    }

    fn receive(&mut self, bench: &mut Bench) {
        if let Some((topic, _)) = bench.request() {
            self.asked = Some((Bench::rid(&topic), self.document()));
        }
    }

    fn answer(&mut self, bench: &mut Bench) {
        if let Some((rid, document)) = self.asked.take() {
            let wanted = bench.twin.response(200, &rid, &document, bench.now);
            self.take(wanted);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Set(usize),
    Lose(usize),
    Receive,
    Answer,
    Reconnect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..2usize).prop_map(Step::Set),
        (0..2usize).prop_map(Step::Lose),
        Just(Step::Receive),
        Just(Step::Answer),
        Just(Step::Reconnect),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    /// Whatever is lost, overtaken or cut off: after a reconnect whose GET is answered the device
    /// has acted last on what the twin says, and on no version of a property twice.
    #[test]
    fn the_device_ends_where_the_twin_is(steps in steps()) {
        let (mut bench, mut hub) = (bench(), Hub { version: 1, ..Hub::default() });
        for (value, step) in (0..).zip(steps) {
            match step {
                Step::Set(index) => {
                    let patch = hub.set(Writable::ALL[index], value);
                    let wanted = bench.twin.patch(None, &patch);
                    hub.take(wanted);
                }
                Step::Lose(index) => drop(hub.set(Writable::ALL[index], value)),
                Step::Receive => hub.receive(&mut bench),
                Step::Answer => hub.answer(&mut bench),
                Step::Reconnect => {
                    hub.asked = None;
                    bench.twin.connected();
                }
            }
        }
        hub.asked = None;
        bench.twin.connected();
        hub.receive(&mut bench);
        hub.answer(&mut bench);
        for property in Writable::ALL {
            let acted: Vec<_> =
                hub.acted.iter().filter(|wanted| wanted.property == property).collect();
            let last = acted.last().and_then(|wanted| wanted.raw.clone());
            prop_assert_eq!(last, hub.desired.get(property.name()).map(Value::to_string));
            prop_assert!(acted.windows(2).all(|pair| pair[0].version < pair[1].version));
        }
    }

    /// For any bytes from the hub there is no panic, and the twin can still be read.
    #[test]
    fn any_bytes_leave_it_usable(bodies in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let mut bench = started();
        for body in bodies {
            let _ = bench.twin.patch(None, &body);
            if let Some((topic, _)) = bench.request() {
                let _ = bench.twin.response(200, &Bench::rid(&topic), &body, bench.now);
            }
            bench.now += TWIN_ANSWER_WAIT_MAX;
        }
        bench.twin.connected();
        let wanted = bench.document(r#"{"desired":{"name":"a","$version":2}}"#);
        prop_assert_eq!(wanted, [name(json!("a"), 2)]);
    }
}
