//! What is allocated in all while alerts wait for their PUBACK, by the allocator's own account,
//! against what the pipeline counts.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use sluicegate::mqtt::connection::{PACKET_BYTES_MAX, READ_BYTES};
use sluicegate::mqtt::packet::{Packet, SubAck, SubscribeReasonCode};
use sluicegate::mqtt::wire::{Incoming, Outgoing};
use sluicegate::mqtt::{Connection, Inbox, QoS};
use sluicegate::pipeline::Pipeline;
use sluicegate::pipeline::limits::HELD_BYTES_MIN;
use sluicegate::pipeline::message::{Alert, Message, SourceId, Span};
use sluicegate::pipeline::origin::Origin;
use sluicegate::pipeline::parse::JsonPath;
use tokio::io::{AsyncRead, ReadBuf, join, sink};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

const BROKER: SourceId = SourceId::Broker;
/// What may be allocated besides what is counted: the chunk that is read into and the one before
/// it, and once a large packet; what one turn's packets take; batches, and chunks of the arena,
/// that are kept for their memory; the ledger.
const BESIDES: usize = 20 * READ_BYTES;

/// A stream that is read to its end in pieces, and then waits for ever.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let Self { bytes, at } = &mut *self;
        if *at == bytes.len() {
            return Poll::Pending;
        }
        let count = (bytes.len() - *at).min(buffer.remaining());
        buffer.put_slice(&bytes[*at..*at + count]);
        *at += count;
        Poll::Ready(Ok(()))
    }
}

/// What a source sends.
#[derive(Debug, Clone)]
enum Item {
    Alert(usize),
    Cold(usize),
    Pings(usize),
    SubAcks(usize),
}

fn item() -> impl Strategy<Value = Item> {
    let size = || {
        prop_oneof![
            6 => 0usize..200,
            3 => 200usize..9_000,
            2 => 9_000usize..100_000,
            1 => 100_000usize..260_000,
        ]
    };
    let cold = prop_oneof![3 => size(), 2 => Just(PACKET_BYTES_MAX + 12_000)];
    prop_oneof![
        6 => size().prop_map(Item::Alert),
        4 => cold.prop_map(Item::Cold),
        1 => (1usize..5_000).prop_map(Item::Pings),
        1 => (1usize..2_000).prop_map(Item::SubAcks),
    ]
}

fn stream(items: &[Item], qos: QoS) -> Vec<u8> {
    let mut bytes = Vec::new();
    let publish = |body: &[u8], bytes: &mut Vec<u8>| {
        let packet_id = (qos == QoS::AtLeastOnce).then_some(1);
        let topic = "sensors/7";
        Outgoing { topic, packet_id, dup: false, retain: false, body }.write(bytes).unwrap();
    };
    let mut sub_ack = bytes::BytesMut::new();
    let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
    Packet::SubAck(SubAck::new(9, codes)).write(&mut sub_ack, 100).unwrap();
    for item in items {
        match *item {
            Item::Alert(size) => {
                let mut body = br#"{"machine":{"temperature":99}}"#.to_vec();
                body.resize(body.len() + size, b' ');
                publish(&body, &mut bytes);
            }
            Item::Cold(size) => publish(&vec![b'x'; size], &mut bytes),
            Item::Pings(count) => bytes.extend([0xd0, 0].repeat(count)),
            Item::SubAcks(count) => bytes.extend(sub_ack.repeat(count)),
        }
    }
    bytes
}

/// A source and its far end, with the allocator's account of all that they did.
struct Rig {
    runtime: Runtime,
    connection: Connection<tokio::io::Join<Pieces, tokio::io::Sink>>,
    inbox: Inbox,
    pipeline: Pipeline,
    /// Without PUBACK. Not counted in `allocated`: a connection's table is, by the pipeline.
    taken: Vec<Alert>,
    /// Bytes that are allocated now.
    allocated: i64,
}

impl Rig {
    fn new(bytes: Vec<u8>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let entered = runtime.enter();
        let wakes: [Arc<Notify>; 2] = Default::default();
        let mut made = None;
        let used = measure(|| {
            let path = JsonPath::default();
            let pipeline =
                Pipeline::start(&wakes, &wakes[1], 0, &path, HELD_BYTES_MIN, Arc::default())
                    .unwrap();
            let stream = join(Pieces { bytes, at: 0 }, sink());
            made = Some((pipeline, Connection::new(stream, Duration::ZERO)));
        });
        drop(entered);
        let (pipeline, connection) = made.unwrap();
        let (inbox, taken, allocated) = (Inbox::default(), Vec::new(), used.bytes_current);
        Self { runtime, connection, inbox, pipeline, taken, allocated }
    }

    fn count<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let mut done = None;
        let used = measure(|| done = Some(work(self)));
        self.allocated += used.bytes_current;
        done.unwrap()
    }

    /// Reads once, unless the source is at its bound, as its owner does. False at the end.
    fn turn(&mut self) -> bool {
        let is_over = self.pipeline.is_over_bound(BROKER, 1);
        self.count(|rig| {
            let Self { runtime, connection, inbox, pipeline, .. } = rig;
            let _entered = runtime.enter();
            let never = Notify::new();
            let is_pending = !is_over && {
                let turn = pin!(connection.turn(inbox, &never, true));
                turn.poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending()
            };
            let (block, packets) = inbox.drain();
            for packet in packets {
                match packet {
                    Incoming::Publish(publish) => {
                        let origin = Span::new(publish.topic_at()..publish.topic_end());
                        let message = Message { origin, body: Span::new(publish.body()) };
                        pipeline.receive(BROKER, &block, message, publish.packet_id());
                    }
                    Incoming::TooLarge { packet_id, bytes, topic } => {
                        let (origin, now) = (Origin::Topic(&topic), Instant::now());
                        pipeline.receive_too_large(BROKER, origin, packet_id, bytes, now);
                    }
                    Incoming::PubAck(_) | Incoming::Other(_) => {}
                }
            }
            drop(block);
            pipeline.advance(Instant::now());
            pipeline.release(BROKER, |_| {});
            !is_pending
        })
    }

    fn take_alerts(&mut self) {
        let mut taken = std::mem::take(&mut self.taken);
        while let Some(alert) = self.count(|rig| rig.pipeline.next_alert()) {
            taken.push(alert);
        }
        self.taken = taken;
    }

    /// PUBACKs for those that `pick` picks.
    fn acknowledge(&mut self, mut pick: impl FnMut(usize) -> bool) {
        for (index, alert) in std::mem::take(&mut self.taken).into_iter().enumerate() {
            if pick(index) {
                self.count(|rig| {
                    rig.pipeline.forwarded(&alert);
                    drop(alert);
                });
            } else {
                self.taken.push(alert);
            }
        }
        self.count(|rig| rig.pipeline.release(BROKER, |_| {}));
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let held = self.pipeline.held_in_all();
        let allocated = usize::try_from(self.allocated).unwrap_or(0);
        prop_assert!(allocated <= held.bytes + BESIDES, "{allocated} for {held:?}");
        Ok(())
    }
}

/// How properties are tested. The seed is printed, and `PROPTEST_RNG_SEED` repeats it.
fn properties() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 64;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(fastrand::u64(..));
    }
    println!("PROPTEST_RNG_SEED={}", config.rng_seed);
    config
}

proptest! {
    #![proptest_config(properties())]

    /// Whatever comes, whichever alerts are acknowledged when, during a hold and behind it: what is
    /// allocated is never more than what is counted and a constant, and that not more than may be
    /// held, a read, and the largest packet.
    #[test]
    fn what_is_allocated_is_counted(
        items in prop::collection::vec(item(), 1..40),
        laps in 1usize..60,
        qos in prop::sample::select(vec![QoS::AtMostOnce, QoS::AtLeastOnce]),
        hold_turns in prop::sample::select(vec![0usize, 3, 50]),
        nth in prop::sample::select(vec![1usize, 2, 5, 500, 500]),
        when in any::<Index>(),
    ) {
        let mut bytes = stream(&items, qos);
        let laps = laps.min(20_000_000 / bytes.len()).max(1);
        bytes = bytes.repeat(laps);
        let every = when.index(100) + 1;
        let mut rig = Rig::new(bytes);
        for turn in 0.. {
            if turn == hold_turns {
                rig.count(|rig| rig.pipeline.release_hold());
            }
            let is_over = rig.pipeline.is_over_bound(BROKER, 1);
            let has_more = rig.turn() || turn <= hold_turns;
            rig.check()?;
            let held = rig.pipeline.held(BROKER).bytes;
            let growth = 10 * READ_BYTES + PACKET_BYTES_MAX;
            prop_assert!(held <= HELD_BYTES_MIN + growth, "{held} held");
            rig.take_alerts();
            rig.check()?;
            if turn % every == 0 || is_over {
                // At the bound all of them, or nothing would ever come.
                rig.acknowledge(|index| index % nth == 0 || is_over);
                rig.check()?;
            }
            if !has_more {
                break;
            }
        }
        rig.acknowledge(|_| true);
        prop_assert_eq!(rig.pipeline.held(BROKER).bytes, 0);
        rig.check()?;
    }
}
