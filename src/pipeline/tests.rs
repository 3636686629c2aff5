use super::*;
use crate::mqtt::connection::CHUNK_BYTES_MAX;
use crate::pipeline::message::ALERT_TABLES_BYTES;
use crate::pipeline::message::Span;
use crate::pipeline::threshold::Setting;
use futures_util::FutureExt;

mod interleaving;

struct Rig {
    pipeline: Pipeline,
    hub: Arc<Notify>,
    broker: Arc<Notify>,
    outlet: Arc<Notify>,
}

/// A pipeline that does not hold, with an outlet beside its sources.
fn rig(workers: usize, held_bytes_max: usize) -> Rig {
    let mut rig = holding(workers, held_bytes_max);
    rig.pipeline.release_hold();
    rig.woken();
    rig.pipeline.release(SourceId::Hub, |_| {});
    rig.pipeline.release(SourceId::Broker, |_| {});
    rig
}

fn holding(workers: usize, held_bytes_max: usize) -> Rig {
    let [hub, broker, outlet]: [Arc<Notify>; 3] = Default::default();
    let wakes = [Arc::clone(&hub), Arc::clone(&broker)];
    let path = JsonPath::default();
    let pipeline =
        Pipeline::start(&wakes, &outlet, workers, &path, held_bytes_max, Arc::default()).unwrap();
    Rig { pipeline, hub, broker, outlet }
}

impl Rig {
    /// Which connections were notified since this was last asked: hub, broker, outlet.
    fn woken(&self) -> [bool; 3] {
        [&self.hub, &self.broker, &self.outlet].map(|wake| wake.notified().now_or_never().is_some())
    }

    /// [`Self::woken`] by one call on behalf of the connection that `own` wakes.
    fn wake_others(&mut self, own: &Arc<Notify>) -> [bool; 3] {
        self.woken();
        self.pipeline.wake_others(own);
        self.woken()
    }

    /// Takes messages in that one read brought; each is its packet id and its temperature.
    fn receive(&mut self, source: SourceId, messages: &[(u16, i32)], pad: usize) {
        let (block, places) = block(messages, pad);
        for ((id, _), message) in messages.iter().zip(places) {
            let id = (*id != 0).then_some(*id);
            self.pipeline.receive(source, &block, message, id);
        }
    }

    /// What comes from now on is judged by `threshold`.
    fn judge_by(&mut self, threshold: f64) {
        let threshold = Threshold::new(threshold).unwrap();
        self.pipeline.cell().store(Setting { threshold, version: None });
        self.pipeline.read_threshold();
    }

    fn advance(&mut self) {
        self.pipeline.advance(Instant::now());
    }

    fn released(&mut self, source: SourceId) -> Vec<u16> {
        let mut ids = Vec::new();
        self.pipeline.release(source, |id| ids.push(id));
        ids
    }

    fn alert(&mut self) -> Alert {
        self.pipeline.next_alert().expect("an alert")
    }
}

/// What one read brought: messages whose origin is their packet id, each `pad` bytes longer than
/// it must be.
fn block(messages: &[(u16, i32)], pad: usize) -> (Bytes, Vec<Message>) {
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    for (id, temperature) in messages {
        let start = bytes.len();
        bytes.extend(id.to_string().bytes());
        let middle = bytes.len();
        let body = format!(r#"{{"machine":{{"temperature":{temperature}}}}}"#);
        bytes.extend(body.bytes().chain(std::iter::repeat_n(b' ', pad)));
        let body = Span::new(middle..bytes.len());
        places.push(Message { origin: Span::new(start..middle), body });
    }
    (Bytes::from(bytes), places)
}

#[test]
fn only_alerts_leave_and_each_is_settled_by_its_puback() {
    let mut rig = rig(0, 1 << 20);
    rig.receive(SourceId::Hub, &[(1, 9), (2, 99), (3, 9), (0, 99)], 0);
    rig.advance();
    assert_eq!(rig.released(SourceId::Hub), [1]);
    let [first, second] = [rig.alert(), rig.alert()];
    assert_eq!((first.origin(), second.origin()), ("2", "0"));
    assert!(rig.pipeline.next_alert().is_none());
    rig.pipeline.forwarded(&second);
    assert_eq!(rig.released(SourceId::Hub), [0; 0], "the first stands before it");
    rig.pipeline.forwarded(&first);
    assert_eq!(rig.released(SourceId::Hub), [2, 3]);
    let counters = &rig.pipeline.counters;
    assert_eq!((counters.alerts, counters.forwarded, counters.settled), (2, 2, 4));
    assert!(rig.pipeline.is_drained() && rig.pipeline.held_in_all() == Held::default());
}

/// A large alert has memory of its own, which is given back with its PUBACK to the last byte.
#[test]
fn a_large_alert_is_given_back_whole() {
    let mut rig = rig(0, 1 << 20);
    rig.receive(SourceId::Hub, &[(1, 99)], 100_000);
    rig.advance();
    let alert = rig.alert();
    assert!(alert.bytes() > 100_000 && rig.pipeline.held_in_all().bytes > alert.bytes());
    rig.pipeline.forwarded(&alert);
    assert_eq!(rig.released(SourceId::Hub), [1]);
    assert_eq!(rig.pipeline.held_in_all(), Held::default());
}

/// What is no message stands in the row all the same.
#[test]
fn a_settled_publish_waits_for_those_before_it() {
    let mut rig = rig(0, 1 << 20);
    rig.receive(SourceId::Broker, &[(1, 99)], 0);
    rig.pipeline.receive_settled(SourceId::Broker, Some(2));
    rig.receive(SourceId::Broker, &[(3, 9)], 0);
    rig.advance();
    assert_eq!(rig.released(SourceId::Broker), [0; 0]);
    let alert = rig.alert();
    rig.pipeline.forwarded(&alert);
    assert_eq!(rig.released(SourceId::Broker), [1, 2, 3]);
}

/// An alert that nobody takes is counted, and holds back nothing.
#[test]
fn a_lost_alert_is_settled() {
    let mut rig = rig(0, 1 << 20);
    rig.receive(SourceId::Broker, &[(1, 99), (2, 9)], 0);
    rig.advance();
    let alert = rig.alert();
    let too_large = Unsent::TooLarge { topic_bytes: 70_000, body_bytes: 1 };
    rig.pipeline.unsent(&alert, too_large, Instant::now());
    assert_eq!(rig.released(SourceId::Broker), [1, 2]);
    assert_eq!((rig.pipeline.counters.too_large, rig.pipeline.counters.forwarded), (1, 0));
}

/// An alert of this very module is none: it is counted apart, and holds back nothing.
#[test]
fn an_own_alert_is_counted_apart_and_settled() {
    let mut rig = rig(0, 1 << 20);
    rig.receive(SourceId::Hub, &[(1, 99), (2, 99), (3, 9)], 0);
    rig.advance();
    let (own, other) = (rig.alert(), rig.alert());
    rig.pipeline.unsent(&own, Unsent::Own, Instant::now());
    assert_eq!(rig.released(SourceId::Hub), [1]);
    rig.pipeline.forwarded(&other);
    assert_eq!(rig.released(SourceId::Hub), [2, 3]);
    let Counters { alerts, own_alerts, forwarded, not_alerts, too_large, .. } =
        rig.pipeline.counters;
    assert_eq!((alerts, own_alerts, forwarded, not_alerts, too_large), (1, 1, 1, 1, 0));
}

/// A source is at its bound by number or by bytes, whatever the other one holds: a broker at both
/// levels at once, a hub at the first one while a share is left.
#[test]
fn bounds_count_for_each_source() {
    let alert_bytes = block(&[(1, 99)], 320).0.len() + ALERT_TABLES_BYTES;
    for (source, reached) in [(SourceId::Hub, [6, 8]), (SourceId::Broker, [8, 8])] {
        let mut rig = rig(0, 8 * alert_bytes);
        for number in 1..=8 {
            rig.receive(source, &[(1, 99), (2, 9)], 320);
            rig.advance();
            let over = [1, 2].map(|times| rig.pipeline.is_over_bound(source, times));
            assert_eq!(over, reached.map(|reached| number >= reached), "{number} of {source:?}");
        }
        let other = SourceId::ALL.into_iter().find(|other| *other != source).unwrap();
        assert!(!rig.pipeline.is_over_bound(other, 1));
        let held = Held { messages: 16, bytes: 8 * alert_bytes };
        assert_eq!((rig.pipeline.held(source), rig.pipeline.held_in_all()), (held, held));
        while let Some(alert) = rig.pipeline.next_alert() {
            rig.pipeline.forwarded(&alert);
        }
        assert_eq!(rig.pipeline.held(source), Held { messages: 16, bytes: 0 });
        assert_eq!(rig.released(source).len(), 16);
        assert_eq!(rig.pipeline.held(source), Held::default());
    }
    let mut rig = rig(0, 1000);
    for _ in 0..HELD_MESSAGES_MAX {
        rig.pipeline.receive_settled(SourceId::Hub, Some(1));
    }
    assert!(rig.pipeline.is_over_bound(SourceId::Hub, 1));
    assert!(!rig.pipeline.is_over_bound(SourceId::Hub, 2));
}

/// An outbox that a burst filled gives its memory back once it is empty.
#[test]
fn an_empty_outbox_is_small_again() {
    let mut rig = rig(0, 1 << 30);
    let messages = vec![(1, 99); 2 * OUTBOX_KEPT_MAX];
    rig.receive(SourceId::Hub, &messages, 0);
    rig.advance();
    let capacity = |rig: &Rig| rig.pipeline.sources[0].outbox.capacity();
    assert!(capacity(&rig) > OUTBOX_KEPT_MAX);
    while rig.pipeline.next_alert().is_some() {}
    assert!(capacity(&rig) <= OUTBOX_KEPT_MAX);
}

/// What waits for the threshold keeps no chunk, and counts until it is judged; what the pool judges
/// counts its chunk, and nothing behind that.
#[test]
fn what_waits_is_counted_and_keeps_no_chunk() {
    let mut rig = holding(1, 1 << 20);
    let (chunk, places) = block(&[(1, 9), (2, 9)], 50_000);
    for message in places {
        rig.pipeline.receive(SourceId::Hub, &chunk, message, Some(1));
    }
    rig.advance();
    assert!(chunk.is_unique());
    let held = rig.pipeline.held(SourceId::Hub).bytes;
    assert!((100_000..105_000).contains(&held), "{held}");
    rig.pipeline.release_hold();
    rig.receive(SourceId::Broker, &[(1, 9), (2, 9)], 50_000);
    rig.advance();
    // Judged already, or not yet.
    let held = rig.pipeline.held(SourceId::Broker).bytes;
    assert!(held == 0 || held >= CHUNK_BYTES_MAX + 100_000, "{held}");
    while !rig.pipeline.is_drained() {
        rig.advance();
        std::thread::yield_now();
    }
    assert_eq!(rig.pipeline.held_in_all().bytes, 0);
}

/// Nothing is judged before the threshold is known; then what waited is judged by it, what comes
/// later by its own.
#[test]
fn a_hold_is_released_once() {
    let mut rig = holding(0, 1 << 20);
    rig.receive(SourceId::Hub, &[(1, 50)], 0);
    rig.receive(SourceId::Broker, &[(1, 50)], 0);
    rig.advance();
    assert!(rig.pipeline.is_holding() && !rig.pipeline.is_drained());
    assert!(SourceId::ALL.into_iter().all(|source| !rig.pipeline.is_idle(source)));
    assert_eq!(rig.pipeline.counters.alerts + rig.pipeline.counters.not_alerts, 0);
    rig.judge_by(60.0);
    rig.pipeline.release_hold();
    rig.judge_by(25.0);
    assert!(!rig.pipeline.is_holding());
    let hub = Arc::clone(&rig.hub);
    assert_eq!(rig.wake_others(&hub), [false, true, false], "the broker's can be released");
    rig.receive(SourceId::Hub, &[(2, 50)], 0);
    rig.judge_by(70.0);
    rig.pipeline.release_hold();
    rig.advance();
    assert_eq!(rig.alert().origin(), "2", "the only one that 25 judged");
    assert!(rig.pipeline.is_drained());
}

/// Alerts of two sources leave in turns, so that a flood of the one never holds up the other; where
/// one has none, the other's follow each other.
#[test]
fn alerts_of_two_sources_leave_in_turns() {
    use SourceId::{Broker, Hub};
    for (counts, expected) in [
        ([3, 3], &[Hub, Broker, Hub, Broker, Hub, Broker][..]),
        ([5, 2], &[Hub, Broker, Hub, Broker, Hub, Hub, Hub]),
        ([1, 4], &[Hub, Broker, Broker, Broker, Broker]),
    ] {
        let mut rig = rig(0, 1 << 20);
        for (source, count) in [Hub, Broker].into_iter().zip(counts) {
            rig.receive(source, &vec![(1, 99); count], 0);
        }
        rig.advance();
        let left: Vec<_> =
            std::iter::from_fn(|| rig.pipeline.next_alert()).map(|alert| alert.source).collect();
        assert_eq!(left, expected);
    }
}

/// A call wakes the connections that have work to do, each once for it, and never its own.
#[test]
fn connections_with_work_are_woken_once_and_never_their_own() {
    let mut rig = rig(0, 1 << 20);
    let [hub, broker, outlet] = [&rig.hub, &rig.broker, &rig.outlet].map(Arc::clone);
    assert_eq!(rig.wake_others(&hub), [false; 3], "nothing was done");

    rig.receive(SourceId::Broker, &[(1, 9)], 0);
    assert_eq!(rig.wake_others(&hub), [false; 3], "it is not judged yet");
    rig.advance();
    assert_eq!(rig.wake_others(&broker), [false; 3], "its own");
    assert_eq!(rig.wake_others(&outlet), [false, true, false]);
    assert_eq!(rig.wake_others(&outlet), [false; 3], "once");
    rig.released(SourceId::Broker);

    rig.receive(SourceId::Hub, &[(1, 99)], 0);
    rig.advance();
    assert_eq!(rig.wake_others(&outlet), [true, false, false], "the outlet's own");
    assert_eq!(rig.wake_others(&hub), [false, false, true], "an alert waits");
    let alert = rig.alert();
    assert_eq!(rig.wake_others(&hub), [false; 3], "none waits");
    rig.pipeline.forwarded(&alert);
    assert_eq!(rig.wake_others(&outlet), [true, false, false]);

    rig.pipeline.forwarded(&alert);
    rig.released(SourceId::Hub);
    assert_eq!(rig.wake_others(&outlet), [false; 3], "it has looked meanwhile");
}

#[test]
fn a_lost_connections_packet_ids_are_never_released() {
    let mut rig = rig(0, 1 << 20);
    rig.receive(SourceId::Broker, &[(7, 99)], 0);
    rig.receive(SourceId::Hub, &[(7, 9)], 0);
    rig.advance();
    rig.pipeline.connected(SourceId::Broker, false, std::iter::empty());
    rig.receive(SourceId::Broker, &[(1, 9)], 0);
    rig.advance();
    let alert = rig.alert();
    rig.pipeline.forwarded(&alert);
    assert_eq!((rig.released(SourceId::Broker), rig.released(SourceId::Hub)), (vec![1], vec![7]));
}

#[test]
fn the_end_tells_what_is_left() {
    let mut rig = rig(2, 1 << 20);
    rig.receive(SourceId::Broker, &[(1, 9), (2, 99), (3, 9)], 0);
    rig.advance();
    rig.released(SourceId::Broker);
    let summary = rig.pipeline.stop();
    assert_eq!((summary.unacknowledged, summary.counters.received), (2, 3));
}

/// What the hub delivers again while it waits for the threshold, judged by nobody yet, is known by
/// its content, and is not received twice. An equal one that did not wait is new.
#[test]
fn what_waits_for_the_threshold_is_known_when_a_hub_delivers_it_again() {
    let mut rig = holding(0, 1 << 20);
    rig.receive(SourceId::Hub, &[(1, 99), (2, 99)], 0);
    rig.advance();
    rig.pipeline.connected(SourceId::Hub, true, std::iter::empty());
    assert!(rig.pipeline.is_expecting(SourceId::Hub));
    let (block, places) = block(&[(1, 99), (2, 99), (3, 99)], 0);
    for (place, is_known) in places.iter().zip([true, true, false]) {
        let content = [place.origin, place.body].map(|at| at.of(&block));
        assert_eq!(rig.pipeline.redelivered(SourceId::Hub, 7, false, content), is_known);
    }
    assert_eq!(rig.pipeline.counters.redelivered, 2);
}

/// Each message is counted once, as an alert, as none, or by what is wrong with it; in batch after
/// batch.
#[test]
fn each_message_is_counted_once_by_what_it_is() {
    let mut rig = rig(0, 1 << 20);
    let bodies: [&[u8]; 7] = [
        br#"{"machine":{"temperature":99}}"#,
        br#"{"machine":{"temperature":1}}"#,
        b"{}",
        b"\xff",
        b"{",
        b"[",
        br#"{"machine":{"temperature":"hot"}}"#,
    ];
    for _ in 0..2 {
        let block = Bytes::from(bodies.concat());
        let mut at = 0;
        for body in bodies {
            let message =
                Message { origin: Span::new(at..at), body: Span::new(at..at + body.len()) };
            at += body.len();
            rig.pipeline.receive(SourceId::Hub, &block, message, None);
        }
        rig.advance();
    }
    let counters = &rig.pipeline.counters;
    assert_eq!((counters.alerts, counters.not_alerts), (2, 4));
    let malformed = (counters.not_utf8, counters.not_json, counters.temperature_not_a_number);
    assert_eq!(malformed, (2, 4, 2));
}

/// What a batch counts as held is at least what it keeps alive: its chunk or its own block, itself
/// and its lists, in tables that double, and the alerts that its messages may become.
#[test]
fn a_batch_counts_all_that_it_keeps() {
    let (bytes, messages) = block(&[(1, 99), (22, 99), (3, 9)], 5);
    let length = bytes.len();
    let mut batch = Batch {
        source: SourceId::Hub,
        sequence: 0,
        threshold: Threshold::DEFAULT,
        first_receipt: 7,
        block: bytes,
        messages: Vec::with_capacity(8),
        findings: Default::default(),
        kept_bytes: 0,
    };
    batch.messages.extend(messages);
    batch.findings.alerts.reserve_exact(4);
    let (message, finding) = (size_of::<Message>(), size_of::<crate::pipeline::message::Finding>());
    assert_eq!(batch.lists_bytes(), 8 * message + 4 * finding);
    let tables = 2 * size_of::<Batch>() + 3 * (2 * (message + finding) + ALERT_TABLES_BYTES);
    assert_eq!(batch.bytes_in_chunk(), CHUNK_BYTES_MAX + length + tables);
    batch.detach();
    assert_eq!(batch.kept_bytes, length + tables);
    assert_eq!((batch.content(8)[0], batch.content(9)[0]), (&b"22"[..], &b"3"[..]));
    assert!(batch.content(10).iter().all(|part| part.is_empty()), "none of its own");
}

/// Where a source that has kept its session leaves out what it had not been acknowledged, another
/// client has taken it.
#[test]
fn a_shared_source_shows() {
    let mut rig = rig(0, 1 << 20);
    rig.receive(SourceId::Hub, &[(1, 99)], 0);
    rig.advance();
    rig.pipeline.connected(SourceId::Hub, true, std::iter::empty());
    assert!(!rig.pipeline.is_shared(SourceId::Hub));
    assert!(!rig.pipeline.redelivered(SourceId::Hub, 1, false, [b"new", b"{}"]));
    assert!(rig.pipeline.is_shared(SourceId::Hub) && !rig.pipeline.is_shared(SourceId::Broker));
}
