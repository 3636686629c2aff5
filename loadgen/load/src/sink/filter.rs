//! The program itself, as a function from bytes to bytes: no socket, no clock.

use super::alert::exceeds;
use super::faults::{Faults, flip_bit, hits};
use super::route::Route;
use super::{Lateness, PINGREQ, SinkCounts, SinkError, SinkSettings};
use crate::wire::{self, Frame, PACKET_BYTES_MAX, PUBACK, Publish, write_puback, write_publish};

/// No more alerts are begun when so many forwarded messages are not yet acknowledged: all packet
/// ids of MQTT 3.1.1, less what one alert may take beyond the first: its duplicate, and an alert
/// put behind it with the duplicate of that.
pub(super) const IN_FLIGHT_MAX: u32 = 65_535 - 3;
/// Most bytes of inputs that are kept, unacknowledged, while [`IN_FLIGHT_MAX`] holds up an alert. A
/// peer that acknowledges none of its alerts and still sends more inputs than this is given up.
pub(super) const PARKED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// First byte of a SUBACK, and what follows its length when the one subscription is granted as it
/// was asked for, at QoS 1; the codes that refuse, and that grant less (MQTT 3.1.1 §3.9).
const SUBACK: u8 = 0x90;
const SUBSCRIBED: [u8; 3] = [0, 1, 1];
const SUBSCRIPTION_REFUSED: u8 = 0x80;
const AT_MOST_ONCE: u8 = 0;

/// Decides about inputs and answers them. Nothing is allocated for a message once the buffers have
/// their sizes.
pub(crate) struct Filter {
    route: Route,
    threshold: f64,
    faults: Faults,
    counts: SinkCounts,
    sender: Sender,
    /// Whole packets that wait for a free packet id, in order.
    parked: Vec<u8>,
    /// Of the alert in work.
    topic: Vec<u8>,
    body: Vec<u8>,
    /// The alert that goes out behind the next one, while `holds`.
    held: Held,
    holds: bool,
    /// Inputs to forward although they are no alerts.
    forgeries: u64,
    /// Nothing has come since SUBSCRIBE or a ping.
    awaits_answer: bool,
}

/// Numbers and counts what is forwarded.
#[derive(Default)]
struct Sender {
    /// Packet id of the last message at QoS 1.
    last_id: u16,
    /// At QoS 1 and not acknowledged.
    in_flight: u32,
    forwarded: u64,
}

/// An alert that is not yet forwarded.
#[derive(Default)]
struct Held {
    topic: Vec<u8>,
    body: Vec<u8>,
    qos1: bool,
    copies: u8,
}

impl Filter {
    pub(crate) fn new(settings: &SinkSettings) -> Self {
        Self {
            route: Route::new(&settings.subscribe, &settings.publish),
            threshold: settings.threshold,
            faults: settings.faults,
            counts: SinkCounts::default(),
            sender: Sender::default(),
            parked: Vec::new(),
            topic: Vec::new(),
            body: Vec::new(),
            held: Held::default(),
            holds: false,
            forgeries: 0,
            awaits_answer: true,
        }
    }

    /// What was counted so far.
    pub(super) fn counts(&self) -> SinkCounts {
        SinkCounts { forwarded: self.sender.forwarded, ..self.counts }
    }

    /// Notes what only the loop knows.
    pub(super) fn set_lateness(&mut self, late: Lateness) {
        self.counts.late_ns = late;
    }

    /// Whether as many inputs were taken as there are to be; no more are.
    pub(super) fn is_finished(&self) -> bool {
        self.faults.exit_after.is_some_and(|inputs| self.counts.inputs >= inputs.get())
    }

    /// Whether an alert waits for the next one.
    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    /// Takes the packets at the start of `bytes`, until one is incomplete or `inputs_max` messages
    /// were taken; appends the answers to `out`. Returns how many bytes were used.
    ///
    /// # Errors
    /// The peer breaks the protocol, refuses the subscription, or acknowledges no alerts.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        inputs_max: u64,
        out: &mut Vec<u8>,
    ) -> Result<usize, SinkError> {
        let left = self.faults.exit_after.map(|inputs| inputs.get() - self.counts.inputs);
        let inputs_max = left.map_or(inputs_max, |left| inputs_max.min(left));
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
        if !self.parked.is_empty() && self.sender.in_flight < IN_FLIGHT_MAX {
            self.unpark(out)?;
        }
        self.awaits_answer &= used == 0;
        Ok(used)
    }

    /// Appends a ping, whose answer must have come by the next time.
    ///
    /// # Errors
    /// Nothing at all has come since the last one or, before the first one, since SUBSCRIBE.
    pub(super) fn ping(&mut self, out: &mut Vec<u8>) -> Result<(), SinkError> {
        if std::mem::replace(&mut self.awaits_answer, true) {
            return Err(SinkError::Silent);
        }
        out.extend_from_slice(&PINGREQ);
        Ok(())
    }

    /// Forwards the alert that waits for the next one, if there is one.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.holds) {
            let Held { topic, body, qos1, copies } = &self.held;
            self.sender.send(out, topic, body, *qos1, *copies);
        }
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

    /// Answers an input; `false`, and nothing was done, when that takes a packet id and none is
    /// free.
    #[inline]
    fn answer(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<bool, SinkError> {
        let publish = frame.publish()?;
        if self.route.is_input(publish.topic) {
            let is_alert = exceeds(publish.body, self.threshold);
            if is_alert || self.forgeries > 0 {
                if publish.packet_id.is_some() && self.sender.in_flight >= IN_FLIGHT_MAX {
                    return Ok(false);
                }
                if is_alert { self.alert(&publish, out) } else { self.forge(&publish, out) }
            }
        }
        if let Some(id) = publish.packet_id {
            write_puback(out, id);
        }
        Ok(true)
    }

    fn alert(&mut self, publish: &Publish<'_>, out: &mut Vec<u8>) {
        self.counts.alerts += 1;
        let (faults, number) = (self.faults, self.counts.alerts);
        self.forgeries += u64::from(hits(faults.forge_every, number));
        if hits(faults.drop_every, number) {
            self.counts.dropped += 1;
            return;
        }
        let strip = self.route.has_properties() && hits(faults.strip_every, number);
        if !self.write_topic(publish, !strip) {
            return;
        }
        self.counts.stripped += u64::from(strip);
        let mut body = publish.body;
        if hits(faults.flip_every, number) {
            self.counts.flipped += 1;
            self.body.clear();
            self.body.extend_from_slice(body);
            flip_bit(&mut self.body, self.counts.flipped);
            body = &self.body;
        }
        let duplicate = hits(faults.duplicate_every, number);
        self.counts.duplicated += u64::from(duplicate);
        let (qos1, copies) = (publish.packet_id.is_some(), 1 + u8::from(duplicate));
        if !self.holds && hits(faults.swap_every, number) {
            self.counts.swapped += 1;
            self.holds = true;
            self.held.keep(&self.topic, body, qos1, copies);
            return;
        }
        self.sender.send(out, &self.topic, body, qos1, copies);
        self.release(out);
    }

    /// Forwards an input that is no alert.
    fn forge(&mut self, publish: &Publish<'_>, out: &mut Vec<u8>) {
        if self.write_topic(publish, true) {
            self.forgeries -= 1;
            self.counts.forged += 1;
            self.sender.send(out, &self.topic, publish.body, publish.packet_id.is_some(), 1);
        }
    }

    /// Writes the topic to forward an input to; `false`, and counted, when that makes it too large.
    fn write_topic(&mut self, publish: &Publish<'_>, mark: bool) -> bool {
        self.route.write_topic(&mut self.topic, publish.topic, mark);
        let length = 4 + self.topic.len() + publish.body.len();
        let fits = self.topic.len() <= usize::from(u16::MAX) && length <= PACKET_BYTES_MAX;
        self.counts.too_large += u64::from(!fits);
        fits
    }

    fn control(&mut self, frame: &Frame<'_>) -> Result<(), SinkError> {
        match frame.first {
            PUBACK => {
                frame.puback()?;
                self.counts.acknowledged += 1;
                self.sender.in_flight = self.sender.in_flight.saturating_sub(1);
                Ok(())
            }
            SUBACK => match frame.rest {
                rest if *rest == SUBSCRIBED => Ok(()),
                [0, 1, SUBSCRIPTION_REFUSED] => Err(SinkError::SubscriptionRefused),
                [0, 1, AT_MOST_ONCE] => Err(SinkError::LowerQos),
                _ => Err(SinkError::OtherSubscription),
            },
            // Answers to pings; whatever else there is asks for none.
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

impl Sender {
    /// Packet ids are used in turn. As acknowledgements come in the order of the messages (MQTT
    /// 3.1.1 §4.6), counting those in flight keeps one from being used twice at a time.
    fn send(&mut self, out: &mut Vec<u8>, topic: &[u8], body: &[u8], qos1: bool, copies: u8) {
        for _ in 0..copies {
            let id = qos1.then(|| {
                self.in_flight += 1;
                self.last_id = self.last_id.checked_add(1).unwrap_or(1);
                self.last_id
            });
            write_publish(out, topic, id, body);
            self.forwarded += 1;
        }
    }
}

impl Held {
    fn keep(&mut self, topic: &[u8], body: &[u8], qos1: bool, copies: u8) {
        self.topic.clear();
        self.topic.extend_from_slice(topic);
        self.body.clear();
        self.body.extend_from_slice(body);
        (self.qos1, self.copies) = (qos1, copies);
    }
}

#[cfg(test)]
mod tests;
