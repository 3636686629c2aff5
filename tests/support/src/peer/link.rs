//! One connection of a peer: bytes in and out, and what is to be said later.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::codec;

/// One read, and the output above which no more messages are added.
const READ_BYTES: usize = 64 * 1024;

/// Something that is said at its time.
#[derive(Debug, Clone)]
pub(super) enum Later {
    Bytes(Vec<u8>),
    /// PUBACK of an alert: its packet id and its number.
    PubAck(u16, usize),
    /// The twin's document, for this request id.
    Document(String),
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: TcpStream,
    input: Vec<u8>,
    pub(super) output: Vec<u8>,
    pub(super) client_id: Option<String>,
    pub(super) filters: Vec<String>,
    pub(super) later: Vec<(Instant, Later)>,
    /// PUBACKs that wait until there are as many as the script wants.
    pub(super) gathered: Vec<(u16, usize)>,
    pub(super) gathered_since: Option<Instant>,
    /// Alerts that came.
    pub(super) alerts: usize,
    /// It ends once its output is written.
    pub(super) is_last: bool,
    pub(super) is_over: bool,
}

impl Link {
    pub(super) fn new(socket: TcpStream) -> std::io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            input: Vec::new(),
            output: Vec::new(),
            client_id: None,
            filters: Vec::new(),
            later: Vec::new(),
            gathered: Vec::new(),
            gathered_since: None,
            alerts: 0,
            is_last: false,
            is_over: false,
        })
    }

    /// Whether it is there and has subscribed to `topic`.
    pub(super) fn takes(&self, topic: &str) -> bool {
        !self.is_over && self.has_subscribed(topic)
    }

    pub(super) fn has_subscribed(&self, topic: &str) -> bool {
        self.filters.iter().any(|filter| codec::matches(filter, topic))
    }

    /// Whether the module takes what is written.
    pub(super) fn has_room(&self) -> bool {
        self.output.len() < READ_BYTES
    }

    pub(super) fn read(&mut self) {
        let mut bytes = [0; READ_BYTES];
        match self.socket.read(&mut bytes) {
            Ok(0) => self.is_over = true,
            Ok(count) => self.input.extend_from_slice(&bytes[..count]),
            Err(error) if is_to_be_tried_again(&error) => {}
            Err(_) => self.is_over = true,
        }
    }

    /// The packets that are whole.
    pub(super) fn packets(&mut self) -> Result<Vec<codec::Packet>, String> {
        let (mut packets, mut start) = (Vec::new(), 0);
        while let Some((packet, length)) = codec::take(&self.input[start..])? {
            packets.push(packet);
            start += length;
        }
        self.input.drain(..start);
        Ok(packets)
    }

    pub(super) fn write(&mut self) {
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(0) => break,
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if is_to_be_tried_again(&error) => return,
                Err(_) => {
                    self.is_over = true;
                    return;
                }
            }
        }
        self.is_over |= self.is_last;
    }
}

fn is_to_be_tried_again(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
