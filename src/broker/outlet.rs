//! The connection that alerts leave by when there is no hub, and on which the threshold comes.
//!
//! - In: payloads of the control topic, PUBACKs. Out: alerts by the template, reports, both QoS 1.
//! - Inputs come on a connection of their own, so nothing that is waited for here ever stands
//!   behind them.
//! - Before the first judgement the retained patch is waited for: a PINGREQ behind the subscription
//!   is answered behind what the broker had retained, unless it sends that at its leisure. At most
//!   [`FIRST_TWIN_WAIT`](crate::twin::limits::FIRST_TWIN_WAIT) from the first CONNACK. Without
//!   leave to subscribe nothing is waited for, and alerts leave all the same.
//! - A patch that was cleared while there was no connection is missed in what the broker had
//!   retained ([`RETAINED_WAIT`]).
//! - An alert that the broker answers by hanging up, again and again, is put aside
//!   ([`Outbound::hung_up`]).

mod control_topic;
mod hold;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::Packet;
use tokio::sync::{Notify, watch};
use tokio::time::sleep_until;

use super::{Context, Control, Login};
use crate::broker::limits::RETAINED_WAIT;
use crate::broker::settings::Standalone;
use crate::host::logging::LineLimit;
use crate::mqtt::session::{
    self, Ask, Cause, Client, Connected, End, FailedAttempt, Leaving, Serve, Session, Step, Wait,
};
use crate::mqtt::wire::Incoming;
use crate::mqtt::{ByteStream, Connection, Stream};
use crate::outbound::dead_letters::DeadLetters;
use crate::outbound::naming::BrokerOutput;
use crate::outbound::{Acknowledged, Outbound};
use crate::pipeline::Pipeline;
use crate::pipeline::message::SourceId;
use hold::Hold;

/// The outlet, with everything that outlives a connection.
pub struct Outlet {
    login: Login,
    client_id: String,
    control_topic: String,
    reported_topic: String,
    control: Control,
    outbound: Outbound<BrokerOutput>,
    context: Context,
    wake: Arc<Notify>,
    hold: Hold,
    /// When the broker will have sent what it had retained; `None` before it has answered on this
    /// connection, and after that moment.
    delivered_by: Option<Instant>,
    /// Told to stop.
    leaving: Option<Leaving<()>>,
    patch_lines: LineLimit,
}

impl Outlet {
    /// The outlet of a pipeline, not connected yet. `wake` is the outlet's there.
    pub fn new(login: &Login, topics: &Standalone, context: Context, wake: Arc<Notify>) -> Self {
        let cell = Arc::clone(context.pipeline.lock().cell());
        let default = cell.load().threshold;
        Self {
            login: login.clone(),
            client_id: login.outlet().client_id,
            control_topic: topics.control.clone(),
            reported_topic: topics.reported.clone(),
            control: Control::new(cell, default),
            outbound: Outbound::new(BrokerOutput::new(topics.alerts.clone())),
            context,
            wake,
            hold: Hold::default(),
            delivered_by: None,
            leaving: None,
            patch_lines: LineLimit::default(),
        }
    }

    /// Puts alerts that the broker does not take into files, and tries those of earlier runs again.
    #[must_use]
    pub fn parking_in(mut self, dead_letters: DeadLetters) -> Self {
        self.outbound.park_in(dead_letters, session::now());
        self
    }

    /// Connects, serves, and connects again until told to stop.
    pub async fn run(mut self) {
        session::run(&mut self).await;
    }
}

impl Client for Outlet {
    type Stream = Stream;

    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn stop(&self) -> &watch::Receiver<bool> {
        &self.context.stop
    }

    fn files(&self) -> Vec<PathBuf> {
        self.login.files()
    }

    async fn connect(&mut self) -> Result<Connected, FailedAttempt> {
        self.login.read_again()?;
        let (login, hello) = (self.login.clone(), self.login.outlet());
        let pipeline = self.context.pipeline.clone();
        self.idle(login.connect(hello, &pipeline)).await
    }

    /// The hold ends in time, however long it takes to connect.
    async fn idle<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let Some(until) = self.hold.until().filter(|_| self.context.pipeline.lock().is_holding())
        else {
            return work.await;
        };
        tokio::select! {
            done = &mut work => return done,
            () = sleep_until(until.into()) => {}
        }
        {
            let pipeline = &mut *self.context.pipeline.lock();
            self.hold.end_when_due(pipeline, session::now());
            pipeline.wake_others(&self.wake);
        }
        work.await
    }

    fn left(&mut self, (): ()) -> bool {
        false
    }

    fn lost(&mut self, end: &End) -> Cause {
        let pipeline = &mut *self.context.pipeline.lock();
        pipeline.counters.puback_timeouts += u64::from(matches!(end, End::NoPubAck(_)));
        if !(end.is_hang_up() || matches!(end, End::NoPubAck(_))) {
            return Cause::Unknown;
        }
        let outcome = self.outbound.hung_up(session::now(), pipeline);
        if outcome.is_report_refused {
            self.control.acknowledged();
        }
        if outcome.has_settled {
            pipeline.wake_others(&self.wake);
        }
        match outcome.is_explained {
            true => Cause::Refused,
            // Both connections have one name, and the source sees whether another uses it.
            false if pipeline.is_shared(SourceId::Broker) => Cause::Shared,
            false => Cause::Unknown,
        }
    }
}

impl Serve for Outlet {
    type Leave = ();

    fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }

    fn puback_timeout(&self) -> Duration {
        self.context.puback_timeout
    }

    fn open(&mut self, _session_present: bool, now: Instant) -> Result<Ask, End> {
        self.hold.connected(now);
        self.control.connected();
        (self.delivered_by, self.leaving) = (None, None);
        let packet_id = self.outbound.reconnected().ok_or(End::NoPacketId)?;
        Ok(Ask { packet_id, filters: vec![self.control_topic.clone()] })
    }

    fn turn<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        now: Instant,
    ) -> Result<Step<()>, End> {
        let shared = self.context.pipeline.clone();
        let pipeline = &mut *shared.lock();
        self.receive(session, pipeline, now)?;
        if self.delivered_by.take_if(|delivered_by| now >= *delivered_by).is_some() {
            self.on_retained_delivered();
        }
        self.hold.end_when_due(pipeline, now);
        self.pump(&mut session.connection, pipeline, now)?;
        if self.context.is_stopping() && self.leaving.is_none() {
            self.leaving = Some(Leaving::within(self.context.drain_timeout, now, ()));
        }
        let judged = pipeline.is_holding() || pipeline.is_drained();
        let is_drained = judged && self.outbound.is_drained();
        if self.leaving.as_ref().is_some_and(|leaving| leaving.is_over(now, is_drained)) {
            return Ok(Step::Leave(()));
        }
        let until = self.leaving.as_ref().map(Leaving::until);
        let oldest = self.outbound.oldest();
        Ok(Step::Wait(Wait { read: true, pause: None, until, oldest }))
    }
}

impl Outlet {
    /// Sorts what a turn brought.
    fn receive<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        pipeline: &mut Pipeline,
        now: Instant,
    ) -> Result<(), End> {
        let Session { connection, inbox, subscription, .. } = session;
        let mut has_worked = false;
        let (block, packets) = inbox.drain();
        for packet in packets {
            match packet {
                Incoming::Publish(publish) => {
                    if publish.topic(&block) == self.control_topic.as_bytes() {
                        let is_retained = publish.is_retained();
                        self.on_patch(&block[publish.body()], is_retained, pipeline, now);
                    } else {
                        pipeline.counters.unexpected += 1;
                    }
                    if let Some(packet_id) = publish.packet_id() {
                        connection.acknowledge(packet_id);
                    }
                }
                Incoming::TooLarge { packet_id, bytes, topic } => {
                    if **topic == *self.control_topic.as_bytes() {
                        self.on_too_large_patch(bytes, pipeline, now);
                    } else {
                        pipeline.counters.unexpected += 1;
                    }
                    packet_id.into_iter().for_each(|id| connection.acknowledge(id));
                }
                Incoming::PubAck(id) => {
                    has_worked = true;
                    if self.outbound.acknowledged(id, pipeline) == Acknowledged::Report {
                        self.control.acknowledged();
                    }
                }
                Incoming::Other(packet) => match *packet {
                    Packet::SubAck(ack) => {
                        if self.subscribed(subscription, &ack)? {
                            connection.send(&Packet::PingReq)?;
                        }
                    }
                    // A PINGRESP before the SUBACK answers a keep-alive. Every later one was sent
                    // behind what the broker had retained.
                    Packet::PingResp if subscription.is_answered() => {
                        if subscription.is_granted() {
                            self.delivered_by.get_or_insert(now + RETAINED_WAIT);
                        }
                        self.outbound.answered();
                        self.hold.known();
                    }
                    Packet::PingResp => {}
                    _ => pipeline.counters.unexpected += 1,
                },
            }
        }
        if has_worked {
            session.worked();
        }
        Ok(())
    }

    /// Moves everything that can move without waiting.
    fn pump<S: ByteStream>(
        &mut self,
        connection: &mut Connection<S>,
        pipeline: &mut Pipeline,
        now: Instant,
    ) -> Result<(), End> {
        pipeline.advance(now);
        if self.outbound.has_room(connection)
            && let Some(body) = self.control.next_report()
        {
            self.outbound.report(self.reported_topic.clone(), body, connection)?;
        }
        if self.outbound.wants_ping(now, !self.context.is_stopping(), pipeline) {
            connection.send(&Packet::PingReq)?;
        }
        self.outbound.send(connection, pipeline, None)?;
        pipeline.wake_others(&self.wake);
        Ok(())
    }
}

#[cfg(test)]
mod broker_tests;
#[cfg(test)]
mod parking_tests;
#[cfg(test)]
mod tests;
