//! An alert becomes a publish: its topic, and its bytes in the write buffer.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::Publish;
use sluicegate::azure::topics::inputs_prefix;
use sluicegate::mqtt::wire::Outgoing;
use sluicegate::outbound::naming::{HubOutput, Naming};
use sluicegate::pipeline::message::{Alert, Message, SourceId, Span};
use sluicegate::pipeline::place::Place;

use crate::stage::{Runner, Work};
use crate::traffic::{Ring, Sent, alert_topic, alerts_prefix, identity};

/// What is written at once.
const MESSAGES: u32 = 200;

pub(crate) fn prepare() -> Runner {
    let ring = Ring::new(MESSAGES, 1);
    let expected = expected(&ring);
    over(&ring, expected)
}

/// The same publishes as rumqttc encodes them.
fn expected(ring: &Ring) -> Vec<u8> {
    let (mut expected, prefix) = (BytesMut::new(), alerts_prefix());
    for (index, sent) in ring.messages.iter().enumerate() {
        let publish = Publish { topic: alert_topic(&prefix, index), ..sent.publish.clone() };
        publish.write(&mut expected).expect("a valid publish into growing memory");
    }
    expected.to_vec()
}

fn over(ring: &Ring, expected: Vec<u8>) -> Runner {
    let alerts = alerts(ring);
    let mut output = HubOutput::new(&identity(), "output1");
    let mut written = Vec::with_capacity(expected.len());
    let mut next = 0;
    Box::new(move |messages| {
        for _ in 0..messages {
            let (id, alert) = &alerts[next];
            let topic = output.topic(alert).map_err(|error| error.to_string())?;
            let publish = Outgoing {
                topic,
                packet_id: Some(*id),
                dup: false,
                retain: false,
                body: alert.body(),
            };
            publish.write(&mut written).map_err(|error| error.to_string())?;
            next += 1;
            if next == alerts.len() {
                check(&written, &expected)?;
                written.clear();
                next = 0;
            }
        }
        check(&written, &expected[..written.len().min(expected.len())])?;
        Ok(Work::default())
    })
}

fn check(written: &[u8], expected: &[u8]) -> Result<(), String> {
    if written == expected { Ok(()) } else { Err("the alerts are other bytes".to_owned()) }
}

/// Each with the packet id that it leaves under.
fn alerts(ring: &Ring) -> Vec<(u16, Alert)> {
    let block = Bytes::from(ring.bytes.clone());
    let bag_start = inputs_prefix(&identity()).len() + "input1/".len();
    let alert = |sent: &Sent| {
        let body = sent.end - sent.publish.payload.len();
        // The packet id stands between topic and body.
        let topic_end = body - 2;
        let bag = topic_end - (sent.publish.topic.len() - bag_start);
        let message =
            Message { origin: Span::new(bag..topic_end), body: Span::new(body..sent.end) };
        let alert =
            Alert::new(SourceId::Hub, 0, Place::ALONE, block.slice(bag..sent.end), &message);
        (sent.publish.pkid, alert)
    };
    ring.messages.iter().map(alert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_written_as_the_codec_reads_them() {
        let mut runner = prepare();
        for count in [1, 199, 450] {
            assert_eq!(runner(count), Ok(Work::default()));
        }
    }

    #[test]
    fn other_bytes_are_noticed() {
        let ring = Ring::new(10, 1);
        for place in [3, 100] {
            let mut wrong = expected(&ring);
            wrong[place] ^= 1;
            assert!(over(&ring, wrong.clone())(1).is_err(), "{place}");
            assert!(over(&ring, wrong)(10).is_err(), "{place}");
        }
    }
}
