//! The memory that a connection reads into.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::READ_BYTES;

/// Size of a chunk.
pub(super) const CHUNK_BYTES: usize = 2 * READ_BYTES;
/// What a block of packets keeps alive at most: the chunk that it is in. Only a chunk that was made
/// for one large packet is larger, and that packet is in the block.
pub const CHUNK_BYTES_MAX: usize = CHUNK_BYTES + READ_BYTES;
/// A fresh chunk is taken once less than this is left of the current one.
pub(super) const READ_BYTES_MIN: usize = 8 * 1024;
/// Chunks that are read into in turns, at most, while something refers to the others.
const USED_CHUNKS_MAX: usize = 64;
/// How many chunks are kept although nothing refers to them.
pub(super) const FREE_CHUNKS_MAX: usize = 8;

/// Chunks that were read into before, oldest first. Their memory serves again once nothing refers
/// to what was read into it.
#[derive(Debug, Default)]
pub(super) struct Chunks(VecDeque<BytesMut>);

impl Chunks {
    /// An empty chunk: the oldest, if nothing refers to it any more, else a new one.
    pub(super) fn next(&mut self) -> BytesMut {
        let is_free = |chunk: &mut BytesMut| chunk.try_reclaim(CHUNK_BYTES);
        let free = self.0.pop_front_if(is_free);
        // Chunks become free in the order in which they were read into. If this one is free, those
        // before it are free as well and are enough, so the oldest is dropped.
        if self.0.get_mut(FREE_CHUNKS_MAX).is_some_and(is_free) {
            self.0.pop_front();
        }
        free.unwrap_or_else(|| BytesMut::with_capacity(CHUNK_BYTES))
    }

    /// Keeps a chunk for its memory, unless there are enough.
    pub(super) fn put(&mut self, chunk: BytesMut) {
        if self.0.len() < USED_CHUNKS_MAX {
            self.0.push_back(chunk);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
