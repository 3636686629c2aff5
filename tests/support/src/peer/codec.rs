//! MQTT 3.1.1 as a server reads and writes it, apart from every codec that is under test.
//!
//! - In: bytes of a client. Out: whole packets, or what is wrong with them; bytes of answers.
//! - Written from the standard alone: chapter 2 has the fixed header, chapter 3 each packet.

/// Largest remaining length that is taken: four times what any program here may send.
const LENGTH_MAX: usize = 1 << 22;

/// A packet of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    Connect {
        client_id: String,
        is_clean: bool,
    },
    Publish {
        is_dup: bool,
        qos: u8,
        topic: String,
        id: u16,
        payload: Vec<u8>,
    },
    PubAck(u16),
    Subscribe {
        id: u16,
        filters: Vec<String>,
    },
    PingReq,
    Disconnect,
    /// Another one, by the first byte.
    Other(u8),
}

/// Takes the first packet off `bytes`, with its length; `None` while it is not whole.
pub(super) fn take(bytes: &[u8]) -> Result<Option<(Packet, usize)>, String> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let (mut length, mut is_whole) = (0, false);
    let mut digits = 0;
    for (place, digit) in rest.iter().take(4).enumerate() {
        length |= usize::from(digit & 0x7f) << (7 * place);
        digits += 1;
        if digit & 0x80 == 0 {
            is_whole = true;
            break;
        }
    }
    if !is_whole {
        return if digits == 4 { Err("a length of five digits".to_owned()) } else { Ok(None) };
    }
    if length > LENGTH_MAX {
        return Err(format!("a packet of {length} bytes"));
    }
    let head = 1 + digits;
    let Some(body) = bytes.get(head..head + length) else { return Ok(None) };
    let packet = Reader(body).packet(*first).ok_or_else(|| {
        format!("packet {first:#04x} of {length} bytes is malformed: {:02x?}", excerpt(body))
    })?;
    Ok(Some((packet, head + length)))
}

fn excerpt(body: &[u8]) -> &[u8] {
    &body[..body.len().min(32)]
}

/// What is left of a packet's body.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn packet(mut self, first: u8) -> Option<Packet> {
        let packet = match (first >> 4, first & 0x0f) {
            (1, 0) => self.connect()?,
            (3, flags) => self.publish(flags)?,
            (4, 0) => Packet::PubAck(self.id()?),
            (8, 2) => {
                let id = self.id()?;
                let mut filters = Vec::new();
                while !self.0.is_empty() {
                    filters.push(self.text()?);
                    self.byte().filter(|qos| *qos <= 2)?;
                }
                (!filters.is_empty()).then_some(Packet::Subscribe { id, filters })?
            }
            (12, 0) => Packet::PingReq,
            (14, 0) => Packet::Disconnect,
            _ => {
                self.0 = &[];
                Packet::Other(first)
            }
        };
        self.0.is_empty().then_some(packet)
    }

    fn connect(&mut self) -> Option<Packet> {
        (self.text()? == "MQTT" && self.byte()? == 4).then_some(())?;
        let flags = self.byte()?;
        self.take(2)?;
        let client_id = self.text()?;
        for (flag, is_will) in [(0x04, true), (0x80, false), (0x40, false)] {
            if flags & flag != 0 {
                let length = usize::from(self.number()?);
                self.take(length)?;
                if is_will {
                    let length = usize::from(self.number()?);
                    self.take(length)?;
                }
            }
        }
        Some(Packet::Connect { client_id, is_clean: flags & 2 != 0 })
    }

    fn publish(&mut self, flags: u8) -> Option<Packet> {
        let qos = flags >> 1 & 3;
        let topic = self.text().filter(|topic| !topic.is_empty() && !topic.contains(['#', '+']))?;
        let id = match qos {
            0 => 0,
            1 | 2 => self.id()?,
            _ => return None,
        };
        let payload = std::mem::take(&mut self.0).to_vec();
        Some(Packet::Publish { is_dup: flags & 8 != 0, qos, topic, id, payload })
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn id(&mut self) -> Option<u16> {
        self.number().filter(|id| *id != 0)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(self.number()?);
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}

/// A PUBLISH at QoS 1, or at QoS 0 without an id.
pub(super) fn publish(topic: &str, id: Option<u16>, is_dup: bool, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
    let length = u16::try_from(topic.len()).expect("topics here are short");
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(topic.as_bytes());
    body.extend(id.map(u16::to_be_bytes).into_iter().flatten());
    body.extend_from_slice(payload);
    packet(0x30 | u8::from(is_dup) << 3 | u8::from(id.is_some()) << 1, &body)
}

pub(super) fn connack(code: u8, is_session_present: bool) -> Vec<u8> {
    // With a refusal there is no session (§3.2.2.2).
    packet(0x20, &[u8::from(is_session_present && code == 0), code])
}

pub(super) fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &id.to_be_bytes())
}

pub(super) fn suback(id: u16, codes: &[u8]) -> Vec<u8> {
    packet(0x90, &[&id.to_be_bytes(), codes].concat())
}

pub(super) fn pingresp() -> Vec<u8> {
    packet(0xd0, &[])
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let digit = u8::try_from(length % 128).expect("below 128");
        length /= 128;
        bytes.push(digit | u8::from(length > 0) << 7);
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// Whether a topic filter takes `topic` (§4.7), without the filters of `$share`.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(name)) if level == name => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written here is read back, at each length that the header has another form for, and
    /// nothing is read from less than all of it.
    #[test]
    fn packets_are_read_when_they_are_whole() {
        for size in [0, 1, 100, 127, 128, 16_383, 16_384, 70_000] {
            let payload = vec![7; size];
            let bytes = publish("a/b", Some(513), true, &payload);
            let topic = "a/b".to_owned();
            let expected = Packet::Publish { is_dup: true, qos: 1, topic, id: 513, payload };
            assert_eq!(take(&bytes), Ok(Some((expected, bytes.len()))));
            for cut in (0..bytes.len()).step_by(1 + bytes.len() / 50) {
                assert_eq!(take(&bytes[..cut]), Ok(None), "{cut} of {}", bytes.len());
            }
        }
        assert_eq!(take(&puback(258)), Ok(Some((Packet::PubAck(258), 4))));
        assert!(take(&puback(0)).is_err(), "an id of 0");
        assert!(take(&[0x30, 0xff, 0xff, 0xff, 0xff, 1]).is_err(), "no such length");
        let connect = b"\x10\x15\0\x04MQTT\x04\xc2\0\x3c\0\x03d/m\0\x01u\0\x01p".as_slice();
        let client_id = "d/m".to_owned();
        let expected = Packet::Connect { client_id, is_clean: true };
        assert_eq!(take(connect), Ok(Some((expected, connect.len()))));
    }

    #[test]
    fn filters_take_what_the_standard_says() {
        for (filter, topic, expected) in [
            ("sensors/#", "sensors/a/b", true),
            ("sensors/#", "sensors", true),
            ("sensors/#", "sensor/a", false),
            ("a/+/c", "a/b/c", true),
            ("a/+", "a/b/c", false),
            ("a", "a", true),
            ("a", "a/b", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }
}
