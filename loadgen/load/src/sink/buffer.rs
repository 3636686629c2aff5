//! The one buffer that everything is read into.

use crate::wire::PACKET_BYTES_MAX;

/// Most bytes of one read.
pub(super) const READ_BYTES_MAX: usize = 256 * 1024;
/// The largest packet's rest and one full read more. The longest fixed header is five bytes.
const CAPACITY: usize = PACKET_BYTES_MAX + 5 + READ_BYTES_MAX;

/// Bytes read and not yet used, in one piece.
pub(super) struct ReadBuffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; CAPACITY].into_boxed_slice(), start: 0, end: 0 }
    }

    /// What was read and not yet used.
    #[inline]
    pub(super) fn unused(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Takes `count` of the unused bytes as used.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        assert!(self.start <= self.end, "used what was not read");
    }

    /// Room for one read of at most `limit` bytes. Never empty while at most one incomplete packet
    /// is unused. What is unused moves to the front: little, as most reads end all but in a packet.
    pub(super) fn room(&mut self, limit: usize) -> &mut [u8] {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let end = self.bytes.len().min(self.end + limit);
        &mut self.bytes[self.end..end]
    }

    /// Says that `count` bytes of the room were filled.
    pub(super) fn filled(&mut self, count: usize) {
        self.end += count;
        assert!(self.end <= self.bytes.len(), "filled more than there was room");
    }
}
