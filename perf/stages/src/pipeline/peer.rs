//! The hub in memory: it sends a ring of messages, takes and checks every answer, and acknowledges
//! alerts.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{Packet, Publish, SubAck, SubscribeReasonCode};
use sluicegate::azure::topics::twin_response;
use sluicegate::mqtt::connection::{PACKET_BYTES_MAX, READ_BYTES};
use sluicegate::mqtt::wire::{Outgoing, write_puback};
use sluicegate::pipeline::SharedPipeline;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stage::Work;
use crate::traffic::{Ring, alert_topic, alerts_prefix};

/// The module's end of the connection.
pub(super) struct Wire(pub(super) Rc<RefCell<Peer>>);

/// The other end.
pub(super) struct Peer {
    ring: Ring,
    /// The alerts that a lap brings.
    alerts: Vec<Alert>,
    /// Bytes of the ring that were sent in this lap, and those that may be.
    sent: usize,
    until: usize,
    /// Messages of the lap that were acknowledged, and those that shall be.
    acknowledged: usize,
    asked: usize,
    /// Alerts of the lap that came.
    alerted: usize,
    /// Of these, those whose PUBACK was sent.
    answered: usize,
    /// Packet id of the last alert.
    alert_id: u16,
    /// Waits to be sent, between two messages.
    answers: Vec<u8>,
    /// The start of a packet that the last write cut.
    cut: Vec<u8>,
    /// Subscriptions and twin are done.
    is_started: bool,
    wrong: Option<String>,
    pipeline: SharedPipeline,
    work: Work,
}

/// An alert as it is to come.
struct Alert {
    /// The message that raises it.
    index: usize,
    /// Before and behind its packet id.
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Peer {
    pub(super) fn new(ring: Ring, pipeline: SharedPipeline) -> Self {
        let alerts = ring.messages.iter().enumerate().filter(|(_, sent)| sent.is_alert);
        let prefix = alerts_prefix();
        let alerts =
            alerts.map(|(index, sent)| Alert::new(&prefix, index, &sent.publish)).collect();
        Self {
            ring,
            alerts,
            sent: 0,
            until: 0,
            acknowledged: 0,
            asked: 0,
            alerted: 0,
            answered: 0,
            alert_id: 0,
            answers: Vec::new(),
            cut: Vec::new(),
            is_started: false,
            wrong: None,
            pipeline,
            work: Work::default(),
        }
    }

    /// Counts anew.
    pub(super) fn begin_run(&mut self) {
        self.work = Work::default();
    }

    /// Sends at most `count` messages, as many as are left of the lap, and tells how many.
    pub(super) fn begin(&mut self, count: usize) -> usize {
        if self.asked == self.ring.messages.len() {
            (self.sent, self.acknowledged, self.asked) = (0, 0, 0);
            (self.alerted, self.answered) = (0, 0);
        }
        let count = count.min(self.ring.messages.len() - self.asked);
        self.asked += count;
        self.until = self.ring.messages[self.asked - 1].end;
        count
    }

    /// Whether everything that was sent is answered, and the other way round.
    pub(super) fn is_done(&self) -> bool {
        self.is_started
            && self.acknowledged == self.asked
            && self.answers.is_empty()
            && self.cut.is_empty()
    }

    pub(super) fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    pub(super) fn work(&self) -> Work {
        self.work
    }

    /// For the one who waits in vain.
    pub(super) fn state(&self) -> String {
        format!(
            "started {}, {} of {} acknowledged, {} alerts, {} bytes of {} sent",
            self.is_started, self.acknowledged, self.asked, self.alerted, self.sent, self.until
        )
    }

    /// Puts at most one read's worth into `buffer`: what is left of a message that the last read
    /// cut, then answers, then messages.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let mut room = buffer.remaining().min(READ_BYTES);
        self.send(self.message_end(), &mut room, buffer);
        if self.sent == self.message_end() {
            let whole = self.answers.len().min(room);
            buffer.put_slice(&self.answers[..whole]);
            self.answers.drain(..whole);
            room -= whole;
            self.answered = self.alerted.saturating_sub(self.answers.len().div_ceil(4));
            if self.answers.is_empty() {
                self.send(self.until, &mut room, buffer);
            }
        }
    }

    fn send(&mut self, until: usize, room: &mut usize, buffer: &mut ReadBuf<'_>) {
        let count = (until - self.sent).min(*room);
        buffer.put_slice(&self.ring.bytes[self.sent..self.sent + count]);
        self.sent += count;
        *room -= count;
    }

    /// Where the message ends that was sent last, or is only sent in part.
    fn message_end(&self) -> usize {
        if self.sent == 0 {
            return 0;
        }
        let messages = &self.ring.messages;
        messages[messages.partition_point(|message| message.end < self.sent)].end
    }

    /// Takes one write.
    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        let held = self.pipeline.lock().held_in_all().bytes;
        self.work.writes += 1;
        self.work.queued_bytes = self.work.queued_bytes.max((held + bytes.len()) as u64);
        if !self.is_started {
            return self.start(bytes);
        }
        if self.cut.is_empty() {
            let used = self.take_packets(bytes)?;
            self.cut.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.cut);
        joined.extend_from_slice(bytes);
        let used = self.take_packets(&joined)?;
        self.cut.extend_from_slice(&joined[used..]);
        Ok(())
    }

    /// Takes the whole packets at the start of `bytes`, and tells their length.
    fn take_packets(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            match rest {
                [0x40, 2, high, low, ..] => {
                    self.acknowledged(u16::from_be_bytes([*high, *low]))?;
                    at += 4;
                }
                [0x32, ..] if rest.len() >= self.alert_bytes() => at += self.alert(rest)?,
                [] | [0x32, ..] | [0x40] | [0x40, 2] | [0x40, 2, _] => return Ok(at),
                [first, ..] => return Err(format!("{first:#x} is no packet that is waited for")),
            }
        }
    }

    /// Length of the next alert.
    fn alert_bytes(&self) -> usize {
        self.alerts.get(self.alerted).map_or(0, Alert::bytes)
    }

    /// PUBACKs come in the order of the messages, those of alerts once their alerts are answered.
    fn acknowledged(&mut self, id: u16) -> Result<(), String> {
        let is_alerted =
            self.alerts.get(self.answered).is_none_or(|next| self.acknowledged < next.index);
        match self.ring.messages.get(self.acknowledged) {
            Some(sent)
                if is_alerted && sent.publish.pkid == id && self.acknowledged < self.asked =>
            {
                self.acknowledged += 1;
                Ok(())
            }
            _ => Err(format!("PUBACK of {id} behind {} of them", self.acknowledged)),
        }
    }

    /// The next alert, at the start of `bytes`: it is answered. Gives its length.
    fn alert(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let expected = self.alerts.get(self.alerted);
        let Some(([high, low], body, length)) = expected.and_then(|alert| alert.parts(bytes))
        else {
            let seen = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
            return Err(format!("behind {} alerts came {seen:?}", self.alerted));
        };
        let id = u16::from_be_bytes([high, low]);
        let following = if self.alert_id == u16::MAX { 1 } else { self.alert_id + 1 };
        if !body || (self.alert_id != 0 && id != following) {
            return Err(format!(
                "alert {} has another id than {following}, {id}, or body",
                self.alerted
            ));
        }
        self.alert_id = id;
        self.alerted += 1;
        write_puback(&mut self.answers, id);
        Ok(length)
    }

    /// Grants the subscriptions, and answers the request of the twin and the report.
    fn start(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut bytes = BytesMut::from(bytes);
        while !bytes.is_empty() {
            let packet =
                Packet::read(&mut bytes, PACKET_BYTES_MAX).map_err(|error| error.to_string())?;
            match packet {
                Packet::Subscribe(subscribe) => {
                    let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
                    let ack = SubAck::new(subscribe.pkid, vec![granted; subscribe.filters.len()]);
                    let mut answer = BytesMut::new();
                    ack.write(&mut answer).map_err(|error| error.to_string())?;
                    self.answers.extend_from_slice(&answer);
                }
                Packet::Publish(request) => self.twin(&request.topic)?,
                other => return Err(format!("{other:?} before the twin is known")),
            }
        }
        Ok(())
    }

    fn twin(&mut self, request: &str) -> Result<(), String> {
        let (path, rid) = request.split_once("/?$rid=").ok_or("a request without an id")?;
        let (status, body) = match path {
            "$iothub/twin/GET" => (200, &br#"{"desired":{"$version":1}}"#[..]),
            _ => (204, &b""[..]),
        };
        self.is_started = status == 204;
        let topic = &twin_response(status, rid, None);
        let answer = Outgoing { topic, packet_id: None, dup: false, retain: false, body };
        answer.write(&mut self.answers).map_err(|error| error.to_string())
    }
}

impl Alert {
    fn new(prefix: &str, index: usize, publish: &Publish) -> Self {
        let publish = Publish { topic: alert_topic(prefix, index), ..publish.clone() };
        let mut bytes = BytesMut::new();
        publish.write(&mut bytes).expect("a valid publish into growing memory");
        let body = publish.payload.to_vec();
        let head = bytes[..bytes.len() - body.len() - 2].to_vec();
        Self { index, head, body }
    }

    /// The id, whether its body is right, and its length, where `bytes` begins with it.
    fn parts(&self, bytes: &[u8]) -> Option<([u8; 2], bool, usize)> {
        let rest = bytes.strip_prefix(&self.head[..])?;
        let (id, rest) = rest.split_first_chunk::<2>()?;
        Some((*id, rest.starts_with(&self.body), self.bytes()))
    }

    fn bytes(&self) -> usize {
        self.head.len() + 2 + self.body.len()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        self.0.borrow_mut().give(buffer);
        if buffer.filled().len() > before { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut peer = self.0.borrow_mut();
        if let Err(wrong) = peer.take(bytes) {
            peer.wrong.get_or_insert(wrong);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
