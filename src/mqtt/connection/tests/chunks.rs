//! Reading into chunks of memory: packets of every size come out whole, and what was handed over
//! stays as it is for as long as anybody refers to it.

use super::*;
use crate::mqtt::connection::chunks::{Chunks, FREE_CHUNKS_MAX};
use crate::mqtt::wire::{Incoming, PublishAt};
use proptest::prelude::*;
use std::collections::VecDeque;
use tokio::io::{ReadBuf, sink};

/// Largest body that a hub takes.
const LARGE: usize = 256 * 1024;

/// A body that no other packet has, in any place.
fn body(number: usize, size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at * 31 + number * 7 + at / 251) % 251).unwrap()).collect()
}

fn stream(sizes: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, &size) in sizes.iter().enumerate() {
        let publish = Publish::new("t", QoS::AtMostOnce, body(number, size));
        Outgoing::from(&publish).write(&mut bytes).unwrap();
    }
    bytes
}

/// A packet with the block that it is in.
type Kept = (usize, Bytes, PublishAt);

fn check(kept: &Kept, sizes: &[usize]) {
    let (number, block, publish) = kept;
    assert_eq!(publish.topic(block), b"t");
    assert!(block[publish.body()] == body(*number, sizes[*number]), "packet {number} changed");
}

/// Reads packets of these sizes, which come in pieces of at most `piece` bytes. `keep` is asked
/// for each turn how many turns its packets are kept; returns how many chunks came into use.
async fn read(sizes: &[usize], piece: usize, mut keep: impl FnMut() -> usize) -> usize {
    let (mut connection, mut peer) = pair(piece);
    let bytes = stream(sizes);
    let writing = tokio::spawn(async move {
        peer.write_all(&bytes).await.unwrap();
        peer
    });
    let (mut inbox, never) = (Inbox::default(), Notify::new());
    let (mut kept, mut chunks) = (VecDeque::<(usize, Kept)>::new(), Vec::new());
    let (mut number, mut turns) = (0, 0);
    while number < sizes.len() {
        connection.turn(&mut inbox, &never, true).await.unwrap();
        let until = turns + keep();
        let (block, packets) = inbox.drain();
        for packet in packets {
            let Incoming::Publish(publish) = packet else { panic!("{packet:?}") };
            let packet = (number, block.clone(), publish);
            check(&packet, sizes);
            kept.push_back((until, packet));
            number += 1;
        }
        if !chunks.contains(&connection.chunk()) {
            chunks.push(connection.chunk());
        }
        turns += 1;
        kept.retain(|(until, packet)| {
            let is_over = *until <= turns;
            if is_over {
                check(packet, sizes);
            }
            !is_over
        });
    }
    kept.iter().for_each(|(_, packet)| check(packet, sizes));
    drop(writing.await.unwrap());
    chunks.len()
}

impl Connection<DuplexStream> {
    /// Where the chunk that is read into ends, which tells one from another.
    fn chunk(&self) -> usize {
        self.read_buffer.as_ptr().addr() + self.read_buffer.capacity()
    }
}

/// The largest packet, among small ones, whatever pieces the stream comes in.
#[tokio::test]
async fn a_large_packet_is_read_among_small_ones() {
    let mut sizes = vec![140; 700];
    sizes.extend([LARGE, 0, 1, LARGE, LARGE, READ_BYTES, READ_BYTES - 1]);
    sizes.extend(vec![140; 700]);
    for piece in [1009, 4093, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 1 << 20] {
        read(&sizes, piece, || 0).await;
    }
}

/// What is kept takes chunks of its own, and no more than it fills.
#[tokio::test]
async fn kept_chunks_are_not_read_into() {
    let sizes = vec![140; 8 * CHUNK_BYTES / 140];
    let chunks = read(&sizes, 1 << 20, || usize::MAX / 2).await;
    assert!((8..12).contains(&chunks), "{chunks}");
}

/// After a burst of which everything was kept, most of its chunks are freed, and none while it is.
#[tokio::test]
async fn chunks_of_a_burst_are_not_kept_for_ever() {
    let (mut connection, mut peer) = pair(1 << 20);
    let bytes = stream(&[8_000; 64]);
    let (mut inbox, never, mut kept) = (Inbox::default(), Notify::new(), Vec::new());
    for lap in 0..60 {
        peer.write_all(&bytes).await.unwrap();
        let mut packets = 0;
        while packets < 64 {
            connection.turn(&mut inbox, &never, true).await.unwrap();
            let (block, incoming) = inbox.drain();
            packets += incoming.count();
            if lap < 10 {
                kept.push(block);
            }
        }
        if lap == 9 {
            assert!(connection.chunks.len() > 30, "{}", connection.chunks.len());
            kept.clear();
        }
    }
    assert!(connection.chunks.len() <= FREE_CHUNKS_MAX + 1, "{}", connection.chunks.len());
}

/// However many are referred to, 64 are kept to be read into again.
#[test]
fn spare_chunks_are_bounded() {
    let (mut chunks, mut kept) = (Chunks::default(), Vec::new());
    for number in 1..=100 {
        let mut chunk = chunks.next();
        chunk.extend_from_slice(b"x");
        kept.push(chunk.split().freeze());
        chunks.put(chunk);
        assert_eq!(chunks.len(), number.min(64));
    }
}

/// Has all bytes ready, in pieces as TLS has them; then nothing comes any more.
struct Ready(Bytes);

impl AsyncRead for Ready {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let count = self.0.len().min(16 * 1024).min(buffer.remaining());
        buffer.put_slice(&self.0.split_to(count));
        Poll::Ready(Ok(()))
    }
}

/// What is there is read to its end without waiting for anything, although a large packet takes the
/// shares of several turns: no event comes for what has come before.
#[tokio::test(start_paused = true)]
async fn a_large_packet_that_has_come_is_read_at_once() {
    let stream = join(Ready(stream(&[LARGE, 9, LARGE]).into()), sink());
    let mut connection = Connection::new(stream, Duration::from_secs(60));
    let (mut inbox, never, mut packets) = (Inbox::default(), Notify::new(), 0);
    let start = Instant::now();
    while packets < 3 {
        connection.turn(&mut inbox, &never, true).await.unwrap();
        packets += inbox.drain().1.count();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// A large packet has memory that is hardly larger than itself, and what follows stands elsewhere.
#[tokio::test]
async fn a_large_packet_has_memory_of_its_own() {
    let (mut connection, mut peer) = pair(1 << 20);
    let writing = tokio::spawn(async move {
        peer.write_all(&stream(&[9, LARGE, 9, 9])).await.unwrap();
        peer
    });
    let (mut inbox, never, mut packets) = (Inbox::default(), Notify::new(), 0);
    while packets < 4 {
        connection.turn(&mut inbox, &never, true).await.unwrap();
        let (mut block, incoming) = inbox.drain();
        packets += incoming.count();
        if block.len() > LARGE {
            // What is left of its chunk, behind it.
            let room = connection.read_buffer.capacity();
            assert!(connection.is_large && room <= READ_BYTES_MIN, "{room}");
            block.clear();
        }
    }
    drop(writing.await.unwrap());
}

/// Sizes as they come, most small, some larger than a chunk.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        30 => 0usize..300,
        4 => 300usize..9_000,
        2 => 9_000usize..READ_BYTES + 200,
        1 => READ_BYTES..LARGE,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is kept for however long, nothing that is read later changes it.
    #[test]
    fn what_is_kept_stays_as_it_is(
        sizes in prop::collection::vec(size(), 1..400),
        piece in prop::sample::select(vec![512, 4093, 65_535, 65_536, 200_000]),
        keeps in prop::collection::vec(prop::sample::select(vec![0, 0, 1, 2, 7, 80, 1_000]), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut keeps = keeps.into_iter().cycle();
        runtime.block_on(read(&sizes, piece, || keeps.next().unwrap_or(0)));
    }
}
