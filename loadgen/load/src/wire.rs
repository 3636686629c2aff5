//! MQTT 3.1.1 framing on plain byte slices, for loops that handle millions of packets a second.
//!
//! Reads borrow, writes append; nothing is allocated. Only what a measurement sends and receives at
//! rate is here; every other packet is left to the codec of `rumqttc` (see [`Frame::whole`]).

use bytes::BytesMut;

/// First byte of a PUBACK.
pub const PUBACK: u8 = 0x40;
/// The bit of a PUBLISH's first byte that says it was sent before (MQTT 3.1.1 §3.3.1.1).
pub const DUP: u8 = 0x08;
/// The bit of a PUBLISH's first byte that says it is a retained one (MQTT 3.1.1 §3.3.1.3).
const RETAIN: u8 = 0x01;
/// Largest packet that is taken: the largest message of a hub with its header.
pub const PACKET_BYTES_MAX: usize = 300 * 1024;

/// One packet within a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Type and flags (MQTT 3.1.1 §2.2).
    pub first: u8,
    /// What follows the fixed header.
    pub rest: &'a [u8],
    /// The whole packet, fixed header included.
    pub whole: &'a [u8],
}

/// A PUBLISH, borrowed from the buffer that it was read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Topic, not checked to be UTF-8.
    pub topic: &'a [u8],
    /// Packet id; `None` at QoS 0.
    pub packet_id: Option<u16>,
    /// Body.
    pub body: &'a [u8],
}

/// Bytes that are no MQTT 3.1.1 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The remaining length takes more than four bytes (MQTT 3.1.1 §2.2.3).
    #[error("a packet's remaining length has more than four bytes")]
    Length,
    /// Over [`PACKET_BYTES_MAX`].
    #[error("a packet of {0} bytes; at most {PACKET_BYTES_MAX} are taken")]
    TooLarge(usize),
    /// A PUBLISH at QoS 2: no hub takes it, and nobody here subscribes at it.
    #[error("a message at QoS 2, which is not spoken here: use QoS 0 or 1")]
    ExactlyOnce,
    /// A PUBLISH or PUBACK that ends before its fields do, or a PUBLISH at QoS 3, which there is
    /// not.
    #[error("a malformed packet with the first byte {0:#04x}")]
    Malformed(u8),
}

/// The packet at the start of `bytes`; `None` while it is incomplete.
///
/// # Errors
/// The bytes cannot become a packet, however many follow.
#[inline]
pub fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, WireError> {
    let mut length = 0usize;
    for index in 0..4 {
        let Some(&byte) = bytes.get(1 + index) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            if length > PACKET_BYTES_MAX {
                return Err(WireError::TooLarge(length));
            }
            let start = 2 + index;
            let Some(rest) = bytes.get(start..start + length) else { return Ok(None) };
            return Ok(Some(Frame { first: bytes[0], rest, whole: &bytes[..start + length] }));
        }
    }
    Err(WireError::Length)
}

impl<'a> Frame<'a> {
    /// Whether this is a PUBLISH.
    #[inline]
    pub fn is_publish(&self) -> bool {
        self.first >> 4 == 3
    }

    /// Whether a PUBLISH was kept by the broker from before the subscription (MQTT 3.1.1 §3.3.1.3).
    #[inline]
    pub fn is_retained(&self) -> bool {
        self.first & RETAIN != 0
    }

    /// Reads it as a PUBLISH (MQTT 3.1.1 §3.3).
    ///
    /// # Errors
    /// `Malformed`.
    #[inline]
    pub fn publish(&self) -> Result<Publish<'a>, WireError> {
        let malformed = WireError::Malformed(self.first);
        let (topic, rest) = string(self.rest).ok_or(malformed)?;
        let (packet_id, body) = match (self.first >> 1) & 3 {
            0 => (None, rest),
            1 => {
                let (id, body) = rest.split_first_chunk::<2>().ok_or(malformed)?;
                (Some(u16::from_be_bytes(*id)), body)
            }
            2 => return Err(WireError::ExactlyOnce),
            _ => return Err(malformed),
        };
        Ok(Publish { topic, packet_id, body })
    }

    /// Reads it as a PUBACK (MQTT 3.1.1 §3.4).
    ///
    /// # Errors
    /// `Malformed`.
    #[inline]
    pub fn puback(&self) -> Result<u16, WireError> {
        let id: [u8; 2] = self.rest.try_into().map_err(|_| WireError::Malformed(self.first))?;
        Ok(u16::from_be_bytes(id))
    }
}

/// Appends a PUBACK.
#[inline]
pub fn write_puback(out: &mut Vec<u8>, packet_id: u16) {
    let [high, low] = packet_id.to_be_bytes();
    out.extend_from_slice(&[PUBACK, 2, high, low]);
}

/// Appends a PUBLISH, at QoS 1 when it has a packet id. The topic must be at most 65,535 bytes long
/// and the whole at most [`PACKET_BYTES_MAX`].
pub fn write_publish(out: &mut Vec<u8>, topic: &[u8], packet_id: Option<u16>, body: &[u8]) {
    let topic_length = u16::try_from(topic.len()).expect("the caller keeps topics short");
    let first = if packet_id.is_some() { 0x32 } else { 0x30 };
    let length = 2 + topic.len() + packet_id.map_or(0, |_| 2) + body.len();
    assert!(length <= PACKET_BYTES_MAX, "the caller keeps packets small");
    out.push(first);
    write_length(out, length);
    out.extend_from_slice(&topic_length.to_be_bytes());
    out.extend_from_slice(topic);
    if let Some(id) = packet_id {
        out.extend_from_slice(&id.to_be_bytes());
    }
    out.extend_from_slice(body);
}

/// Appends what the codec writes: a control packet, which is far below its bounds.
pub(super) fn append<T>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut BytesMut) -> Result<T, rumqttc::mqttbytes::Error>,
) {
    let mut buffer = BytesMut::new();
    if write(&mut buffer).is_ok() {
        out.extend_from_slice(&buffer);
    }
}

/// The remaining length in one to four bytes (MQTT 3.1.1 §2.2.3).
fn write_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = u8::try_from(length & 0x7f).expect("seven bits fit");
        length >>= 7;
        out.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            return;
        }
    }
}

/// A string with its length before it, and what follows.
#[inline]
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rumqttc::QoS;
    use rumqttc::mqttbytes::v4;

    use super::*;

    proptest! {
        /// What is written here, and cut anywhere, reads back here and in rumqttc's codec alike.
        #[test]
        fn publishes_agree_with_the_codec(
            topic in "[a-z/]{1,200}",
            body in proptest::collection::vec(any::<u8>(), 0..300),
            id in proptest::option::of(1u16..),
        ) {
            let mut bytes = Vec::new();
            write_publish(&mut bytes, topic.as_bytes(), id, &body);
            for cut in 0..bytes.len() {
                prop_assert_eq!(frame(&bytes[..cut]), Ok(None));
            }
            bytes.push(0xff);
            let read = frame(&bytes).unwrap().unwrap();
            prop_assert_eq!(read.whole.len(), bytes.len() - 1);
            prop_assert!(read.is_publish());
            let publish = read.publish().unwrap();
            let expected = Publish { topic: topic.as_bytes(), packet_id: id, body: &body };
            prop_assert_eq!(publish, expected);
            let mut buffer = BytesMut::from(read.whole);
            let theirs = v4::Packet::read(&mut buffer, PACKET_BYTES_MAX).unwrap();
            let v4::Packet::Publish(theirs) = theirs else { panic!("no PUBLISH") };
            prop_assert_eq!(theirs.topic.as_str(), topic.as_str());
            prop_assert_eq!(theirs.qos == QoS::AtLeastOnce, id.is_some());
            prop_assert_eq!(theirs.pkid, id.unwrap_or(0));
            prop_assert_eq!(theirs.payload.as_ref(), body.as_slice());
        }

        /// No bytes whatever make a panic.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some(read)) = frame(&bytes) {
                let _ = (read.publish(), read.puback());
            }
        }
    }

    #[test]
    fn acknowledgements() {
        let mut bytes = Vec::new();
        write_puback(&mut bytes, 0x1234);
        assert_eq!(frame(&bytes).unwrap().unwrap().puback(), Ok(0x1234));
        assert!(frame(&[PUBACK, 1, 0]).unwrap().unwrap().puback().is_err());
    }

    #[test]
    fn qos_2_is_refused_by_its_name() {
        let qos2 = frame(&[0x34, 5, 0, 1, b't', 0, 1]).unwrap().unwrap().publish().unwrap_err();
        assert!(qos2.to_string().contains("QoS 2"), "{qos2}");
        let qos3 = frame(&[0x36, 5, 0, 1, b't', 0, 1]).unwrap().unwrap().publish();
        assert_eq!(qos3, Err(WireError::Malformed(0x36)));
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(frame(&[0x30, 0xff, 0xff, 0xff, 0xff, 1]), Err(WireError::Length));
        assert!(matches!(frame(&[0x30, 0xff, 0xff, 0xff, 0x7f]), Err(WireError::TooLarge(_))));
        let mut bytes = Vec::new();
        write_publish(&mut bytes, b"t", None, &vec![7; 250 * 1024]);
        assert_eq!(frame(&bytes).unwrap().unwrap().publish().unwrap().body.len(), 250 * 1024);
    }
}
