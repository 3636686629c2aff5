//! One device's conversation with the provisioning service, from CONNACK to close.
//!
//! One packet at a time: an answer is written before the next packet is read, so nothing queues.
//! Bounded: the client's silence by 1.5 keep-alives, a write by [`WRITE_WAIT`], all of it by the
//! token. Nothing of it is stored.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PingResp, PubAck, Publish, SubAck, Subscribe,
    SubscribeReasonCode, UnsubAck,
};
use rumqttc::mqttbytes::{self, QoS};
use sluicegate::azure::{dps, topics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{timeout, timeout_at};

use super::super::close::CloseReason;
use super::super::keep_alive::patience;
use super::super::state::HubState;
use super::super::stream::Stream;
use super::super::strict;
use super::super::transcript::Exchange;

/// Longest time that a write may take.
const WRITE_WAIT: Duration = Duration::from_secs(10);

/// Serves an admitted registration until its connection ends.
pub(crate) async fn run(
    hub: Rc<RefCell<HubState>>,
    stream: Stream,
    input: BytesMut,
    registration: String,
    keep_alive_s: u16,
    token_deadline: Option<Instant>,
) {
    let mut session = RegistrationSession {
        hub: Rc::clone(&hub),
        stream,
        input,
        registration,
        patience: patience(keep_alive_s),
        token_deadline,
        responses: None,
        id: 0,
    };
    tracing::info!(registration = %session.registration, "registration: connected");
    let reason = session.run().await;
    reason.log(&session.registration);
    match reason {
        CloseReason::Protocol(_) => hub.borrow_mut().counters.protocol_errors += 1,
        CloseReason::KeepAlive => hub.borrow_mut().counters.keep_alive_timeouts += 1,
        _ => {}
    }
}

struct RegistrationSession {
    hub: Rc<RefCell<HubState>>,
    stream: Stream,
    input: BytesMut,
    registration: String,
    /// How long the client may be silent.
    patience: Duration,
    token_deadline: Option<Instant>,
    /// QoS at which answers are heard; without a subscription they are not sent.
    responses: Option<QoS>,
    /// Packet id of the last answer at QoS 1.
    id: u16,
}

impl RegistrationSession {
    async fn run(&mut self) -> CloseReason {
        let mut out = BytesMut::new();
        if ConnAck::new(ConnectReturnCode::Success, false).write(&mut out).is_err() {
            return CloseReason::Protocol("a CONNACK that cannot be written".to_owned());
        }
        loop {
            if let Err(reason) = self.write(&mut out).await {
                return reason;
            }
            let step = match self.read().await {
                Ok(packet) => self.handle(packet, &mut out),
                Err(reason) => Err(reason),
            };
            if let Err(reason) = step {
                return reason;
            }
        }
    }

    async fn write(&mut self, out: &mut BytesMut) -> Result<(), CloseReason> {
        let write = async {
            self.stream.write_all_buf(out).await?;
            self.stream.flush().await
        };
        match timeout(WRITE_WAIT, write).await {
            Ok(written) => written.map_err(|error| CloseReason::Io(error.kind())),
            Err(_) => Err(CloseReason::Io(std::io::ErrorKind::TimedOut)),
        }
    }

    async fn read(&mut self) -> Result<Packet, CloseReason> {
        let silent_at = Instant::now() + self.patience;
        loop {
            match strict::next(&mut self.input) {
                Ok(Some(packet)) => return Ok(packet),
                Ok(None) => {}
                Err(violation) => return Err(CloseReason::Protocol(violation.to_string())),
            }
            let deadline = self.token_deadline.map_or(silent_at, |token| token.min(silent_at));
            match timeout_at(deadline.into(), self.stream.read_buf(&mut self.input)).await {
                Ok(Ok(0)) => return Err(CloseReason::PeerClosed),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(CloseReason::of_read(&error)),
                Err(_) if deadline < silent_at => return Err(CloseReason::TokenExpired),
                Err(_) => return Err(CloseReason::KeepAlive),
            }
        }
    }

    /// Appends what a packet is answered.
    fn handle(&mut self, packet: Packet, out: &mut BytesMut) -> Result<(), CloseReason> {
        let written = match packet {
            Packet::Publish(publish) => return self.on_publish(&publish, out),
            Packet::Subscribe(subscribe) => self.on_subscribe(&subscribe, out),
            Packet::Unsubscribe(unsubscribe) => {
                if unsubscribe.topics.iter().any(|filter| filter == dps::RESPONSES) {
                    self.responses = None;
                }
                UnsubAck::new(unsubscribe.pkid).write(out)
            }
            Packet::PingReq => PingResp.write(out),
            // Answers are not sent again: a client that misses one asks again.
            Packet::PubAck(_) => Ok(0),
            Packet::Disconnect => return Err(CloseReason::Disconnect),
            _ => return Err(CloseReason::Protocol("a packet that has no place here".to_owned())),
        };
        written.map(drop).map_err(|error| CloseReason::Protocol(error.to_string()))
    }

    fn on_subscribe(
        &mut self,
        subscribe: &Subscribe,
        out: &mut BytesMut,
    ) -> Result<usize, mqttbytes::Error> {
        let codes = subscribe
            .filters
            .iter()
            .map(|filter| {
                let qos =
                    if filter.qos == QoS::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce };
                if filter.path == dps::RESPONSES {
                    self.responses = Some(qos);
                } else {
                    let (client, path) = (&self.registration, &filter.path);
                    self.hub.borrow_mut().warn_unserved_registration(client, path);
                }
                SubscribeReasonCode::Success(qos)
            })
            .collect();
        SubAck::new(subscribe.pkid, codes).write(out)
    }

    /// The service closes a connection that publishes to any other topic.
    fn on_publish(&mut self, publish: &Publish, out: &mut BytesMut) -> Result<(), CloseReason> {
        if publish.qos == QoS::ExactlyOnce {
            return Err(CloseReason::Protocol("a QoS 2 publish".to_owned()));
        }
        let Some(asked) = dps::parse_request(&publish.topic) else {
            return Err(CloseReason::Protocol("a publish to an unknown topic".to_owned()));
        };
        let client = || self.registration.clone();
        let answer = {
            let mut hub = self.hub.borrow_mut();
            hub.transcript.add(|| Exchange::sent(client(), &publish.topic, &publish.payload));
            hub.registration_answer(&self.registration, &asked, &publish.payload)
        };
        if publish.qos == QoS::AtLeastOnce {
            let written = PubAck::new(publish.pkid).write(out);
            written.map_err(|error| CloseReason::Protocol(error.to_string()))?;
        }
        let (Some(answer), Some(qos)) = (answer, self.responses) else { return Ok(()) };
        let (dps::Asked::Register { rid } | dps::Asked::Poll { rid, .. }) = asked;
        let topic = dps::response(answer.status, &rid, answer.retry_after_s);
        if topic.len() > topics::TOPIC_LEN_MAX {
            return Err(CloseReason::Protocol("a request id too long to answer".to_owned()));
        }
        tracing::info!(registration = %self.registration, status = answer.status, "registration");
        let mut response = Publish::new(topic, qos, answer.body.to_string());
        let Publish { topic, payload, .. } = &response;
        let note = || Exchange::answered(client(), topic, payload);
        self.hub.borrow_mut().transcript.add(note);
        if qos == QoS::AtLeastOnce {
            self.id = self.id % u16::MAX + 1;
            response.pkid = self.id;
        }
        response.write(out).map(drop).map_err(|error| CloseReason::Protocol(error.to_string()))
    }
}
