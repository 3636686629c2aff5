//! One direction of a connection: what was read, when it may leave, and what has left.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::framing::Framing;
use super::{Manner, PENDING_BYTES_MAX};

const READ_BYTES: usize = 16 * 1024;
/// Of one write, where there is a rate.
const SLOW_BYTES: usize = 1_024;

/// What was read at once.
#[derive(Debug)]
struct Block {
    due: Instant,
    bytes: Vec<u8>,
    written: usize,
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
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
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
        self.blocks.push_back(Block { due, bytes: bytes[..count].to_vec(), written: 0 });
    }

    /// Writes the blocks whose time has come, in this manner and `left` bytes at most, and tells
    /// how much that was. An error means that the receiver is gone. With `inside` it stops behind
    /// a byte inside of a packet, and says so.
    pub(super) fn write(
        &mut self,
        to: &mut TcpStream,
        manner: Manner,
        mut left: usize,
        inside: bool,
        tell: &mut dyn FnMut(&[u8]),
    ) -> io::Result<bool> {
        while let Some(due) = self.due()
            && due <= Instant::now()
            && left > 0
        {
            let Some(block) = self.blocks.front_mut() else { break };
            let most = manner.write_bytes.or(manner.bytes_a_second.map(|_| SLOW_BYTES));
            let most = if inside { 1 } else { most.unwrap_or(usize::MAX) };
            let bytes = &block.bytes[block.written..];
            let count = match to.write(&bytes[..bytes.len().min(most).min(left)]) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            tell(&bytes[..count]);
            for byte in &bytes[..count] {
                self.framing.take(*byte);
            }
            block.written += count;
            if block.written == block.bytes.len() {
                self.blocks.pop_front();
            }
            self.pending -= count;
            left -= count;
            if let Some(rate) = manner.bytes_a_second {
                let bytes = u32::try_from(count).expect("of one block");
                self.free = Instant::now() + Duration::from_secs(1) * bytes / rate;
            }
            if inside && self.framing.is_inside() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
