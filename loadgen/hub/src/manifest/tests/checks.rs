//! What is told of a deployment as a whole: rings, members given twice, environments, layers.

use super::slips::{AGENT, HUB, changed, check, outcome, plain};
use super::*;

#[test]
fn rings_are_reported_and_nothing_else_is() {
    let into = |module: &str| format!("INTO BrokeredEndpoint(\"/modules/{module}/inputs/i\")");
    let own = |route: &str, module: &str| {
        format!(
            "modulesContent.$edgeHub.properties.desired.routes.{route}: takes the messages of \
             `{module}` back into `{module}`: whatever it sends on comes in again, without end; \
             name the module whose messages are meant in FROM"
        )
    };
    let round = |route: &str, steps: &str| {
        format!(
            "modulesContent.$edgeHub.properties.desired.routes.{route}: messages can go round \
             without end, by {steps}: unless one of these modules ends them, name other outputs in \
             FROM"
        )
    };
    let table = [
        (vec![("r", format!("FROM /messages/* {}", into("filter")))], vec![own("r", "filter")]),
        (vec![("r", format!("FROM /* {}", into("filter")))], vec![own("r", "filter")]),
        (
            vec![("r", format!("FROM /messages/modules/* {}", into("filter")))],
            vec![own("r", "filter")],
        ),
        (
            vec![("r", format!("FROM /messages/modules/FILTER/outputs/o {}", into("filter")))],
            vec![own("r", "filter")],
        ),
        (
            vec![
                ("r", format!("FROM /messages/modules/filter/outputs/* {}", into("other"))),
                ("s", format!("FROM /messages/modules/other/outputs/x {}", into("filter"))),
            ],
            vec![round("r", "route `r` into `other`, route `s` into `filter`")],
        ),
        (
            vec![
                ("r", format!("FROM /messages/modules/filter/* {}", into("other"))),
                ("s", format!("FROM /messages/modules/other/* {}", into("third"))),
                ("t", format!("FROM /messages/modules/third/* {}", into("filter"))),
            ],
            vec![round(
                "r",
                "route `r` into `other`, route `s` into `third`, route `t` into `filter`",
            )],
        ),
        // A device's message, a chain, a sensor that passes nothing on, and another's output.
        (vec![("r", format!("FROM /messages/events {}", into("filter")))], vec![]),
        (vec![("r", format!("FROM /messages/modules/filter/* {}", into("other")))], vec![]),
        (vec![("r", format!("FROM /messages/modules/filter/inputs/i {}", into("filter")))], vec![]),
        (vec![("r", format!("FROM /messages/* {}", into("tempSensor")))], vec![]),
        (vec![("r", "FROM /messages/* INTO $upstream".to_owned())], vec![]),
    ];
    for (routes, expected) in table {
        let mut value = changed(&format!("{HUB}/routes"), json!({}));
        value.pointer_mut(&format!("{AGENT}/modules")).unwrap()["third"] = json!({});
        for (name, route) in &routes {
            value.pointer_mut(&format!("{HUB}/routes")).unwrap()[name] = json!(route);
        }
        let mut shown = outcome(&value.to_string(), &Variables::default());
        shown.retain(|text| !text.contains("no message has this source"));
        assert_eq!(shown, expected, "{routes:?}");
    }
}

#[test]
fn members_given_twice_are_reported() {
    let twice = |text: &str, found: &str, replacement: &str| text.replace(found, replacement);
    let text = plain().to_string();
    let table = [
        (
            twice(
                &text,
                "\"TemperatureThreshold\":25",
                "\"TemperatureThreshold\":60,\"TemperatureThreshold\":25",
            ),
            "modulesContent.filter.properties.desired.TemperatureThreshold",
        ),
        (
            twice(&text, "\"other\":{", "\"filter\":{},\"other\":{"),
            "modulesContent.$edgeAgent.properties.desired.modules.filter",
        ),
        (
            twice(&text, "\"b\":", "\"b\":\"x\",\"b\":"),
            "modulesContent.$edgeHub.properties.desired.routes.b",
        ),
        (
            twice(&text, "\"filter\":{\"properties", "\"filter\":{},\"filter\":{\"properties"),
            "modulesContent.filter",
        ),
    ];
    for (text, path) in table {
        let shown = outcome(&text, &Variables::default());
        assert_eq!(shown, [format!("{path}: given twice: the last one counts; remove the other")]);
    }
    let options = json!("{\"Env\": [], \"Env\": [\"A=1\"]}");
    check(&[(
        &format!("{AGENT}/modules/filter/settings/createOptions"),
        options,
        &["modulesContent.$edgeAgent.properties.desired.modules.filter.settings.createOptions\
         .Env: \
         given twice in the string: the last one counts; remove the other"],
    )]);
}

#[test]
fn slips_in_create_options_and_env_are_reported() {
    let settings = format!("{AGENT}/modules/filter/settings");
    let path = "modulesContent.$edgeAgent.properties.desired.modules.filter";
    check(&[
        (
            &settings,
            json!({"createOptions": "{}", "createOptions02": "x"}),
            &[&format!(
                "error: {path}.settings.createOptions02: not read: the part createOptions01 \
             before it is missing"
            )],
        ),
        (
            &settings,
            json!({"createOptions": {}, "createOptions01": "x"}),
            &[&format!(
                "error: {path}.settings.createOptions01: not read: `createOptions` itself is no \
                    string"
            )],
        ),
        (
            &settings,
            json!({"createOptions": {"Env": "A=1"}}),
            &[&format!(
                "{path}.settings.createOptions.Env: must be a list of \"NAME=value\": ignored"
            )],
        ),
        (
            &settings,
            json!({"createOptions": {"Env": ["A", "=1", 5, "B=2"]}}),
            &[
                &format!("{path}.settings.createOptions.Env[0]: must be \"NAME=value\": ignored"),
                &format!("{path}.settings.createOptions.Env[1]: must be \"NAME=value\": ignored"),
                &format!("{path}.settings.createOptions.Env[2]: must be \"NAME=value\": ignored"),
            ],
        ),
        (
            &format!("{AGENT}/modules/filter/env"),
            json!({"A": {"value": "x\u{0}"}}),
            &[&format!("error: {path}.env.A: a variable's value has no NUL: leave it out")],
        ),
        (
            &format!("{AGENT}/modules/filter/env"),
            json!({"A": {"value": "${SITE}"}}),
            &[&format!(
                "{path}.env.A.value: variable SITE is not set (line 1): set it in the \
             environment, or in `.env` beside the file; ${{SITE}} stays as it is"
            )],
        ),
    ]);
}

/// Layers over the plain manifest, in texts of their own.
#[test]
fn slips_in_layers_are_reported() {
    let layer = |sections: Value| json!({"modulesContent": sections}).to_string();
    let agent = "modulesContent.$edgeAgent.properties.desired";
    let table = [
        (
            layer(json!({"filter": {"properties.desired.a.b": 1, "properties.desired.a.c": null}})),
            vec![],
        ),
        (
            layer(json!({"$edgeAgent": {"properties.desired.modules.fliter.settings.image": "y"}})),
            vec![format!(
                "layer: {agent}.modules.fliter.settings.image: no manifest before this layer has a \
                 module `fliter` (did you mean `filter`?)"
            )],
        ),
        (
            layer(json!({"filter": {"properties.desired": {"b": 1}}})),
            vec![
                "layer: modulesContent.filter.properties.desired: takes the place of all that was \
                  said here before, and drops `TemperatureThreshold`: name the base first, and \
                  write `properties.desired.MEMBER` in a layer"
                    .to_owned(),
            ],
        ),
        (
            layer(json!({"$edgeHub": {"properties.desired.routes.b.priority": 1}})),
            vec![
                "error: layer: modulesContent.$edgeHub.properties.desired.routes.b.priority: `b` \
                  is no object there: give it as a whole"
                    .to_owned(),
            ],
        ),
        (
            layer(json!({"$edgeHub": {"properties.desired.routes..b": "x"}})),
            vec![
                "error: layer: modulesContent.$edgeHub.properties.desired.routes..b: a name \
                  between two dots is missing"
                    .to_owned(),
            ],
        ),
        (
            layer(json!({"$edgeHub": {"properties.desired.routes.c": "FROM nowhere"}})),
            vec![
                "error: layer: modulesContent.$edgeHub.properties.desired.routes.c: `nowhere` is \
                  not a source; use /*, /messages/*, /messages/modules/{module}/*, \
                  /messages/modules/{module}/outputs/*, \
                  /messages/modules/{module}/outputs/{output} or /twinChangeNotifications"
                    .to_owned(),
            ],
        ),
        (
            layer(json!({"filter": {"properties.desird.a": 1}})),
            vec![
                "error: layer: modulesContent.filter.properties.desird.a: not read: misspelt for \
                  `properties.desired`, which is the name"
                    .to_owned(),
            ],
        ),
    ];
    check_layers(table.into());
}

#[test]
fn files_that_are_no_layers_are_refused() {
    let layer = |sections: Value| json!({"modulesContent": sections}).to_string();
    let table = [
        (
            "{".to_owned(),
            vec![
                "error: layer: not JSON: EOF while parsing an object at line 1 \
            column 1"
                    .to_owned(),
            ],
        ),
        (
            json!({"moduleContents": {}}).to_string(),
            vec![
                "error: layer: modulesContent: missing: `moduleContents` is misspelt for \
                it"
                .to_owned(),
            ],
        ),
        (
            json!({"$edgeHub": {}}).to_string(),
            vec![
                "error: layer: modulesContent: missing: put the sections of the modules into \
                it"
                .to_owned(),
            ],
        ),
        // A module and a route taken away.
        (
            layer(json!({"$edgeAgent": {"properties.desired.modules.other": null},
                "$edgeHub": {"properties.desired.routes.b": null}})),
            vec![],
        ),
    ];
    check_layers(table.into());
}

/// A manifest that is whole may name places in itself.
#[test]
fn places_in_a_whole_manifest_are_taken() {
    let mut value = plain();
    value["modulesContent"]["filter"]["properties.desired.TemperatureThreshold"] = json!(60);
    let manifest = Manifest::parse(&value.to_string(), &Variables::default()).unwrap();
    assert_eq!(manifest.modules["filter"].desired, json!({"TemperatureThreshold": 60}));
    assert_eq!(manifest.warnings, []);
}

/// Each layer by itself over the plain manifest.
fn check_layers(table: Vec<(String, Vec<String>)>) {
    let nobody = Variables::default();
    let base = plain().to_string();
    for (text, expected) in table {
        let source =
            |name: &str, text| Source { name: Some(name.to_owned()), text, variables: &nobody };
        let shown = match Manifest::parse_sources(&[source("base", &base), source("layer", &text)])
        {
            Ok(manifest) => shown(&manifest.warnings),
            Err(error) => shown(&error.problems).iter().map(|e| format!("error: {e}")).collect(),
        };
        assert_eq!(shown, expected, "{text}");
    }
}
