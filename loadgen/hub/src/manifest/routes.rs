//! The `$edgeHub` section: routes, and how long undelivered messages are kept.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Module;
use super::members::{check_applied, check_known, without_marks};
use super::reading::Reading;
use super::schema::{check_schema, is_first};
use crate::route::{PRIORITY_UNSPECIFIED, Route, RouteError};

/// What `$edgeHub` may hold.
const HUB: [&str; 5] =
    ["schemaVersion", "routes", "storeAndForwardConfiguration", "mqttBroker", "integrity"];
/// What of it the local hub passes over.
const HUB_NOT_APPLIED: [(&str, &str); 2] = [
    ("mqttBroker", "the local hub serves the topics of IoT Hub alone"),
    ("integrity", "no signature is checked"),
];
/// What a route's object may hold.
const ROUTE: [&str; 3] = ["route", "priority", "timeToLiveSecs"];
/// Why times to live are not applied.
const KEPT: &str = "the local hub keeps messages until they are delivered";

/// Routes with the path of each.
pub(super) fn parse_routes(
    hub: &Map<String, Value>,
    hub_path: &str,
    modules: &BTreeMap<String, Module>,
    reading: &mut Reading<'_>,
) -> Vec<(String, Route)> {
    check_known(hub, &HUB, hub_path, reading);
    check_applied(hub, &HUB_NOT_APPLIED, hub_path, reading);
    check_schema(hub, hub_path, reading);
    let path = format!("{hub_path}.routes");
    let routes = match hub.get("routes") {
        Some(Value::Object(routes)) => routes,
        None | Some(Value::Null) => return Vec::new(),
        Some(_) => {
            reading.error(&path, "must be an object of routes by name");
            return Vec::new();
        }
    };
    let reader = RouteReader { is_first: is_first(hub), modules };
    let mut parsed = Vec::new();
    for (name, value) in routes {
        let path = format!("{path}.{name}");
        if name.trim().is_empty() {
            reading.error(&path, "a route has a name that is not blank");
        }
        let route = match value {
            Value::String(text) => reader.text(name, text, &path, reading),
            Value::Object(members) => reader.object(name, members, &path, reading),
            // An update or a layer may remove a route by null.
            Value::Null => None,
            _ => {
                reading.error(&path, "must be a string, or an object with `route`");
                None
            }
        };
        parsed.extend(route.map(|route| (path, route)));
    }
    parsed
}

/// Reads one route after the other.
struct RouteReader<'a> {
    /// The schema is the first one, in which routes are texts.
    is_first: bool,
    modules: &'a BTreeMap<String, Module>,
}

impl RouteReader<'_> {
    fn text(&self, name: &str, text: &str, path: &str, reading: &mut Reading<'_>) -> Option<Route> {
        if self.is_first && text.trim().is_empty() {
            reading.warn(path, "empty: passed over");
            return None;
        }
        let mut unset = Vec::new();
        let expanded = reading.variables(path).expand_noting(text, |variable| unset.push(variable));
        // A name of a module may hold `$`.
        unset.retain(|variable| !self.modules.keys().any(|name| name.contains(variable.token)));
        match Route::parse(name, &expanded) {
            // A condition may hold `$body`, which is no variable.
            Err(error @ RouteError::Where) => reading.error(path, &error.to_string()),
            _ if !unset.is_empty() => {
                for variable in unset {
                    let words = reading.unset(path, variable.name, variable.token);
                    reading.error(path, &words);
                }
            }
            Ok(route) => {
                check_source(&route, path, reading);
                return Some(route);
            }
            Err(error) => reading.error(path, &error.to_string()),
        }
        None
    }

    /// `{"route": …, "priority": 0-9, "timeToLiveSecs": n}`.
    fn object(
        &self,
        name: &str,
        members: &Map<String, Value>,
        path: &str,
        reading: &mut Reading<'_>,
    ) -> Option<Route> {
        check_known(members, &ROUTE, path, reading);
        if self.is_first {
            let text = "a route is an object from schemaVersion \"1.1\" on: write that, or the \
                        route's text alone";
            reading.warn(path, text);
        }
        let Some(text) = members.get("route").and_then(Value::as_str) else {
            reading.error(&format!("{path}.route"), "missing: the route's text belongs there");
            return None;
        };
        let mut route = self.text(name, text, &format!("{path}.route"), reading)?;
        if let Some(given) = members.get("priority") {
            route.priority = parse_priority(given, &format!("{path}.priority"), reading);
        }
        if let Some(given) = members.get("timeToLiveSecs") {
            let path = format!("{path}.timeToLiveSecs");
            match given.as_u64() {
                // Inherits the hub's setting.
                Some(0) => {}
                Some(seconds) => {
                    reading.warn(&path, &format!("not applied here: {KEPT}"));
                    route.time_to_live = Some(Duration::from_secs(seconds));
                }
                None => {
                    let advice = without_marks(given);
                    let text = format!("{given} is not a number of seconds from 0{advice}");
                    reading.error(&path, &text);
                }
            }
        }
        Some(route)
    }
}

fn parse_priority(given: &Value, path: &str, reading: &mut Reading<'_>) -> u32 {
    match given.as_u64().and_then(|priority| u32::try_from(priority).ok()) {
        Some(PRIORITY_UNSPECIFIED) => {}
        Some(priority @ 0..=9) => {
            let text = "not applied here: the local hub delivers messages in their order";
            reading.warn(path, text);
            return priority;
        }
        _ => {
            let advice = without_marks(given);
            let text = format!("{given} is not a priority: a number from 0 (first) to 9{advice}");
            reading.error(path, &text);
        }
    }
    PRIORITY_UNSPECIFIED
}

/// Sources that no message of the local hub has.
fn check_source(route: &Route, path: &str, reading: &mut Reading<'_>) {
    if route.is_of_twin_changes() {
        let text = "not applied here: the local hub sends no twin change notifications, so \
                    nothing takes this route";
        reading.warn(path, text);
    } else if !route.can_match() {
        let text = "no message has this source, so nothing takes this route: a module's is \
                    /messages/modules/{module}/outputs/{output}";
        reading.warn(path, text);
    }
}

/// `storeAndForwardConfiguration.timeToLiveSecs`: a negative number and absence mean for ever.
pub(super) fn parse_time_to_live(
    hub: &Map<String, Value>,
    hub_path: &str,
    reading: &mut Reading<'_>,
) -> Option<Duration> {
    let path = format!("{hub_path}.storeAndForwardConfiguration");
    let members = match hub.get("storeAndForwardConfiguration")? {
        Value::Object(members) => members,
        Value::Null => return None,
        _ => {
            reading.error(&path, "must be an object with `timeToLiveSecs`");
            return None;
        }
    };
    check_known(members, &["timeToLiveSecs"], &path, reading);
    let value = members.get("timeToLiveSecs")?;
    let path = format!("{path}.timeToLiveSecs");
    match value.as_i64() {
        Some(seconds @ 0..) => {
            reading.warn(&path, &format!("not applied here: {KEPT}"));
            Some(Duration::from_secs(seconds.unsigned_abs()))
        }
        Some(_) => None,
        None => {
            let advice = without_marks(value);
            let text = format!("{value} is not a number of seconds, or -1 for ever{advice}");
            reading.error(&path, &text);
            None
        }
    }
}
