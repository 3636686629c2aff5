//! PUBLISH and PUBACK on plain bytes (MQTT 3.1.1 §3.3, §3.4): what the hot path reads and writes.
//!
//! Reading takes nothing out of the buffer and allocates nothing: a packet is the places of its
//! parts. Every other packet, and every fault, is left to rumqttc's codec, which is also the oracle
//! of the tests.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::Packet;
use rumqttc::mqttbytes::{self, Error, QoS};

/// First byte of a PUBLISH without flags.
const PUBLISH: u8 = 0x30;
/// First byte of a PUBACK.
const PUBACK: u8 = 0x40;
/// First byte of a PUBREC.
const PUBREC: u8 = 0x50;
/// First byte of a PUBCOMP.
const PUBCOMP: u8 = 0x70;
/// The flag of a publish that was sent before (MQTT 3.1.1 §3.3.1.1).
const DUP: u8 = 0x08;
/// The flags of QoS 1 (MQTT 3.1.1 §3.3.1.2).
const AT_LEAST_ONCE: u8 = 0x02;
/// The flags of QoS 2.
const EXACTLY_ONCE: u8 = 0x04;
/// The flag of a publish that the broker kept (MQTT 3.1.1 §3.3.1.3).
const RETAIN: u8 = 0x01;

/// A packet found in a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A PUBLISH, by its places.
    Publish(PublishAt),
    /// A PUBACK for this packet id.
    PubAck(u16),
    /// A PUBLISH that was passed over, as it is larger than is taken.
    TooLarge {
        /// Its packet id; `None` at QoS 0.
        packet_id: Option<u16>,
        /// Its length on the wire.
        bytes: usize,
        /// Its topic, as it came.
        topic: Box<Bytes>,
    },
    /// Any other packet; never a PUBLISH or PUBACK.
    Other(Box<Packet>),
}

// There is one for each message: what is rare is boxed.
const _: () = assert!(size_of::<Incoming>() <= 24);

/// Where the parts of a PUBLISH are, counted from the start of the buffer that it was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishAt {
    topic: u32,
    body: u32,
    end: u32,
    topic_len: u16,
    packet_id: u16,
    first: u8,
}

impl PublishAt {
    /// The topic; the decoder has checked that it is UTF-8.
    pub fn topic<'a>(&self, block: &'a [u8]) -> &'a [u8] {
        let start = self.topic_at();
        &block[start..start + usize::from(self.topic_len)]
    }

    /// Where the topic begins.
    pub fn topic_at(&self) -> usize {
        widen(self.topic)
    }

    /// Where the topic ends.
    pub fn topic_end(&self) -> usize {
        widen(self.topic) + usize::from(self.topic_len)
    }

    /// Where the body is.
    pub fn body(&self) -> std::ops::Range<usize> {
        widen(self.body)..widen(self.end)
    }

    /// Length of topic and body.
    pub fn len(&self) -> usize {
        usize::from(self.topic_len) + self.body().len()
    }

    /// Whether topic and body are empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The packet id; `None` at QoS 0, which has none.
    pub fn packet_id(&self) -> Option<u16> {
        (self.packet_id != 0).then_some(self.packet_id)
    }

    /// The quality of service it was delivered with.
    pub fn qos(&self) -> QoS {
        match self.first >> 1 & 3 {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }

    /// Whether it was sent before, or tried to be.
    pub fn is_dup(&self) -> bool {
        self.first & DUP != 0
    }

    /// Whether the broker kept it from before the subscription.
    pub fn is_retained(&self) -> bool {
        self.first & RETAIN != 0
    }

    /// The packet of its own that the codec makes of it; it keeps nothing of the block.
    pub fn to_publish(self, block: &[u8]) -> mqttbytes::v4::Publish {
        let topic = String::from_utf8_lossy(self.topic(block)).into_owned();
        let body = Bytes::copy_from_slice(&block[self.body()]);
        let mut publish = mqttbytes::v4::Publish::from_bytes(topic, self.qos(), body);
        publish.dup = self.is_dup();
        publish.retain = self.is_retained();
        publish.pkid = self.packet_id;
        publish
    }
}

fn widen(place: u32) -> usize {
    usize::try_from(place).expect("usize has at least 32 bits here")
}

fn narrow(place: usize) -> u32 {
    u32::try_from(place).expect("a read buffer is far below 4 GiB")
}

/// What became of a buffer.
#[derive(Debug)]
pub struct Decoded {
    /// Bytes of the whole packets at its start.
    pub consumed: usize,
    /// Why it ends there: [`Error::InsufficientBytes`] with what is missing of the next packet, or
    /// a fault that no further byte can mend.
    pub end: Error,
    /// Whether a QoS 2 PUBLISH or a PUBREL is among the packets.
    pub has_exactly_once: bool,
}

/// Appends at most `limit` of the whole packets at the start of `bytes` to `packets`; none is taken
/// that is longer than `packet_bytes_max`.
pub fn decode(
    bytes: &[u8],
    packets: &mut Vec<Incoming>,
    limit: usize,
    packet_bytes_max: usize,
) -> Decoded {
    let mut at = 0;
    let mut has_exactly_once = false;
    for _ in 0..limit {
        let (packet, end) = match frequent(bytes, at, packet_bytes_max) {
            Some(found) => found,
            None => match rare(bytes, at, packet_bytes_max, &mut has_exactly_once) {
                Ok(found) => found,
                Err(end) => return Decoded { consumed: at, end, has_exactly_once },
            },
        };
        packets.push(packet);
        at = end;
    }
    Decoded { consumed: at, end: Error::InsufficientBytes(0), has_exactly_once }
}

/// The PUBLISH at QoS 0 or 1, or the PUBACK, at `at`, and where it ends.
#[inline]
fn frequent(bytes: &[u8], at: usize, packet_bytes_max: usize) -> Option<(Incoming, usize)> {
    let (header, length) = frame(&bytes[at..])?;
    let (start, end) = (at + header, at + header + length);
    if length > packet_bytes_max || end > bytes.len() {
        return None;
    }
    let first = bytes[at];
    if first & (0xf0 | EXACTLY_ONCE) == PUBLISH
        && let Some(publish) = publish(bytes, first, start, end)
    {
        return Some((Incoming::Publish(publish), end));
    }
    if let (PUBACK, [high, low]) = (first & 0xf0, &bytes[start..end]) {
        return Some((Incoming::PubAck(u16::from_be_bytes([*high, *low])), end));
    }
    None
}

/// Any other packet at `at`, and where it ends.
#[cold]
fn rare(
    bytes: &[u8],
    at: usize,
    packet_bytes_max: usize,
    has_exactly_once: &mut bool,
) -> Result<(Incoming, usize), Error> {
    let (start, end) = match frame(&bytes[at..]) {
        Some((header, length)) if length <= packet_bytes_max => (at + header, at + header + length),
        // Incomplete, too long or not a length: the codec says which.
        _ => return Err(fault(&bytes[at..], packet_bytes_max)),
    };
    if end > bytes.len() {
        return Err(Error::InsufficientBytes(end - bytes.len()));
    }
    if let Some(publish) = exactly_once(bytes, bytes[at], start, end) {
        *has_exactly_once = true;
        return Ok((Incoming::Publish(publish), end));
    }
    let packet = other(&bytes[at..end], packet_bytes_max)?;
    *has_exactly_once |=
        matches!(&packet, Incoming::Other(packet) if matches!(**packet, Packet::PubRel(_)));
    Ok((packet, end))
}

/// Length of the fixed header and remaining length (MQTT 3.1.1 §2.2.3); `None` when the header is
/// not whole or not valid.
#[inline]
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for index in 0..4 {
        let byte = *bytes.get(1 + index)?;
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((2 + index, length));
        }
    }
    None
}

/// The PUBLISH at QoS 0 or 1 whose variable header begins at `start`; `None` when it is faulty.
#[inline]
fn publish(bytes: &[u8], first: u8, start: usize, end: usize) -> Option<PublishAt> {
    let rest = &bytes[start..end];
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let topic_len = u16::from_be_bytes(*length);
    let (topic, rest) = rest.split_at_checked(usize::from(topic_len))?;
    if !topic.is_ascii() {
        std::str::from_utf8(topic).ok()?;
    }
    let (packet_id, header) = match first & AT_LEAST_ONCE {
        0 => (0, 0),
        _ => (u16::from_be_bytes(*rest.first_chunk::<2>()?), 2),
    };
    if packet_id == 0 && header != 0 {
        return None;
    }
    let topic = start + 2;
    let body = topic + usize::from(topic_len) + header;
    let (topic, body, end) = (narrow(topic), narrow(body), narrow(end));
    Some(PublishAt { topic, body, end, topic_len, packet_id, first })
}

/// The PUBLISH at QoS 2, which nobody asks for; its parts are where they are at QoS 1.
fn exactly_once(bytes: &[u8], first: u8, start: usize, end: usize) -> Option<PublishAt> {
    if first & (0xf0 | EXACTLY_ONCE | AT_LEAST_ONCE) != PUBLISH | EXACTLY_ONCE {
        return None;
    }
    publish(bytes, first ^ (EXACTLY_ONCE | AT_LEAST_ONCE), start, end)
        .map(|publish| PublishAt { first, ..publish })
}

/// A whole packet of another kind.
fn other(packet: &[u8], packet_bytes_max: usize) -> Result<Incoming, Error> {
    match Packet::read(&mut BytesMut::from(packet), packet_bytes_max)? {
        Packet::PubAck(ack) => Ok(Incoming::PubAck(ack.pkid)),
        // The decoder above has refused it, so the codec cannot take it.
        Packet::Publish(_) => Err(Error::MalformedPacket),
        other => Ok(Incoming::Other(Box::new(other))),
    }
}

/// What is known of a packet that is over the bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oversized {
    /// A PUBLISH, of so many bytes on the wire.
    Publish {
        /// Its quality of service.
        qos: QoS,
        /// Its packet id; `None` at QoS 0.
        packet_id: Option<u16>,
        /// From its first byte to its last.
        bytes: usize,
        /// Its topic, as it came.
        topic: Box<Bytes>,
    },
    /// Too few of its bytes are there to know.
    Incomplete,
    /// Nothing that anybody sends in good faith.
    Other,
}

/// Looks at the packet at the start of `bytes`, whose length is known to be too large.
pub fn oversized(bytes: &[u8]) -> Oversized {
    let (Some(&first), Some((header, length))) = (bytes.first(), frame(bytes)) else {
        return Oversized::Incomplete;
    };
    let qos = match first >> 1 & 3 {
        _ if first & 0xf0 != PUBLISH => return Oversized::Other,
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        2 => QoS::ExactlyOnce,
        _ => return Oversized::Other,
    };
    let rest = bytes[header..].split_first_chunk::<2>();
    let topic = rest.and_then(|(len, rest)| rest.split_at_checked(u16::from_be_bytes(*len).into()));
    let Some((topic, rest)) = topic else { return Oversized::Incomplete };
    let packet_id = match rest.first_chunk::<2>() {
        _ if qos == QoS::AtMostOnce => None,
        None => return Oversized::Incomplete,
        Some([0, 0]) => return Oversized::Other,
        Some(id) => Some(u16::from_be_bytes(*id)),
    };
    let topic = Box::new(Bytes::copy_from_slice(topic));
    Oversized::Publish { qos, packet_id, bytes: header + length, topic }
}

/// Why no packet begins here.
#[cold]
fn fault(bytes: &[u8], packet_bytes_max: usize) -> Error {
    match mqttbytes::check(bytes.iter(), packet_bytes_max) {
        Ok(_) => Error::MalformedPacket,
        Err(error) => error,
    }
}

/// A PUBLISH to be written.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// At most 65,535 bytes.
    pub topic: &'a str,
    /// QoS 1 under this id, or QoS 0 without one.
    pub packet_id: Option<u16>,
    /// Whether it was sent before.
    pub dup: bool,
    /// Whether the broker shall keep it for later subscribers.
    pub retain: bool,
    /// The body.
    pub body: &'a [u8],
}

impl Outgoing<'_> {
    /// Appends it to `out`.
    ///
    /// # Errors
    /// When the topic or the whole is longer than MQTT can tell; nothing is appended then.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        /// Largest remaining length (MQTT 3.1.1 §2.2.3).
        const REMAINING_MAX: usize = 268_435_455;
        let Self { topic, packet_id, dup, retain, body } = *self;
        let topic_len = u16::try_from(topic.len()).map_err(|_| Error::PayloadTooLong)?;
        let id_len = if packet_id.is_some() { 2 } else { 0 };
        let mut remaining = 2 + topic.len() + id_len + body.len();
        if remaining > REMAINING_MAX {
            return Err(Error::PayloadTooLong);
        }
        out.reserve(5 + remaining);
        let mut first = PUBLISH;
        first |= if packet_id.is_some() { AT_LEAST_ONCE } else { 0 };
        first |= if dup { DUP } else { 0 };
        first |= if retain { RETAIN } else { 0 };
        out.push(first);
        loop {
            let [low, ..] = remaining.to_le_bytes();
            remaining >>= 7;
            if remaining == 0 {
                out.push(low & 0x7f);
                break;
            }
            out.push(low | 0x80);
        }
        out.extend_from_slice(&topic_len.to_be_bytes());
        out.extend_from_slice(topic.as_bytes());
        if let Some(id) = packet_id {
            out.extend_from_slice(&id.to_be_bytes());
        }
        out.extend_from_slice(body);
        Ok(())
    }
}

impl<'a> From<&'a mqttbytes::v4::Publish> for Outgoing<'a> {
    fn from(publish: &'a mqttbytes::v4::Publish) -> Self {
        Self {
            topic: &publish.topic,
            packet_id: (publish.qos != QoS::AtMostOnce).then_some(publish.pkid),
            dup: publish.dup,
            retain: publish.retain,
            body: &publish.payload,
        }
    }
}

/// Appends a PUBACK to `out`.
#[inline]
pub fn write_puback(out: &mut Vec<u8>, packet_id: u16) {
    write_answer(out, PUBACK, packet_id);
}

/// Appends a PUBREC to `out` (MQTT 3.1.1 §3.5).
pub fn write_pubrec(out: &mut Vec<u8>, packet_id: u16) {
    write_answer(out, PUBREC, packet_id);
}

/// Appends a PUBCOMP to `out` (MQTT 3.1.1 §3.7).
pub fn write_pubcomp(out: &mut Vec<u8>, packet_id: u16) {
    write_answer(out, PUBCOMP, packet_id);
}

#[inline]
fn write_answer(out: &mut Vec<u8>, first: u8, packet_id: u16) {
    let [high, low] = packet_id.to_be_bytes();
    out.extend_from_slice(&[first, 2, high, low]);
}
