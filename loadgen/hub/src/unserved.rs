//! Subscriptions that an edge hub grants and that nothing will ever come by.
//!
//! An edge hub reads a filter's text ([`session`](super::session)); one that it cannot read is
//! granted all the same. Filters, identity and routes go in, an explanation comes out. Pure, but
//! for the last part, which logs it: once for each client and filter.

use rumqttc::mqttbytes;
use sluicegate::azure::{dps, percent_encode};

use super::route::Sink;
use super::session::{DESIRED_PATCHES, METHODS, TWIN_RESPONSES, asks_for_inputs};
use super::state::HubState;
use why::Asker;

mod why;

/// How alike two texts must be for one to be meant by the other, from 0 to 1.
const LIKENESS_MIN: f64 = 0.3;

/// Why nothing comes by a filter, and which one may have been meant.
#[derive(Debug, PartialEq, Eq)]
struct Unserved {
    why: String,
    nearest: Option<String>,
}

/// Judges a filter; `inputs` are those of the asker's module that routes lead to.
fn judge(filter: &str, asker: Asker<'_>, inputs: &[&str]) -> Option<Unserved> {
    let is_served = filter == TWIN_RESPONSES
        || filter.starts_with(DESIRED_PATCHES)
        || filter.starts_with(METHODS);
    if is_served {
        return None;
    }
    let Asker { device, module, .. } = asker;
    if filter.to_lowercase().ends_with("messages/devicebound/#") {
        let why = "this hub has no cloud-to-device messages".to_owned();
        return Some(Unserved { why, nearest: None });
    }
    let own = module.map(|module| format!("devices/{device}/modules/{module}/inputs/"));
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
            let why = "no route leads to this module".to_owned();
            return Some(Unserved { why, nearest: None });
        }
    }
    known.extend([TWIN_RESPONSES, METHODS_FILTER, DESIRED_FILTER].map(str::to_owned));
    let input = own.as_ref().and_then(|own| filter.strip_prefix(own.as_str()));
    let why = match input.and_then(|input| input.strip_suffix("/#")) {
        Some(input) => why_not_input(input, inputs),
        None => asker.difference(filter, &known).unwrap_or_else(|| why_not(filter, module)),
    };
    Some(Unserved { why, nearest: nearest(filter, &known) })
}

/// Why nothing comes for an input of the module itself.
fn why_not_input(input: &str, inputs: &[&str]) -> String {
    match inputs.iter().find(|known| why::is_same_letters(&encoded(known), input)) {
        Some(known) => {
            let input = why::shortened(input);
            format!("letter case counts, and routes lead to {known:?}, not to {input}")
        }
        None => "no route leads to this input".to_owned(),
    }
}

/// Why nothing comes by what is like nothing known.
fn why_not(filter: &str, module: Option<&str>) -> String {
    let why = match (asks_for_inputs(filter), module) {
        (true, None) => "only modules have inputs, and this client is a device",
        (true, Some(_)) => "it names no input of this module",
        (false, _) if filter.split('/').any(|level| level == "+" || level == "#") => {
            "an edge hub has nothing for it: it goes by the text, not by what wildcards cover"
        }
        (false, _) => "an edge hub has nothing for it",
    };
    why.to_owned()
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
        let peers = self.peers.iter().map(|peer| &peer.identity);
        let modules: Vec<&str> = peers.filter_map(|peer| peer.module.as_deref()).collect();
        let (device, module) = (&*identity.device, identity.module.as_deref());
        let asker = Asker { device, module, modules: &modules };
        let Some(unserved) = judge(filter, asker, &inputs) else { return };
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
        let known = [dps::RESPONSES.to_owned()];
        let asker = Asker { device: client, module: None, modules: &[] };
        let why = asker
            .difference(filter, &known)
            .unwrap_or_else(|| "the provisioning service has nothing for it".to_owned());
        let nearest = nearest(filter, &known);
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
mod tests;
