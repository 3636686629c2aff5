use super::*;
use crate::mqtt::QoS;
use crate::mqtt::connection::WRITE_HIGH_WATER_BYTES;
use crate::mqtt::inflight::WINDOW_MAX;
use crate::mqtt::limits::TOPIC_BYTES_MAX;
use crate::mqtt::packet::{Packet, Publish};
use crate::outbound::naming::BrokerOutput;
use crate::pipeline::message::{Message, SourceId, Span};
use crate::pipeline::parse::JsonPath;
use crate::testing::capture::capture;
use proptest::prelude::*;
use std::time::{Duration, Instant};
use tokio::io::{DuplexStream, duplex, empty, join, sink};

mod suspects;

const HOT: &str = r#"{"machine":{"temperature":99}}"#;

fn pipeline() -> Pipeline {
    let mut pipeline = Pipeline::start(
        &Default::default(),
        &Default::default(),
        0,
        &JsonPath::default(),
        1 << 30,
        Default::default(),
    )
    .unwrap();
    pipeline.release_hold();
    pipeline
}

fn outbound() -> Outbound<BrokerOutput> {
    Outbound::new(BrokerOutput::new("alerts/{topic}".parse().unwrap()))
}

/// Makes alerts of messages that came on these topics, with bodies `pad` bytes longer than they
/// must be.
fn raise(pipeline: &mut Pipeline, topics: &[&str], pad: usize) {
    for topic in topics {
        let block = Bytes::from(format!("{topic}{HOT}{}", " ".repeat(pad)));
        let (middle, end) = (topic.len(), block.len());
        let message = Message { origin: Span::new(0..middle), body: Span::new(middle..end) };
        pipeline.receive(SourceId::Broker, &block, message, Some(1));
    }
    pipeline.advance(Instant::now());
}

/// Our end, and the broker's: no bytes wait between the two unless `buffer` is used up.
fn pair(buffer: usize) -> (Connection<DuplexStream>, Connection<DuplexStream>) {
    let (ours, theirs) = duplex(buffer);
    (Connection::new(ours, Duration::ZERO), Connection::new(theirs, Duration::ZERO))
}

/// All that was sent on a connection, which ends by it.
async fn sent(mut ours: Connection<DuplexStream>, peer: Connection<DuplexStream>) -> Vec<Publish> {
    let reading = tokio::spawn(read(peer));
    ours.flush().await.unwrap();
    drop(ours);
    reading.await.unwrap()
}

async fn read(mut peer: Connection<DuplexStream>) -> Vec<Publish> {
    let mut publishes = Vec::new();
    while let Ok(packet) = peer.next_packet().await {
        let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
        publishes.push(publish);
    }
    publishes
}

/// Id, DUP and RETAIN flags, topic.
fn shape(publish: &Publish) -> (u16, bool, bool, &str) {
    (publish.pkid, publish.dup, publish.retain, &publish.topic)
}

#[tokio::test]
async fn alerts_leave_by_the_template_at_least_once() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let (mut ours, peer) = pair(1 << 16);
    raise(&mut pipeline, &["a", "b/c"], 0);
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    let publishes = sent(ours, peer).await;
    let shapes: Vec<_> = publishes.iter().map(shape).collect();
    assert_eq!(shapes, [(1, false, false, "alerts/a"), (2, false, false, "alerts/b/c")]);
    for publish in &publishes {
        assert_eq!((publish.qos, &publish.payload[..]), (QoS::AtLeastOnce, HOT.as_bytes()));
    }
    assert_eq!(outbound.acknowledged(2, &mut pipeline), Acknowledged::Alert);
    assert_eq!((outbound.waiting(), pipeline.counters.forwarded), (1, 1));
    assert_eq!(outbound.acknowledged(2, &mut pipeline), Acknowledged::Nothing);
    assert_eq!((outbound.waiting(), pipeline.counters.unexpected), (1, 1));
}

/// On a new connection all that has no PUBACK, alerts and reports, is sent again before anything
/// new.
#[tokio::test]
async fn what_has_no_puback_is_sent_again_first() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let (mut ours, peer) = pair(1 << 16);
    raise(&mut pipeline, &["a", "b"], 0);
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    outbound.report("reported".to_owned(), Bytes::from("{}"), &mut ours).unwrap();
    raise(&mut pipeline, &["c"], 0);
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    assert_eq!(sent(ours, peer).await.len(), 4);
    assert_eq!(outbound.acknowledged(2, &mut pipeline), Acknowledged::Alert);

    raise(&mut pipeline, &["d"], 0);
    let (mut ours, peer) = pair(1 << 16);
    assert_eq!(outbound.reconnected(), Some(5));
    assert!(!outbound.has_room(&ours), "for anything new");
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    let publishes = sent(ours, peer).await;
    let shapes: Vec<_> = publishes.iter().map(shape).collect();
    let expected = [
        (1, true, false, "alerts/a"),
        (3, true, true, "reported"),
        (4, true, false, "alerts/c"),
        (6, false, false, "alerts/d"),
    ];
    assert_eq!((shapes.as_slice(), pipeline.counters.resent), (&expected[..], 2));
    assert_eq!(outbound.acknowledged(3, &mut pipeline), Acknowledged::Report);
}

/// What a slow socket does not take stays behind, in its order, old before new.
#[tokio::test]
async fn sending_stops_at_the_high_water_mark() {
    const BYTES: usize = 50_000;
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let topics = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    raise(&mut pipeline, &topics, BYTES);
    let (mut ours, _peer) = pair(1);
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    let at_once = WRITE_HIGH_WATER_BYTES / BYTES + 1;
    assert_eq!((outbound.waiting(), ours.is_writable()), (at_once, false));

    let (mut ours, peer) = pair(1 << 16);
    outbound.reconnected();
    let reading = tokio::spawn(read(peer));
    let mut rounds = 0;
    while outbound.waiting() < topics.len() {
        outbound.send(&mut ours, &mut pipeline, None).unwrap();
        ours.flush().await.unwrap();
        rounds += 1;
    }
    assert!(rounds > 1);
    drop(ours);
    let publishes = reading.await.unwrap();
    let order: Vec<_> =
        publishes.iter().map(|publish| (publish.dup, &publish.topic[7..])).collect();
    let expected: Vec<_> =
        topics.iter().enumerate().map(|(index, topic)| (index < at_once, *topic)).collect();
    assert_eq!(order, expected);
}

/// With every packet id in use but one, alerts wait in the pipeline, and that one is for SUBSCRIBE,
/// on each connection anew.
#[tokio::test]
async fn a_full_window_leaves_an_id_for_subscribe() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let swallow = || Connection::new(join(empty(), sink()), Duration::ZERO);
    let mut connection = swallow();
    raise(&mut pipeline, &vec!["t"; WINDOW_MAX + 10], 0);
    let mut before = usize::MAX;
    while before != outbound.waiting() {
        before = outbound.waiting();
        outbound.send(&mut connection, &mut pipeline, None).unwrap();
        connection.flush().await.unwrap();
    }
    assert_eq!(outbound.waiting(), WINDOW_MAX - 1);
    assert!(pipeline.next_alert().is_some(), "the others wait");
    for _ in 0..3 {
        connection = swallow();
        let id = outbound.reconnected().expect("the id that is left");
        for _ in 0..100 {
            outbound.send(&mut connection, &mut pipeline, None).unwrap();
            connection.flush().await.unwrap();
        }
        assert_eq!(outbound.waiting(), WINDOW_MAX - 1, "nothing new fits in");
        outbound.subscribed(id);
    }
    assert_eq!(pipeline.counters.resent, 3 * RESENT_AT_ONCE as u64);
    // As PUBACKs come, all of them leave once more, and behind them those that waited.
    let mut id = 0;
    while outbound.waiting() > 0 {
        id = if id == u16::MAX { 1 } else { id + 1 };
        outbound.acknowledged(id, &mut pipeline);
        outbound.send(&mut connection, &mut pipeline, None).unwrap();
        connection.flush().await.unwrap();
    }
    assert_eq!(pipeline.counters.resent, 2 * RESENT_AT_ONCE as u64 + WINDOW_MAX as u64 - 1);
    assert_eq!(pipeline.counters.forwarded, WINDOW_MAX as u64 + 9);
}

/// An alert whose topic MQTT cannot tell is settled; those behind it leave.
#[tokio::test]
async fn a_too_large_alert_is_settled() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let (mut ours, peer) = pair(1 << 16);
    raise(&mut pipeline, &["x".repeat(TOPIC_BYTES_MAX).as_str(), "b"], 0);
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    let publishes = sent(ours, peer).await;
    assert_eq!(publishes.iter().map(shape).collect::<Vec<_>>(), [(1, false, false, "alerts/b")]);
    assert_eq!((pipeline.counters.too_large, pipeline.held_in_all().messages), (1, 2));
    let mut acknowledged = 0;
    pipeline.release(SourceId::Broker, |_| acknowledged += 1);
    assert_eq!(acknowledged, 1);
}

/// A PUBACK for what was not sent on this connection yet, or for its SUBSCRIBE, ends nothing: it is
/// counted, and the publish is sent all the same. Nothing is noted as under way that was not sent.
#[tokio::test]
async fn a_puback_for_what_was_not_sent_yet_ends_nothing() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let (mut ours, peer) = pair(1 << 16);
    raise(&mut pipeline, &["a", "b", "c"], 0);
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    drop((ours, peer));

    let (mut ours, peer) = pair(1 << 16);
    let subscribe = outbound.reconnected().unwrap();
    for id in [2, subscribe, 3] {
        assert_eq!(outbound.acknowledged(id, &mut pipeline), Acknowledged::Nothing, "{id}");
    }
    assert_eq!((outbound.waiting(), pipeline.counters.unexpected), (3, 3));
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    let publishes = sent(ours, peer).await;
    let expected =
        [(1, true, false, "alerts/a"), (2, true, false, "alerts/b"), (3, true, false, "alerts/c")];
    assert_eq!(publishes.iter().map(shape).collect::<Vec<_>>(), expected);
    for id in [2, 1, 3] {
        assert_eq!(outbound.acknowledged(id, &mut pipeline), Acknowledged::Alert);
    }
    assert_eq!((outbound.waiting(), pipeline.counters.unexpected), (0, 3));
    assert!(outbound.is_drained());
}

/// However many wait and however often the connection ends early: at most 64 are under way on each,
/// and one more for each PUBACK. So what k cuts send in vain is at most 64 k copies, and as many
/// again as were acknowledged.
#[tokio::test]
async fn short_connections_repeat_a_bounded_number_of_alerts() {
    const ALERTS: usize = 5000;
    const AT_ONCE: usize = 64;
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let (mut ours, peer) = pair(1 << 22);
    raise(&mut pipeline, &vec!["t"; ALERTS], 0);
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    drop(peer);
    assert_eq!(outbound.waiting(), ALERTS, "nothing was lost before: no bound");
    let (mut copies, mut acknowledged, mut cuts) = (0, 0, 0);
    while outbound.waiting() > 0 {
        outbound.hung_up(Instant::now(), &mut pipeline);
        let (mut ours, peer) = pair(1 << 22);
        let subscribe = outbound.reconnected().unwrap();
        outbound.subscribed(subscribe);
        let mut under_way = VecDeque::new();
        // Each connection brings one PUBACK more than the last one.
        for _ in 0..=cuts {
            let before = pipeline.counters.resent;
            if outbound.wants_ping(Instant::now(), true, &pipeline) {
                outbound.answered();
            }
            outbound.send(&mut ours, &mut pipeline, None).unwrap();
            let publishes = usize::try_from(pipeline.counters.resent - before).unwrap();
            copies += publishes;
            let next = acknowledged + under_way.len();
            under_way.extend((next..).take(publishes));
            assert!(under_way.len() <= AT_ONCE + cuts, "{under_way:?}");
            let Some(first) = under_way.pop_front() else { break };
            let id = u16::try_from(first + 1).unwrap();
            assert_eq!(outbound.acknowledged(id, &mut pipeline), Acknowledged::Alert);
            acknowledged += 1;
        }
        cuts += 1;
        drop(peer);
        let in_vain = copies - acknowledged;
        assert!(in_vain <= cuts * AT_ONCE + acknowledged, "{in_vain} in {cuts} cuts");
    }
    assert_eq!(pipeline.counters.forwarded, ALERTS as u64);
}

/// A turn whose PINGREQ is answered at once, into a socket that takes everything.
fn turn(outbound: &mut Outbound<BrokerOutput>, pipeline: &mut Pipeline, now: Instant) {
    let mut connection = Connection::new(join(empty(), sink()), Duration::ZERO);
    if outbound.wants_ping(now, true, pipeline) {
        outbound.answered();
    }
    outbound.send(&mut connection, pipeline, None).unwrap();
}

/// A connection that begins with nothing of an earlier one has no bound but the table's.
#[tokio::test]
async fn what_begins_with_nothing_old_is_not_bounded() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let subscribe = outbound.reconnected().unwrap();
    outbound.subscribed(subscribe);
    raise(&mut pipeline, &["t"; 3 * RESENT_AT_ONCE], 0);
    turn(&mut outbound, &mut pipeline, Instant::now());
    assert_eq!(outbound.waiting(), 3 * RESENT_AT_ONCE);
}

/// One that begins with some is bounded for old and new together; the PUBACK of a report lets one
/// more leave, as that of an alert does.
#[tokio::test]
async fn old_and_new_share_a_bound_and_each_puback_widens_it() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let (mut ours, _peer) = pair(1 << 20);
    outbound.report("reported".to_owned(), Bytes::from("{}"), &mut ours).unwrap();
    raise(&mut pipeline, &["old"], 0);
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    assert_eq!(outbound.waiting(), 2);

    let (mut ours, _peer) = pair(1 << 20);
    let subscribe = outbound.reconnected().unwrap();
    outbound.subscribed(subscribe);
    raise(&mut pipeline, &["new"; 2 * RESENT_AT_ONCE], 0);
    assert!(!outbound.has_room(&ours));
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    assert_eq!(outbound.waiting(), RESENT_AT_ONCE);
    assert!(!outbound.has_room(&ours), "for a report neither");
    for (id, of) in [(1, Acknowledged::Report), (2, Acknowledged::Alert)] {
        assert_eq!(outbound.acknowledged(id, &mut pipeline), of);
        outbound.send(&mut ours, &mut pipeline, None).unwrap();
        // One for the PUBACK, and one in the place of what has arrived.
        assert_eq!(outbound.waiting(), RESENT_AT_ONCE + usize::from(id));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Alert,
    Report,
    PubAck(prop::sample::Index),
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Alert),
        1 => Just(Step::Report),
        3 => any::<prop::sample::Index>().prop_map(Step::PubAck),
        1 => Just(Step::Reconnect),
    ]
}

proptest! {
    /// Whatever comes between: each connection is sent, in order and under their ids, what had no
    /// PUBACK when it began, then what is new; and every PUBACK ends what was sent under its id.
    #[test]
    fn every_connection_carries_the_rest_of_the_last(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut pipeline, mut outbound) = (pipeline(), outbound());
            let (mut ours, mut peer) = pair(1 << 20);
            // What waits for a PUBACK, and what this connection is to carry: id, is it new, topic.
            let (mut open, mut expected) = (Vec::<(u16, String)>::new(), Vec::new());
            let (mut next_id, mut number) = (1, 0);
            for step in steps.into_iter().chain([Step::Reconnect]) {
                let topic = match step {
                    Step::Alert => {
                        raise(&mut pipeline, &[&number.to_string()], 0);
                        outbound.send(&mut ours, &mut pipeline, None).unwrap();
                        format!("alerts/{number}")
                    }
                    Step::Report => {
                        let topic = format!("report/{number}");
                        outbound.report(topic.clone(), Bytes::new(), &mut ours).unwrap();
                        topic
                    }
                    Step::PubAck(_) if open.is_empty() => continue,
                    Step::PubAck(pick) => {
                        let (id, topic) = open.remove(pick.index(open.len()));
                        let of = outbound.acknowledged(id, &mut pipeline);
                        assert_eq!(of == Acknowledged::Alert, topic.starts_with("alerts"));
                        assert_ne!(of, Acknowledged::Nothing);
                        assert_eq!(outbound.oldest(), open.first().map(|(id, _)| *id));
                        continue;
                    }
                    Step::Reconnect => {
                        let publishes = sent(ours, peer).await;
                        let carried: Vec<_> = publishes
                            .into_iter()
                            .map(|publish| (publish.pkid, publish.dup, publish.topic))
                            .collect();
                        assert_eq!(carried, expected);
                        let again = |(id, topic): &(u16, String)| (*id, true, topic.clone());
                        expected = open.iter().map(again).collect();
                        (ours, peer) = pair(1 << 20);
                        let reserved = outbound.reconnected().unwrap();
                        outbound.send(&mut ours, &mut pipeline, None).unwrap();
                        let oldest = open.first().map(|(id, _)| *id);
                        assert_eq!(outbound.oldest(), oldest);
                        outbound.subscribed(reserved);
                        assert!(open.iter().all(|(id, _)| *id != reserved));
                        next_id = reserved + 1;
                        continue;
                    }
                };
                open.push((next_id, topic.clone()));
                expected.push((next_id, false, topic));
                (next_id, number) = (next_id + 1, number + 1);
            }
            assert_eq!(outbound.waiting(), open.len());
        });
    }
}

/// The SUBACK gives the packet id of its SUBSCRIBE back, and ends what a connection begins with.
#[test]
fn a_suback_gives_its_packet_id_back() {
    let mut outbound = outbound();
    let subscribe = outbound.reconnected().unwrap();
    assert_eq!((outbound.inflight.room(), outbound.is_watched), (WINDOW_MAX - 1, true));
    outbound.subscribed(subscribe);
    assert_eq!((outbound.inflight.room(), outbound.is_watched), (WINDOW_MAX, false));
}

/// A parked alert is tried, and a report goes beside it: the older of both is waited for.
#[test]
fn the_older_of_a_trial_and_what_is_beside_it_is_the_oldest() {
    for (parked, beside) in [(1, 2), (2, 1)] {
        let mut outbound = outbound();
        for _ in 0..2 {
            outbound.inflight.push(Unacknowledged::Parked).unwrap();
        }
        (outbound.is_watched, outbound.parked_under_way) = (true, Some(parked));
        outbound.sent_here.push_back(beside);
        assert_eq!(outbound.oldest(), Some(1), "{parked} is tried");
    }
}

/// The PUBACK of a parked alert counts as one: it widens the bound, and the alert was forwarded.
#[test]
fn the_puback_of_a_parked_alert_counts() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let id = outbound.inflight.push(Unacknowledged::Parked).unwrap();
    assert_eq!(outbound.acknowledged(id, &mut pipeline), Acknowledged::Alert);
    assert_eq!((outbound.acknowledged, pipeline.counters.forwarded), (1, 1));
}
