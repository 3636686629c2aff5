//! Whole values of a later text that drop members of an earlier one: told, with what is lost.

use super::*;

/// One place of a layer: its section, the place, the value, and what is lost.
type Row = (&'static str, &'static str, Value, &'static str);

fn base() -> String {
    let input = "FROM /messages/modules/a/* INTO BrokeredEndpoint(\"/modules/m/inputs/i\")";
    json!({"devices": {"d": {"properties.desired": {"one": 1, "two": {"x": 1}}}, "e": {}},
        "modulesContent": {
        "$edgeAgent": {"properties.desired": {"modules": {
            "a": {"env": {"A": {"value": "1"}, "B": {"value": "2"}},
                "settings": {"image": "i", "createOptions": {"Env": ["X=1"]}}},
            "m": {"settings": {"image": "i", "createOptions": "{\"Env\":",
                "createOptions01": "[\"X=1\"]}"}}}}},
        "$edgeHub": {"properties.desired": {
            "routes": {"x": input, "y": "FROM /messages/modules/m/* INTO $upstream",
                "z": {"route": input, "priority": 1}},
            "storeAndForwardConfiguration": {"timeToLiveSecs": 60}}},
        "m": {"properties.desired": {"limits": {"low": 1, "high": {"warn": 5, "stop": 9}},
            "many": {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1}, "n": 1}}}})
    .to_string()
}

/// What is told of replacements by a layer over the base.
fn dropped(layer: &Value) -> Vec<String> {
    let nobody = Variables::default();
    let (base, layer) = (base(), layer.to_string());
    let source =
        |name: &str, text| Source { name: Some(name.to_owned()), text, variables: &nobody };
    let manifest = Manifest::parse_sources(&[source("base", &base), source("layer", &layer)]);
    let mut shown = shown(&manifest.unwrap_or_else(|error| panic!("{error}")).warnings);
    shown.retain(|text| text.contains("takes the place"));
    shown
}

#[test]
fn members_that_a_layer_drops_are_reported() {
    let route = "FROM /messages/modules/m/* INTO $upstream";
    let rows: [Row; 14] = [
        ("$edgeHub", "routes", json!({"z": route}), "`x`, `y`, `z.priority`"),
        ("$edgeHub", "routes", json!({"z": {"route": route}}), "`x`, `y`, `z.priority`"),
        ("$edgeHub", "routes", json!({}), "`x`, `y`, `z`"),
        ("$edgeHub", "routes.z", json!(route), "`priority`"),
        ("$edgeHub", "routes.z", json!({"route": route}), "`priority`"),
        ("$edgeHub", "storeAndForwardConfiguration", json!({}), "`timeToLiveSecs`"),
        (
            "$edgeAgent",
            "modules",
            json!({"m": {"settings": {"image": "j"}}}),
            "`a`, `m.settings.createOptions`, `m.settings.createOptions01`",
        ),
        (
            "$edgeAgent",
            "modules.a",
            json!({"settings": {"image": "j", "createOptions": "{}"}}),
            "`env`, `settings.createOptions.Env`",
        ),
        ("$edgeAgent", "modules.a.settings", json!({"image": "j"}), "`createOptions`"),
        ("$edgeAgent", "modules.a.env", json!({"A": {"value": "3"}}), "`B`"),
        ("m", "limits", json!({"low": 2}), "`high`"),
        ("m", "limits", json!({"low": 2, "high": {"stop": 8}}), "`high.warn`"),
        ("m", "limits", json!("none"), "`low`, `high`"),
        ("m", "many", json!({"z": 1}), "`a`, `b`, `c`, `d`, `e` and 2 more"),
    ];
    for (section, place, value, lost) in rows {
        let place = format!("properties.desired.{place}");
        let layer = json!({"modulesContent": {section: {&place: value}}});
        let [line] = &dropped(&layer)[..] else { panic!("{layer}: {:#?}", dropped(&layer)) };
        let sorted = |text: &str| {
            let mut words: Vec<_> = text.split(", ").map(str::to_owned).collect();
            words.sort();
            words
        };
        let start = format!(
            "layer: modulesContent.{section}.{place}: takes the place of all that was said here \
             before, and drops "
        );
        let rest = line.strip_prefix(&start).unwrap_or_else(|| panic!("{line}"));
        let (named, advice) = rest.split_once(": ").unwrap();
        assert_eq!(sorted(named), sorted(lost), "{layer}");
        assert_eq!(
            advice,
            format!("write `{place}.MEMBER` to change one and keep the others"),
            "{layer}"
        );
    }
}

#[test]
fn wholes_and_devices_that_drop_members_are_reported() {
    let shown = dropped(&json!({"modulesContent": {"m": {"properties.desired": {"n": 2}}}}));
    let [line] = &shown[..] else { panic!("{shown:#?}") };
    assert!(line.contains("modulesContent.m.properties.desired: takes"), "{line}");
    assert!(line.contains("`limits`") && line.contains("`many`"), "{line}");
    let devices = json!({"devices": {"d": {"properties.desired": {"one": 2, "two": {}}}},
        "modulesContent": {}});
    let expected = "layer: devices.d: takes the place of all that was said here before, and drops \
        `two.x`: a later file gives all properties of a device";
    assert_eq!(dropped(&devices), [expected]);
    // Within one text too.
    let within = json!({"devices": {"new": {"properties.desired": {"a": {"b": 1, "c": 2}},
        "properties.desired.a": {"b": 2}}}, "modulesContent": {
        "new": {"properties.desired": {"a": {"b": 1, "c": 2}}, "properties.desired.a": {"b": 2}}}});
    let shown = dropped(&within);
    assert_eq!(shown.len(), 2, "{shown:#?}");
    assert!(shown.iter().all(|line| line.contains("drops `c`")), "{shown:#?}");
}

#[test]
fn layers_that_drop_nothing_are_not_reported() {
    let options = "{\"Env\": [\"X=2\"], \"Tty\": true}";
    let limits = json!({"low": 3, "high": {"warn": 6, "stop": 7, "more": 1}});
    let rows = [
        ("$edgeHub", "routes.y", json!({"route": "FROM /* INTO $upstream", "priority": 2})),
        ("$edgeHub", "routes.new", json!("FROM /messages/modules/m/* INTO $upstream")),
        ("$edgeHub", "routes.x", Value::Null),
        ("$edgeHub", "storeAndForwardConfiguration", json!({"timeToLiveSecs": 5})),
        ("$edgeAgent", "modules.a.settings.createOptions", json!(options)),
        ("$edgeAgent", "modules.m.settings", json!({"image": "j", "createOptions": "{}"})),
        ("$edgeAgent", "modules.new", json!({"settings": {"image": "j"}})),
        ("m", "limits", limits),
        ("m", "limits", json!({"low": 3, "high": null})),
        ("m", "limits.high", Value::Null),
        ("m", "n", json!({"now": "an object"})),
    ];
    for (section, place, value) in rows {
        let place = format!("properties.desired.{place}");
        let layer = json!({"modulesContent": {section: {place: value}}});
        assert_eq!(dropped(&layer), [""; 0], "{layer}");
    }
}

/// However many members are lost and however long their names are, the line is short.
#[test]
fn a_warning_is_bounded() {
    let long = |n: usize| (format!("{n}{}", "é".repeat(5_000)), json!(1));
    let many: Map<String, Value> = (0..1_000).map(long).collect();
    let value = json!({"modulesContent": {"m": {"properties.desired.big": many}}});
    let nobody = Variables::default();
    let (base, first) = (base(), value.to_string());
    let second = json!({"modulesContent": {"m": {"properties.desired.big": {}}}}).to_string();
    let source = |text| Source { name: None, text, variables: &nobody };
    let manifest =
        Manifest::parse_sources(&[source(&base), source(&first), source(&second)]).unwrap();
    let lines = shown(&manifest.warnings);
    let line = lines.iter().find(|line| line.contains("takes the place")).unwrap();
    assert!(line.contains(" and 995 more") && line.chars().count() < 800, "{line}");
}
