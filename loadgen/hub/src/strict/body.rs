//! What stands behind the fixed header of a packet past CONNECT.

use super::text::{PacketReader, topic_filter, topic_name};
use super::violation::{MALFORMED, Result, violation};
use super::{CONNECT, Header, PUBLISH, SUBSCRIBE, UNSUBSCRIBE};
use super::{DISCONNECT, PINGREQ, a_packet};

const ID: &[&str] = &["MQTT-2.3.1-1"];

/// Checks the body of a packet whose header is in order.
pub(super) fn check(header: Header, body: &[u8]) -> Result<()> {
    match header.kind {
        CONNECT => Err(violation("a second CONNECT", &["MQTT-3.1.0-2"])),
        PUBLISH => publish(header.flags, body),
        SUBSCRIBE => subscribe(body),
        UNSUBSCRIBE => unsubscribe(body),
        PINGREQ | DISCONNECT if body.is_empty() => Ok(()),
        kind @ (PINGREQ | DISCONNECT) => {
            let what = format!("{} with {} bytes too many", a_packet(kind), body.len());
            Err(violation(what, MALFORMED))
        }
        kind => acknowledgement(kind, body),
    }
}

fn publish(flags: u8, body: &[u8]) -> Result<()> {
    let mut reader = PacketReader(body);
    let topic = reader.field().ok_or_else(|| {
        violation("a PUBLISH that ends within its topic", &["MQTT-3.3.2-1", "MQTT-4.8.0-1"])
    })?;
    topic_name("the topic of a PUBLISH", topic)?;
    let has_id = flags & 0b0110 != 0;
    if has_id { packet_id(PUBLISH, &mut reader) } else { Ok(()) }
}

fn subscribe(body: &[u8]) -> Result<()> {
    const PAIRS: &[&str] = &["MQTT-3.8.3-3"];
    let mut reader = PacketReader(body);
    packet_id(SUBSCRIBE, &mut reader)?;
    if reader.0.is_empty() {
        return Err(violation("a SUBSCRIBE without a filter", PAIRS));
    }
    while !reader.0.is_empty() {
        let filter = reader
            .field()
            .ok_or_else(|| violation("a SUBSCRIBE that ends within a filter", PAIRS))?;
        topic_filter("the filter of a SUBSCRIBE", filter)?;
        let qos = reader.u8();
        let qos =
            qos.ok_or_else(|| violation("a SUBSCRIBE with a filter and no QoS for it", PAIRS))?;
        if qos > 2 {
            let what = format!("a SUBSCRIBE whose QoS byte is {qos:#04x}");
            // The standard's text misprints its own number; both are looked for.
            return Err(violation(what, &["MQTT-3.8.3-4", "MQTT-3-8.3-4"]));
        }
    }
    Ok(())
}

fn unsubscribe(body: &[u8]) -> Result<()> {
    const FILTERS: &[&str] = &["MQTT-3.10.3-2"];
    let mut reader = PacketReader(body);
    packet_id(UNSUBSCRIBE, &mut reader)?;
    if reader.0.is_empty() {
        return Err(violation("an UNSUBSCRIBE without a filter", FILTERS));
    }
    while !reader.0.is_empty() {
        let filter = reader
            .field()
            .ok_or_else(|| violation("an UNSUBSCRIBE that ends within a filter", FILTERS))?;
        topic_filter("the filter of an UNSUBSCRIBE", filter)?;
    }
    Ok(())
}

fn packet_id(kind: u8, reader: &mut PacketReader<'_>) -> Result<()> {
    match reader.u16() {
        Some(0) => Err(violation(format!("{} with the packet id 0", a_packet(kind)), ID)),
        Some(_) => Ok(()),
        None => Err(violation(format!("{} without a packet id", a_packet(kind)), ID)),
    }
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP: a packet id alone, that of a publish, which is never 0.
fn acknowledgement(kind: u8, body: &[u8]) -> Result<()> {
    let packet = a_packet(kind);
    match body {
        [0, 0] => {
            let what = format!("{packet} with the packet id 0");
            Err(violation(what, &["MQTT-2.3.1-6", "MQTT-2.3.1-1"]))
        }
        [_, _] => Ok(()),
        _ => {
            let what = format!("{packet} of {} bytes, which must be 2", body.len());
            Err(violation(what, MALFORMED))
        }
    }
}
