//! A whole connection, fed what a peer may send in pieces of any size.
//!
//! The packets that its owner gets are those that rumqttc reads of the bytes in one piece, but for
//! what QoS 2 keeps from it, by a model of one rule: what comes again under an id that was not
//! released is not handed over. What the connection writes is what it was told to, and answers to
//! what it was asked.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::Packet;
use rumqttc::mqttbytes::{Error, QoS};
use sluicegate::mqtt::connection::PACKET_BYTES_MAX;
use sluicegate::mqtt::{Connection, Inbox};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::input::first;

/// Turns for each byte that was sent, and some: more would be a connection that never ends.
const TURNS_PER_BYTE: usize = 4;
const TURNS_MORE: usize = 64;

thread_local! {
    /// Only for its timers, which nobody waits for.
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without threads is memory alone");
}

/// The first byte of `data` says how the others are cut, and when the owner acknowledges.
pub fn check(data: &[u8]) {
    let (how, bytes) = first(data);
    let expected = Expected::of(bytes);
    let (handed_over, written) = RUNTIME.with(|runtime| {
        let _context = runtime.enter();
        serve(how, bytes)
    });
    if !expected.is_cut_short {
        assert_eq!(handed_over, expected.packets);
        check_written(&written, &expected);
    }
}

/// Serves a connection until its end: the packets that its owner got, and what was written.
fn serve(how: u8, bytes: &[u8]) -> (Vec<Packet>, Vec<u8>) {
    let mut written = Vec::new();
    let mut packets = Vec::new();
    let peer = Peer { bytes, step: usize::from(how & 0x1f), turn: 0, written: &mut written };
    let mut connection = Connection::new(peer, Duration::from_secs(60));
    let (mut inbox, wake) = (Inbox::default(), Notify::new());
    let mut context = Context::from_waker(Waker::noop());
    // Acknowledged at once, or two turns later.
    let mut owed = Vec::new();
    let is_late = how & 0x80 != 0;
    for turn in 0.. {
        assert!(turn < TURNS_PER_BYTE * bytes.len() + TURNS_MORE, "it comes to no end");
        match pin!(connection.turn(&mut inbox, &wake, true)).poll(&mut context) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => break,
            Poll::Pending => continue,
        }
        let before = packets.len();
        packets.extend(inbox.packets());
        let late = std::mem::take(&mut owed);
        late.into_iter().for_each(|id| connection.acknowledge(id));
        for packet in &packets[before..] {
            match packet {
                Packet::Publish(publish) if publish.pkid != 0 && is_late => {
                    owed.push(publish.pkid);
                }
                Packet::Publish(publish) if publish.pkid != 0 => {
                    connection.acknowledge(publish.pkid);
                }
                _ => {}
            }
        }
    }
    drop(connection);
    (packets, written)
}

/// What a connection must make of the bytes.
struct Expected {
    packets: Vec<Packet>,
    /// Ids under which something came.
    received: HashMap<u16, BTreeSet<bool>>,
    releases: usize,
    /// A packet is larger than is taken, behind which all is different.
    is_cut_short: bool,
}

impl Expected {
    fn of(bytes: &[u8]) -> Self {
        let mut rest = BytesMut::from(bytes);
        let (mut packets, mut releases) = (Vec::new(), 0);
        let (mut received, mut open) = (HashMap::<_, BTreeSet<_>>::new(), BTreeSet::new());
        let end = loop {
            match Packet::read(&mut rest, PACKET_BYTES_MAX) {
                Err(end) => break end,
                Ok(Packet::PubRel(release)) if release.pkid != 0 => {
                    releases += 1;
                    open.remove(&release.pkid);
                }
                Ok(Packet::Publish(publish)) => {
                    let is_exactly_once = publish.qos == QoS::ExactlyOnce;
                    received.entry(publish.pkid).or_default().insert(is_exactly_once);
                    if !is_exactly_once || open.insert(publish.pkid) {
                        packets.push(Packet::Publish(publish));
                    }
                }
                Ok(packet) => packets.push(packet),
            }
        };
        let is_cut_short = matches!(end, Error::PayloadSizeLimitExceeded(_));
        Self { packets, received, releases, is_cut_short }
    }
}

/// Only answers to what came, and nothing that is no packet.
fn check_written(written: &[u8], expected: &Expected) {
    let mut rest = BytesMut::from(written);
    let mut completes = 0;
    while !rest.is_empty() {
        let packet = Packet::read(&mut rest, usize::MAX).expect("what is written is whole");
        let came_at = |id, is_exactly_once| {
            expected.received.get(&id).is_some_and(|came| came.contains(&is_exactly_once))
        };
        match packet {
            // One that came at QoS 2 and was released before has none to wait for.
            Packet::PubAck(ack) => assert!(expected.received.contains_key(&ack.pkid)),
            Packet::PubRec(record) => assert!(came_at(record.pkid, true)),
            Packet::PubComp(_) => completes += 1,
            Packet::PingReq => {}
            other => panic!("nobody asked for {other:?}"),
        }
    }
    // The last ones may stay unwritten at a connection that is over.
    assert!(completes <= expected.releases);
}

/// The peer: gives its bytes in pieces, with pauses, and takes what is written in pieces.
struct Peer<'a> {
    bytes: &'a [u8],
    /// Bytes of a piece; 0 is all at once.
    step: usize,
    turn: usize,
    written: &'a mut Vec<u8>,
}

impl AsyncRead for Peer<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.turn += 1;
        if self.step > 0 && self.turn.is_multiple_of(2) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let step = if self.step == 0 { usize::MAX } else { self.step };
        let count = self.bytes.len().min(step).min(buffer.remaining());
        let (piece, rest) = self.bytes.split_at(count);
        buffer.put_slice(piece);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let step = if self.step == 0 { usize::MAX } else { self.step };
        let count = bytes.len().min(step);
        self.written.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
