//! Decode, judge, acknowledge and encode of one read, one alert in ten, without any I/O.
//!
//! Expected for one message: sluicegate 90 ns; rumqttc's codec with serde_json 290.
//! Came out (lower quartiles of one run on two busy cores): 91 and 276.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion};
use serde::Deserialize;
use sluicegate::mqtt::QoS;
use sluicegate::mqtt::packet::{Packet, PubAck, Publish};
use sluicegate::pipeline::threshold::Threshold;
use stages::core::{Core, Tally, alerts_prefix};

use crate::traffic::{ALERT_EVERY, MESSAGES, per_message, read_all, stream};

#[derive(Deserialize)]
struct Reading {
    machine: Machine,
}

#[derive(Deserialize)]
struct Machine {
    temperature: f64,
}

pub(crate) fn core(criterion: &mut Criterion) {
    let stream = stream();
    let prefix = alerts_prefix();
    verify(&stream, &prefix);
    let mut group = criterion.benchmark_group("core");
    group.throughput(per_message(&stream));
    let mut core = Core::new(Threshold::DEFAULT, prefix.clone());
    let mut out = Vec::new();
    group.bench_function("sluicegate", |bencher| {
        bencher.iter(|| {
            out.clear();
            core.run(black_box(&stream), &mut out)
        });
    });
    let mut out = BytesMut::new();
    group.bench_function("rumqttc and serde_json", |bencher| {
        let copy = || BytesMut::from(&stream[..]);
        let run = |bytes: &mut BytesMut| {
            out.clear();
            by_libraries(bytes, &prefix, &mut out);
        };
        bencher.iter_batched_ref(copy, run, BatchSize::SmallInput);
    });
    group.finish();
}

/// Both write the same bytes.
fn verify(stream: &[u8], prefix: &str) {
    let mut core = Core::new(Threshold::DEFAULT, prefix.to_owned());
    let (mut out, mut expected) = (Vec::new(), BytesMut::new());
    assert_eq!(core.run(stream, &mut out).ok(), Some(stream.len()));
    let (messages, alerts) = (MESSAGES.into(), (MESSAGES / ALERT_EVERY).into());
    assert_eq!(core.tally(), Tally { messages, alerts });
    by_libraries(&mut BytesMut::from(stream), prefix, &mut expected);
    assert_eq!(out, expected);
}

/// The same, as one would write it on the two libraries.
fn by_libraries(input: &mut BytesMut, prefix: &str, out: &mut BytesMut) {
    let mut packet_id = 0;
    read_all(input, |packet| {
        let Packet::Publish(input) = packet else { return };
        let reading = serde_json::from_slice::<Reading>(&input.payload);
        if reading.is_ok_and(|reading| reading.machine.temperature > Threshold::DEFAULT.value()) {
            packet_id += 1;
            let topic = alert_topic(prefix, &input.topic);
            let mut alert = Publish::from_bytes(topic, QoS::AtLeastOnce, input.payload);
            alert.pkid = packet_id;
            alert.write(out).expect("a valid publish");
        }
        PubAck::new(input.pkid).write(out).expect("a valid packet");
    });
}

/// The sender's own properties and ours, no system ones.
fn alert_topic(prefix: &str, input_topic: &str) -> String {
    let bag = input_topic.rsplit_once('/').map_or("", |(_, bag)| bag);
    let mut topic = prefix.to_owned();
    for property in bag.split('&').filter(|property| !property.starts_with("%24.")) {
        topic.push('&');
        topic.push_str(property);
    }
    topic.push_str("&MessageType=Alert");
    topic
}
