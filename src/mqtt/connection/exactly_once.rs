//! QoS 2 on the way in (MQTT 3.1.1 §4.3.3), for every owner of a connection: it acknowledges what
//! it got, in order of receipt, and need not know with which packet.
//!
//! - In: the packets of a turn, acknowledgements. Out: PUBREC once a message is settled, PUBCOMP
//!   for every PUBREL, also for one of a message that came on an earlier connection.
//! - What comes under an id that was not released is the same message again: its owner has it.
//! - A peer that breaks the rules loses nothing: one that releases an id before our PUBREC is
//!   answered, and one that uses an open id for QoS 1 gets its PUBACK. Ids of open QoS 1 messages
//!   are not kept, so a peer that uses one of those for QoS 2 gets PUBREC and PUBACK in either
//!   order.
//! - Belongs to one connection. Bounded: 65,535 ids, and [`OPEN_MAX`] messages with the owner.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::Packet;

use super::ConnectionError;
use crate::mqtt::Inbox;
use crate::mqtt::wire::{self, Incoming};

/// Messages under the ids of exchanges that an owner may have: one for each id. Only a peer that
/// uses an id before we are done with it gets there.
const OPEN_MAX: usize = 65_535;

/// Where an id is between PUBLISH and PUBREL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// Not in use: the next PUBLISH is a new message.
    #[default]
    Free,
    /// The owner has the message.
    Delivered,
    /// PUBREC was sent.
    Recorded,
}

/// What an acknowledgement of the owner becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    PubAck,
    PubRec,
    /// The peer waits for none any more.
    Nothing,
}

#[derive(Debug, Default)]
struct Exchange {
    stage: Stage,
    /// For the messages that the owner has under this id, in order of receipt.
    answers: VecDeque<Reply>,
}

/// The ids that QoS 2 messages came under, until both sides are done with them.
#[derive(Debug, Default)]
pub(super) struct ExactlyOnce {
    exchanges: BTreeMap<u16, Exchange>,
    /// Answers that the owner owes altogether.
    open: usize,
}

impl ExactlyOnce {
    /// Whether there is nothing to know: no packet and no acknowledgement concerns this.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.exchanges.is_empty()
    }

    /// Takes out of a turn's packets what the owner is not concerned with, and adds the answers to
    /// it to `out`.
    ///
    /// # Errors
    /// When the owner has more than a peer may have open.
    #[cold]
    pub(super) fn sort(
        &mut self,
        inbox: &mut Inbox,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectionError> {
        inbox.incoming.retain(|packet| match packet {
            Incoming::Publish(publish) => match publish.packet_id() {
                Some(id) => self.received(id, publish.qos(), out),
                None => true,
            },
            // Not handed over again: its owner had it where its end was found.
            Incoming::TooLarge { .. } | Incoming::PubAck(_) => true,
            Incoming::Other(packet) => match &**packet {
                Packet::PubRel(release) if release.pkid != 0 => {
                    self.released(release.pkid, out);
                    false
                }
                _ => true,
            },
        });
        if inbox.is_empty() {
            inbox.block = Bytes::new();
        }
        if self.open > OPEN_MAX { Err(ConnectionError::ExactlyOnceOverrun) } else { Ok(()) }
    }

    /// A PUBLISH came; whether its owner is to have it.
    pub(super) fn received(&mut self, id: u16, qos: QoS, out: &mut Vec<u8>) -> bool {
        if qos != QoS::ExactlyOnce {
            if let Some(exchange) = self.exchanges.get_mut(&id)
                && !exchange.answers.is_empty()
            {
                exchange.answers.push_back(Reply::PubAck);
                self.open += 1;
            }
            return true;
        }
        let exchange = self.exchanges.entry(id).or_default();
        match exchange.stage {
            Stage::Free => {
                exchange.stage = Stage::Delivered;
                exchange.answers.push_back(Reply::PubRec);
                self.open += 1;
                return true;
            }
            // Its PUBREC comes when it is settled.
            Stage::Delivered => {}
            Stage::Recorded => wire::write_pubrec(out, id),
        }
        false
    }

    /// A PUBREL came: the next PUBLISH under its id is a new message.
    fn released(&mut self, id: u16, out: &mut Vec<u8>) {
        wire::write_pubcomp(out, id);
        let Entry::Occupied(mut entry) = self.exchanges.entry(id) else { return };
        let exchange = entry.get_mut();
        exchange.stage = Stage::Free;
        for answer in &mut exchange.answers {
            if *answer == Reply::PubRec {
                *answer = Reply::Nothing;
            }
        }
        if exchange.answers.is_empty() {
            entry.remove();
        }
    }

    /// The owner is done with the oldest message that it has under this id.
    #[cold]
    pub(super) fn acknowledge(&mut self, id: u16, out: &mut Vec<u8>) {
        let Entry::Occupied(mut entry) = self.exchanges.entry(id) else {
            return wire::write_puback(out, id);
        };
        let exchange = entry.get_mut();
        let Some(answer) = exchange.answers.pop_front() else {
            return wire::write_puback(out, id);
        };
        self.open -= 1;
        match answer {
            Reply::PubAck => wire::write_puback(out, id),
            Reply::PubRec => {
                exchange.stage = Stage::Recorded;
                wire::write_pubrec(out, id);
            }
            Reply::Nothing => {}
        }
        if exchange.stage == Stage::Free && exchange.answers.is_empty() {
            entry.remove();
        }
    }
}
