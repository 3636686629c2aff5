//! What the sensor does with a connection to the hub: what it begins with, and turn after turn.

use std::future::pending;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::sleep_until;
use tracing::{debug, info, warn};

use super::{DeviceLink, LEAVE_WAIT, TELEMETRY_INFLIGHT_MAX};
use crate::azure::topics::{self, Received};
use crate::host::logging::excerpt;
use crate::mqtt::limits::{PUBACK_TIMEOUT_DEFAULT, TOPIC_BYTES_MAX};
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::session::{
    Ask, Cause, Client, Connected, End, FailedAttempt, Leaving, Serve, Session, Step, Wait,
};
use crate::mqtt::wire::{Incoming, Outgoing};
use crate::mqtt::{ByteStream, Connection, QoS, Stream};
use crate::sensor::settings::SensorSettings;
use crate::sensor::template::Writable;
use crate::sensor::twin::Wanted;
use crate::twin::misplaced::{warn_of_document, warn_of_patch};

/// What a device listens to.
const FILTERS: [&str; 3] = [topics::TWIN_RESPONSES, topics::DESIRED_PATCHES, topics::METHODS];

/// Why the device left on its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceLeave {
    /// It was told to stop.
    Stop,
    /// The token is to be renewed.
    Renewal,
}

impl Client for DeviceLink {
    type Stream = Stream;

    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn stop(&self) -> &watch::Receiver<bool> {
        &self.stop
    }

    fn files(&self) -> Vec<PathBuf> {
        let SensorSettings { key, tls, .. } = &self.settings;
        key.paths().iter().chain(tls.paths()).cloned().collect()
    }

    /// Registers first, where it is not known where to connect to.
    async fn connect(&mut self) -> Result<Connected, FailedAttempt> {
        self.read_again()?;
        let assignment = match self.assignment.clone().filter(|_| !self.is_stale()) {
            Some(assignment) => assignment,
            None => self.register().await?,
        };
        self.attend(assignment).await
    }

    /// The device goes on.
    async fn idle<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            self.tick();
            let due = self.device.deadline();
            let device = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                done = &mut work => return done,
                () = device => {}
            }
        }
    }

    fn left(&mut self, why: DeviceLeave) -> bool {
        if why == DeviceLeave::Renewal {
            info!("renewing the token");
        }
        why == DeviceLeave::Renewal
    }

    fn lost(&mut self, _end: &End) -> Cause {
        Cause::Unknown
    }
}

impl Serve for DeviceLink {
    type Leave = DeviceLeave;

    fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }

    fn puback_timeout(&self) -> Duration {
        PUBACK_TIMEOUT_DEFAULT
    }

    /// Telemetry without PUBACK will be sent again, and the subscriptions are made.
    fn open(&mut self, _session_present: bool, _now: Instant) -> Result<Ask, End> {
        self.leaving = None;
        self.resend = self.inflight.resend();
        let filters = FILTERS.map(str::to_owned).to_vec();
        Ok(Ask { packet_id: self.reserve_packet_id(), filters })
    }

    fn turn<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        now: Instant,
    ) -> Result<Step<DeviceLeave>, End> {
        self.receive(session, now)?;
        self.tick();
        let is_due = self.is_stopping() || now >= self.renew_at;
        if self.leaving.is_none() && is_due {
            let why = if self.is_stopping() { DeviceLeave::Stop } else { DeviceLeave::Renewal };
            self.leaving = Some(Leaving::within(self.leave_wait(), now, why));
        }
        self.send_again(&mut session.connection)?;
        if self.leaving.is_none() {
            self.send_new(session, now)?;
        }
        if let Some(leaving) = &self.leaving
            && leaving.is_over(now, self.is_settled())
        {
            return Ok(Step::Leave(if self.is_stopping() {
                DeviceLeave::Stop
            } else {
                leaving.why
            }));
        }
        let limit = self.leaving.as_ref().map_or(self.renew_at, Leaving::until);
        let until = Some(self.device.deadline().map_or(limit, |due| due.min(limit)));
        let read = session.connection.is_writable();
        Ok(Step::Wait(Wait { read, pause: None, until, oldest: self.inflight.oldest() }))
    }
}

impl DeviceLink {
    /// Sorts what a turn brought, in order of arrival.
    fn receive<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        now: Instant,
    ) -> Result<(), End> {
        let Session { connection, inbox, subscription, .. } = session;
        let mut has_worked = false;
        let (block, packets) = inbox.drain();
        for packet in packets {
            match packet {
                Incoming::Publish(publish) => {
                    self.received(connection, &publish.to_publish(&block), now)?;
                }
                Incoming::TooLarge { packet_id, bytes, topic } => {
                    self.received_too_large(&topic, bytes, now);
                    packet_id.into_iter().for_each(|id| connection.acknowledge(id));
                }
                Incoming::PubAck(id) => {
                    let is_acknowledged = self.acknowledged(id);
                    self.counters.telemetry_acknowledged += u64::from(is_acknowledged);
                    has_worked |= is_acknowledged;
                }
                Incoming::Other(packet) => {
                    if let Packet::SubAck(ack) = *packet
                        && subscription.acknowledged(&ack)?
                    {
                        self.subscribed(ack.pkid, now);
                    }
                }
            }
        }
        if has_worked {
            session.worked();
        }
        Ok(())
    }

    fn subscribed(&mut self, packet_id: u16, now: Instant) {
        self.inflight.complete(packet_id);
        self.twin.connected();
        if std::mem::take(&mut self.is_new) {
            let action = self.device.start(now);
            self.act(action);
        }
    }

    /// Sorts one publish, in order of arrival.
    fn received<S: ByteStream>(
        &mut self,
        connection: &mut Connection<S>,
        publish: &Publish,
        now: Instant,
    ) -> Result<(), End> {
        let Some(identity) = &self.identity else { return Ok(()) };
        match topics::parse_received(identity, &publish.topic) {
            Received::Method { name, rid } => {
                self.command(connection, &name, &rid, &publish.payload, now)?
            }
            Received::DesiredPatch { version } => {
                info!("desired properties: \"{}\"", excerpt(&publish.payload));
                let wanted = self.twin.patch(version, &publish.payload);
                warn_of_patch(&publish.payload, &Writable::ALL.map(Writable::name));
                self.change(wanted, now);
            }
            Received::TwinResponse { status, rid, .. } => {
                let wanted = self.twin.response(status, &rid, &publish.payload, now);
                let known = Writable::ALL.map(Writable::name);
                warn_of_document(status, &publish.payload, &known);
                self.change(wanted, now);
            }
            Received::Input { .. } | Received::Other => {
                debug!("publish on an unexpected topic ignored: {:?}", publish.topic);
            }
        }
        if publish.qos != QoS::AtMostOnce {
            connection.acknowledge(publish.pkid);
        }
        Ok(())
    }

    /// A publish came that was passed over. What is of the twin can be asked for.
    fn received_too_large(&mut self, topic: &[u8], bytes: usize, now: Instant) {
        let Some(identity) = &self.identity else { return };
        let topic = String::from_utf8_lossy(topic);
        warn!("publish of {bytes} bytes passed over: \"{}\"", excerpt(topic.as_bytes()));
        let received = topics::parse_received(identity, &topic);
        let wanted = self.twin.too_large(&received, bytes, now);
        self.change(wanted, now);
    }

    /// QoS 0: an answer that is lost with the connection is of no use to a caller who was told 504
    /// meanwhile.
    fn command<S: ByteStream>(
        &mut self,
        connection: &mut Connection<S>,
        name: &str,
        rid: &str,
        payload: &[u8],
        now: Instant,
    ) -> Result<(), End> {
        let response = self.device.command(name, payload, now);
        let topic = topics::method_response(response.status, rid);
        // No hub writes such a request id; its caller gets a time-out.
        if topic.len() > TOPIC_BYTES_MAX {
            warn!("command {name:?} not answered: no topic can carry its request id");
            return Ok(());
        }
        info!("command {name:?} \"{}\": {}", excerpt(payload), response.status);
        self.counters.commands += 1;
        let body = response.body.map_or_else(String::new, |body| body.to_string());
        connection.publish(&Publish::new(topic, QoS::AtMostOnce, body))?;
        Ok(())
    }

    fn change(&mut self, wanted: Result<Vec<Wanted>, String>, now: Instant) {
        match wanted {
            Err(problem) => warn!("{problem}"),
            Ok(wanted) => {
                for (property, value) in self.twin.reported() {
                    self.device.was_in_force(property, value);
                }
                for Wanted { property, raw, version } in wanted {
                    self.counters.changes += 1;
                    self.device.desired(property, raw.as_deref(), version, now);
                }
            }
        }
    }

    /// Never so long that the token ends meanwhile.
    fn leave_wait(&self) -> Duration {
        LEAVE_WAIT.min(self.settings.token_lifetime / 10)
    }

    /// Whether everything that was sent is answered.
    fn is_settled(&self) -> bool {
        self.inflight.waiting() == 0 && !self.twin.is_waiting()
    }

    /// Whether a PUBACK is for telemetry that was sent on this connection, which has arrived then.
    pub(super) fn acknowledged(&mut self, packet_id: u16) -> bool {
        let is_unsent = |front: &u16| self.inflight.is_from(*front, packet_id);
        let is_early = self.resend.front().is_some_and(is_unsent);
        let is_sent = !is_early && self.inflight.get(packet_id).is_some();
        is_sent && self.inflight.complete(packet_id).is_some()
    }

    /// Sends what was sent on an earlier connection and has no PUBACK.
    fn send_again<S: ByteStream>(&mut self, connection: &mut Connection<S>) -> Result<(), End> {
        while connection.is_writable() {
            let Some(id) = self.resend.pop_front() else { break };
            if let Some(body) = self.inflight.get(id) {
                connection.publish(telemetry(&self.telemetry_topic, id, true, body))?;
            }
        }
        Ok(())
    }

    /// Sends everything new that can leave without waiting.
    fn send_new<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        now: Instant,
    ) -> Result<(), End> {
        let connection = &mut session.connection;
        while connection.is_writable()
            && self.resend.is_empty()
            && self.inflight.waiting() < TELEMETRY_INFLIGHT_MAX
            && self.inflight.room() > 0
        {
            let Some(body) = self.telemetry.pop_front() else { break };
            debug!("telemetry: {body}");
            let id = self.inflight.next_id();
            connection.publish(telemetry(&self.telemetry_topic, id, false, &body))?;
            self.inflight.push(body).expect("there was room");
        }
        if session.subscription.is_answered() {
            while let Some(request) = self.twin.next_request(now) {
                connection.publish(&Publish::new(request.topic, QoS::AtMostOnce, request.body))?;
            }
        }
        Ok(())
    }
}

fn telemetry<'a>(topic: &'a str, id: u16, dup: bool, body: &'a str) -> Outgoing<'a> {
    Outgoing { topic, packet_id: Some(id), dup, retain: false, body: body.as_bytes() }
}
