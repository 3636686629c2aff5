//! The memory that is read into.

use super::*;
use std::collections::BTreeSet;

/// Streams messages of `size` in writes of `write` bytes, letting go of every block at once; tells
/// in how many chunks they were found, and how many the connection keeps.
async fn chunks(size: usize, write: usize, total: usize) -> (usize, usize) {
    let (mut connection, mut peer) = pair(1 << 20);
    let message = encode(&[Packet::Publish(publish("sensors/1", 7, size))]);
    let stream: Vec<u8> = message.iter().copied().cycle().take(total).collect();
    let mut inbox = Inbox::default();
    let mut places = BTreeSet::new();
    for part in stream.chunks(write) {
        peer.write_all(part).await.unwrap();
        loop {
            let wake = Notify::new();
            wake.notify_one();
            connection.turn(&mut inbox, &wake, true).await.unwrap();
            if inbox.is_empty() {
                break;
            }
            let (block, packets) = inbox.drain();
            packets.for_each(drop);
            places.insert(block.as_ptr() as usize / CHUNK_BYTES);
        }
    }
    (places.len(), connection.used.len())
}

/// Whose blocks are let go at once needs two chunks, however the reads cut the packets, and whether
/// or not they fill a chunk to its last byte.
#[tokio::test]
async fn chunks_serve_again() {
    for (size, write) in [(140, 60_001), (140, 1 << 20), (1 << 14, 1 << 16), (140, 300)] {
        let (places, kept) = chunks(size, write, 8 << 20).await;
        assert!(kept <= 2, "{kept} kept with messages of {size} in writes of {write}");
        // A chunk may lie across two of the places that are counted.
        assert!(places <= 6, "{places} with messages of {size} in writes of {write}");
    }
}

/// What grew for large packets is not kept.
#[tokio::test]
async fn large_chunks_are_not_kept() {
    let (_, kept) = chunks(200_000, 60_001, 8 << 20).await;
    assert!(kept <= 2, "{kept}");
}
