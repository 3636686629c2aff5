//! Publishes out of one read.
//!
//! Expected for one of 250 bytes: sluicegate 18 ns, rumqttc 58, a scan of the bytes 8.
//! Came out (lower quartiles of one run on two busy cores): 17, 121, 10. What rumqttc's bytes and
//! topics take to give back is in it.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion};
use sluicegate::mqtt::connection::PACKET_BYTES_MAX;
use sluicegate::mqtt::packet::{Packet, Publish};
use sluicegate::mqtt::wire::{self, Incoming};

use crate::traffic::{MESSAGES, per_message, read_all, stream};

/// In no packet id below 250, and in no UTF-8.
const ABSENT: u8 = 0xfe;

pub(crate) fn decode(criterion: &mut Criterion) {
    let stream = stream();
    verify(&stream);
    let mut group = criterion.benchmark_group("decode");
    group.throughput(per_message(&stream));
    let mut packets = Vec::new();
    group.bench_function("sluicegate", |bencher| {
        bencher.iter(|| {
            packets.clear();
            wire::decode(black_box(&stream), &mut packets, usize::MAX, PACKET_BYTES_MAX)
        });
    });
    group.bench_function("rumqttc", |bencher| {
        let copy = || BytesMut::from(&stream[..]);
        let read = |bytes: &mut BytesMut| read_all(bytes, |packet| drop(black_box(packet)));
        bencher.iter_batched_ref(copy, read, BatchSize::SmallInput);
    });
    group.bench_function("floor: scan", |bencher| {
        bencher.iter(|| black_box(&stream).contains(&ABSENT));
    });
    group.finish();
}

/// Both find the same publishes, all of them; the scan goes to the end.
fn verify(stream: &[u8]) {
    let mut packets = Vec::new();
    let decoded = wire::decode(stream, &mut packets, usize::MAX, PACKET_BYTES_MAX);
    assert_eq!(decoded.consumed, stream.len());
    let found: Vec<Publish> = packets
        .iter()
        .map(|packet| match packet {
            Incoming::Publish(publish) => publish.to_publish(stream),
            other => panic!("{other:?} in the stream"),
        })
        .collect();
    let mut expected = Vec::new();
    read_all(&mut BytesMut::from(stream), |packet| match packet {
        Packet::Publish(publish) => expected.push(publish),
        other => panic!("{other:?} in the stream"),
    });
    assert_eq!(found.len(), usize::from(MESSAGES));
    assert_eq!(found, expected);
    assert!(!stream.contains(&ABSENT));
}
