//! Answers in the two forms: what one leaves in the twin, the next one takes out.

use super::*;

/// The acknowledgement that a device makes of `raw`.
fn answer_to(property: Writable, raw: &Value, version: u64) -> Value {
    let raw = raw.to_string();
    let (form, value) = conventions::desired(&raw);
    let (value, verdict) = match property.check(value) {
        Ok(value) => (value, conventions::Acceptance::Completed),
        Err(why) => (property.default_value(), conventions::Acceptance::Rejected(why)),
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
