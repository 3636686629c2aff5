//! Clients over memory and in virtual time, against a peer that answers as each test says.

use std::collections::VecDeque;

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{advance, sleep};

use super::*;
use crate::mqtt::QoS;
use crate::mqtt::packet::{
    Packet, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode as Code,
};
use crate::mqtt::wire::Incoming;
use crate::testing::capture::capture;

mod retry;

const KEEP_ALIVE: Duration = Duration::from_secs(60);
const PUBACK_TIMEOUT: Duration = Duration::from_secs(60);

/// What is on the peer's end of a connection, and when it was made.
struct Peer {
    connection: Connection<DuplexStream>,
    at: tokio::time::Instant,
}

/// A client that publishes once on each connection, and hands the other ends to the test.
struct Once {
    wake: Arc<Notify>,
    stop: watch::Receiver<bool>,
    /// What the next attempts to connect fail with.
    failures: VecDeque<Option<Answer>>,
    peers: mpsc::Sender<Peer>,
    waits_for_puback: bool,
    ends: Vec<String>,
    /// Leaves when told to stop.
    leaving: Option<Leaving<()>>,
}

impl Serve for Once {
    type Leave = ();

    fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }

    fn puback_timeout(&self) -> Duration {
        PUBACK_TIMEOUT
    }

    fn open(&mut self, _session_present: bool, _now: Instant) -> Result<Ask, End> {
        (self.waits_for_puback, self.leaving) = (false, None);
        Ok(Ask { packet_id: 1, filters: vec!["a".to_owned(), "b".to_owned()] })
    }

    fn turn<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        now: Instant,
    ) -> Result<Step<()>, End> {
        let Session { connection, inbox, subscription, has_worked } = session;
        for packet in inbox.drain().1 {
            match packet {
                Incoming::PubAck(_) => (self.waits_for_puback, *has_worked) = (false, true),
                Incoming::Other(packet) => {
                    if let Packet::SubAck(ack) = *packet
                        && subscription.acknowledged(&ack)?
                    {
                        let mut publish = Publish::new("alert", QoS::AtLeastOnce, "x");
                        publish.pkid = 2;
                        connection.publish(&publish)?;
                        self.waits_for_puback = true;
                    }
                }
                _ => {}
            }
        }
        if *self.stop.borrow() && self.leaving.is_none() {
            self.leaving = Some(Leaving::within(Duration::from_secs(5), now, ()));
        }
        if self.leaving.as_ref().is_some_and(|by| by.is_over(now, !self.waits_for_puback)) {
            return Ok(Step::Leave(()));
        }
        let until = self.leaving.as_ref().map(Leaving::until);
        let oldest = self.waits_for_puback.then_some(2);
        Ok(Step::Wait(Wait { read: true, pause: None, until, oldest }))
    }
}

impl Client for Once {
    type Stream = DuplexStream;

    fn client_id(&self) -> &str {
        "once"
    }

    fn stop(&self) -> &watch::Receiver<bool> {
        &self.stop
    }

    async fn connect(&mut self) -> Result<Connected<DuplexStream>, FailedAttempt> {
        if let Some(answer) = self.failures.pop_front() {
            return Err(FailedAttempt { text: "planned".to_owned(), answer });
        }
        let (ours, theirs) = duplex(1 << 16);
        let connection = Connection::new(theirs, Duration::ZERO);
        let peer = Peer { connection, at: tokio::time::Instant::now() };
        self.peers.send(peer).await.expect("the test takes every connection");
        let connection = Connection::new(ours, KEEP_ALIVE);
        Ok(Connected {
            connection,
            session_present: false,
            endpoint: "memory".to_owned(),
            names: &Names::NONE,
        })
    }

    fn left(&mut self, (): ()) -> bool {
        false
    }

    fn lost(&mut self, end: &End) -> Cause {
        self.ends.push(end.to_string());
        Cause::Unknown
    }
}

/// The client, running, and what the test holds of it.
struct Running {
    peers: mpsc::Receiver<Peer>,
    stop: watch::Sender<bool>,
    wake: Arc<Notify>,
    client: tokio::task::JoinHandle<Once>,
}

impl Running {
    fn start(failures: impl IntoIterator<Item = Option<Answer>>) -> Self {
        let (sender, peers) = mpsc::channel(1);
        let (stop, stopped) = watch::channel(false);
        let wake = Arc::new(Notify::new());
        let mut client = Once {
            wake: Arc::clone(&wake),
            stop: stopped,
            failures: failures.into_iter().collect(),
            peers: sender,
            waits_for_puback: false,
            ends: Vec::new(),
            leaving: None,
        };
        let client = tokio::spawn(async move {
            run(&mut client).await;
            client
        });
        Self { peers, stop, wake, client }
    }

    async fn peer(&mut self) -> Peer {
        self.peers.recv().await.expect("a connection")
    }

    /// How each connection ended that was not left.
    async fn ends(mut self) -> Vec<String> {
        self.peers.close();
        self.stop.send(true).expect("it runs");
        self.wake.notify_one();
        self.client.await.expect("no panic").ends
    }
}

impl Peer {
    async fn next(&mut self) -> Packet {
        self.connection.next_packet().await.expect("an open connection")
    }

    async fn send(&mut self, packet: Packet) {
        self.connection.send(&packet).expect("a packet");
        self.connection.flush().await.expect("an open connection");
    }

    async fn subscribe(&mut self) -> Subscribe {
        match self.next().await {
            Packet::Subscribe(subscribe) => subscribe,
            other => panic!("expected SUBSCRIBE, got {other:?}"),
        }
    }

    async fn answer(&mut self, codes: &[Code]) {
        let subscribe = self.subscribe().await;
        self.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes.to_vec()))).await;
    }

    /// Grants the subscription and takes the publish.
    async fn open(&mut self) {
        self.answer(&[GRANTED; 2]).await;
        assert!(matches!(self.next().await, Packet::Publish(_)));
    }

    /// Answers PINGREQ, and nothing else, until the client hangs up, within an hour.
    async fn ping_pong(mut self) -> u32 {
        let mut pings = 0;
        let latest = self.at + Duration::from_secs(3600);
        while let Ok(packet) =
            timeout_at(latest, self.connection.next_packet()).await.expect("an end")
        {
            if packet == Packet::PingReq {
                pings += 1;
                self.send(Packet::PingResp).await;
            }
        }
        pings
    }
}

const GRANTED: Code = Code::Success(QoS::AtLeastOnce);

fn within(at: tokio::time::Instant, range: std::ops::Range<u64>) -> bool {
    range.contains(&at.elapsed().as_secs())
}

/// The connection ends 6 s behind SUBSCRIBE, and another is made.
#[tokio::test(start_paused = true)]
async fn a_suback_that_does_not_come_ends_the_connection() {
    let mut running = Running::start([]);
    let mut peer = running.peer().await;
    peer.subscribe().await;
    let asked = tokio::time::Instant::now();
    assert_eq!(peer.ping_pong().await, 1, "nothing is heard behind the SUBSCRIBE");
    assert!(within(asked, 6..8), "{:?}", asked.elapsed());
    drop(running.peer().await);
    assert!(running.ends().await[0].contains("did not acknowledge the subscriptions"));
}

/// Refused, and short or long: each SUBACK is held against the SUBSCRIBE, and only the refusal is
/// waited for as a refused identity.
#[tokio::test(start_paused = true)]
async fn a_suback_is_judged() {
    for (codes, wait_ms, end) in [
        (vec![GRANTED, Code::Failure], 1_500..3_001, "refused the subscription to b"),
        (vec![GRANTED], 50..101, "2 subscriptions with 1 codes"),
        (vec![GRANTED; 3], 50..101, "2 subscriptions with 3 codes"),
    ] {
        let mut running = Running::start([]);
        let mut peer = running.peer().await;
        peer.answer(&codes).await;
        let answered = tokio::time::Instant::now();
        let next = running.peer().await;
        let waited = u64::try_from((next.at - answered).as_millis()).unwrap();
        assert!(wait_ms.contains(&waited), "{end}: {waited} ms");
        let ends = running.ends().await;
        assert!(ends[0].contains(end), "{ends:?}");
    }
}

/// A connection that is alive, and on which the PUBACK never comes, is replaced in the end.
#[tokio::test(start_paused = true)]
async fn a_puback_that_never_comes_ends_the_connection() {
    let mut running = Running::start([]);
    let mut peer = running.peer().await;
    peer.open().await;
    let opened = tokio::time::Instant::now();
    let pings = peer.ping_pong().await;
    assert!(within(opened, 60..62), "{:?}", opened.elapsed());
    assert!((1..=4).contains(&pings), "{pings} pings");
    running.peer().await.open().await;
    assert!(running.ends().await[0].contains("no PUBACK for the oldest publish within 60s"));
}

/// A black hole: nothing comes any more, and the connection is replaced within 10 s.
#[tokio::test(start_paused = true)]
async fn a_hole_in_both_directions_is_left_within_10_s() {
    let mut running = Running::start([]);
    let mut hole = running.peer().await;
    hole.open().await;
    let fell = tokio::time::Instant::now();
    let mut next = running.peer().await;
    assert!((8..10).contains(&(next.at - fell).as_secs()), "{:?}", next.at - fell);
    next.open().await;
    drop(hole);
    assert_eq!(running.ends().await.len(), 1);
}

/// The hole is on the way out alone: messages go on coming, and prove nothing.
#[tokio::test(start_paused = true)]
async fn a_hole_on_the_way_out_is_left_within_10_s() {
    let mut running = Running::start([]);
    let mut hole = running.peer().await;
    hole.open().await;
    let fell = tokio::time::Instant::now();
    let next = loop {
        tokio::select! {
            next = running.peer() => break next,
            () = sleep(Duration::from_millis(100)) => {
                let message = Publish::new("a", QoS::AtMostOnce, "{}");
                let _ = hole.connection.publish(&message);
                let _ = hole.connection.write_now().await;
            }
        }
    };
    assert!((8..10).contains(&(next.at - fell).as_secs()), "{:?}", next.at - fell);
    drop(next);
    assert!(running.ends().await[0].contains("no answer to what was sent"));
}

/// A link that needs longer for an answer than is waited for gets longer, and then stays.
#[tokio::test(start_paused = true)]
async fn a_slow_link_is_not_left_for_ever() {
    const SLOW: Duration = Duration::from_secs(25);
    let mut running = Running::start([]);
    for connections in 1..=4 {
        let mut peer = running.peer().await;
        peer.open().await;
        let slow = sleep(SLOW);
        tokio::select! {
            () = slow => {
                peer.send(Packet::PubAck(PubAck::new(2))).await;
                assert_eq!(running.ends().await.len(), connections - 1);
                return;
            }
            // Past its own time-out the client hangs up.
            _ = hung_up(&mut peer) => {}
        }
    }
    panic!("four connections, and none of them lasted");
}

async fn hung_up(peer: &mut Peer) {
    while peer.connection.next_packet().await.is_ok() {}
}

/// Cuts behind work: 14 connections of one second each, at a peer that is there at once, cost less
/// than 2 s each, and the first ones next to nothing.
#[tokio::test(start_paused = true)]
async fn cuts_of_a_link_that_works_cost_little() {
    let mut running = Running::start([]);
    let mut away = Duration::ZERO;
    let mut cut_at = None;
    for _ in 0..15 {
        let mut peer = running.peer().await;
        if let Some(cut_at) = cut_at {
            let waited = peer.at - cut_at;
            assert!(waited <= Duration::from_secs(2), "{waited:?}");
            away += waited;
        }
        peer.open().await;
        peer.send(Packet::PubAck(PubAck::new(2))).await;
        advance(Duration::from_secs(1)).await;
        drop(peer);
        cut_at = Some(tokio::time::Instant::now());
    }
    assert!(away < Duration::from_secs(24), "{away:?}");
    assert_eq!(running.ends().await.len(), 15);
}

/// Two processes of one name: connections that end within seconds, and on which nothing works, are
/// made ever more rarely.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_disconnected_again_and_again_backs_off() {
    let mut running = Running::start([]);
    let mut waits = Vec::new();
    for _ in 0..12 {
        let mut peer = running.peer().await;
        peer.open().await;
        drop(peer);
        let thrown_out = tokio::time::Instant::now();
        let next = running.peer().await;
        waits.push(next.at - thrown_out);
        drop(next);
    }
    assert!(waits[0] < Duration::from_millis(400), "{waits:?}");
    assert!(waits[11] >= Duration::from_millis(2_500), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(5)), "{waits:?}");
    running.client.abort();
}

/// A connection that lasts for 10 s starts the waits anew, also where nothing was acknowledged on
/// it; one that is shorter does not.
#[tokio::test(start_paused = true)]
async fn a_connection_of_10_s_starts_the_waits_anew() {
    for (lived_s, wait_ms) in [(9, 2_500..5_001), (10, 50..102)] {
        let mut running = Running::start([]);
        for _ in 0..12 {
            drop(running.peer().await);
        }
        let mut peer = running.peer().await;
        peer.open().await;
        let life = Duration::from_secs(lived_s);
        assert!(timeout_at(peer.at + life, peer.ping_pong()).await.is_err(), "it holds");
        let cut = tokio::time::Instant::now();
        let next = running.peer().await;
        let waited_ms = (next.at - cut).as_millis();
        assert!(wait_ms.contains(&waited_ms), "{lived_s} s: {waited_ms} ms");
        running.client.abort();
    }
}

/// What an attempt failed by decides on the wait; a stop ends every wait.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_fails_is_made_again() {
    let begun = tokio::time::Instant::now();
    let mut running = Running::start([None, Some(Answer::Nothing), Some(Answer::Identity), None]);
    running.peer().await;
    // At once, then 50 to 100 ms, then half to all of 5 s.
    let waited = begun.elapsed();
    let range = Duration::from_millis(2_550)..Duration::from_millis(5_101);
    assert!(range.contains(&waited), "{waited:?}");

    let running = Running::start([Some(Answer::Identity)]);
    tokio::task::yield_now().await;
    let begun = tokio::time::Instant::now();
    assert_eq!(running.ends().await.len(), 0);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// A stop waits for the PUBACK that is outstanding, and then for the end of its time alone.
#[tokio::test(start_paused = true)]
async fn leaving_ends_with_its_time() {
    for is_acknowledged in [true, false] {
        let mut running = Running::start([]);
        let mut peer = running.peer().await;
        peer.open().await;
        let begun = tokio::time::Instant::now();
        running.stop.send(true).unwrap();
        running.wake.notify_one();
        tokio::task::yield_now().await;
        if is_acknowledged {
            peer.send(Packet::PubAck(PubAck::new(2))).await;
        }
        while peer.next().await != Packet::Disconnect {}
        let took = begun.elapsed();
        assert_eq!(took < Duration::from_secs(1), is_acknowledged, "{took:?}");
        assert!(is_acknowledged || took.as_secs() == 5, "{took:?}");
        drop(peer);
        running.client.await.expect("no panic");
    }
}

/// Who hangs up before its SUBACK throws nobody out: no other client of this name is suspected.
#[tokio::test(start_paused = true)]
async fn a_hang_up_before_the_suback_throws_nobody_out() {
    for (is_opened, is_suspected) in [(false, false), (true, true)] {
        let log = capture();
        let mut running = Running::start([]);
        for _ in 0..12 {
            let mut peer = running.peer().await;
            if is_opened {
                peer.open().await;
            }
        }
        assert_eq!(!log.lines("a second process connects").is_empty(), is_suspected, "{is_opened}");
        running.client.abort();
    }
}
