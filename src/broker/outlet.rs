//! The connection that alerts leave by when there is no hub, and on which the threshold comes.
//!
//! - In: payloads of the control topic, PUBACKs. Out: alerts by the template, reports, both QoS 1.
//! - Inputs come on a connection of their own, so nothing that is waited for here ever stands behind
//!   them.
//! - Before the first judgement the retained patch is waited for: a PINGREQ behind the subscription
//!   is answered behind what the broker had retained, unless it sends that at its leisure. At most
//!   [`FIRST_TWIN_WAIT`](crate::limits::FIRST_TWIN_WAIT) from the first CONNACK. Without leave to
//!   subscribe nothing is waited for, and alerts leave all the same.
//! - A patch that was cleared while there was no connection is missed in what the broker had retained
//!   ([`RETAINED_WAIT`]).
//! - An alert that the broker answers by hanging up, again and again, is put aside
//!   ([`Outbound::hung_up`]).

mod hearing;
mod hold;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::Packet;
use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout_at};

use super::dial::{Dial, End, now};
use super::subscription::Subscription;
use super::{Context, Control, Login};
use crate::dead_letters::DeadLetters;
use crate::forward::BrokerOutput;
use crate::limits::RETAINED_WAIT;
use crate::logging::LineLimit;
use crate::mqtt::wire::Incoming;
use crate::mqtt::{ByteStream, Connection, Inbox, Stream};
use crate::outbound::{Acknowledged, Outbound};
use crate::pipeline::{Pipeline, SharedPipeline};
use crate::settings::Standalone;
use crate::threshold::ThresholdCell;
use hold::Hold;

/// The outlet, with everything that outlives a connection.
pub struct Outlet {
    dial: Dial,
    control_topic: String,
    reported_topic: String,
    control: Control,
    outbound: Outbound<BrokerOutput>,
    pipeline: SharedPipeline,
    wake: Arc<Notify>,
    cell: Arc<ThresholdCell>,
    drain_timeout: Duration,
    hold: Hold,
    /// When the broker will have told what it had retained; `None` before it has answered on this
    /// connection, and after that moment.
    told_at: Option<Instant>,
    patch_lines: LineLimit,
}

impl Outlet {
    /// The outlet of a pipeline, not connected yet. `wake` is the outlet's there.
    pub fn new(login: &Login, topics: &Standalone, context: Context, wake: Arc<Notify>) -> Self {
        let Context { pipeline, stop, cell, drain_timeout } = context;
        let (endpoint, hello) = (login.endpoint().clone(), login.outlet());
        let default = cell.load().threshold;
        Self {
            dial: Dial::new(endpoint, hello, stop, pipeline.clone()),
            control_topic: topics.control.clone(),
            reported_topic: topics.reported.clone(),
            control: Control::new(Arc::clone(&cell), default),
            outbound: Outbound::new(BrokerOutput::new(topics.alerts.clone())),
            pipeline,
            wake,
            cell,
            drain_timeout,
            hold: Hold::default(),
            told_at: None,
            patch_lines: LineLimit::default(),
        }
    }

    /// Puts alerts that the broker does not take into files, and tries those of earlier runs again.
    #[must_use]
    pub fn parking_in(mut self, dead_letters: DeadLetters) -> Self {
        self.outbound.park_in(dead_letters, now());
        self
    }

    /// Connects, serves, and connects again until told to stop.
    pub async fn run(mut self) {
        while let Some(connection) = self.connect().await {
            match self.serve(connection).await {
                Ok(()) => return,
                Err(end) => self.lost(&end),
            }
        }
    }

    /// Connects, however long it takes; the hold ends in time all the same.
    async fn connect(&mut self) -> Option<Connection<Stream>> {
        let Self { dial, hold, pipeline, cell, wake, .. } = self;
        let connecting = dial.connect();
        tokio::pin!(connecting);
        if let Some(until) = hold.until() {
            tokio::select! {
                connected = &mut connecting => return connected.map(|(connection, _)| connection),
                () = sleep_until(until.into()) => {}
            }
            let pipeline = &mut *pipeline.lock();
            hold.end_when_due(pipeline, cell, now());
            pipeline.wake_others(wake);
        }
        connecting.await.map(|(connection, _)| connection)
    }

    fn lost(&mut self, end: &End) {
        self.dial.lost(end);
        if !end.is_hang_up() {
            return;
        }
        let pipeline = &mut *self.pipeline.lock();
        let outcome = self.outbound.hung_up(now(), pipeline);
        if outcome.is_report_refused {
            self.control.acknowledged();
        }
        if outcome.has_settled {
            pipeline.wake_others(&self.wake);
        }
        if outcome.is_explained {
            self.dial.progressed();
        }
    }

    /// Serves until told to stop and everything has left, or until the connection ends.
    async fn serve(&mut self, mut connection: Connection<impl ByteStream>) -> Result<(), End> {
        let shared = self.pipeline.clone();
        self.hold.connected(now());
        self.control.connected();
        self.told_at = None;
        let packet_id = self.outbound.reconnected().ok_or(End::NoPacketId)?;
        let filters = vec![self.control_topic.clone()];
        let mut subscription = Subscription::ask(&mut connection, packet_id, filters)?;
        let mut inbox = Inbox::default();
        let mut until = None;
        loop {
            let now = now();
            let is_over = {
                let pipeline = &mut *shared.lock();
                self.take(&mut inbox, &mut subscription, pipeline, &mut connection, now)?;
                subscription.check(now, true)?;
                if self.told_at.take_if(|told_at| now >= *told_at).is_some() {
                    self.told_all();
                }
                self.hold.end_when_due(pipeline, &self.cell, now);
                self.pump(&mut connection, pipeline, now)?;
                if self.dial.is_stopping() && until.is_none() {
                    until = Some(now + self.drain_timeout);
                }
                let judged = pipeline.is_holding() || pipeline.is_drained();
                let is_drained = judged && self.outbound.is_drained();
                until.is_some_and(|until| now >= until || is_drained)
            };
            if is_over {
                connection.close().await;
                return Ok(());
            }
            let turn = connection.turn(&mut inbox, &self.wake, true);
            match until {
                Some(until) => timeout_at(until.into(), turn).await.unwrap_or(Ok(()))?,
                None => turn.await?,
            }
        }
    }

    /// Sorts what a turn brought.
    fn take<S: ByteStream>(
        &mut self,
        inbox: &mut Inbox,
        subscription: &mut Subscription,
        pipeline: &mut Pipeline,
        connection: &mut Connection<S>,
        now: Instant,
    ) -> Result<(), End> {
        let (block, packets) = inbox.drain();
        for packet in packets {
            match packet {
                Incoming::Publish(publish) => {
                    if publish.topic(&block) == self.control_topic.as_bytes() {
                        self.told(&block[publish.body()], pipeline, now);
                    } else {
                        pipeline.counters.unexpected += 1;
                    }
                    if let Some(packet_id) = publish.packet_id() {
                        connection.acknowledge(packet_id);
                    }
                }
                Incoming::TooLarge { packet_id, .. } => {
                    pipeline.counters.unexpected += 1;
                    packet_id.into_iter().for_each(|id| connection.acknowledge(id));
                }
                Incoming::PubAck(id) => {
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
                    // One before the SUBACK answers a keep-alive; every later one was sent behind
                    // what the broker had retained.
                    Packet::PingResp if subscription.is_answered() => {
                        if subscription.is_granted() {
                            self.told_at.get_or_insert(now + RETAINED_WAIT);
                        }
                        self.outbound.answered();
                        self.hold.known();
                    }
                    Packet::PingResp => {}
                    _ => pipeline.counters.unexpected += 1,
                },
            }
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
        if self.outbound.wants_ping(now, !self.dial.is_stopping(), pipeline) {
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
