//! One alert onto the wire: its topic from the topic of its message, then the publish.
//!
//! Expected for one of 140 bytes: topic 60 ns, publish 15 ns (rumqttc 13), both 75; the bare copy
//! 6. At 8 KB copying is all there is: 150 ns for each.
//! Came out (lower quartiles of one run on two busy cores): 61, 9 (29), 73, 2; at 8 KB the publish
//! 62 (83) and the copy 56.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput};
use sluicegate::azure::Identity;
use sluicegate::mqtt::QoS;
use sluicegate::mqtt::packet::Publish;
use sluicegate::mqtt::wire::Outgoing;
use sluicegate::outbound::naming::{HubOutput, Naming};
use sluicegate::pipeline::message::{Alert, Message, SourceId, Span};
use sluicegate::pipeline::place::Place;

const BAG: &str = "sequenceNumber=4711&%24.cdid=edge1&%24.cmid=sensor";
const TOPIC: &str = "devices/edge1/modules/filter/messages/events/%24.on=output1\
    &sequenceNumber=4711&MessageType=Alert";
const PACKET_ID: u16 = 7;

pub(crate) fn forward(criterion: &mut Criterion) {
    let identity = Identity {
        hub: "local.azure-devices.net".to_owned(),
        gateway: "localhost".to_owned(),
        device: "edge1".to_owned(),
        module: Some("filter".to_owned()),
    };
    let mut naming = HubOutput::new(&identity, "output1");
    for size in [140, 8_192] {
        let alert = alert(size);
        let mut out = Vec::new();
        let mut rumqttc_out = BytesMut::new();
        let publish = rumqttc_publish(alert.body());
        assert_eq!(naming.topic(&alert), Ok(TOPIC));
        write(TOPIC, alert.body(), &mut out);
        publish.write(&mut rumqttc_out).expect("a valid publish");
        assert_eq!(out, rumqttc_out);

        let mut group = criterion.benchmark_group(format!("forward/{size}"));
        group.throughput(Throughput::ElementsAndBytes { elements: 1, bytes: out.len() as u64 });
        group.bench_function("topic", |bencher| {
            bencher.iter(|| naming.topic(black_box(&alert)).map(str::len));
        });
        group.bench_function("publish", |bencher| {
            bencher.iter(|| {
                out.clear();
                write(black_box(TOPIC), black_box(alert.body()), &mut out);
            });
        });
        group.bench_function("publish by rumqttc", |bencher| {
            bencher.iter(|| {
                rumqttc_out.clear();
                black_box(&publish).write(&mut rumqttc_out)
            });
        });
        group.bench_function("topic and publish", |bencher| {
            bencher.iter(|| {
                out.clear();
                let alert = black_box(&alert);
                if let Ok(topic) = naming.topic(alert) {
                    write(topic, alert.body(), &mut out);
                }
            });
        });
        let encoded = out.clone();
        group.bench_function("floor: copy", |bencher| {
            bencher.iter(|| {
                out.clear();
                out.extend_from_slice(black_box(&encoded));
            });
        });
        group.finish();
    }
}

fn alert(size: usize) -> Alert {
    let body = vec![b'x'; size];
    let block = Bytes::from([BAG.as_bytes(), &body].concat());
    let message =
        Message { origin: Span::new(0..BAG.len()), body: Span::new(BAG.len()..block.len()) };
    Alert::new(SourceId::Hub, 1, Place::ALONE, block, &message)
}

fn write(topic: &str, body: &[u8], out: &mut Vec<u8>) {
    let packet_id = Some(PACKET_ID);
    let publish = Outgoing { topic, packet_id, dup: false, retain: false, body };
    publish.write(out).expect("a valid publish");
}

fn rumqttc_publish(body: &[u8]) -> Publish {
    let mut publish = Publish::new(TOPIC, QoS::AtLeastOnce, body);
    publish.pkid = PACKET_ID;
    publish
}
