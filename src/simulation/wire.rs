//! One connection as bytes in memory, between the module's end and the peer.
//!
//! - To the module: bytes, and marks at the ends of packets, which tell what the module has read
//!   once it has read so far. A gate lets so many bytes pass; a cut makes each read, and so each
//!   turn of the module, see no more than so many.
//! - To the peer: bytes that are decoded as they are written, or wait while that way is stalled.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use super::script::Change;

/// What a module that stands still may have on the way, as in a socket's buffers.
const STALLED_BYTES_MAX: usize = 4096;

/// What the module knows once it has read a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A message of a source, under this packet id; 0 at QoS 0.
    Message {
        message: usize,
        id: u16,
    },
    /// A PUBACK.
    PubAck {
        id: u16,
    },
    SubAck {
        id: u16,
    },
    /// The twin's document, or a patch.
    Change {
        version: u64,
        change: Change,
        is_document: bool,
    },
}

/// How the peer has ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Behind all that it had said.
    Closed,
    /// At once.
    Reset,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Wire {
    down: BytesMut,
    marks: VecDeque<(u64, Mark)>,
    queued: u64,
    read: u64,
    /// The last byte that passes.
    gate: Option<u64>,
    pub(super) cut: usize,
    /// The last poll has brought as much as a cut allows.
    is_cut: bool,
    pub(super) up: BytesMut,
    is_stalled: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    ending: Option<Ending>,
    /// The module has closed its end.
    pub(super) is_dropped: bool,
    /// The module has said its last word: it reads on, and heeds nothing.
    pub(super) is_shut: bool,
    pub(super) is_subscribed: bool,
}

impl Wire {
    pub(super) fn new(cut: usize) -> Self {
        Self { cut, ..Self::default() }
    }

    /// Whether the peer has not hung up, and the module neither.
    pub(super) fn is_open(&self) -> bool {
        self.ending.is_none() && !self.is_dropped && !self.is_shut
    }

    /// Whether everything passes in both directions.
    pub(super) fn is_flowing(&self) -> bool {
        self.is_open() && self.gate.is_none() && !self.is_stalled
    }

    /// Whether the module has read all.
    pub(super) fn is_read(&self) -> bool {
        self.down.is_empty()
    }

    /// Sends a packet to the module, which knows of `mark` with its last byte.
    pub(super) fn send(&mut self, packet: &[u8], mark: Option<Mark>) {
        if self.ending.is_some() || self.is_dropped {
            return;
        }
        self.down.extend_from_slice(packet);
        self.queued += packet.len() as u64;
        self.marks.extend(mark.map(|mark| (self.queued, mark)));
        self.wake_reader();
    }

    /// The packets ahead that the module has not read.
    pub(super) fn unread(&self) -> impl Iterator<Item = Mark> {
        self.marks.iter().map(|(_, mark)| *mark)
    }

    /// The next mark that the module has passed.
    pub(super) fn passed(&mut self) -> Option<Mark> {
        let read = self.read;
        self.marks.pop_front_if(|(end, _)| *end <= read).map(|(_, mark)| mark)
    }

    pub(super) fn end(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.ending = Some(ending);
            self.up.clear();
        }
        self.wake_reader();
        self.wake_writer();
    }

    /// The module has let go of it: what was on the way is lost.
    pub(super) fn drop(&mut self) {
        self.is_dropped = true;
        self.up.clear();
    }

    pub(super) fn stall_in(&mut self, after: u16) {
        self.gate.get_or_insert(self.read + u64::from(after));
    }

    pub(super) fn stall_out(&mut self) {
        self.is_stalled = true;
    }

    pub(super) fn is_stalled_out(&self) -> bool {
        self.is_stalled
    }

    pub(super) fn flow(&mut self) {
        self.gate = None;
        self.is_stalled = false;
        self.wake_reader();
        self.wake_writer();
    }

    fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    /// The module reads.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ending == Some(Ending::Reset) {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let open = self.gate.map_or(usize::MAX, |gate| {
            usize::try_from(gate.saturating_sub(self.read)).unwrap_or(usize::MAX)
        });
        let there = self.down.len().min(open);
        if there == 0 || std::mem::take(&mut self.is_cut) {
            if self.ending == Some(Ending::Closed) && self.down.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.reader = Some(cx.waker().clone());
            if there > 0 {
                self.wake_reader();
            }
            return Poll::Pending;
        }
        let count = there.min(self.cut).min(buffer.remaining());
        buffer.put_slice(&self.down[..count]);
        self.down.advance(count);
        self.read += count as u64;
        self.is_cut = self.cut < usize::MAX;
        Poll::Ready(Ok(()))
    }

    /// The module writes.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.ending {
            Some(Ending::Reset) => return Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
            Some(Ending::Closed) => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
            None => {}
        }
        let mut count = bytes.len();
        if self.is_stalled {
            count = count.min(STALLED_BYTES_MAX.saturating_sub(self.up.len()));
            if count == 0 {
                self.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        self.up.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }
}
