//! Memory of one source for what outlives the turn that read it: alerts, until their PUBACK.
//!
//! A chunk that a connection reads into holds whatever came: one alert of 40 bytes that stayed in
//! it would keep all of it. So an alert is copied out, once, to where only alerts are.
//!
//! - In: the bytes of alerts. Out: one piece of memory with all that were given together, and its
//!   [`Place`], which is given back for each of them. Small pieces lie close together in chunks of
//!   one size; a large alert has memory of its own.
//! - What is kept alive is what is counted ([`Arena::kept_bytes`]): a chunk whole for as long as
//!   one alert in it is out, the chunk that is filled as far as it is, the pages of a large alert
//!   and an eighth of it;
//!   and for each what it takes of the tables that it passes through.
//! - Bounded by the caller through that count. Free chunks are kept to be filled again, at most
//!   [`FREE_CHUNKS_MAX`], and only beside what is kept within the bound.
//! - Pure; runs on the ingest thread.

use bytes::{Bytes, BytesMut};

use crate::pipeline::limits::HELD_BYTES_MIN;
use crate::pipeline::message::ALERT_TABLES_BYTES;
use crate::pipeline::place::Place;

/// Size of a chunk, as a share of all that may be kept.
const CHUNK_SHARE: usize = 64;
/// Smallest chunk.
const CHUNK_BYTES_MIN: usize = HELD_BYTES_MIN / CHUNK_SHARE;
/// Largest chunk: beyond 128 KiB the allocator gives each its own pages back.
const CHUNK_BYTES_MAX: usize = 256 * 1024;
/// A piece that is larger than this share of a chunk has memory of its own, so that no more than
/// this share of a full chunk is ever unused.
const PIECE_SHARE: usize = 4;
/// Such memory is resident by pages, and this share of it again: the allocator rounds sizes up, and
/// puts a smaller alert where a larger one was.
const PAGE_BYTES: usize = 4096;
const ALONE_SHARE: usize = 8;
/// Free chunks that are kept for their memory.
pub const FREE_CHUNKS_MAX: usize = 16;

const _: () = assert!(CHUNK_BYTES_MIN * FREE_CHUNKS_MAX <= HELD_BYTES_MIN / 4);

#[derive(Debug, Default)]
struct Chunk {
    /// Its part behind the last piece. Empty, once all alerts are back and it is not kept.
    rest: BytesMut,
    /// Alerts in it that are out.
    out: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Arena {
    chunk_bytes: usize,
    bytes_max: usize,
    chunks: Vec<Chunk>,
    /// The chunk that is filled; there is none before the first piece.
    filling: usize,
    /// Chunks with memory and no alert.
    free: Vec<usize>,
    /// Places in `chunks` without memory.
    vacant: Vec<usize>,
    kept_bytes: usize,
}

impl Arena {
    /// An arena for a source that may hold about `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            chunk_bytes: (bytes_max / CHUNK_SHARE).clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX),
            bytes_max,
            chunks: Vec::new(),
            filling: 0,
            free: Vec::new(),
            vacant: Vec::new(),
            kept_bytes: 0,
        }
    }

    /// Whether alerts of so many bytes may be given together.
    pub fn is_piece(&self, bytes: usize) -> bool {
        bytes <= self.chunk_bytes / PIECE_SHARE
    }

    /// Copies `alerts`, of so many `bytes` together, behind one another: one of any size, or as
    /// many as [are a piece](Self::is_piece). The place is to be given [`back`](Self::back) for
    /// each.
    pub fn keep<'a>(
        &mut self,
        bytes: usize,
        alerts: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> (Bytes, Place) {
        let out = alerts.len();
        self.kept_bytes += bytes + out * ALERT_TABLES_BYTES;
        if !self.is_piece(bytes) {
            debug_assert_eq!(out, 1, "alerts of {bytes} bytes together");
            self.kept_bytes += alone_bytes(bytes) - bytes;
            return (self.keep_alone(bytes, alerts), Place::ALONE);
        }
        if !self.chunks.get(self.filling).is_some_and(|chunk| chunk.has_room(bytes)) {
            self.next_chunk();
        }
        let chunk = &mut self.chunks[self.filling];
        for alert in alerts {
            chunk.rest.extend_from_slice(alert);
        }
        chunk.out += out;
        let index = u32::try_from(self.filling).expect("memory has fewer chunks");
        (chunk.rest.split().freeze(), Place(index))
    }

    /// An alert is dropped, now or soon; its `bytes` are asked for where it is alone.
    pub fn back(&mut self, place: Place, bytes: usize) {
        self.kept_bytes -= ALERT_TABLES_BYTES;
        if place == Place::ALONE {
            self.kept_bytes -= alone_bytes(bytes);
            return;
        }
        let index = usize::try_from(place.0).expect("usize has at least 32 bits here");
        let chunk = &mut self.chunks[index];
        chunk.out -= 1;
        if chunk.out == 0 {
            self.emptied(index);
        }
    }

    /// Bytes that are kept alive.
    #[inline]
    pub fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    fn emptied(&mut self, index: usize) {
        if index == self.filling {
            self.kept_bytes -= self.filled_bytes();
            return;
        }
        self.kept_bytes -= self.chunk_bytes;
        let free_bytes = (self.free.len() + 1) * self.chunk_bytes;
        if self.free.len() < FREE_CHUNKS_MAX && self.kept_bytes + free_bytes <= self.bytes_max {
            self.free.push(index);
        } else {
            self.clear(index);
        }
    }

    #[cold]
    fn keep_alone<'a>(&mut self, bytes: usize, alert: impl Iterator<Item = &'a [u8]>) -> Bytes {
        while self.kept_bytes + self.free.len() * self.chunk_bytes > self.bytes_max
            && let Some(index) = self.free.pop()
        {
            self.clear(index);
        }
        let mut piece = Vec::with_capacity(bytes);
        alert.for_each(|part| piece.extend_from_slice(part));
        Bytes::from(piece)
    }

    /// Fills the same chunk from its start if nothing is in it any more, else another one.
    #[cold]
    fn next_chunk(&mut self) {
        let chunk_bytes = self.chunk_bytes;
        if let Some(chunk) = self.chunks.get_mut(self.filling) {
            if chunk.out > 0 {
                // From now on it counts whole.
                self.kept_bytes += chunk_bytes - self.filled_bytes();
            } else if chunk.rest.try_reclaim(chunk_bytes) {
                return;
            } else {
                // Somebody still reads in it.
                self.clear(self.filling);
            }
        }
        // The one that was used last is still in the processor's cache.
        let index = self.free.pop().or_else(|| self.vacant.pop()).unwrap_or(self.chunks.len());
        if index == self.chunks.len() {
            self.chunks.push(Chunk::default());
        }
        let rest = &mut self.chunks[index].rest;
        if !rest.try_reclaim(chunk_bytes) {
            *rest = BytesMut::with_capacity(chunk_bytes);
        }
        self.filling = index;
    }

    fn filled_bytes(&self) -> usize {
        self.chunk_bytes - self.chunks[self.filling].rest.capacity().min(self.chunk_bytes)
    }

    fn clear(&mut self, index: usize) {
        self.chunks[index].rest = BytesMut::new();
        self.vacant.push(index);
    }
}

/// What an alert of so many bytes keeps that has memory of its own.
fn alone_bytes(bytes: usize) -> usize {
    (bytes + bytes / ALONE_SHARE).next_multiple_of(PAGE_BYTES)
}

impl Chunk {
    /// Whether a piece of so many bytes is to be put behind the last one. What is empty is filled
    /// from its start.
    fn has_room(&self, bytes: usize) -> bool {
        bytes <= self.rest.capacity() && self.out > 0
    }
}

#[cfg(test)]
mod tests;
