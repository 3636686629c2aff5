//! The program itself, as a function from bytes to bytes: no socket, no clock.

use super::alert::exceeds;
use super::route::Route;
use super::{Counts, SinkError, SinkSettings};
use crate::load::wire::{
    self, Frame, PACKET_BYTES_MAX, PUBACK, Publish, WireError, write_puback, write_publish,
};

/// Most forwarded messages that are not yet acknowledged: all packet ids of MQTT 3.1.1.
pub(super) const IN_FLIGHT_MAX: u32 = 65_535;
/// Most bytes of inputs that are kept, unacknowledged, while [`IN_FLIGHT_MAX`] holds up an alert. A
/// peer that acknowledges none of its alerts and still sends more inputs than this is given up.
pub(super) const PARKED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// First byte of a SUBACK, and the code that refuses (MQTT 3.1.1 §3.9).
const SUBACK: u8 = 0x90;
const SUBSCRIPTION_REFUSED: u8 = 0x80;

/// Decides about inputs and answers them. Nothing is allocated for a message once the buffers have
/// their sizes.
pub(super) struct Filter {
    route: Route,
    threshold: f64,
    counts: Counts,
    /// Packet id of the last message forwarded at QoS 1.
    last_id: u16,
    /// Forwarded at QoS 1 and not acknowledged.
    in_flight: u32,
    /// Whole packets that wait for a free packet id, in order.
    parked: Vec<u8>,
    /// Of the alert in work.
    topic: Vec<u8>,
}

impl Filter {
    pub(super) fn new(settings: &SinkSettings) -> Self {
        Self {
            route: Route::new(&settings.subscribe, &settings.publish),
            threshold: settings.threshold,
            counts: Counts::default(),
            last_id: 0,
            in_flight: 0,
            parked: Vec::new(),
            topic: Vec::new(),
        }
    }

    /// What was counted so far.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes the packets at the start of `bytes`, until one is incomplete or `inputs_max` messages
    /// were taken; appends the answers to `out`. Returns how many bytes were used.
    ///
    /// # Errors
    /// The peer breaks the protocol, refuses the subscription, or acknowledges no alerts.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        inputs_max: u64,
        out: &mut Vec<u8>,
    ) -> Result<usize, SinkError> {
        let (mut used, mut inputs) = (0, 0);
        while inputs < inputs_max {
            let Some(frame) = wire::frame(&bytes[used..])? else { break };
            used += frame.whole.len();
            if frame.is_publish() {
                inputs += 1;
                self.input(&frame, out)?;
            } else {
                self.control(&frame)?;
            }
        }
        if !self.parked.is_empty() && self.in_flight < IN_FLIGHT_MAX {
            self.unpark(out)?;
        }
        Ok(used)
    }

    #[inline]
    fn input(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), SinkError> {
        self.counts.inputs += 1;
        if !self.parked.is_empty() || !self.answer(frame, out)? {
            if self.parked.len() + frame.whole.len() > PARKED_BYTES_MAX {
                return Err(SinkError::Unacknowledged);
            }
            self.parked.extend_from_slice(frame.whole);
        }
        Ok(())
    }

    /// Answers an input; `false`, and nothing was done, when that takes a packet id and none is free.
    #[inline]
    fn answer(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<bool, SinkError> {
        let publish = frame.publish()?;
        if frame.first & 4 != 0 {
            // Only QoS 0 and 1 were subscribed to.
            return Err(WireError::Malformed(frame.first).into());
        }
        if self.route.is_input(publish.topic) && exceeds(publish.body, self.threshold) {
            if publish.packet_id.is_some() && self.in_flight >= IN_FLIGHT_MAX {
                return Ok(false);
            }
            self.alert(&publish, out);
        }
        if let Some(id) = publish.packet_id {
            write_puback(out, id);
        }
        Ok(true)
    }

    fn alert(&mut self, publish: &Publish<'_>, out: &mut Vec<u8>) {
        self.counts.alerts += 1;
        self.route.write_topic(&mut self.topic, publish.topic, true);
        let length = 4 + self.topic.len() + publish.body.len();
        if self.topic.len() > usize::from(u16::MAX) || length > PACKET_BYTES_MAX {
            self.counts.too_large += 1;
            return;
        }
        let id = publish.packet_id.map(|_| self.next_id());
        write_publish(out, &self.topic, id, publish.body);
        self.counts.forwarded += 1;
    }

    /// Packet ids are used in turn. As acknowledgements come in the order of the messages (MQTT
    /// 3.1.1 §4.6), counting those in flight keeps one from being used twice at a time.
    fn next_id(&mut self) -> u16 {
        self.in_flight += 1;
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }

    fn control(&mut self, frame: &Frame<'_>) -> Result<(), SinkError> {
        match frame.first {
            PUBACK => {
                frame.puback()?;
                self.counts.acknowledged += 1;
                self.in_flight = self.in_flight.saturating_sub(1);
                Ok(())
            }
            SUBACK if frame.rest.get(2).is_none_or(|code| *code == SUBSCRIPTION_REFUSED) => {
                Err(SinkError::SubscriptionRefused)
            }
            // Answers to pings and to the subscription; whatever else there is asks for none.
            _ => Ok(()),
        }
    }

    /// Answers what was parked, as far as packet ids are free.
    fn unpark(&mut self, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let mut parked = std::mem::take(&mut self.parked);
        let mut used = 0;
        while let Some(frame) = wire::frame(&parked[used..])?
            && self.answer(&frame, out)?
        {
            used += frame.whole.len();
        }
        parked.drain(..used);
        self.parked = parked;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
