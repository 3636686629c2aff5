//! Slips in manifests, one change to a plain one each: what is told, and whether it is refused.

use super::*;

pub(super) const AGENT: &str = "/modulesContent/$edgeAgent/properties.desired";
pub(super) const HUB: &str = "/modulesContent/$edgeHub/properties.desired";

/// A manifest without a remark.
pub(super) fn plain() -> Value {
    json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {
            "filter": {"settings": {"image": "x"}}, "other": {"settings": {"image": "x"}},
            "tempSensor": {"settings": {"image": "x"}}}}},
        "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {
            "a": "FROM /messages/modules/tempSensor/* \
                INTO BrokeredEndpoint(\"/modules/filter/inputs/i\")",
            "b": "FROM /messages/modules/filter/* INTO $upstream"}}},
        "filter": {"properties.desired": {"TemperatureThreshold": 25}}}})
}

/// Puts a value at a pointer; its last member may be new.
pub(super) fn changed(pointer: &str, replacement: Value) -> Value {
    let mut value = plain();
    let (holder, name) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(holder).unwrap_or_else(|| panic!("{holder}"))[name] = replacement;
    value
}

/// Each warning, and `error: ` before each error.
pub(super) fn outcome(text: &str, variables: &Variables) -> Vec<String> {
    match Manifest::parse(text, variables) {
        Ok(manifest) => shown(&manifest.warnings),
        Err(error) => shown(&error.problems).iter().map(|text| format!("error: {text}")).collect(),
    }
}

pub(super) fn check(table: &[(&str, Value, &[&str])]) {
    for (pointer, replacement, expected) in table {
        let shown =
            outcome(&changed(pointer, replacement.clone()).to_string(), &Variables::default());
        assert_eq!(shown, *expected, "{pointer} {replacement}");
    }
}

#[test]
fn the_plain_one_has_no_remark() {
    assert_eq!(outcome(&plain().to_string(), &Variables::default()), Vec::<String>::new());
}

#[test]
fn desired_properties_elsewhere_are_reported() {
    let filter = "/modulesContent/filter";
    let put = "not read here: desired properties belong into `properties.desired`; write \
        {\"properties.desired\": ";
    check(&[
        (
            filter,
            json!({"TemperatureThreshold": 60}),
            &[&format!(
                "error: modulesContent.filter.TemperatureThreshold: \
                    {put}{{\"TemperatureThreshold\": 60}}}}"
            )],
        ),
        (
            filter,
            json!({"limits": {"low": 1}}),
            &[&format!("error: modulesContent.filter.limits: {put}{{\"limits\": {{…}}}}}}")],
        ),
        (
            filter,
            json!({"properties.desired": {"desired": {"TemperatureThreshold": 60}}}),
            &["modulesContent.filter.properties.desired.desired: stands inside \
             `properties.desired`: put its members one level up, without it"],
        ),
        (
            filter,
            json!({"properties.desired": {"properties": {"desired": {"a": 1}}}}),
            &["modulesContent.filter.properties.desired.properties: stands inside \
             `properties.desired`: put its members two levels up, without it"],
        ),
        (
            filter,
            json!({"properties.desired": {"properties.desired": {"a": 1}}}),
            &["error: modulesContent.filter.properties.desired.properties.desired: stands inside \
             `properties.desired`: put its members one level up, without it"],
        ),
        // A property may have the name, as long as it is no object.
        (filter, json!({"properties.desired": {"desired": 21.5}}), &[]),
    ]);
}

#[test]
fn misspelt_desired_properties_are_reported() {
    let filter = "/modulesContent/filter";
    let put = "not read here: desired properties belong into `properties.desired`; write \
        {\"properties.desired\": ";
    check(&[
        (
            filter,
            json!({"properties": {"desired": {"TemperatureThreshold": 60}}}),
            &["modulesContent.filter.properties: IoT Hub takes one member `properties.desired` \
             alone: write it so"],
        ),
        (
            filter,
            json!({"properties": {"TemperatureThreshold": 60}}),
            &[&format!(
                "error: modulesContent.filter.properties.TemperatureThreshold: \
             {put}{{\"TemperatureThreshold\": 60}}}}"
            )],
        ),
        (
            filter,
            json!({"desired": {"TemperatureThreshold": 60}}),
            &["error: modulesContent.filter.desired: `desired` alone is not read: write \
             `properties.desired` in its place"],
        ),
        (
            filter,
            json!({"properties.desird": {"TemperatureThreshold": 60}}),
            &["error: modulesContent.filter.properties.desird: not read: misspelt for \
             `properties.desired`, which is the name"],
        ),
        (
            filter,
            json!({"Properties.Desired.TemperatureThreshold": 60}),
            &["error: modulesContent.filter.Properties.Desired.TemperatureThreshold: not read: \
             misspelt for `properties.desired`, which is the name"],
        ),
        (
            filter,
            json!({"property.desired.TemperatureThreshold": 60}),
            &["error: modulesContent.filter.property.desired.TemperatureThreshold: not read: \
             misspelt for `properties.desired`, which is the name"],
        ),
    ]);
}

#[test]
fn members_beside_desired_properties_are_reported() {
    let filter = "/modulesContent/filter";
    let put = "not read here: desired properties belong into `properties.desired`; write \
        {\"properties.desired\": ";
    check(&[
        (
            filter,
            json!({"properties.reported": {"a": 1}}),
            &["modulesContent.filter.properties.reported: ignored: a module reports its \
             properties itself; remove this"],
        ),
        (
            filter,
            json!({"properties": {"reported": {"a": 1}}}),
            &["modulesContent.filter.properties.reported: ignored: a module reports its \
             properties itself; remove this"],
        ),
        (
            filter,
            json!({"tags": {"a": 1}}),
            &["modulesContent.filter.tags: ignored: a deployment sets no tags of modules; \
                    remove this"],
        ),
        (
            &format!("{AGENT}/modules/filter/properties.desired"),
            json!({"a": 1}),
            &["error: \
             modulesContent.$edgeAgent.properties.desired.modules.filter.properties.desired: \
             not read here: desired properties belong into the section `modulesContent.filter`"],
        ),
        (
            "/modulesContent/$edgeAgent/filter",
            json!({"a": 1}),
            &[&format!("error: modulesContent.$edgeAgent.filter: {put}{{\"filter\": {{…}}}}}}")],
        ),
        (
            "/filter",
            json!({"properties.desired": {"a": 1}}),
            &["error: filter: not read here: this section belongs into `modulesContent`"],
        ),
        (
            HUB,
            json!({"desired": {"routes": {}}}),
            &["error: modulesContent.$edgeHub.properties.desired.desired: stands inside \
             `properties.desired`: put its members one level up, without it"],
        ),
        (
            "/modulesContent/$edgehub",
            json!({}),
            &["error: modulesContent.$edgehub: no module has this name (did you mean `$edgeHub`?)"],
        ),
    ]);
}

#[test]
fn members_that_are_not_applied_are_reported() {
    let order = "not applied here: the local hub delivers messages in their order";
    let route = "/modulesContent/$edgeHub/properties.desired/routes/b";
    let path = "modulesContent.$edgeHub.properties.desired";
    let text = "FROM /messages/modules/filter/* INTO $upstream";
    let kept = format!("not applied here: {KEPT}");
    let never = "no message has this source, so nothing takes this route: a module's is \
        /messages/modules/{module}/outputs/{output}";
    let twins = "not applied here: the local hub sends no twin change notifications, so nothing \
        takes this route";
    check(&[
        (
            route,
            json!({"route": text, "priority": 0}),
            &[&format!("{path}.routes.b.priority: {order}")],
        ),
        (route, json!({"route": text, "priority": 2_000_000_000, "timeToLiveSecs": 0}), &[]),
        (
            route,
            json!({"route": text, "timeToLiveSecs": 60}),
            &[&format!("{path}.routes.b.timeToLiveSecs: {kept}")],
        ),
        (
            route,
            json!({"route": text, "timeToLiveSecs": "60"}),
            &[&format!(
                "error: {path}.routes.b.timeToLiveSecs: \"60\" is not a number of seconds from 0; \
             leave the quotation marks out"
            )],
        ),
        (
            route,
            json!({"route": text, "priorty": 1}),
            &[&format!(
                "{path}.routes.b.priorty: unknown member: ignored (did you mean `priority`?)"
            )],
        ),
        (
            route,
            json!("FROM /twinChangeNotifications INTO $upstream"),
            &[&format!("{path}.routes.b: {twins}")],
        ),
        (
            route,
            json!("FROM /twinChangeNotifications/* INTO $upstream"),
            &[&format!("{path}.routes.b: {twins}")],
        ),
        (
            route,
            json!("FROM /messages/modules/filter/inputs/i INTO $upstream"),
            &[&format!("{path}.routes.b: {never}")],
        ),
        (
            route,
            json!("FROM /messages/filter/* INTO $upstream"),
            &[&format!("{path}.routes.b: {never}")],
        ),
        (route, json!("FROM /* INTO $upstream"), &[]),
    ]);
}

#[test]
fn members_beside_routes_that_are_not_applied_are_reported() {
    let path = "modulesContent.$edgeHub.properties.desired";
    let kept = format!("not applied here: {KEPT}");
    check(&[
        (
            &format!("{HUB}/storeAndForwardConfiguration"),
            json!({"timeToLiveSecs": 7200}),
            &[&format!("{path}.storeAndForwardConfiguration.timeToLiveSecs: {kept}")],
        ),
        (&format!("{HUB}/storeAndForwardConfiguration"), json!({"timeToLiveSecs": -1}), &[]),
        (
            &format!("{HUB}/storeAndForwardConfiguration"),
            json!({"ttl": 5}),
            &[&format!("{path}.storeAndForwardConfiguration.ttl: unknown member: ignored")],
        ),
        (
            &format!("{HUB}/mqttBroker"),
            json!({}),
            &[&format!(
                "{path}.mqttBroker: not applied here: the local hub serves the topics of IoT Hub \
                    alone"
            )],
        ),
        (
            &format!("{HUB}/Routes"),
            json!({}),
            &[&format!("{path}.Routes: unknown member: ignored (did you mean `routes`?)")],
        ),
    ]);
}

#[test]
fn versions_and_members_of_modules_are_reported() {
    let path = "modulesContent.$edgeHub.properties.desired";
    check(&[
        (
            &format!("{HUB}/schemaVersion"),
            json!("1.3"),
            &[&format!(
                "{path}.schemaVersion: \"1.3\" is newer than 1.1: what it adds is not applied"
            )],
        ),
        (
            &format!("{HUB}/schemaVersion"),
            json!("2.0"),
            &[&format!(
                "error: {path}.schemaVersion: \"2.0\" is no version that the runtime takes: write \
             \"1.1\""
            )],
        ),
        (
            &format!("{AGENT}/schemaVersion"),
            json!(1.1),
            &["error: modulesContent.$edgeAgent.properties.desired.schemaVersion: 1.1 is no \
             version that the runtime takes: write \"1.1\""],
        ),
        (&format!("{AGENT}/modules/filter/startupOrder"), json!(3), &[]),
        (&format!("{AGENT}/modules/filter/restartPolicy"), json!("never"), &[]),
        (
            &format!("{AGENT}/modules/filter/Env"),
            json!({}),
            &["modulesContent.$edgeAgent.properties.desired.modules.filter.Env: unknown member: \
             ignored (did you mean `env`?)"],
        ),
        (
            "/$schema-template",
            json!("5.0.0"),
            &["$schema-template: \"5.0.0\" is no known version of templates: read as 4.0.0"],
        ),
        ("/$schema-template", json!("1.0.0"), &[]),
    ]);
}

/// What a file holds moves no cursor.
#[test]
fn control_characters_are_escaped() {
    check(&[(
        "/modulesContent/filter/properties.desired",
        json!({"a\u{1b}[2J b": 1}),
        &["error: modulesContent.filter.properties.desired: `a\\u{1b}[2J b` is not a property \
         name: 1 to 1024 bytes without control characters, `.`, `$`, `#` and space"],
    )]);
}

#[test]
fn unset_variables_of_routes_are_named() {
    let path = "error: modulesContent.$edgeHub.properties.desired.routes.b: ";
    let table = [
        ("$ROUTE", "variable ROUTE is not set"),
        ("${ROUTE}", "variable ROUTE is not set"),
        ("FROM $SOURCE INTO $upstream", "variable SOURCE is not set"),
        ("FROM /messages/modules/${MODULE_A}/* INTO $upstream", "variable MODULE_A is not set"),
        ("FROM /messages/* INTO $UPSTREAM_SINK", "variable UPSTREAM_SINK is not set"),
        ("FROM /messages/* WHERE $body.t > 1 INTO $upstream", "`WHERE` is not supported"),
        ("FROM /messages/* INTO upstream", "`upstream` is not a sink"),
    ];
    for (route, expected) in table {
        let value = changed(&format!("{HUB}/routes/b"), json!(route));
        let shown = outcome(&value.to_string(), &Variables::default());
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert!(shown[0].starts_with(&format!("{path}{expected}")), "{shown:?}");
    }
    let text = changed(&format!("{HUB}/routes/b"), json!("$ROUTE")).to_string();
    let variables = [("ROUTE", "FROM /messages/modules/filter/* INTO $upstream")];
    assert_eq!(outcome(&text, &variables.into_iter().collect()), Vec::<String>::new());
}
