//! Filters as clients write them, and the reason and the nearest filter that is told of each.

use super::*;

const MODULES: [&str; 3] = ["filter", "other", "Sensor"];
const INPUTS: [&str; 2] = ["input1", "in 2"];
const OWN: &str = "devices/edge1/modules/filter/inputs/#";
const INPUT1: &str = "devices/edge1/modules/filter/inputs/input1/#";

fn asker(module: Option<&'static str>) -> Asker<'static> {
    Asker { device: "edge1", module, modules: &MODULES }
}

fn of_module(filter: &str) -> Option<Unserved> {
    judge(filter, asker(Some("filter")), &INPUTS)
}

#[test]
fn what_sdks_subscribe_to_is_served() {
    let served = [
        OWN,
        "devices/edge1/modules/filter/#",
        "devices/edge1/modules/filter/inputs/input1/#",
        "devices/edge1/modules/filter/inputs/in%202/#",
        "devices/+/modules/filter/inputs/#",
        "$iothub/twin/res/#",
        "$iothub/twin/PATCH/properties/desired/#",
        "$iothub/methods/POST/#",
    ];
    for filter in served {
        assert_eq!(of_module(filter), None, "{filter}");
    }
}

#[test]
fn a_reason_names_what_is_wrong() {
    let case = |given: &str, right: &str| {
        format!("letter case counts, and its \"{given}\" is not \"{right}\"")
    };
    let misspelt =
        |given: &str, right: &str| format!("its \"{given}\" is misspelt for \"{right}\"");
    let stands =
        |given: &str, right: &str| format!("its \"{given}\" stands where \"{right}\" belongs");
    let device = |given: &str| {
        format!("it names another device, \"{given}\", and this client belongs to \"edge1\"")
    };
    let module = |given: &str| {
        format!("it names another module, \"{given}\", and a module gets its own inputs alone")
    };
    let open = || "it does not end in `/#`".to_owned();
    let missing = |level: &str| format!("its level \"{level}\" is missing");
    let odd = |level: &str| format!("its level \"{level}\" is one too many");
    let both = |one: String, other: String| format!("{one}, and {other}");
    let rows = [
        ("devices/edge1/modules/filter/input/#", misspelt("input", "inputs"), OWN),
        ("devices/edge1/modules/filter/input/input1/#", misspelt("input", "inputs"), INPUT1),
        ("devices/edge1/module/filter/inputs/#", misspelt("module", "modules"), OWN),
        ("device/edge1/modules/filter/inputs/#", misspelt("device", "devices"), OWN),
        ("devices/edge1/modules/fliter/inputs/#", misspelt("fliter", "filter"), OWN),
        ("devices/edge1/modules/filter/outputs/#", stands("outputs", "inputs"), OWN),
        ("devices/Edge1/modules/filter/inputs/#", case("Edge1", "edge1"), OWN),
        ("devices/edge1/modules/Filter/inputs/#", case("Filter", "filter"), OWN),
        ("devices/edge1/modules/filter/Inputs/input1/#", case("Inputs", "inputs"), INPUT1),
        ("Devices/edge1/modules/filter/inputs/#", case("Devices", "devices"), OWN),
        ("devices/edge2/modules/filter/inputs/#", device("edge2"), OWN),
        ("devices/factory-7/modules/filter/inputs/input1/#", device("factory-7"), INPUT1),
        ("devices/edge1/modules/other/inputs/#", module("other"), OWN),
        ("devices/edge1/modules/unknown/inputs/#", module("unknown"), OWN),
        (
            "devices/EDGE1/modules/filter/input/#",
            both(case("EDGE1", "edge1"), misspelt("input", "inputs")),
            OWN,
        ),
        ("devices/edge2/modules/other/inputs/#", both(device("edge2"), module("other")), OWN),
        ("devices/edge1/modules/filter/inputs/input1", open(), INPUT1),
        ("devices/edge1/modules/filter/inputs/+", open(), OWN),
        ("devices/edge1/modules/filter/inputs", open(), OWN),
        ("devices/edge1/filter/inputs/#", missing("modules"), OWN),
        ("/devices/edge1/modules/filter/inputs/#", odd(""), OWN),
        (
            "devices/edge1/modules/filter/inputs/inptu1/#",
            "no route leads to this input".into(),
            INPUT1,
        ),
        (
            "devices/edge1/modules/filter/inputs/Input1/#",
            "letter case counts, and routes lead to \"input1\", not to \"Input1\"".into(),
            INPUT1,
        ),
        ("$iothub/twin/res/+", open(), TWIN_RESPONSES),
        ("$iothub/Twin/res/#", case("Twin", "twin"), TWIN_RESPONSES),
        ("$iothub/twin/#", missing("res"), TWIN_RESPONSES),
        ("$iothub/method/POST/#", misspelt("method", "methods"), METHODS_FILTER),
        ("$iothub/methods/post/#", case("post", "POST"), METHODS_FILTER),
        ("$iothub/twin/PATCH/properties/desire/#", misspelt("desire", "desired"), DESIRED_FILTER),
        ("$iothub/twin/PATCH/properties/reported/#", stands("reported", "desired"), DESIRED_FILTER),
    ];
    for (filter, why, nearest) in rows {
        let found = of_module(filter).unwrap_or_else(|| panic!("{filter}"));
        assert_eq!(found.why, why, "{filter}");
        assert_eq!(found.nearest.as_deref(), Some(nearest), "{filter}");
    }
}

#[test]
fn wildcards_and_unlike_filters_have_nothing() {
    for filter in ["#", "devices/#", "+/+/+/+/inputs/#"] {
        let found = of_module(filter).unwrap();
        assert!(found.why.contains("not by what wildcards cover"), "{filter}: {}", found.why);
        assert_eq!(found.nearest.as_deref(), Some(OWN), "{filter}");
    }
    let unlike = of_module("q").unwrap();
    assert_eq!(unlike.why, "an edge hub has nothing for it");
    assert_eq!(unlike.nearest, None);
    let elsewhere = of_module("devices/a/b/c/modules/d/e/f/#").unwrap();
    assert_eq!(elsewhere.why, "it names no input of this module");
}

/// A module whose name differs from the own one in letter case alone is another one if it is there.
#[test]
fn a_module_that_is_there_is_another_module() {
    let sensor = Asker { module: Some("sensor"), ..asker(None) };
    let found = judge("devices/edge1/modules/Sensor/inputs/#", sensor, &["i"]).unwrap();
    assert!(found.why.starts_with("it names another module, \"Sensor\""), "{}", found.why);
}

#[test]
fn reasons_are_bounded_and_hold_no_control_characters() {
    let level = format!("\u{1b}[2J{}", "x".repeat(50_000));
    let found = of_module(&format!("devices/{level}/modules/{level}/inputs/#")).unwrap();
    assert!(found.why.len() < 500 && !found.why.contains('\u{1b}'), "{}", found.why);
}

#[test]
fn modules_without_routes_and_devices() {
    let lonely = judge(OWN, asker(Some("filter")), &[]).unwrap();
    let why = "no route leads to this module".to_owned();
    assert_eq!(lonely, Unserved { why, nearest: None });
    for filter in ["messages/devicebound/#", "messages/deviceBound/#"] {
        let bound = judge(&format!("devices/edge1/{filter}"), asker(None), &[]).unwrap();
        assert!(bound.why.contains("cloud-to-device"), "{}", bound.why);
    }
    assert!(judge(OWN, asker(None), &[]).unwrap().why.contains("only modules have inputs"));
    assert_eq!(judge(TWIN_RESPONSES, asker(None), &[]), None);
    let dps = [dps::RESPONSES.to_owned()];
    let why = |filter| asker(None).difference(filter, &dps);
    assert_eq!(
        why("$dps/registrations/Res/#").unwrap(),
        "letter case counts, and its \"Res\" is not \"res\""
    );
    assert_eq!(why("$dps/registrations/#").unwrap(), "its level \"res\" is missing");
    assert_eq!(
        why("$dps/registration/res/#").unwrap(),
        "its \"registration\" is misspelt for \"registrations\""
    );
    assert_eq!(why("a/b"), None);
}
