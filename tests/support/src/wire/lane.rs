//! One direction of a connection: what was read, when it may leave, and what has left.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::framing::Framing;
use super::{Manner, PENDING_BYTES_MAX};

const READ_BYTES: usize = 16 * 1024;

/// What was read at once.
#[derive(Debug)]
struct Block {
    due: Instant,
    bytes: VecDeque<u8>,
}

#[derive(Debug)]
pub(super) struct Lane {
    blocks: VecDeque<Block>,
    pending: usize,
    framing: Framing,
    /// From when on the next byte may leave at the rate of the manner.
    free: Instant,
    /// The sender has said its last.
    pub(super) has_ended: bool,
    /// The receiver was told so.
    pub(super) is_shut: bool,
    pub(super) has_lost: bool,
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            blocks: VecDeque::new(),
            pending: 0,
            framing: Framing::default(),
            free: Instant::now(),
            has_ended: false,
            is_shut: false,
            has_lost: false,
        }
    }

    /// One on which nothing passes any more.
    pub(super) fn ended() -> Self {
        Self { has_ended: true, is_shut: true, ..Self::new() }
    }

    pub(super) fn wants_to_read(&self) -> bool {
        !self.has_ended && self.pending < PENDING_BYTES_MAX
    }

    /// When there is something to write; `None` for never, as things are.
    pub(super) fn due(&self) -> Option<Instant> {
        self.blocks.front().map(|block| block.due.max(self.free))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Reads what is there. What is swallowed is gone for good.
    pub(super) fn read(&mut self, from: &mut TcpStream, swallows: bool, jitter: Duration) {
        let mut bytes = [0; READ_BYTES];
        let count = match from.read(&mut bytes) {
            Ok(0) => 0,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(_) => 0,
        };
        self.has_ended |= count == 0;
        self.has_lost |= swallows;
        if count == 0 || self.has_lost {
            return;
        }
        let late = jitter.mul_f64(fastrand::f64());
        let last = self.blocks.back().map(|block| block.due);
        let due = (Instant::now() + late).max(last.unwrap_or_else(Instant::now));
        self.pending += count;
        self.blocks.push_back(Block { due, bytes: bytes[..count].iter().copied().collect() });
    }

    /// Writes what is due, in this manner; gives how many bytes left, or that the receiver is gone.
    /// With `inside` it stops after a byte inside of a packet, and tells that it has.
    pub(super) fn write(
        &mut self,
        to: &mut TcpStream,
        manner: Manner,
        inside: bool,
    ) -> Result<(usize, bool), std::io::Error> {
        let mut left = 0;
        while let Some(due) = self.due()
            && due <= Instant::now()
        {
            let Some(block) = self.blocks.front_mut() else { break };
            let most = manner.write_bytes.or(manner.bytes_a_second.map(|_| 1_024));
            let most = if inside { 1 } else { most.unwrap_or(usize::MAX) };
            let (bytes, _) = block.bytes.as_slices();
            let count = match to.write(&bytes[..bytes.len().min(most)]) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            for byte in block.bytes.drain(..count) {
                self.framing.take(byte);
            }
            if block.bytes.is_empty() {
                self.blocks.pop_front();
            }
            self.pending -= count;
            left += count;
            if let Some(rate) = manner.bytes_a_second {
                let bytes = u32::try_from(count).expect("of one block");
                self.free = Instant::now() + Duration::from_secs(1) * bytes / rate;
            }
            if inside && self.framing.is_inside() {
                return Ok((left, true));
            }
        }
        Ok((left, false))
    }
}
