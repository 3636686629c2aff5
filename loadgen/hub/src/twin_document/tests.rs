use proptest::prelude::*;

use super::*;

fn twin(desired: Value) -> TwinDocument {
    TwinDocument::new(&desired).unwrap()
}

#[test]
fn new_twin_has_version_one_everywhere() {
    let twin = twin(json!({"TemperatureThreshold": 25}));
    assert_eq!(
        twin.document(),
        json!({"desired": {"TemperatureThreshold": 25, "$version": 1}, "reported": {"$version": 1}})
    );
}

#[test]
fn desired_patch_merges_deletes_and_carries_its_version() {
    let mut twin = twin(json!({"a": {"x": 1, "y": 2}, "b": [1, 2], "c": "old"}));
    let patch = json!({"a": {"x": null, "z": {"n": null, "m": 3}}, "b": [3], "c": {"d": 4}});
    let body = twin.patch_desired(&patch).unwrap();
    assert_eq!(body["$version"], 2);
    assert_eq!(body["a"]["x"], Value::Null, "the module must see the deletion");
    assert_eq!(
        Value::Object(twin.desired().clone()),
        json!({"a": {"y": 2, "z": {"m": 3}}, "b": [3], "c": {"d": 4}})
    );
    assert_eq!((twin.desired_version(), twin.reported_version()), (2, 1));
}

#[test]
fn service_members_are_ignored_in_desired_and_refused_in_reported() {
    let mut twin = twin(json!({"a": 1, "$version": 9, "$metadata": {}}));
    let body = twin.patch_desired(&json!({"$version": 77, "b": 2})).unwrap();
    assert_eq!(body, json!({"b": 2, "$version": 2}));
    assert_eq!(
        twin.patch_reported(&json!({"$version": 3})),
        Err(TwinError::Key("$version".to_owned()))
    );
}

#[test]
fn reported_patch_counts_its_own_version() {
    let mut twin = TwinDocument::default();
    assert_eq!(twin.patch_reported(&json!({"fw": "1.0"})), Ok(2));
    assert_eq!(twin.patch_reported(&json!({"fw": null})), Ok(3));
    assert!(twin.reported().is_empty());
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, level| json!({ format!("l{level}"): inner }))
}

/// Each limit is accepted at the bound and refused one past it, and a refusal changes nothing.
#[test]
fn limits_hold_exactly() {
    let accepted = [
        // The section is the outermost object: ten levels may be nested below it.
        nested(DEPTH_LIMIT + 1),
        json!({ "k".repeat(KEY_BYTES_LIMIT): 1 }),
        json!({ "s": "x".repeat(STRING_BYTES_LIMIT) }),
        json!({ "min": -INTEGER_LIMIT, "max": INTEGER_LIMIT - 1, "float": 1e300 }),
    ];
    for patch in accepted {
        TwinDocument::default().patch_reported(&patch).unwrap_or_else(|e| panic!("{patch}: {e}"));
    }
    let refused = [
        (json!([1]), "must be a JSON object"),
        (json!(null), "must be a JSON object"),
        (nested(DEPTH_LIMIT + 2), "nested deeper"),
        (json!({ "k".repeat(KEY_BYTES_LIMIT + 1): 1 }), "not a property name"),
        (json!({ "": 1 }), "not a property name"),
        (json!({ "a b": 1 }), "`a b` is not a property name"),
        (json!({ "o": {"a.b": 1} }), "`o.a.b` is not a property name"),
        (json!({ "a$": 1 }), "not a property name"),
        (json!({ "a#": 1 }), "not a property name"),
        (json!({ "a\n": 1 }), "not a property name"),
        (json!({ "s": "x".repeat(STRING_BYTES_LIMIT + 1) }), "the string at `s`"),
        (json!({ "n": INTEGER_LIMIT }), "the integer at `n`"),
        (json!({ "n": -INTEGER_LIMIT - 1 }), "the integer at `n`"),
        (json!({ "n": u64::MAX }), "the integer at `n`"),
        (json!({ "a": [{"b": [1, null]}] }), "the array at `a[0].b` holds null"),
    ];
    for (patch, part) in refused {
        let mut twin = twin(json!({"kept": true}));
        let before = twin.clone();
        let error = twin.patch_desired(&patch).expect_err(part);
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.status(), 400);
        assert_eq!(twin, before);
    }
}

/// The size of the merged section counts, not that of the patch.
#[test]
fn section_size_is_bounded() {
    let mut twin = TwinDocument::default();
    let value = "x".repeat(4095);
    for key in ["a", "b", "c", "d", "e", "f", "g"] {
        twin.patch_reported(&json!({ key: value })).unwrap();
    }
    twin.patch_reported(&json!({ "h": "x".repeat(4095) })).expect("32768 bytes are the limit");
    let before = twin.clone();
    assert_eq!(twin.patch_reported(&json!({ "i": "" })), Err(TwinError::TooLarge(32 * 1024 + 1)));
    assert_eq!(twin, before);
    twin.patch_reported(&json!({ "h": null, "i": true })).unwrap();
}

#[test]
fn stored_form_reads_back() {
    let mut twin = twin(json!({"a": 1}));
    twin.patch_reported(&json!({"b": {"c": [1, 2]}})).unwrap();
    let text = serde_json::to_string(&twin).unwrap();
    assert_eq!(serde_json::from_str::<TwinDocument>(&text).unwrap(), twin);
}

/// RFC 7386 section 2, transcribed.
fn naive_merge(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut target = match target {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            let old = target.get(name).cloned().unwrap_or(Value::Null);
            target.insert(name.clone(), naive_merge(old, value));
        }
    }
    Value::Object(target)
}

/// Patches over few keys, so that they meet.
fn patches() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        2 => Just(Value::Null),
        2 => (-3i64..3).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(json!([1, {"a": 2}])),
    ];
    let members = |inner: BoxedStrategy<Value>| {
        proptest::collection::btree_map("[a-c]", inner, 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    };
    let value = leaf.boxed().prop_recursive(3, 24, 4, move |inner| members(inner).boxed());
    members(value.boxed())
}

proptest! {
    /// Any sequence of patches gives the document that the naive merge gives.
    #[test]
    fn merge_equals_naive(patches in proptest::collection::vec(patches(), 1..6)) {
        let mut twin = TwinDocument::default();
        let mut expected = json!({});
        for (count, patch) in (1u64..).zip(&patches) {
            let body = twin.patch_desired(patch).unwrap();
            expected = naive_merge(expected, patch);
            prop_assert_eq!(&body["$version"], &json!(count + 1));
            prop_assert_eq!(&Value::Object(twin.desired().clone()), &expected);
        }
    }
}
