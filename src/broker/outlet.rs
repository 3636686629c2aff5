//! The connection that alerts leave by when there is no hub, and on which the threshold comes.
//!
//! - In: payloads of the control topic, PUBACKs. Out: alerts by the template, reports, both QoS 1.
//! - Inputs come on a connection of their own, so nothing that is waited for here ever stands behind
//!   them.
//! - Before the first judgement the retained patch is waited for: a PINGREQ behind the subscription
//!   is answered behind what the broker had retained. At most [`FIRST_TWIN_WAIT`] from CONNACK.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::Packet;
use tokio::sync::{Notify, watch};
use tokio::time::timeout_at;
use tracing::{info, warn};

use super::dial::{Dial, End, close, now};
use super::subscription::Subscription;
use super::{Control, Login};
use crate::forward::BrokerOutput;
use crate::limits::FIRST_TWIN_WAIT;
use crate::logging::excerpt;
use crate::mqtt::wire::Incoming;
use crate::mqtt::{ByteStream, Connection, Inbox};
use crate::outbound::{Acknowledged, Outbound};
use crate::pipeline::{Pipeline, SharedPipeline};
use crate::settings::Standalone;
use crate::threshold::ThresholdCell;
use crate::twin::Outcome;

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
    /// Until then messages wait for the retained patch.
    hold_until: Instant,
    /// The broker has sent what it had retained, or has nothing.
    is_known: bool,
}

impl Outlet {
    /// The outlet of `pipeline`, not connected yet. `wake` is the outlet's there; `stop` turns true
    /// for shutdown, together with a notification on `wake`.
    pub fn new(
        login: &Login,
        topics: &Standalone,
        pipeline: SharedPipeline,
        wake: Arc<Notify>,
        stop: watch::Receiver<bool>,
        cell: Arc<ThresholdCell>,
        drain_timeout: Duration,
    ) -> Self {
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
            hold_until: now(),
            is_known: false,
        }
    }

    /// Connects, serves, and connects again until told to stop.
    pub async fn run(mut self) {
        while let Some((connection, _)) = self.dial.connect().await {
            match self.serve(connection).await {
                Ok(()) => return,
                Err(end) => self.dial.lost(&end),
            }
        }
    }

    /// Serves until told to stop and everything has left, or until the connection ends.
    async fn serve(&mut self, mut connection: Connection<impl ByteStream>) -> Result<(), End> {
        let shared = self.pipeline.clone();
        self.hold_until = now() + FIRST_TWIN_WAIT;
        let packet_id = self.outbound.reconnected().ok_or(End::NoPacketId)?;
        let filters = vec![self.control_topic.clone()];
        let mut subscription = Subscription::ask(&mut connection, packet_id, filters)?;
        let mut inbox = Inbox::default();
        let mut until = None;
        loop {
            let now = now();
            let is_over = {
                let pipeline = &mut *shared.lock();
                self.take(&mut inbox, &mut subscription, pipeline, &mut connection)?;
                subscription.check(now)?;
                self.end_hold_when_due(pipeline, now);
                self.pump(&mut connection, pipeline, now)?;
                if self.dial.is_stopping() && until.is_none() {
                    until = Some(now + self.drain_timeout);
                }
                let judged = pipeline.is_holding() || pipeline.is_drained();
                let is_drained = judged && self.outbound.waiting() == 0;
                until.is_some_and(|until| now >= until || is_drained)
            };
            if is_over {
                close(connection).await;
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
    ) -> Result<(), End> {
        let (block, packets) = inbox.drain();
        for packet in packets {
            match packet {
                Incoming::Publish(publish) => {
                    if publish.topic(&block) == self.control_topic.as_bytes() {
                        self.told(&block[publish.body()], pipeline);
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
                        if subscription.acknowledged(&ack)? {
                            self.outbound.subscribed(subscription.packet_id());
                            connection.send(&Packet::PingReq)?;
                        }
                    }
                    // The first one answers the PINGREQ above: nothing else is sent before it.
                    Packet::PingResp => self.is_known = true,
                    _ => pipeline.counters.unexpected += 1,
                },
            }
        }
        Ok(())
    }

    fn told(&mut self, payload: &[u8], pipeline: &mut Pipeline) {
        pipeline.counters.twin_callbacks += 1;
        info!(
            "control topic, patch {}: \"{}\"",
            pipeline.counters.twin_callbacks,
            excerpt(payload)
        );
        match self.control.told(payload) {
            Outcome::Applied(threshold) => {
                self.is_known = true;
                info!("threshold in force: {threshold}");
            }
            Outcome::Refused(problem) => {
                pipeline.counters.twin_refused += 1;
                let kept = self.cell.load().threshold;
                warn!("control patch refused: {problem}; the threshold stays {kept}");
            }
            _ => {}
        }
    }

    fn end_hold_when_due(&mut self, pipeline: &mut Pipeline, now: Instant) {
        if !pipeline.is_holding() || (!self.is_known && now < self.hold_until) {
            return;
        }
        let threshold = self.cell.load().threshold;
        if !self.is_known {
            warn!("no word from the control topic in {FIRST_TWIN_WAIT:?}: {threshold} judges");
        }
        pipeline.release_hold(threshold);
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
        self.outbound.send(connection, pipeline, None)?;
        pipeline.wake_others(&self.wake);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
