//! Reading topics, from both ends of the connection. No allocation but for decoding escapes.

use std::borrow::Cow;

use crate::azure::digits::number;
use crate::azure::{Identity, percent_decode};

/// A topic on which the hub sent something to a module. Names and request ids are decoded, bags
/// are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received<'a> {
    /// A message for one of the module's own inputs.
    Input {
        /// Name of the input.
        input: Cow<'a, str>,
        /// Its properties, for [`Properties::decode`](crate::azure::Properties::decode).
        bag: &'a str,
    },
    /// The answer to a twin request.
    TwinResponse {
        /// 200 or 204 when it succeeded.
        status: u32,
        /// Of the request.
        rid: Cow<'a, str>,
        /// Of the reported properties, where the hub names it.
        version: Option<u64>,
    },
    /// Changed desired properties.
    DesiredPatch {
        /// Version of the desired properties.
        version: Option<u64>,
    },
    /// A direct method request.
    Method {
        /// Name of the method.
        name: Cow<'a, str>,
        /// To be echoed in the answer.
        rid: Cow<'a, str>,
    },
    /// Anything else, malformed topics included: acknowledge and count it.
    Other,
}

/// Reads a topic that the module `identity` received; never fails.
///
/// Ids must match exactly. A bag ends at the first raw `/`, as with the Python SDK; input topics
/// without a bag or its slash are fine. A twin or method topic with a query that has a part
/// without `=` is [`Received::Other`], as it is an error to the Python SDK. A `$version` that is
/// none takes nothing from the rest: a patch must not be missed for it.
pub fn parse_received<'a>(identity: &Identity, topic: &'a str) -> Received<'a> {
    received_input(identity, topic).or_else(|| received_control(topic)).unwrap_or(Received::Other)
}

fn received_input<'a>(identity: &Identity, topic: &'a str) -> Option<Received<'a>> {
    let rest = topic
        .strip_prefix("devices/")?
        .strip_prefix(identity.device.as_str())?
        .strip_prefix("/modules/")?
        .strip_prefix(identity.module.as_deref()?)?
        .strip_prefix("/inputs/")?;
    let (input, bag) = rest.split_once('/').unwrap_or((rest, ""));
    let bag = bag.split_once('/').map_or(bag, |(bag, _)| bag);
    (!input.is_empty()).then(|| Received::Input { input: percent_decode(input), bag })
}

fn received_control(topic: &str) -> Option<Received<'_>> {
    let rest = topic.strip_prefix("$iothub/")?;
    if let Some(rest) = rest.strip_prefix("twin/res/") {
        let (status, query) = rest.split_once('/')?;
        let Query { rid, version } = Query::parse(query)?;
        return Some(Received::TwinResponse { status: number(status)?, rid: rid?, version });
    }
    if let Some(query) = rest.strip_prefix("twin/PATCH/properties/desired/") {
        return Some(Received::DesiredPatch { version: Query::parse(query)?.version });
    }
    let rest = rest.strip_prefix("methods/POST/")?;
    let name_len = rest.find("/?")?;
    let rid = Query::parse(&rest[name_len + 1..])?.rid?;
    (name_len > 0).then(|| Received::Method { name: percent_decode(&rest[..name_len]), rid })
}

/// A topic on which a module or device sent something to its hub. Request ids are decoded, ids
/// and bags are as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent<'a> {
    /// A message, to an output when its bag has `$.on`.
    Telemetry {
        /// Sending device, as the topic has it: not checked against the connection.
        device: Cow<'a, str>,
        /// Sending module.
        module: Option<Cow<'a, str>>,
        /// For [`Properties::decode_strict`](crate::azure::Properties::decode_strict), without the
        /// `/` that the Node SDK puts behind it.
        bag: &'a str,
    },
    /// Asks for the whole twin.
    TwinGet {
        /// For the answer.
        rid: Cow<'a, str>,
    },
    /// Reports properties.
    TwinReported {
        /// For the answer; without it there is none.
        rid: Option<Cow<'a, str>>,
    },
    /// Answers a direct method request.
    MethodResponse {
        /// Any number the module chose.
        status: u32,
        /// Of the request; compare without regard to case.
        rid: Cow<'a, str>,
    },
    /// Anything else, malformed topics included.
    Other,
}

/// Reads a topic that a hub received; never fails.
pub fn parse_sent(topic: &str) -> Sent<'_> {
    sent_telemetry(topic).or_else(|| sent_control(topic)).unwrap_or(Sent::Other)
}

fn sent_telemetry(topic: &str) -> Option<Sent<'_>> {
    let (device, rest) = topic.strip_prefix("devices/")?.split_once('/')?;
    let (module, rest) = match rest.strip_prefix("modules/") {
        Some(rest) => rest.split_once('/').map(|(module, rest)| (Some(module), rest))?,
        None => (None, rest),
    };
    let bag = match rest.strip_prefix("messages/events")? {
        "" => "",
        bag => bag.strip_prefix('/')?,
    };
    let bag = bag.strip_suffix('/').unwrap_or(bag);
    let has_ids = !device.is_empty() && module != Some("");
    has_ids.then(|| Sent::Telemetry { device: device.into(), module: module.map(Cow::from), bag })
}

fn sent_control(topic: &str) -> Option<Sent<'_>> {
    let rest = topic.strip_prefix("$iothub/")?;
    if let Some(query) = rest.strip_prefix("twin/GET/") {
        return Some(Sent::TwinGet { rid: Query::parse(query)?.rid? });
    }
    if let Some(query) = rest.strip_prefix("twin/PATCH/properties/reported/") {
        return Some(Sent::TwinReported { rid: Query::parse(query)?.rid });
    }
    let (status, query) = rest.strip_prefix("methods/res/")?.split_once('/')?;
    Some(Sent::MethodResponse { status: number(status)?, rid: Query::parse(query)?.rid? })
}

/// What stands behind the last `/` of a twin or method topic.
#[derive(Default)]
struct Query<'a> {
    rid: Option<Cow<'a, str>>,
    version: Option<u64>,
}

impl<'a> Query<'a> {
    /// `None` when it is malformed; empty is not, nor are unknown names.
    fn parse(text: &'a str) -> Option<Self> {
        let mut query = Self::default();
        if text.is_empty() || text == "?" {
            return Some(query);
        }
        for pair in text.strip_prefix('?')?.split('&') {
            let (name, value) = pair.split_once('=')?;
            match &*percent_decode(name) {
                "$rid" => query.rid = Some(percent_decode(value)),
                "$version" => query.version = number(value),
                _ => {}
            }
        }
        Some(query)
    }
}
