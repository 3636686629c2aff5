//! Where packets of MQTT and records of TLS begin in a stream of bytes.

/// First byte of a record of TLS' handshake, which every connection over TLS begins with. No MQTT
/// packet that begins a connection does.
const TLS_HANDSHAKE: u8 = 0x16;
/// Kind, version and length of a record.
const TLS_HEADER_BYTES: usize = 5;

/// Follows one direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    is_tls: Option<bool>,
    header: Vec<u8>,
    /// Bytes that are still to come of the body.
    rest: usize,
}

impl Framing {
    /// Takes the next byte.
    pub(super) fn take(&mut self, byte: u8) {
        let is_tls = *self.is_tls.get_or_insert(byte == TLS_HANDSHAKE);
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        self.header.push(byte);
        let length = if is_tls { tls_length(&self.header) } else { mqtt_length(&self.header) };
        if let Some(length) = length {
            self.rest = length;
            self.header.clear();
        }
    }

    /// Whether a packet has begun and not ended.
    pub(super) fn is_inside(&self) -> bool {
        self.rest > 0 || !self.header.is_empty()
    }
}

fn tls_length(header: &[u8]) -> Option<usize> {
    (header.len() == TLS_HEADER_BYTES)
        .then(|| usize::from(u16::from_be_bytes([header[3], header[4]])))
}

fn mqtt_length(header: &[u8]) -> Option<usize> {
    let (last, before) = header.get(1..)?.split_last()?;
    let digits = before.iter().chain([last]).zip(0..);
    let length = digits.map(|(digit, place)| usize::from(digit & 0x7f) << (7 * place)).sum();
    (last & 0x80 == 0 || header.len() == 5).then_some(length)
}
