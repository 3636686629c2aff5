//! Subscriptions that an edge hub grants and that nothing will ever come by.
//!
//! An edge hub reads a filter's text ([`session`](super::session)); one that it cannot read is
//! granted all the same. Filters, identity and routes go in, an explanation comes out. Pure, but
//! for the last part, which logs it: once for each client and filter.

use rumqttc::mqttbytes;
use sluicegate::azure::{Identity, dps, percent_encode};

use super::route::Sink;
use super::session::{DESIRED_PATCHES, METHODS, TWIN_RESPONSES, asks_for_inputs};
use super::state::HubState;

/// How alike two texts must be for one to be meant by the other, from 0 to 1.
const LIKENESS_MIN: f64 = 0.3;

/// Why nothing comes by a filter, and which one may have been meant.
#[derive(Debug, PartialEq, Eq)]
struct Unserved {
    why: &'static str,
    nearest: Option<String>,
}

/// Judges a filter; `inputs` are those of the module that routes lead to.
fn judge(filter: &str, identity: &Identity, inputs: &[&str]) -> Option<Unserved> {
    let is_served = filter == TWIN_RESPONSES
        || filter.starts_with(DESIRED_PATCHES)
        || filter.starts_with(METHODS);
    if is_served {
        return None;
    }
    let Identity { device, module, .. } = identity;
    if filter.ends_with("messages/devicebound/#") {
        let why = "this hub has no cloud-to-device messages";
        return Some(Unserved { why, nearest: None });
    }
    let own = module.as_ref().map(|module| format!("devices/{device}/modules/{module}/inputs/"));
    let mut known: Vec<String> = Vec::new();
    if let Some(own) = &own {
        known.push(format!("{own}#"));
        known.extend(inputs.iter().map(|input| format!("{own}{}/#", encoded(input))));
    }
    if asks_for_inputs(filter) {
        if known.iter().skip(1).any(|known| covers(filter, known)) {
            return None;
        }
        if known.first().is_some_and(|all| covers(filter, all)) {
            return Some(Unserved { why: "no route leads to this module", nearest: None });
        }
    }
    let is_own = own.as_ref().is_some_and(|own| filter.starts_with(own.as_str()));
    let why = match (asks_for_inputs(filter), is_own) {
        (true, true) => "no route leads to this input",
        (true, false) => "it names inputs of another module, and a module gets its own alone",
        (false, _) => "an edge hub has nothing for it",
    };
    known.extend([TWIN_RESPONSES, METHODS_FILTER, DESIRED_FILTER].map(str::to_owned));
    Some(Unserved { why, nearest: nearest(filter, &known) })
}

/// The filters that turn methods and desired patches on, as SDKs write them.
const METHODS_FILTER: &str = "$iothub/methods/POST/#";
const DESIRED_FILTER: &str = "$iothub/twin/PATCH/properties/desired/#";

/// Whether a filter takes what comes by another that ends in `#`.
fn covers(filter: &str, known: &str) -> bool {
    mqttbytes::matches(&known.replace('#', "x"), filter)
}

fn encoded(input: &str) -> String {
    let mut text = String::new();
    percent_encode(input, &mut text);
    text
}

/// What a filter may have meant: what it covers as MQTT has it, else what is written most alike.
fn nearest(filter: &str, known: &[String]) -> Option<String> {
    let covered = known.iter().find(|known| covers(filter, known));
    let alike = || {
        known
            .iter()
            .map(|known| (strsim::normalized_damerau_levenshtein(filter, known), known))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
            .map(|(_, known)| known)
    };
    covered.or_else(alike).cloned()
}

impl HubState {
    /// Warns of a granted filter that nothing will come by.
    pub(super) fn warn_unserved(&mut self, peer: usize, filter: &str) {
        let identity = &self.peers[peer].identity;
        let inputs: Vec<&str> = self
            .routes
            .iter()
            .filter_map(|route| match &route.sink {
                Sink::Input { module, input } if Some(module) == identity.module.as_ref() => {
                    Some(input.as_str())
                }
                _ => None,
            })
            .collect();
        let Some(unserved) = judge(filter, identity, &inputs) else { return };
        let client = identity.client_id();
        self.log_unserved(&client, filter, &unserved);
    }

    /// As [`HubState::warn_unserved`], of all that a resumed session holds.
    pub(super) fn warn_unserved_session(&mut self, peer: usize) {
        let Some(session) = self.peers[peer].session.clone() else { return };
        session.filters().for_each(|filter| self.warn_unserved(peer, filter));
    }

    /// As [`HubState::warn_unserved`], of a registration, which hears its own answers alone.
    pub(super) fn warn_unserved_registration(&mut self, client: &str, filter: &str) {
        let why = "the provisioning service has nothing for it";
        let nearest = nearest(filter, &[dps::RESPONSES.to_owned()]);
        self.log_unserved(client, filter, &Unserved { why, nearest });
    }

    fn log_unserved(&mut self, client: &str, filter: &str, unserved: &Unserved) {
        if !self.unserved.is_first(&format!("{client} {filter}")) {
            return;
        }
        let Unserved { why, nearest } = unserved;
        match nearest {
            Some(nearest) => tracing::warn!(
                client,
                ?filter,
                ?nearest,
                "subscription that nothing will come by: {why}; perhaps the nearest one is meant"
            ),
            None => {
                tracing::warn!(client, ?filter, "subscription that nothing will come by: {why}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(module: Option<&str>) -> Identity {
        Identity {
            hub: "h".into(),
            gateway: "g".into(),
            device: "edge1".into(),
            module: module.map(str::to_owned),
        }
    }

    fn of_module(filter: &str) -> Option<Unserved> {
        judge(filter, &identity(Some("filter")), &["input1", "in 2"])
    }

    const OWN: &str = "devices/edge1/modules/filter/inputs/#";

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
    fn the_rest_is_explained_with_what_may_be_meant() {
        let input1 = "devices/edge1/modules/filter/inputs/input1/#";
        let rows = [
            ("#", "an edge hub has nothing", OWN),
            ("devices/#", "an edge hub has nothing", OWN),
            ("+/+/+/+/inputs/#", "an edge hub has nothing", OWN),
            ("devices/edge1/modules/filter/inputs/input1", "an edge hub has nothing", input1),
            ("devices/edge1/modules/filter/inputs/+", "an edge hub has nothing", OWN),
            ("devices/edge1/modules/filter/input/#", "inputs of another module", OWN),
            ("devices/edge1/modules/filter/inputs/inptu1/#", "no route leads to this", input1),
            ("devices/edge1/modules/other/inputs/#", "inputs of another module", OWN),
            ("devices/edge2/modules/filter/inputs/input1/#", "inputs of another", input1),
            ("device/edge1/modules/filter/inputs/#", "an edge hub has nothing", OWN),
            ("$iothub/twin/res/+", "an edge hub has nothing", TWIN_RESPONSES),
            ("$iothub/twin/#", "an edge hub has nothing", TWIN_RESPONSES),
            ("$iothub/method/POST/#", "an edge hub has nothing", METHODS_FILTER),
            ("$iothub/twin/PATCH/properties/desire/#", "an edge hub", DESIRED_FILTER),
        ];
        for (filter, why, nearest) in rows {
            let found = of_module(filter).unwrap_or_else(|| panic!("{filter}"));
            assert!(found.why.contains(why), "{filter}: {}", found.why);
            assert_eq!(found.nearest.as_deref(), Some(nearest), "{filter}");
        }
        let unlike = of_module("q").unwrap();
        assert_eq!(unlike.nearest, None);
    }

    #[test]
    fn modules_without_routes_and_devices() {
        let lonely = judge(OWN, &identity(Some("filter")), &[]).unwrap();
        assert_eq!(lonely, Unserved { why: "no route leads to this module", nearest: None });
        let device = identity(None);
        let devicebound = judge("devices/edge1/messages/devicebound/#", &device, &[]).unwrap();
        assert!(devicebound.why.contains("cloud-to-device"));
        assert!(judge(OWN, &device, &[]).unwrap().why.contains("another module"));
        assert_eq!(judge(TWIN_RESPONSES, &device, &[]), None);
    }
}
