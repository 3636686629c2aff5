//! QoS 2 on the way in, as a peer sees it.

use super::*;
use proptest::prelude::*;
use rumqttc::mqttbytes::v4::{PubAck, PubComp, PubRec, PubRel};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(120);
const NONE: [u16; 0] = [];
/// Ids that there are.
const OPEN: usize = 65_535;
/// Topic of what marks the end of what was sent.
const END: &str = "end";

fn message(qos: QoS, id: u16, dup: bool) -> Packet {
    let mut publish = Publish::new("t", qos, "body");
    (publish.pkid, publish.dup) = (id, dup);
    Packet::Publish(publish)
}

fn twice(id: u16) -> Packet {
    message(QoS::ExactlyOnce, id, false)
}

fn puback(id: u16) -> Packet {
    Packet::PubAck(PubAck::new(id))
}

fn pubrec(id: u16) -> Packet {
    Packet::PubRec(PubRec::new(id))
}

fn pubrel(id: u16) -> Packet {
    Packet::PubRel(PubRel::new(id))
}

fn pubcomp(id: u16) -> Packet {
    Packet::PubComp(PubComp::new(id))
}

/// Both ends.
struct Ends {
    connection: Connection<DuplexStream>,
    peer: DuplexStream,
    answered: BytesMut,
}

impl Ends {
    fn new() -> Self {
        let (connection, peer) = pair(1 << 20);
        Self { connection, peer, answered: BytesMut::new() }
    }

    /// Sends these; gives the ids of what the owner got of them, without those that have none.
    async fn send(&mut self, packets: &[Packet]) -> Vec<u16> {
        let mut bytes = encode(packets);
        bytes.extend(encode(&[Packet::Publish(Publish::new(END, QoS::AtMostOnce, ""))]));
        self.send_bytes(&bytes).await
    }

    async fn send_bytes(&mut self, bytes: &[u8]) -> Vec<u16> {
        let Self { connection, peer, .. } = self;
        let (mut inbox, mut ids, mut is_over) = (Inbox::default(), Vec::new(), false);
        let reading = async {
            while !is_over {
                connection.turn(&mut inbox, &Notify::new(), true).await.unwrap();
                let (block, packets) = inbox.drain();
                for packet in packets {
                    match packet {
                        Incoming::Publish(publish) => {
                            is_over |= publish.topic(&block) == END.as_bytes();
                            ids.extend(publish.packet_id());
                        }
                        Incoming::TooLarge { packet_id, .. } => ids.extend(packet_id),
                        other => panic!("the owner got {other:?}"),
                    }
                }
            }
        };
        let (written, ()) =
            timeout(PATIENCE, async { tokio::join!(peer.write_all(bytes), reading) })
                .await
                .expect("in time");
        written.unwrap();
        ids
    }

    /// All that the peer has been answered since it was last asked.
    async fn answers(&mut self) -> Vec<Packet> {
        self.connection.flush().await.unwrap();
        let mut packets = Vec::new();
        // The last answer is the one to this.
        self.connection.send(&Packet::PingReq).unwrap();
        self.connection.flush().await.unwrap();
        loop {
            match Packet::read(&mut self.answered, PACKET_BYTES_MAX) {
                Ok(Packet::PingReq) => return packets,
                Ok(packet) => packets.push(packet),
                Err(mqttbytes::Error::InsufficientBytes(_)) => {
                    self.peer.read_buf(&mut self.answered).await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn acknowledge(&mut self, id: u16) -> Vec<Packet> {
        self.connection.acknowledge(id);
        self.answers().await
    }
}

/// PUBREC says that a message is settled, so it comes when its owner says so, and in the order of
/// receipt; PUBREL is answered whatever the owner does.
#[tokio::test]
async fn a_message_is_recorded_when_settled_and_its_release_is_answered() {
    let mut ends = Ends::new();
    let sent = [twice(7), message(QoS::AtLeastOnce, 8, false), twice(9)];
    assert_eq!(ends.send(&sent).await, [7, 8, 9]);
    assert_eq!(ends.answers().await, []);
    for (id, answer) in [(7, pubrec(7)), (8, puback(8)), (9, pubrec(9))] {
        assert_eq!(ends.acknowledge(id).await, [answer]);
    }
    assert_eq!(ends.send(&[pubrel(7), pubrel(9)]).await, NONE);
    assert_eq!(ends.answers().await, [pubcomp(7), pubcomp(9)]);
    assert!(ends.connection.exactly_once.is_idle(), "nothing is left of it");
    // The ids serve again, at either quality of service.
    assert_eq!(ends.send(&[twice(8), message(QoS::AtLeastOnce, 7, false)]).await, [8, 7]);
    ends.connection.acknowledge(8);
    assert_eq!(ends.acknowledge(7).await, [pubrec(8), puback(7)]);
}

/// An answer that its owner knows nothing of leaves at once, although nothing else happens.
#[tokio::test(start_paused = true)]
async fn a_release_is_answered_at_once() {
    let (mut connection, mut peer) = pair(1024);
    let (mut inbox, never) = (Inbox::default(), Notify::new());
    // The first turn ends with the first tick.
    connection.turn(&mut inbox, &never, true).await.unwrap();
    let serving =
        tokio::spawn(
            async move { while connection.turn(&mut inbox, &never, true).await.is_ok() {} },
        );
    let start = Instant::now();
    peer.write_all(&encode(&[pubrel(7)])).await.unwrap();
    let mut answer = [0; 4];
    peer.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[..], encode(&[pubcomp(7)])[..]);
    assert_eq!(start.elapsed(), Duration::ZERO);
    serving.abort();
}

/// Until it is released, what comes under an id is the same message, with DUP or without.
#[tokio::test]
async fn a_duplicate_is_not_handed_over_again() {
    for dup in [false, true] {
        let mut ends = Ends::new();
        let again = message(QoS::ExactlyOnce, 7, dup);
        assert_eq!(ends.send(&[twice(7), again.clone()]).await, [7]);
        assert_eq!(ends.send(std::slice::from_ref(&again)).await, NONE);
        assert_eq!(ends.answers().await, [], "not settled yet");
        assert_eq!(ends.acknowledge(7).await, [pubrec(7)]);
        assert_eq!(ends.send(&[again.clone(), again.clone()]).await, NONE);
        assert_eq!(ends.answers().await, [pubrec(7), pubrec(7)]);
        assert_eq!(ends.send(&[pubrel(7), again]).await, [7], "a new message");
        assert_eq!(ends.answers().await, [pubcomp(7)]);
    }
}

/// A PUBREL may be for what came on an earlier connection, or come again.
#[tokio::test]
async fn the_release_of_an_unknown_id_is_answered() {
    let mut ends = Ends::new();
    assert_eq!(ends.send(&[pubrel(65_535), pubrel(1), pubrel(1)]).await, NONE);
    assert_eq!(ends.answers().await, [pubcomp(65_535), pubcomp(1), pubcomp(1)]);
    assert!(ends.connection.exactly_once.is_idle());
}

/// Nobody needs to look for it: the answer leaves at once, though nothing else comes.
#[tokio::test(start_paused = true)]
async fn a_release_alone_is_answered_at_once() {
    let mut ends = Ends::new();
    let start = Instant::now();
    ends.peer.write_all(&encode(&[pubrel(3)])).await.unwrap();
    let mut packets = Vec::new();
    let owner = async {
        loop {
            ends.connection.turn_packets(&mut packets, &Notify::new(), true).await.unwrap();
            assert_eq!(packets, [], "the owner is told");
        }
    };
    let mut answer = [0; 4];
    tokio::select! {
        () = owner => unreachable!(),
        read = ends.peer.read_exact(&mut answer) => assert_eq!(read.unwrap(), 4),
    }
    assert_eq!((answer, start.elapsed()), ([0x70, 2, 0, 3], Duration::ZERO));
}

/// For those who take one packet after the other it is not there either.
#[tokio::test]
async fn packets_taken_singly_are_settled_alike() {
    let mut ends = Ends::new();
    let sent = [pubrel(1), twice(2), twice(2), pubrel(3), Packet::PingResp];
    ends.peer.write_all(&encode(&sent)).await.unwrap();
    for expected in [twice(2), Packet::PingResp] {
        let packet = timeout(PATIENCE, ends.connection.next_packet()).await.expect("in time");
        assert_eq!(packet.unwrap(), expected);
    }
    assert_eq!(ends.answers().await, [pubcomp(1), pubcomp(3)]);
}

/// A peer that does not wait for PUBREC is answered, and its next message under the id is a new
/// one.
#[tokio::test]
async fn a_release_before_our_pubrec_ends_the_exchange() {
    let mut ends = Ends::new();
    assert_eq!(ends.send(&[twice(5), pubrel(5), twice(5)]).await, [5, 5]);
    assert_eq!(ends.answers().await, [pubcomp(5)]);
    assert_eq!(ends.acknowledge(5).await, [], "nobody waits for it");
    assert_eq!(ends.acknowledge(5).await, [pubrec(5)]);
}

/// A peer that uses an id for QoS 1 that is in an exchange gets both answers, in order.
#[tokio::test]
async fn an_id_that_is_used_twice_is_answered_twice() {
    let mut ends = Ends::new();
    assert_eq!(ends.send(&[twice(5), message(QoS::AtLeastOnce, 5, false)]).await, [5, 5]);
    assert_eq!(ends.acknowledge(5).await, [pubrec(5)]);
    assert_eq!(ends.acknowledge(5).await, [puback(5)]);
    assert_eq!(ends.send(&[message(QoS::AtLeastOnce, 5, false)]).await, [5], "not released yet");
    assert_eq!(ends.acknowledge(5).await, [puback(5)]);
    ends.send(&[pubrel(5)]).await;
    assert!(ends.connection.exactly_once.is_idle());
}

/// What is passed over is told of once, and recorded as all others.
#[tokio::test]
async fn an_oversized_message_is_recorded() {
    let mut large = publish("large", 2, PACKET_BYTES_MAX);
    large.qos = QoS::ExactlyOnce;
    let mut bytes = BytesMut::new();
    for publish in [&large, &large, &publish(END, 3, 9)] {
        publish.write(&mut bytes).unwrap();
    }
    let mut ends = Ends::new();
    assert_eq!(ends.send_bytes(&bytes).await, [2, 3]);
    ends.connection.acknowledge(2);
    assert_eq!(ends.acknowledge(3).await, [pubrec(2), puback(3)]);
    assert_eq!(ends.send_bytes(&bytes).await, [3], "it is known");
    assert_eq!(ends.answers().await, [pubrec(2), pubrec(2)]);
}

/// Every id may be open; a peer that makes more of them is left, and what it sent is there.
#[tokio::test]
async fn open_messages_are_bounded() {
    let mut ends = Ends::new();
    let sent: Vec<_> = (1..=u16::MAX).map(twice).collect();
    assert_eq!(ends.send(&sent).await.len(), OPEN);
    assert_eq!(ends.send(&sent).await, NONE);
    ends.peer.write_all(&encode(&[pubrel(1), twice(1)])).await.unwrap();
    let mut packets = Vec::new();
    let end = loop {
        match ends.connection.turn_packets(&mut packets, &Notify::new(), true).await {
            Ok(()) => {}
            Err(end) => break end,
        }
    };
    assert!(matches!(end, ConnectionError::ExactlyOnceOverrun), "{end}");
    assert_eq!(packets, [twice(1)]);
}

/// What is settled is open no more: a connection takes more messages than may be open at a time.
#[tokio::test]
async fn what_is_settled_counts_no_more() {
    const AT_ONCE: u16 = 1000;
    let mut ends = Ends::new();
    let sent: Vec<_> = (1..=AT_ONCE).map(twice).collect();
    let released: Vec<_> = (1..=AT_ONCE).map(pubrel).collect();
    for _ in 0..=OPEN / usize::from(AT_ONCE) {
        assert_eq!(ends.send(&sent).await.len(), usize::from(AT_ONCE));
        (1..=AT_ONCE).for_each(|id| ends.connection.acknowledge(id));
        assert_eq!(ends.send(&released).await, NONE);
        assert_eq!(ends.answers().await.len(), 2 * usize::from(AT_ONCE));
    }
}

/// MQTT 3.1.1 §4.3.3 and §4.6 as they are written.
#[derive(Default)]
struct Model {
    /// What the owner has, in order of receipt: its id, and of QoS 2 which exchange it is.
    owned: Vec<(u16, Option<usize>)>,
    exchanges: Vec<Exchange>,
    answers: Vec<Packet>,
}

struct Exchange {
    id: u16,
    is_recorded: bool,
    is_released: bool,
}

impl Model {
    fn open(&mut self, id: u16) -> Option<&mut Exchange> {
        self.exchanges.iter_mut().find(|exchange| exchange.id == id && !exchange.is_released)
    }

    /// Whether the peer may use the id for QoS 2 (§2.3.1).
    fn is_owned_at_least_once(&self, id: u16) -> bool {
        self.owned.iter().any(|(owned, exchange)| *owned == id && exchange.is_none())
    }

    /// Gives the id of what the owner gets.
    fn sent(&mut self, packet: &Packet) -> Option<u16> {
        match packet {
            Packet::Publish(publish) if publish.qos == QoS::AtMostOnce => None,
            Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce => {
                self.owned.push((publish.pkid, None));
                Some(publish.pkid)
            }
            Packet::Publish(publish) => {
                let id = publish.pkid;
                if let Some(exchange) = self.open(id) {
                    if exchange.is_recorded {
                        self.answers.push(pubrec(id));
                    }
                    return None;
                }
                self.owned.push((id, Some(self.exchanges.len())));
                self.exchanges.push(Exchange { id, is_recorded: false, is_released: false });
                Some(id)
            }
            Packet::PubRel(release) => {
                self.answers.push(pubcomp(release.pkid));
                if let Some(exchange) = self.open(release.pkid) {
                    exchange.is_released = true;
                }
                None
            }
            other => panic!("{other:?}"),
        }
    }

    /// The owner is done with the oldest message; gives its id.
    fn acknowledge(&mut self) -> Option<u16> {
        let (id, exchange) = (!self.owned.is_empty()).then(|| self.owned.remove(0))?;
        match exchange.map(|place| &mut self.exchanges[place]) {
            None => self.answers.push(puback(id)),
            Some(exchange) if exchange.is_released => {}
            Some(exchange) => {
                exchange.is_recorded = true;
                self.answers.push(pubrec(id));
            }
        }
        Some(id)
    }
}

/// One turn: what the peer sends, and how much of what it has the owner acknowledges then.
fn a_turn() -> impl Strategy<Value = (Vec<Packet>, usize)> {
    let packet = prop_oneof![
        1 => Just(message(QoS::AtMostOnce, 0, false)),
        3 => (1u16..6, any::<bool>()).prop_map(|(id, dup)| message(QoS::AtLeastOnce, id, dup)),
        6 => (1u16..6, any::<bool>()).prop_map(|(id, dup)| message(QoS::ExactlyOnce, id, dup)),
        4 => (1u16..6).prop_map(pubrel),
    ];
    (prop::collection::vec(packet, 0..6), 0usize..5)
}

proptest! {
    /// Whatever comes in whatever order, the owner gets and the peer is answered what the protocol
    /// says.
    #[test]
    fn any_interleaving_is_answered_by_the_book(turns in prop::collection::vec(a_turn(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut ends, mut model) = (Ends::new(), Model::default());
            for (packets, acknowledged) in turns {
                let (mut sent, mut expected) = (Vec::new(), Vec::new());
                for packet in packets {
                    if let Packet::Publish(publish) = &packet
                        && publish.qos == QoS::ExactlyOnce
                        && model.is_owned_at_least_once(publish.pkid)
                    {
                        continue;
                    }
                    expected.extend(model.sent(&packet));
                    sent.push(packet);
                }
                assert_eq!(ends.send(&sent).await, expected, "of {sent:?}");
                for _ in 0..acknowledged {
                    if let Some(id) = model.acknowledge() {
                        ends.connection.acknowledge(id);
                    }
                }
                assert_eq!(ends.answers().await, std::mem::take(&mut model.answers));
            }
            while let Some(id) = model.acknowledge() {
                ends.connection.acknowledge(id);
            }
            for id in 1..6 {
                ends.send(&[pubrel(id)]).await;
            }
            assert!(ends.connection.exactly_once.is_idle(), "nothing is left");
        });
    }
}

/// An open id that comes at QoS 1 in a turn of its own is answered in its place, between the two
/// messages of QoS 2 under that id.
#[tokio::test]
async fn an_open_id_at_qos_1_is_noted_in_a_turn_of_its_own() {
    let mut ends = Ends::new();
    assert_eq!(ends.send(&[twice(7)]).await, [7]);
    assert_eq!(ends.send(&[message(QoS::AtLeastOnce, 7, false)]).await, [7]);
    assert_eq!(ends.send(&[pubrel(7)]).await, NONE);
    assert_eq!(ends.answers().await, [pubcomp(7)]);
    assert_eq!(ends.send(&[twice(7)]).await, [7]);
    assert_eq!(ends.acknowledge(7).await, [], "nobody waits for its PUBREC any more");
    assert_eq!(ends.acknowledge(7).await, [puback(7)]);
    assert_eq!(ends.acknowledge(7).await, [pubrec(7)]);
    assert_eq!(ends.send(&[pubrel(7)]).await, NONE);
    assert_eq!(ends.answers().await, [pubcomp(7)]);
    assert!(ends.connection.exactly_once.is_idle());

    // One that was recorded owes nothing, so nothing is noted: it is complete with its release.
    assert_eq!(ends.send(&[twice(8)]).await, [8]);
    assert_eq!(ends.acknowledge(8).await, [pubrec(8)]);
    assert_eq!(ends.send(&[message(QoS::AtLeastOnce, 8, false)]).await, [8]);
    assert_eq!(ends.send(&[pubrel(8)]).await, NONE);
    assert!(ends.connection.exactly_once.is_idle());
}

/// There is no packet id 0: its release is answered with nothing, and its owner counts it.
#[tokio::test]
async fn a_release_without_an_id_is_not_answered() {
    let (mut connection, mut peer) = pair(4096);
    peer.write_all(&[0x62, 2, 0, 0]).await.unwrap();
    let mut packets = Vec::new();
    connection.turn_packets(&mut packets, &Notify::new(), true).await.unwrap();
    assert_eq!((packets, connection.write_buffer.len()), (vec![pubrel(0)], 0));
}
