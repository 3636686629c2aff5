//! The topics of a module, a device and their hub: how to write them and how to read them.
//!
//! Ids go into topics as they are. Names, request ids and bags are percent-encoded, but `$rid` and
//! `$version` have a literal `$` (IoT Hub MQTT: twins, direct methods). Nothing here is bounded but
//! by the topic itself, which MQTT 3.1.1 §1.5.3 limits to [`TOPIC_LEN_MAX`]; whoever sends a topic
//! made of outside text checks that.

use std::iter;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::properties::{SYSTEM_ORDER, encode_pairs, system_rank};
use super::{Identity, Properties, percent_encode};

mod read;

pub use read::{Received, Sent, parse_received, parse_sent};

/// Longest topic in bytes (MQTT 3.1.1 §1.5.3).
pub const TOPIC_LEN_MAX: usize = 65_535;

/// Filter of the answers to twin requests.
pub const TWIN_RESPONSES: &str = "$iothub/twin/res/#";
/// Filter of changes of desired properties.
pub const DESIRED_PATCHES: &str = "$iothub/twin/PATCH/properties/desired/#";
/// Filter of direct method requests.
pub const METHODS: &str = "$iothub/methods/POST/#";

/// What cannot stand in a method name within a topic. Everything else goes in raw, as on edgeHub:
/// not every SDK decodes it.
const METHOD_NAME_RESERVED: &AsciiSet = &CONTROLS.add(b'%').add(b'/').add(b'?').add(b'+').add(b'#');

/// Filter of the messages for `identity`: a module's inputs, or what the cloud sends to a device.
pub fn inputs_filter(identity: &Identity) -> String {
    match identity.module {
        Some(_) => format!("{}/inputs/#", base(identity)),
        None => format!("{}/messages/devicebound/#", base(identity)),
    }
}

/// What the topic of every input of a module begins with; the input's name and `/` follow.
pub fn inputs_prefix(identity: &Identity) -> String {
    format!("{}/inputs/", base(identity))
}

/// Topic of telemetry: system properties first in the order of the SDKs, the others as given.
pub fn telemetry(identity: &Identity, properties: &Properties) -> String {
    let mut topic = format!("{}/messages/events/", base(identity));
    encode_pairs(system_first(properties), &mut topic);
    topic
}

/// Topic of a message to `output`, which replaces any `$.on`; ordered like [`telemetry`].
///
/// With no properties it is the prefix that [`alert_topic`](super::alert_topic) asks for.
pub fn output(identity: &Identity, output: &str, properties: &Properties) -> String {
    let mut topic = format!("{}/messages/events/", base(identity));
    let others = system_first(properties).filter(|(name, _)| *name != "$.on");
    encode_pairs(iter::once(("$.on", Some(output))).chain(others), &mut topic);
    topic
}

/// Topic that asks for the whole twin.
pub fn twin_get(rid: &str) -> String {
    with_rid("$iothub/twin/GET/", rid)
}

/// Topic that reports properties.
pub fn twin_reported(rid: &str) -> String {
    with_rid("$iothub/twin/PATCH/properties/reported/", rid)
}

/// Topic of the answer to the direct method request `rid`.
pub fn method_response(status: u32, rid: &str) -> String {
    with_rid(&format!("$iothub/methods/res/{status}/"), rid)
}

/// Topic by which a hub hands a message to an input: ends in the bag, and has at least its `/`,
/// without which the Node SDK loses the message.
///
/// Application properties come first, then system properties, both in the order given; `$.on` and
/// `$.ifid` are for the hub alone and left out.
pub fn input(device: &str, module: &str, input: &str, properties: &Properties) -> String {
    let mut topic = format!("devices/{device}/modules/{module}/inputs/");
    percent_encode(input, &mut topic);
    topic.push('/');
    let is_system = |name: &str| name.starts_with("$.");
    let application = properties.iter().filter(|(name, _)| !is_system(name));
    let system = properties
        .iter()
        .filter(|(name, _)| is_system(name) && !matches!(*name, "$.on" | "$.ifid"));
    encode_pairs(application.chain(system), &mut topic);
    topic
}

/// Topic of a hub's answer to a twin request; edgeHub names no version.
pub fn twin_response(status: u32, rid: &str, version: Option<u64>) -> String {
    let mut topic = with_rid(&format!("$iothub/twin/res/{status}/"), rid);
    if let Some(version) = version {
        topic.push_str(&format!("&$version={version}"));
    }
    topic
}

/// Topic by which a hub announces changed desired properties.
pub fn desired_patch(version: u64) -> String {
    format!("$iothub/twin/PATCH/properties/desired/?$version={version}")
}

/// Topic by which a hub calls a method. `name` is raw but for what would break the topic.
pub fn method_request(name: &str, rid: &str) -> String {
    let name = utf8_percent_encode(name, METHOD_NAME_RESERVED);
    with_rid(&format!("$iothub/methods/POST/{name}/"), rid)
}

fn base(identity: &Identity) -> String {
    match &identity.module {
        Some(module) => format!("devices/{}/modules/{module}", identity.device),
        None => format!("devices/{}", identity.device),
    }
}

fn with_rid(start: &str, rid: &str) -> String {
    let mut topic = format!("{start}?$rid=");
    percent_encode(rid, &mut topic);
    topic
}

fn system_first(properties: &Properties) -> impl Iterator<Item = (&str, Option<&str>)> {
    let system =
        SYSTEM_ORDER.iter().filter_map(|name| properties.get(name).map(|value| (*name, value)));
    let others = properties.iter().filter(|(name, _)| system_rank(name) == SYSTEM_ORDER.len());
    system.chain(others)
}

#[cfg(test)]
mod tests;
