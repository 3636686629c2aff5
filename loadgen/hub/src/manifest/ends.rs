//! Where routes begin and end: modules that are not declared, and rings that never end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value};

use super::modules::is_id;
use super::reading::Reading;
use super::{Module, ModuleStatus};
use crate::route::{Route, Sink};
use crate::simulator::is_simulated_sensor;

/// Marks that templates put around a name that its user has to replace, as in `<module>`.
const MARKS: [char; 6] = ['<', '>', '{', '}', '[', ']'];
/// Most routes that are searched for rings.
const RING_ROUTES_MAX: usize = 512;

/// Warns of modules that routes name and nobody declares, and declares them: IoT Hub deploys such
/// routes, and a module that is debugged is left out of its manifest on purpose.
pub(super) fn declare_named(
    routes: &[(String, Route)],
    modules: &mut BTreeMap<String, Module>,
    reading: &mut Reading<'_>,
) {
    let declared: BTreeSet<String> = modules.keys().cloned().collect();
    // A source is compared in any letter case, a sink is not.
    let lower: BTreeSet<String> = modules.keys().map(|name| name.to_ascii_lowercase()).collect();
    for (path, route) in routes {
        check_marks(route, path, reading);
        if let Sink::Input { module, .. } = &route.sink
            && !declared.contains(module)
        {
            name_undeclared(module, "goes to", path, &declared, modules, reading);
        }
        if let Some(module) = route.source_module()
            && !lower.contains(&module.to_ascii_lowercase())
        {
            name_undeclared(module, "comes from", path, &declared, modules, reading);
        }
    }
}

fn name_undeclared(
    module: &str,
    verb: &str,
    path: &str,
    declared: &BTreeSet<String>,
    modules: &mut BTreeMap<String, Module>,
    reading: &mut Reading<'_>,
) {
    if is_of_template(module) {
        let text = format!("{verb} `{module}`, which a template left: write the module's name");
        reading.warn(path, &text);
        return;
    }
    let mut text = format!("{verb} module `{module}`, which is not declared");
    if !is_id(module) {
        reading.warn(path, &text);
        return;
    }
    let hint = reading.hint(module, declared);
    if hint.is_empty() {
        text.push_str(&format!(": served all the same, `loadgen env {module}` is for it"));
    }
    reading.warn(path, &(text + &hint));
    modules.entry(module.to_owned()).or_insert_with(|| Module {
        name: module.to_owned(),
        image: String::new(),
        status: ModuleStatus::Running,
        env: BTreeMap::new(),
        create_options: Value::Object(Map::new()),
        desired: Value::Object(Map::new()),
    });
}

/// Warns of inputs and outputs that stand in a template's brackets.
fn check_marks(route: &Route, path: &str, reading: &mut Reading<'_>) {
    let input = match &route.sink {
        Sink::Input { input, .. } => Some(input.as_str()),
        Sink::Upstream => None,
    };
    for name in input.into_iter().chain(route.source_output()).filter(|name| name.contains(MARKS)) {
        let text = format!("names `{name}`, which a template left: write the name that is meant");
        reading.warn(path, &text);
    }
}

/// Whether this stands in a template for the name of a module, as `FROM_MODULE_NAME` does.
fn is_of_template(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let is_upper = name == upper && (name.ends_with("_NAME") || name.ends_with("_ID"));
    name.contains(MARKS) || is_upper || upper == "MODULENAME"
}

/// Warns of routes by which messages can come back to the module that sent them.
pub(super) fn check_rings(
    routes: &[(String, Route)],
    modules: &BTreeMap<String, Module>,
    reading: &mut Reading<'_>,
) {
    let links: Vec<Hop<'_>> =
        routes.iter().filter_map(|(path, route)| Hop::new(path, route, modules)).collect();
    if let Some(link) = links.get(RING_ROUTES_MAX) {
        let text = format!(
            "the routes from here on are not searched for rings: over \
                            {RING_ROUTES_MAX}"
        );
        reading.warn(link.path, &text);
    }
    let links = &links[..links.len().min(RING_ROUTES_MAX)];
    let next: Vec<Vec<usize>> = links.iter().map(|link| link.followers(links)).collect();
    let mut in_a_ring = BTreeSet::new();
    for start in 0..links.len() {
        if in_a_ring.contains(&start) {
            continue;
        }
        if let Some(ring) = ring_through(start, &next) {
            reading.warn(links[start].path, &ring_words(&ring, links));
            in_a_ring.extend(ring);
        }
    }
}

/// A route into a module that may pass messages on.
struct Hop<'a> {
    path: &'a str,
    route: &'a Route,
    module: &'a str,
}

impl<'a> Hop<'a> {
    fn new(path: &'a str, route: &'a Route, modules: &BTreeMap<String, Module>) -> Option<Self> {
        let Sink::Input { module, .. } = &route.sink else { return None };
        // A simulated sensor sends its own readings alone, whatever it gets.
        let image = modules.get(module).map_or("", |module| &module.image);
        (!is_simulated_sensor(module, image)).then_some(Self { path, route, module })
    }

    /// The routes that take what this one's module sends.
    fn followers(&self, links: &[Self]) -> Vec<usize> {
        let takes = |next: &Self| next.route.takes_from(self.module);
        (0..links.len()).filter(|index| takes(&links[*index])).collect()
    }
}

/// The shortest way from a route back to it.
fn ring_through(start: usize, next: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut came_from = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(at) = waiting.pop_front() {
        for &follower in &next[at] {
            if follower == start {
                let mut ring = vec![at];
                let mut at = at;
                while at != start {
                    at = came_from[&at];
                    ring.push(at);
                }
                ring.reverse();
                return Some(ring);
            }
            if let std::collections::btree_map::Entry::Vacant(place) = came_from.entry(follower) {
                place.insert(at);
                waiting.push_back(follower);
            }
        }
    }
    None
}

fn ring_words(ring: &[usize], links: &[Hop<'_>]) -> String {
    if let [index] = ring {
        return format!(
            "takes the messages of `{module}` back into `{module}`: whatever it sends on comes in \
             again, without end; name the module whose messages are meant in FROM",
            module = links[*index].module
        );
    }
    let step = |index: &usize| {
        let link = &links[*index];
        format!("route `{}` into `{}`", link.route.name, link.module)
    };
    let steps: Vec<String> = ring.iter().map(step).collect();
    format!(
        "messages can go round without end, by {}: unless one of these modules ends them, name \
         other outputs in FROM",
        steps.join(", ")
    )
}
