use proptest::prelude::*;

mod checks;
mod files;
mod replaced;
mod slips;

use super::*;
use crate::route::{PRIORITY_UNSPECIFIED, Sink, message_source};

fn parse(value: &Value) -> Result<Manifest, ManifestError> {
    Manifest::parse(&value.to_string(), &Variables::default())
}

/// Why no time to live is applied.
const KEPT: &str = "the local hub keeps messages until they are delivered";

fn shown(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn template() -> Value {
    json!({"$schema-template": "4.0.0", "modulesContent": {
        "$edgeAgent": {"properties.desired": {
            "schemaVersion": "1.1",
            "runtime": {"type": "docker", "settings": {"registryCredentials": {"acr": {
                "username": "$CONTAINER_REGISTRY_USERNAME_acr",
                "password": "$CONTAINER_REGISTRY_PASSWORD_acr", "address": "acr.azurecr.io"}}}},
            "systemModules": {"edgeAgent": {}, "edgeHub": {}},
            "modules": {
                "tempSensor": {"version": "1.0", "type": "docker", "status": "running",
                    "restartPolicy": "always", "startupOrder": 1, "imagePullPolicy": "on-create",
                    "env": {"MessageDelay": {"value": "00:00:01"}, "N": {"value": 5},
                        "B": {"value": true}, "V": {"value": "<$KNOWN>"}},
                    "settings": {"image": "${MODULES.tempSensor}", "createOptions": {}}},
                "filter": {"status": "stopped", "type": "docker", "settings": {"image": "x",
                    "createOptions": "{\"HostConfig\":", "createOptions01": "{\"Init\":",
                    "createOptions02": "true}}"}}}}},
        "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {
            "a": "FROM /messages/modules/tempSensor/outputs/* \
                INTO BrokeredEndpoint(\"/modules/filter/inputs/input1\")",
            "b": {"route": "FROM /messages/modules/filter/* INTO $upstream", "priority": 0,
                "timeToLiveSecs": 60},
            "gone": null},
            "storeAndForwardConfiguration": {"timeToLiveSecs": 7200}}},
        "filter": {"properties.desired": {"TemperatureThreshold": 25, "text": "plain"}},
    }})
}

#[test]
fn template_is_read_whole() {
    let variables: Variables =
        [("KNOWN", "yes"), ("MODULES.tempSensor", "no")].into_iter().collect();
    let mut template = template();
    template["modulesContent"]["filter"]["properties.desired"]["text"] = json!("${KNOWN} $UNKNOWN");
    let manifest = Manifest::parse(&template.to_string(), &variables).unwrap();
    assert_eq!((manifest.device.as_str(), manifest.hub.as_str()), ("edge1", HUB_NAME_DEFAULT));
    let sensor = &manifest.modules["tempSensor"];
    assert_eq!(sensor.image, "${MODULES.tempSensor}", "images keep their variables");
    assert_eq!(sensor.status, ModuleStatus::Running);
    let env: Vec<(&str, &str)> = sensor.env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(env, [("B", "true"), ("MessageDelay", "00:00:01"), ("N", "5"), ("V", "<yes>")]);
    let filter = &manifest.modules["filter"];
    assert_eq!(filter.status, ModuleStatus::Stopped);
    assert_eq!(filter.create_options, json!({"HostConfig": {"Init": true}}));
    assert_eq!(filter.desired, json!({"TemperatureThreshold": 25, "text": "yes $UNKNOWN"}));
    assert_eq!(manifest.routes.len(), 2);
    assert_eq!(manifest.routes[0].priority, PRIORITY_UNSPECIFIED);
    assert_eq!(manifest.routes[1].priority, 0);
    assert_eq!(manifest.routes[1].time_to_live, Some(Duration::from_secs(60)));
    assert_eq!(manifest.time_to_live, Some(Duration::from_secs(7200)));
    let filter = "modulesContent.filter.properties.desired.text: variable UNKNOWN is not set \
        (line 1): set it in the environment, or in `.env` beside the file; $UNKNOWN stays as it is";
    let hub = "modulesContent.$edgeHub.properties.desired";
    let expected = [
        format!(
            "{hub}.routes.b.priority: not applied here: the local hub delivers messages in \
            their order"
        ),
        format!("{hub}.routes.b.timeToLiveSecs: not applied here: {KEPT}"),
        format!("{hub}.storeAndForwardConfiguration.timeToLiveSecs: not applied here: {KEPT}"),
        filter.to_owned(),
    ];
    assert_eq!(shown(&manifest.warnings), expected);
    assert!(!format!("{manifest:?}").contains("00:00:01"), "env values stay out of Debug");
}

#[test]
fn built_in_is_the_tutorial() {
    let manifest = Manifest::built_in();
    assert!(manifest.warnings.is_empty());
    assert_eq!(manifest.modules["filter"].desired, json!({"TemperatureThreshold": 25}));
    let ends = |module: &str, output: &str| -> Vec<&Sink> {
        let source = message_source(module, Some(output));
        manifest.routes.iter().filter(|r| r.matches(&source)).map(|r| &r.sink).collect()
    };
    let input = Sink::Input { module: "filter".to_owned(), input: "input1".to_owned() };
    assert_eq!(ends("SimulatedTemperatureSensor", "temperatureOutput"), [&input]);
    assert_eq!(ends("filter", "output1"), [&Sink::Upstream]);
    assert!(ends("filter", "output2").is_empty());
}

/// The same content under each of the names that tools have used for it.
#[test]
fn old_and_wrapped_forms_are_read() {
    let sections = template()["modulesContent"].clone();
    for value in [
        json!({"moduleContent": sections}),
        json!({"content": {"modulesContent": sections}}),
        json!({"modulesContent": {
            "$edgeAgent": {"properties": {"desired": sections["$edgeAgent"]["properties.desired"]}},
            "$edgeHub": {"properties": {"desired": sections["$edgeHub"]["properties.desired"]}}}}),
    ] {
        assert_eq!(parse(&value).unwrap().routes.len(), 2);
    }
}

#[test]
fn devices_are_taken_as_list_or_object() {
    let mut value = template();
    value["devices"] = json!(["d1", "d2"]);
    assert_eq!(parse(&value).unwrap().devices.len(), 2);
    value["devices"] = json!({"d1": {"properties.desired": {"a": 1}}, "d2": {}});
    let devices = parse(&value).unwrap().devices;
    assert_eq!((&devices["d1"], &devices["d2"]), (&json!({"a": 1}), &json!({})));
}

/// One change to the template each; the error names the path and says what is expected.
#[test]
fn problems_name_the_path() {
    let agent = "/modulesContent/$edgeAgent/properties.desired";
    let hub = "/modulesContent/$edgeHub/properties.desired";
    let table = [
        ("/modulesContent", json!(1), "modulesContent: must be an object"),
        ("/modulesContent/$edgeAgent", json!({}), "$edgeAgent.properties.desired: missing"),
        (agent, json!([]), "$edgeAgent.properties.desired: must be an object"),
        (&format!("{agent}/modules"), json!(3), ".modules: must be an object of modules"),
        (&format!("{agent}/modules/filter"), json!("x"), ".modules.filter: must be an object"),
        (
            &format!("{agent}/modules/filter/status"),
            json!("up"),
            "filter.status: \"up\" is not one",
        ),
        (&format!("{agent}/modules/tempSensor/type"), json!("vm"), "tempSensor.type:"),
        (
            &format!("{agent}/modules/tempSensor/restartPolicy"),
            json!(1),
            "tempSensor.restartPolicy:",
        ),
        (&format!("{agent}/modules/tempSensor/imagePullPolicy"), json!(""), "imagePullPolicy:"),
        (&format!("{agent}/modules/tempSensor/startupOrder"), json!(-1), "startupOrder: must be"),
        (&format!("{agent}/modules/tempSensor/env"), json!([]), "tempSensor.env: must be"),
        (&format!("{agent}/modules/tempSensor/env/N"), json!("5"), "tempSensor.env.N: must be"),
        (&format!("{agent}/modules/filter/settings"), json!(0), "filter.settings: must be"),
        (&format!("{agent}/modules/filter/settings/image"), json!(0), "settings.image: must be"),
        (
            &format!("{agent}/modules/filter/settings/createOptions"),
            json!("{"),
            "createOptions: the",
        ),
        (&format!("{agent}/modules/filter/settings/createOptions01"), json!(1), "createOptions01:"),
        (&format!("{hub}/routes"), json!([]), "$edgeHub.properties.desired.routes: must be"),
        (&format!("{hub}/routes/a"), json!(1), "routes.a: must be a string"),
        (&format!("{hub}/routes/a"), json!("FROM /* INTO x"), "routes.a: `x` is not a sink"),
        (&format!("{hub}/routes/b/route"), json!(""), "routes.b.route: expected `FROM"),
        (&format!("{hub}/routes/b/route"), json!(7), "routes.b.route: missing"),
        (&format!("{hub}/routes/b/priority"), json!(10), "routes.b.priority: 10 is not"),
        (
            &format!("{hub}/routes/b/timeToLiveSecs"),
            json!(-1),
            "routes.b.timeToLiveSecs: -1 is not",
        ),
        (
            &format!("{hub}/storeAndForwardConfiguration/timeToLiveSecs"),
            json!("1"),
            "storeAndForwardConfiguration.timeToLiveSecs: \"1\" is not",
        ),
        ("/modulesContent/filter", json!([]), "modulesContent.filter: must be an object"),
        (
            "/modulesContent/filter/properties.desired",
            json!({"a b": 1}),
            "modulesContent.filter.properties.desired: `a b` is not a property name",
        ),
    ];
    for (pointer, replacement, expected) in table {
        let mut value = template();
        *value.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = replacement;
        let error = parse(&value).expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let mut value = template();
    value["devices"] = json!(["", 5]);
    let sections = &mut value["modulesContent"];
    sections["$edgeAgent"]["properties.desired"]["modules"]["a/b"] = json!({"status": 1});
    sections["$edgeHub"]["properties.desired"]["routes"]["w"] =
        json!("FROM /messages/* WHERE a=1 INTO $upstream");
    sections["filter"] = json!({"properties.desird": {}});
    let error = parse(&value).unwrap_err();
    assert_eq!(error.problems.len(), 6, "{error}");
    assert!(
        error.to_string().starts_with("the deployment manifest has 6 problems:\n  devices[0]:")
    );
    assert!(error.to_string().contains("`WHERE` is not supported"));
}

#[test]
fn long_lists_of_problems_are_cut() {
    let mut value = template();
    value["devices"] = Value::Array(vec![json!(""); 60]);
    let error = parse(&value).unwrap_err();
    assert_eq!(error.problems.len(), 60);
    assert!(error.to_string().ends_with("\n  and 10 more"), "{error}");
}

#[test]
fn probable_slips_are_warnings() {
    let mut value = template();
    value["modulesContent"]["typo"] = json!({"properties.desired": {}});
    value["modulesContent"]["$edgeHub"]["properties.desired"]["routes"]["x"] =
        json!("FROM /messages/modules/nobody/* INTO $upstream");
    let manifest = parse(&value).unwrap();
    let warnings = shown(&manifest.warnings);
    assert_eq!(warnings.len(), 6, "{warnings:?}");
    assert!(warnings[4].contains("comes from module `nobody`, which is not declared"));
    assert!(warnings[5].contains("typo: a twin for a module that is not declared"));
    value["modulesContent"]["$edgeHub"]["properties.desired"]["routes"] = json!({});
    let warnings = parse(&value).unwrap().warnings;
    assert!(warnings.iter().any(|w| w.text.contains("no route")), "{warnings:?}");
}

#[test]
fn files_are_read_with_their_env_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deployment.template.json");
    std::fs::write(&path, template().to_string()).unwrap();
    std::fs::write(folder.path().join(".env"), "KNOWN=from file\n").unwrap();
    let manifest = Manifest::from_file(&path).unwrap();
    assert_eq!(manifest.modules["tempSensor"].env["V"], "<from file>");
    let missing = Manifest::from_file(&folder.path().join("none.json")).unwrap_err().to_string();
    assert!(missing.contains("none.json"), "{missing}");
    for (bytes, words) in
        [(&b"\xff\xfe{\0"[..], "is UTF-16: save"), (b"{\xff}", "is not UTF-8: save")]
    {
        std::fs::write(&path, bytes).unwrap();
        let refused = Manifest::from_file(&path).unwrap_err().to_string();
        assert!(refused.contains(words) && refused.contains("template.json: "), "{refused}");
    }
    std::fs::write(&path, "{").unwrap();
    let broken = Manifest::from_file(&path).unwrap_err().to_string();
    assert!(broken.contains("not JSON") && broken.contains("line 1"), "{broken}");
}

proptest! {
    /// Whatever stands at any place of a manifest, it is read or refused.
    #[test]
    fn parse_never_panics(pointer_index in 0usize..64, replacement in prop_oneof![
        Just(json!(null)), Just(json!(true)), Just(json!(-1)), Just(json!("$x ${")),
        Just(json!([null])), Just(json!({"": {"": null}})), Just(json!({"route": "FROM"})),
    ]) {
        let mut value = template();
        let mut pointers = Vec::new();
        collect_pointers(&value, String::new(), &mut pointers);
        let pointer = &pointers[pointer_index % pointers.len()];
        *value.pointer_mut(pointer).unwrap() = replacement;
        let _ = parse(&value);
        let (base, layer) = (template().to_string(), value.to_string());
        let variables = Variables::default();
        let source = |text| Source { name: None, text, variables: &variables };
        let _ = Manifest::parse_sources(&[source(&base), source(&layer), source(&base)]);
    }

    /// Whatever place a layer names, and whatever it puts there, it is read or refused.
    #[test]
    fn layers_never_panic(
        section in "(\\$edgeAgent|\\$edgeHub|filter|\\$x|)",
        place in "(properties)?\\.?(desired)?(\\.(modules|filter|routes|env|settings|a|)){0,5}",
        replacement in prop_oneof![Just("null"), Just("{}"), Just("\"$A\""), Just("$A"),
            Just("$B"), Just("${C}"), Just("[{\"desired\":{}}]")],
    ) {
        let base = template().to_string();
        let layer =
            format!("{{\"modulesContent\":{{\"{section}\":{{\"{place}\":{replacement}}}}}}}");
        let variables = Variables::from_env_text("A=1\nB=[");
        let source = |text| Source { name: None, text, variables: &variables };
        let _ = Manifest::parse_sources(&[source(&base), source(&layer)]);
        let _ = Manifest::parse_sources(&[source(&layer)]);
    }
}

fn collect_pointers(value: &Value, at: String, out: &mut Vec<String>) {
    if let Value::Object(members) = value {
        for (name, member) in members {
            collect_pointers(member, format!("{at}/{name}"), out);
        }
    }
    out.push(at);
}
