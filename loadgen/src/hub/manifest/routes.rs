//! The `$edgeHub` section: routes, and how long undelivered messages are kept.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Variables;
use super::problems::Problems;
use crate::hub::route::Route;

/// Routes with the path of each.
pub(super) fn parse_routes(
    hub: &Map<String, Value>,
    hub_path: &str,
    variables: &Variables,
    problems: &mut Problems,
) -> Vec<(String, Route)> {
    let path = format!("{hub_path}.routes");
    let routes = match hub.get("routes") {
        Some(Value::Object(routes)) => routes,
        None => return Vec::new(),
        Some(_) => {
            problems.error(&path, "must be an object of routes by name");
            return Vec::new();
        }
    };
    let mut parsed = Vec::new();
    for (name, value) in routes {
        let path = format!("{path}.{name}");
        let route = match value {
            Value::String(text) => parse_text(name, text, &path, variables, problems),
            Value::Object(members) => parse_object(name, members, &path, variables, problems),
            // An update may remove a route by null.
            Value::Null => None,
            _ => {
                problems.error(&path, "must be a string, or an object with `route`");
                None
            }
        };
        parsed.extend(route.map(|route| (path, route)));
    }
    parsed
}

fn parse_text(
    name: &str,
    text: &str,
    path: &str,
    variables: &Variables,
    problems: &mut Problems,
) -> Option<Route> {
    match Route::parse(name, &variables.expand(text)) {
        Ok(route) => Some(route),
        Err(error) => {
            problems.error(path, &error.to_string());
            None
        }
    }
}

/// `{"route": …, "priority": 0-9, "timeToLiveSecs": n}`.
fn parse_object(
    name: &str,
    members: &Map<String, Value>,
    path: &str,
    variables: &Variables,
    problems: &mut Problems,
) -> Option<Route> {
    let Some(text) = members.get("route").and_then(Value::as_str) else {
        problems.error(&format!("{path}.route"), "missing: the route's text belongs there");
        return None;
    };
    let mut route = parse_text(name, text, &format!("{path}.route"), variables, problems)?;
    match members.get("priority").map(|p| (p, p.as_u64().and_then(|p| u32::try_from(p).ok()))) {
        None => {}
        Some((_, Some(priority @ 0..=9))) => route.priority = priority,
        Some((given, _)) => {
            let text = format!("{given} is not a priority: a number from 0 (first) to 9");
            problems.error(&format!("{path}.priority"), &text);
        }
    }
    match members.get("timeToLiveSecs").map(|t| (t, t.as_u64())) {
        // 0 inherits the hub's setting.
        None | Some((_, Some(0))) => {}
        Some((_, Some(seconds))) => route.time_to_live = Some(Duration::from_secs(seconds)),
        Some((given, None)) => {
            let text = format!("{given} is not a number of seconds from 0");
            problems.error(&format!("{path}.timeToLiveSecs"), &text);
        }
    }
    Some(route)
}

/// `storeAndForwardConfiguration.timeToLiveSecs`: -1 and absence mean for ever.
pub(super) fn parse_time_to_live(
    hub: &Map<String, Value>,
    hub_path: &str,
    problems: &mut Problems,
) -> Option<Duration> {
    let value = hub.get("storeAndForwardConfiguration")?.get("timeToLiveSecs")?;
    match value.as_i64() {
        Some(-1) => None,
        Some(seconds @ 0..) => Some(Duration::from_secs(seconds.unsigned_abs())),
        _ => {
            let path = format!("{hub_path}.storeAndForwardConfiguration.timeToLiveSecs");
            problems.error(&path, &format!("{value} is not a number of seconds, or -1 for ever"));
            None
        }
    }
}
