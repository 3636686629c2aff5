//! MQTT 3.1.1 to the letter: what a server must close a connection on is closed on, with the
//! number of the statement that the client broke.
//!
//! An edge hub lets some of it pass. Here a client is developed, so here its faults shall show.
//! Bytes go in, packets or a [`Violation`] come out; the decoding itself is rumqttc's, behind these
//! checks. Pure: no clock, no I/O. Bounded: no packet beyond [`PACKET_BYTES_MAX`] is waited for.

use bytes::{Buf, BytesMut};
use rumqttc::mqttbytes::v4::{Connect, Packet};
use sluicegate::azure::size::PACKET_BYTES_MAX;

mod body;
mod connect;
mod text;
mod violation;

pub(super) use connect::Unwelcome;
use violation::{MALFORMED, Result};
pub(super) use violation::{Violation, violation};

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const PUBREL: u8 = 6;
const PUBCOMP: u8 = 7;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;
const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;

/// Names of the packet types; the first and the last are reserved.
const NAMES: [&str; 16] = [
    "type 0",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "type 15",
];

/// A connection's first packet.
#[derive(Debug, PartialEq)]
pub(super) enum First {
    /// One that may be let in.
    Connect(Connect),
    /// One that is answered by a refusal.
    Unwelcome(Unwelcome),
}

/// The fixed header of a packet that is there as a whole.
#[derive(Debug, Clone, Copy)]
struct Header {
    kind: u8,
    flags: u8,
    /// Bytes of the header itself.
    bytes: usize,
    /// Bytes behind it.
    remaining: usize,
}

/// Takes the first packet out of `input`; `None` while it is not all there.
///
/// # Errors
/// It is no CONNECT, or one that a server must close on.
pub(super) fn first(input: &mut BytesMut) -> Result<Option<First>> {
    let Some(&start) = input.first() else { return Ok(None) };
    if start >> 4 != CONNECT {
        let what = format!("the first packet is {}, not CONNECT", name_of(start >> 4));
        return Err(violation(what, &["MQTT-3.1.0-1"]));
    }
    let Some(header) = header(input)? else { return Ok(None) };
    let first = connect::parse(&input[header.bytes..header.bytes + header.remaining])?;
    input.advance(header.bytes + header.remaining);
    Ok(Some(first))
}

/// Takes the next packet of a connection that is past CONNECT out of `input`; `None` while it is
/// not all there.
///
/// # Errors
/// A server must close on it, or it is larger than any that a hub takes.
pub(super) fn next(input: &mut BytesMut) -> Result<Option<Packet>> {
    let Some(header) = header(input)? else { return Ok(None) };
    body::check(header, &input[header.bytes..header.bytes + header.remaining])?;
    let packet = Packet::read(input, PACKET_BYTES_MAX);
    packet.map(Some).map_err(|error| violation(error.to_string(), MALFORMED))
}

/// The header of the packet at the front, once all of the packet is there. Faults of the header
/// are told as soon as they are.
fn header(input: &[u8]) -> Result<Option<Header>> {
    let Some(&start) = input.first() else { return Ok(None) };
    let (kind, flags) = (start >> 4, start & 0x0f);
    check_flags(kind, flags)?;
    let Some((remaining, length_bytes)) = remaining_length(&input[1..])? else { return Ok(None) };
    if remaining > PACKET_BYTES_MAX {
        let packet = a_packet(kind);
        let what = format!("{packet} of {remaining} bytes; a hub takes {PACKET_BYTES_MAX}");
        return Err(violation(what, &[]));
    }
    let bytes = 1 + length_bytes;
    let is_whole = input.len() >= bytes + remaining;
    Ok(is_whole.then_some(Header { kind, flags, bytes, remaining }))
}

/// The remaining length and the bytes that it takes; `None` while they are not all there.
fn remaining_length(input: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (index, &byte) in input.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    if input.len() < 4 {
        return Ok(None);
    }
    Err(violation("a remaining length of more than four bytes (section 2.2.3)", MALFORMED))
}

/// Types and flags that a client may send (Tables 2.1 and 2.2).
fn check_flags(kind: u8, flags: u8) -> Result<()> {
    let expected = match kind {
        CONNECT | PUBACK | PUBREC | PUBCOMP | PINGREQ | DISCONNECT => 0,
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => 0b0010,
        PUBLISH => return check_publish_flags(flags),
        0 | 15 => {
            let what = format!("a packet of {}, which is reserved (Table 2.1)", name_of(kind));
            return Err(violation(what, MALFORMED));
        }
        _ => {
            let what = format!("{}, which only servers send (Table 2.1)", a_packet(kind));
            return Err(violation(what, MALFORMED));
        }
    };
    if flags == expected {
        return Ok(());
    }
    let packet = a_packet(kind);
    let what = format!("{packet} with the flags {flags:04b}, which must be {expected:04b}");
    Err(violation(what, reserved_flags(kind)))
}

fn check_publish_flags(flags: u8) -> Result<()> {
    let (is_again, qos) = (flags & 0b1000 != 0, flags >> 1 & 0b11);
    match qos {
        3 => Err(violation("a PUBLISH with QoS 3", &["MQTT-3.3.1-4"])),
        0 if is_again => Err(violation("a PUBLISH with DUP and QoS 0", &["MQTT-3.3.1-2"])),
        _ => Ok(()),
    }
}

/// The statements on the reserved flags of a packet type.
fn reserved_flags(kind: u8) -> &'static [&'static str] {
    match kind {
        PUBREL => &["MQTT-3.6.1-1", "MQTT-2.2.2-2"],
        SUBSCRIBE => &["MQTT-3.8.1-1", "MQTT-2.2.2-2"],
        UNSUBSCRIBE => &["MQTT-3.10.1-1", "MQTT-2.2.2-2"],
        DISCONNECT => &["MQTT-3.14.1-1", "MQTT-2.2.2-2"],
        _ => &["MQTT-2.2.2-1", "MQTT-2.2.2-2"],
    }
}

fn name_of(kind: u8) -> &'static str {
    NAMES[usize::from(kind & 0x0f)]
}

/// A packet's name behind its article.
fn a_packet(kind: u8) -> String {
    let name = name_of(kind);
    let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {name}")
}

#[cfg(test)]
mod tests;
