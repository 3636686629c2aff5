//! A message on its way through the hub: read from a publish or handed in, and the property bag
//! that its receivers get (IoT Hub MQTT: sending device-to-cloud messages; edgeHub's inputs).

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Instant;

use bytes::Bytes;
use sluicegate::azure::{Properties, percent_encode};
use thiserror::Error;

use sluicegate::azure::size::{MESSAGE_BYTES_MAX, message_bytes};

/// A message to send as a module or to an input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubMessage {
    /// Payload, as it is.
    pub body: Bytes,
    /// Application and system properties (`$.mid`, `$.ct`, ...).
    pub properties: Properties,
}

/// A message that took a route into `$upstream`.
#[derive(Debug, Clone)]
pub struct UpstreamMessage {
    /// Sending device.
    pub device: String,
    /// Sending module; `None` when a device sent it.
    pub module: Option<String>,
    /// Output of the module, if it named one.
    pub output: Option<String>,
    /// Payload, as it is.
    pub body: Bytes,
    /// Properties in the order received, without the output name.
    pub properties: Properties,
    /// When the hub took it, or found it again at its start.
    pub received_at: Instant,
    /// Its place in the order of all messages of a durable hub, for
    /// [`HubHandle::release_upstream`](super::HubHandle::release_upstream); 0 in any other.
    pub number: u64,
}

impl UpstreamMessage {
    /// Bytes of its texts and its body.
    pub fn bytes(&self) -> usize {
        let texts = [&self.module, &self.output].into_iter().flatten().map(String::len);
        let properties = self.properties.iter().map(|(k, v)| k.len() + v.map_or(0, str::len));
        self.device.len() + self.body.len() + texts.chain(properties).sum::<usize>()
    }
}

/// Why a message is not routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unroutable {
    /// The property bag does not parse.
    #[error("the property bag does not parse")]
    Malformed,
    /// Two property names differ only in letter case.
    #[error("two property names differ only in letter case")]
    DuplicateProperty,
    /// Above [`MESSAGE_BYTES_MAX`].
    #[error("body and properties exceed {MESSAGE_BYTES_MAX} bytes")]
    TooLarge,
}

/// A message with its sender, ready to be routed.
#[derive(Debug)]
pub(super) struct Telemetry<'a> {
    pub(super) device: Cow<'a, str>,
    pub(super) module: Option<Cow<'a, str>>,
    pub(super) output: Option<String>,
    pub(super) properties: Properties,
    pub(super) body: Bytes,
}

/// Name of the system property that carries the output.
const OUTPUT: &str = "$.on";

/// Names that edgeHub treats as system properties; every other one is an application property.
const SYSTEM: [&str; 16] = [
    "$.mid",
    "$.cid",
    "$.uid",
    "$.to",
    "$.ct",
    "$.ce",
    "$.exp",
    "$.on",
    "$.ifid",
    "$.sub",
    "$.schema",
    "$.ctime",
    "$.cdid",
    "$.cmid",
    "ack",
    "iothub-operation",
];

/// System properties of the sender that a receiver does not get: the output and interface names,
/// and the sender's ids, which the hub itself fills in.
const NOT_DELIVERED: [&str; 4] = [OUTPUT, "$.ifid", "$.cdid", "$.cmid"];

impl<'a> Telemetry<'a> {
    /// Takes a message apart and checks it as edgeHub would.
    ///
    /// # Errors
    /// [`Unroutable`]; only `TooLarge` costs the sender its connection.
    pub(super) fn new(
        device: Cow<'a, str>,
        module: Option<Cow<'a, str>>,
        mut properties: Properties,
        body: Bytes,
    ) -> Result<Self, Unroutable> {
        let module_bytes = module.as_deref().map_or(0, str::len);
        if message_bytes(&properties, body.len(), device.len() + module_bytes) > MESSAGE_BYTES_MAX {
            return Err(Unroutable::TooLarge);
        }
        if has_duplicate(&properties) {
            return Err(Unroutable::DuplicateProperty);
        }
        let output = properties.get(OUTPUT).flatten().map(str::to_owned);
        properties.remove(OUTPUT);
        Ok(Self { device, module, output, properties, body })
    }

    /// What routes look at; empty text is written anew into `source`.
    pub(super) fn write_source(&self, source: &mut String) {
        source.clear();
        let Some(module) = &self.module else {
            source.push_str("/messages/events");
            return;
        };
        source.push_str("/messages/modules/");
        source.push_str(module);
        if let Some(output) = &self.output {
            source.push_str("/outputs/");
            source.push_str(output);
        }
    }

    /// The bag a receiving module gets: application properties, then system ones, both in message
    /// order, then the sender. Replaces the content of `bag`.
    pub(super) fn write_bag(&self, bag: &mut String) {
        bag.clear();
        for (name, value) in self.properties.iter().filter(|(name, _)| !is_system(name)) {
            push_pair(bag, name, value);
        }
        let system = |name: &str| is_system(name) && !NOT_DELIVERED.contains(&name);
        for (name, value) in self.properties.iter().filter(|(name, _)| system(name)) {
            push_pair(bag, name, value);
        }
        push_pair(bag, "$.cdid", Some(&self.device));
        if let Some(module) = &self.module {
            push_pair(bag, "$.cmid", Some(module));
        }
    }

    /// The message as readers of `$upstream` get it.
    pub(super) fn to_upstream(&self, received_at: Instant) -> UpstreamMessage {
        UpstreamMessage {
            device: self.device.clone().into_owned(),
            module: self.module.as_deref().map(str::to_owned),
            output: self.output.clone(),
            // The body is a part of a read buffer of 64 KiB: a copy lets that go.
            body: Bytes::copy_from_slice(&self.body),
            properties: self.properties.clone(),
            received_at,
            number: 0,
        }
    }
}

/// An empty value travels as a bare name, as on edgeHub.
fn push_pair(bag: &mut String, name: &str, value: Option<&str>) {
    if !bag.is_empty() {
        bag.push('&');
    }
    percent_encode(name, bag);
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        bag.push('=');
        percent_encode(value, bag);
    }
}

fn is_system(name: &str) -> bool {
    SYSTEM.contains(&name)
}

/// Whether two application properties have one name but for its letter case. System names have
/// one spelling only.
fn has_duplicate(properties: &Properties) -> bool {
    /// Up to here comparing every pair is the shorter way.
    const FEW: usize = 16;
    let names = || properties.iter().map(|(name, _)| name).filter(|name| !is_system(name));
    if properties.len() <= FEW {
        return names().enumerate().any(|(index, name)| {
            names().take(index).any(|earlier| earlier.eq_ignore_ascii_case(name))
        });
    }
    let mut seen = HashSet::with_capacity(properties.len());
    names().any(|name| !seen.insert(name.to_ascii_lowercase()))
}
