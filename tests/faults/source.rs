//! A source that keeps what nobody has acknowledged, whatever becomes of its broker.
//!
//! Messages go out in order, at most [`WINDOW`] without an answer. On a new connection all that is
//! kept goes out again, from the first on, so that the order of what comes first holds.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Bound;
use std::time::Duration;

use loadgen_load::traffic::identify;
use rumqttc::mqttbytes::v4::Packet;
use test_support::Client;

use crate::books::Message;

/// Publishes without PUBACK.
const WINDOW: usize = 1_000;
/// How long a look for answers takes.
const LOOK: Duration = Duration::from_millis(1);

/// Lap and slot: messages in the order of their places.
pub(crate) type Key = (u32, u32);

/// See the file's head.
#[derive(Default)]
pub(crate) struct Source {
    kept: BTreeMap<Key, Message>,
    /// The last one that went out on this connection.
    last: Option<Key>,
    /// Without PUBACK, in order.
    open: VecDeque<(u16, Key)>,
    client: Option<Client>,
}

/// The key of a body, if it is one of the traffic.
pub(crate) fn key(body: &[u8]) -> Option<Key> {
    identify(body)
}

impl Source {
    /// Takes over messages.
    pub(crate) fn keep(&mut self, messages: Vec<Message>) {
        let keyed = |message: Message| (key(&message.body).expect("of the traffic"), message);
        self.kept.extend(messages.into_iter().map(keyed));
    }

    /// Messages that are kept.
    pub(crate) fn kept(&self) -> u64 {
        self.kept.len() as u64
    }

    /// This message need not be kept any more.
    pub(crate) fn forget(&mut self, key: Key) {
        self.kept.remove(&key);
    }

    /// Sends what may go out, to a topic of its own for each message, and reads answers; gives the
    /// keys of what was acknowledged. Without a connection it tries to make one.
    pub(crate) fn turn(
        &mut self,
        connect: impl FnOnce() -> Option<io::Result<Client>>,
        topic: impl Fn(&Message) -> String,
    ) -> Vec<Key> {
        if self.client.is_none() {
            let Some(Ok(client)) = connect() else { return Vec::new() };
            self.client = Some(client);
            self.last = None;
            self.open.clear();
        }
        let mut acknowledged = Vec::new();
        if self.try_turn(topic, &mut acknowledged).is_err() {
            self.client = None;
        }
        acknowledged
    }

    fn try_turn(
        &mut self,
        topic: impl Fn(&Message) -> String,
        acknowledged: &mut Vec<Key>,
    ) -> io::Result<()> {
        let Some(client) = &mut self.client else { return Ok(()) };
        let from = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let free = WINDOW - self.open.len();
        let next: Vec<_> = self.kept.range((from, Bound::Unbounded)).take(free).collect();
        if let Some((last, _)) = next.last() {
            self.last = Some(**last);
            let topics: Vec<String> = next.iter().map(|(_, message)| topic(message)).collect();
            let bodies = next.iter().map(|(_, message)| &message.body[..]);
            let ids = client.post_all(topics.iter().map(String::as_str).zip(bodies))?;
            self.open.extend(ids.into_iter().zip(next.iter().map(|(key, _)| **key)));
        }
        while let Some(packet) = client.receive(LOOK)? {
            let Packet::PubAck(ack) = packet else { panic!("a source is sent {packet:?}") };
            let (id, key) = self.open.pop_front().expect("a PUBACK of a publish");
            assert_eq!(ack.pkid, id, "PUBACKs come in the order of their publishes");
            acknowledged.push(key);
        }
        Ok(())
    }
}
