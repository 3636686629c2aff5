//! Alerts at which a hub hangs up, and a link that is cut at random, in virtual time: the hub gives
//! one message ahead of its acknowledgement, as edgeHub does, and again on each connection.

use std::collections::BTreeSet;
use std::path::Path;

use tokio::time::Instant as Clock;

use super::*;
use crate::outbound::dead_letters::DeadLetters;
use crate::testing::cut::Cut;
use crate::testing::receiver::{Next, Receiver, files};

/// From the end of a connection to the next one.
const AWAY: Duration = Duration::from_millis(100);

/// The messages that a hub has for the module.
struct Store {
    bodies: Vec<String>,
    acknowledged: usize,
    /// The one after those is under way on this connection.
    is_sent: bool,
}

impl Store {
    fn new(bodies: impl IntoIterator<Item = String>) -> Self {
        Self { bodies: bodies.into_iter().collect(), acknowledged: 0, is_sent: false }
    }

    fn is_empty(&self) -> bool {
        self.acknowledged == self.bodies.len()
    }

    /// What the hub does next: answers the twin, notes what is acknowledged, and gives the next
    /// one.
    fn answer(&mut self, packet: Option<Packet>) -> Vec<Packet> {
        match packet {
            Some(Packet::Publish(request)) => {
                let rid = request.topic.split_once("$rid=").expect("a request").1;
                let (status, body) = if request.topic.contains("GET") {
                    (200, r#"{"desired":{"$version":1}}"#)
                } else {
                    (204, "")
                };
                let topic = format!("$iothub/twin/res/{status}/?$rid={rid}");
                vec![Packet::Publish(Publish::new(topic, QoS::AtMostOnce, body))]
            }
            Some(Packet::PubAck(_)) => {
                self.acknowledged += 1;
                self.is_sent = false;
                self.next()
            }
            _ => self.next(),
        }
    }

    fn next(&mut self) -> Vec<Packet> {
        let Some(body) = self.bodies.get(self.acknowledged).filter(|_| !self.is_sent) else {
            return Vec::new();
        };
        self.is_sent = true;
        let topic = "devices/d/modules/m/inputs/input1/n=1&%24.cdid=d";
        let mut input = Publish::new(topic, QoS::AtLeastOnce, body.as_bytes());
        input.pkid = 1;
        vec![Packet::Publish(input)]
    }
}

fn message(name: impl std::fmt::Display) -> String {
    format!(r#"{{"machine":{{"temperature":99}},"name":"{name}"}}"#)
}

fn is_bad(publish: &Publish) -> bool {
    publish.payload.windows(3).any(|three| three == b"bad")
}

/// Connects again and again, each time for `bytes()` bytes, until `is_done`.
async fn run(
    mut link: HubLink,
    store: &mut Store,
    receiver: &mut Receiver,
    mut bytes: impl FnMut() -> usize,
    mut is_done: impl FnMut(&Receiver, &mut Store) -> bool,
) -> HubLink {
    loop {
        let (ours, theirs) = duplex(1 << 16);
        let connection = Connection::new(Cut::after(ours, bytes()), Duration::from_secs(60));
        let served = tokio::spawn(async move {
            let end = session::serve(&mut link, connection, false)
                .await
                .end
                .expect_err("nobody stops it");
            (link, end)
        });
        store.is_sent = false;
        let peer = Connection::new(theirs, Duration::ZERO);
        let each = |receiver: &Receiver, packet| {
            let is_idle = Option::is_none(&packet);
            let packets = store.answer(packet);
            if is_idle && is_done(receiver, store) { Next::Leave } else { Next::Send(packets) }
        };
        let has_left = receiver.serve(peer, each).await;
        let end;
        (link, end) = served.await.unwrap();
        crate::mqtt::session::Client::lost(&mut link, &end);
        if has_left {
            return link;
        }
        tokio::time::sleep(AWAY).await;
    }
}

fn parking(folder: &Path) -> (HubLink, watch::Sender<bool>) {
    let (mut link, stop, _) = link(1 << 20);
    // No renewal comes in between.
    link.renew_at = Instant::now() + Duration::from_secs(24 * 3600);
    (link.parking_in(DeadLetters::new(folder, "here")), stop)
}

fn never() -> usize {
    usize::MAX
}

fn bodies(receiver: &Receiver) -> BTreeSet<String> {
    receiver.came.iter().map(|(_, body)| String::from_utf8(body.clone()).unwrap()).collect()
}

/// Though the hub gives one message at a time, and the bad one first on each connection: all others
/// arrive within seconds, and the bad one is on disk, with its topic, properties and body.
#[tokio::test(start_paused = true)]
async fn a_poison_alert_stops_no_other_at_a_hub() {
    for bad in [&[0][..], &[3, 4], &[49]] {
        let folder = tempfile::tempdir().unwrap();
        let (link, _stop) = parking(folder.path());
        let name = |n: i32| if bad.contains(&n) { format!("bad {n}") } else { n.to_string() };
        let mut store = Store::new((0..50).map(name).map(message));
        let expected = (0..50).filter(|n| !bad.contains(n)).map(message).collect::<BTreeSet<_>>();
        let mut receiver = Receiver::hating(is_bad);
        let start = Clock::now();
        let link = run(link, &mut store, &mut receiver, never, |receiver, store| {
            store.is_empty() && bodies(receiver) == expected
        })
        .await;
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10) * u32::try_from(bad.len()).unwrap(), "{took:?}");
        let kept = files(folder.path(), "pending");
        let found: BTreeSet<_> = kept.iter().map(|(_, body)| body.clone()).collect();
        let wanted = bad.iter().map(|n| message(format!("bad {n}")).into_bytes());
        assert_eq!(found, wanted.collect());
        let head = &kept[0].0;
        let topic = "devices/d/modules/m/messages/events/%24.on=output1&n=1&MessageType=Alert";
        assert_eq!(head["topic"], topic);
        assert!(head["properties"].to_string().contains(r#"["MessageType","Alert"]"#), "{head}");
        assert_eq!(link.pipeline.lock().counters.refused, 0);
    }
}

/// While others go on, all copies of the bad one are given up together after minutes, and kept.
#[tokio::test(start_paused = true)]
async fn a_poison_alert_is_refused_after_minutes_and_kept_at_a_hub() {
    let folder = tempfile::tempdir().unwrap();
    let (link, _stop) = parking(folder.path());
    let mut store = Store::new([message("bad")]);
    let mut receiver = Receiver::hating(is_bad);
    let start = Clock::now();
    let link = run(link, &mut store, &mut receiver, never, |_, store| {
        if store.is_empty() {
            store.bodies.push(message(store.acknowledged));
        }
        !files(folder.path(), "refused").is_empty()
    })
    .await;
    let took = start.elapsed();
    assert!((Duration::from_secs(120)..Duration::from_secs(300)).contains(&took), "{took:?}");
    let kept = files(folder.path(), "refused");
    assert!(kept.iter().all(|(_, body)| *body == message("bad").into_bytes()));
    assert!(files(folder.path(), "pending").is_empty() && link.outbound.parked() == 0);
    assert_eq!(link.pipeline.lock().counters.refused, kept.len() as u64);
    assert!(receiver.hang_ups < 20, "{}", receiver.hang_ups);
}

/// Two hundred cuts at any byte: nothing is lost, nothing refused.
#[tokio::test(start_paused = true)]
async fn two_hundred_random_cuts_lose_nothing_at_a_hub() {
    for seed in [1, 2] {
        let mut random = fastrand::Rng::with_seed(seed);
        let folder = tempfile::tempdir().unwrap();
        let (link, _stop) = parking(folder.path());
        let mut store = Store::new((0..500).map(message));
        let expected = (0..500).map(message).collect::<BTreeSet<_>>();
        let mut receiver = Receiver::hating(|_| false);
        let mut cuts = 0;
        let bytes = || {
            cuts += 1;
            let most = [400, 1_000, 4_000][random.usize(..3)];
            if cuts <= 200 { random.usize(1..most) } else { usize::MAX }
        };
        let link = run(link, &mut store, &mut receiver, bytes, |receiver, store| {
            store.is_empty()
                && bodies(receiver) == expected
                && files(folder.path(), "pending").is_empty()
        })
        .await;
        assert_eq!(link.pipeline.lock().counters.refused, 0, "seed {seed}");
        assert!(files(folder.path(), "refused").is_empty(), "seed {seed}");
        assert!(cuts > 50, "seed {seed}: {cuts} cuts");
    }
}
