//! A read's worth of messages is received, settled and acknowledged in order.
//!
//! Expected for one message: with the ledger 5 ns, the bytes of the PUBACK alone 1 ns, by rumqttc
//! 10 ns. Came out (lower quartiles of one run on two busy cores): 5, 0.9, 9.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput};
use sluicegate::mqtt::packet::PubAck;
use sluicegate::mqtt::wire::write_puback;
use sluicegate::pipeline::ledger::Ledger;

use crate::traffic::MESSAGES;

pub(crate) fn acknowledge(criterion: &mut Criterion) {
    let (mut ledger, mut out, mut rumqttc_out) = (Ledger::default(), Vec::new(), BytesMut::new());
    by_ledger(&mut ledger, &mut out);
    by_rumqttc(&mut rumqttc_out);
    assert_eq!(out, rumqttc_out);
    assert_eq!(ledger.messages(), 0);
    alone(&mut out);
    assert_eq!(out, rumqttc_out);

    let mut group = criterion.benchmark_group("acknowledge");
    group.throughput(Throughput::ElementsAndBytes {
        elements: MESSAGES.into(),
        bytes: out.len() as u64,
    });
    group.bench_function("ledger and bytes", |bencher| {
        bencher.iter(|| by_ledger(&mut ledger, &mut out));
    });
    group.bench_function("bytes", |bencher| bencher.iter(|| alone(&mut out)));
    group.bench_function("bytes by rumqttc", |bencher| {
        bencher.iter(|| by_rumqttc(&mut rumqttc_out));
    });
    group.finish();
}

fn by_ledger(ledger: &mut Ledger, out: &mut Vec<u8>) {
    out.clear();
    let first = ledger.next_receipt();
    for id in 1..=MESSAGES {
        ledger.receive(black_box(id));
    }
    ledger.settle_range(first..ledger.next_receipt(), []);
    ledger.release(|id| write_puback(out, id));
}

fn alone(out: &mut Vec<u8>) {
    out.clear();
    for id in 1..=MESSAGES {
        write_puback(out, black_box(id));
    }
}

fn by_rumqttc(out: &mut BytesMut) {
    out.clear();
    for id in 1..=MESSAGES {
        PubAck::new(black_box(id)).write(out).expect("a valid packet");
    }
}
