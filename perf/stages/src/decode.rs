//! Publishes out of bytes, in blocks as one read brings them.

use sluicegate::mqtt::connection::{PACKET_BYTES_MAX, READ_BYTES};
use sluicegate::mqtt::mqttbytes::Error;
use sluicegate::mqtt::wire::{Incoming, decode};

use crate::stage::{Runner, Work};
use crate::traffic::{Ring, Sent};

/// Some blocks, and a packet that each but the last of them cuts.
const MESSAGES: u32 = 1000;

pub(crate) fn prepare() -> Runner {
    over(Ring::new(MESSAGES, 10))
}

fn over(Ring { bytes, messages }: Ring) -> Runner {
    let mut packets = Vec::new();
    // Taken until `at`, and read until `read`.
    let (mut at, mut read, mut index) = (0, 0, 0);
    Box::new(move |count| {
        let mut left = usize::try_from(count).map_err(|error| error.to_string())?;
        while left > 0 {
            if at == bytes.len() {
                (at, read, index) = (0, 0, 0);
            }
            let decoded = decode(&bytes[at..read], &mut packets, left, PACKET_BYTES_MAX);
            if !matches!(decoded.end, Error::InsufficientBytes(_)) {
                return Err(format!("not MQTT behind message {index}: {}", decoded.end));
            }
            at += decoded.consumed;
            left -= packets.len();
            for packet in packets.drain(..) {
                check(&packet, &messages[index])?;
                index += 1;
            }
            if left > 0 {
                read = bytes.len().min(read + READ_BYTES);
            }
        }
        Ok(Work::default())
    })
}

fn check(packet: &Incoming, sent: &Sent) -> Result<(), String> {
    if let Incoming::Publish(publish) = packet
        && publish.packet_id() == Some(sent.publish.pkid)
        && publish.body().len() == sent.publish.payload.len()
        && publish.topic_end() - publish.topic_at() == sent.publish.topic.len()
    {
        return Ok(());
    }
    Err(format!("{packet:?} in place of {:?}", sent.publish))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_is_decoded() {
        let mut runner = prepare();
        for count in [0, 1, 399, 600, 1, 2500] {
            assert_eq!(runner(count), Ok(Work::default()));
        }
    }

    #[test]
    fn another_packet_than_was_sent_is_noticed() {
        let mut ring = Ring::new(5, 10);
        ring.messages.swap(2, 3);
        assert!(over(ring)(5).is_err());
        let mut ring = Ring::new(5, 10);
        ring.bytes[0] = 0x36;
        assert!(over(ring)(5).is_err());
    }
}
