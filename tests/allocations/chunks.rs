//! What reading alone costs: a chunk that nothing refers to any more is read into again.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use allocation_counter::measure;
use sluicegate::mqtt::connection::{READ_BYTES, TURN_PACKETS_MAX};
use sluicegate::mqtt::wire::Outgoing;
use sluicegate::mqtt::{Connection, Inbox};
use tokio::io::{AsyncRead, ReadBuf, join, sink};
use tokio::sync::Notify;

/// A stream that comes in pieces, for ever.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let Self { bytes, at, piece } = &mut *self;
        let rest = &bytes[*at..];
        let count = rest.len().min(*piece).min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        *at = (*at + count) % bytes.len();
        Poll::Ready(Ok(()))
    }
}

/// Reads in which buffers grow and chunks come round.
const WARM_UP: usize = 60;

/// Allocations of `turns` turns, of which every block is kept for `kept` turns, behind a warm-up.
fn reading(body_bytes: usize, piece: usize, kept: usize, turns: usize) -> u64 {
    let body = vec![b' '; body_bytes];
    let mut bytes = Vec::new();
    let mut packets: usize = 0;
    while bytes.len() < 4 * READ_BYTES {
        packets += 1;
        let publish = Outgoing {
            topic: "sensors/7",
            packet_id: None,
            dup: false,
            retain: false,
            body: &body,
        };
        publish.write(&mut bytes).unwrap();
    }
    // Of the smallest packets, one read takes several turns.
    let warm_up = WARM_UP * (packets / 4).div_ceil(TURN_PACKETS_MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let stream = join(Pieces { bytes, at: 0, piece }, sink());
        let mut connection = Connection::new(stream, Duration::ZERO);
        let (mut inbox, never) = (Inbox::default(), Notify::new());
        let mut blocks = std::collections::VecDeque::with_capacity(kept + 1);
        let mut used = 0;
        for turn in 0..warm_up + turns {
            {
                let mut future = std::pin::pin!(connection.turn(&mut inbox, &never, true));
                let turned = std::future::poll_fn(|cx| {
                    let mut polled = Poll::Pending;
                    let info = measure(|| polled = future.as_mut().poll(cx));
                    used += if turn < warm_up { 0 } else { info.count_total };
                    polled
                });
                turned.await.unwrap();
            }
            let (block, packets) = inbox.drain();
            assert!(packets.count() > 0 || body_bytes > piece);
            blocks.push_back(block);
            if blocks.len() > kept {
                blocks.pop_front();
            }
        }
        used
    })
}

/// For packets that are no larger than a chunk, in pieces of any size, whether blocks are dropped
/// at once or kept for some turns: nothing.
#[test]
fn used_chunks_are_read_into_again() {
    for body_bytes in [0, 140, 1_000, 8_000, 32_000, 60_000] {
        for piece in [997, 8_191, READ_BYTES, READ_BYTES + 1] {
            for kept in [0, 1, 20] {
                let used = reading(body_bytes, piece, kept, 150);
                assert_eq!(used, 0, "{body_bytes} bytes, pieces of {piece}, {kept} kept");
            }
        }
    }
}
