//! Which alerts must come back, and what became of each: the oracle.
//!
//! Pure: messages that were sent and bodies that came back go in, counts come out. A message's
//! place is a number that grows by one with each message sent; its body tells the place (see
//! [`identify`]), so nothing is searched. Bounded: [`ALERTS_OPEN_MAX`] alerts are remembered; an
//! older one that is still out counts as missing from then on.
//!
//! Where the threshold changes while messages flow, the alerts of the traffic exceed the lower of
//! two thresholds, and some the higher one as well. Of those between the two, `Between` says what
//! must become of them when they are sent.

use std::collections::HashSet;
use std::ops::Range;

use crate::outcome::Counts;
use crate::traffic::{LAP_TEXT_BYTES, STAMP_BYTES, Traffic, identify, lap_text};

/// Alerts remembered, come back or not, from the oldest one that is still out.
pub const ALERTS_OPEN_MAX: usize = 1 << 20;

/// The bit of an entry that says that the alert came back.
const RECEIVED: u64 = 1 << 63;
/// It may come back or not: nobody can know which threshold it was judged by.
const EITHER: u64 = 1 << 62;
/// It must not come back: the threshold in force was the higher one.
const SILENT: u64 = 1 << 61;
/// The rest is its intended instant, up to 73 years.
const INSTANT: u64 = SILENT - 1;

/// What a message between the two thresholds is when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// The lower threshold is in force.
    Alert,
    /// The higher one is.
    Silence,
    /// One of them is.
    Either,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// An alert, for the first time, with the instant at which it should have been sent.
    Alert {
        /// Its slot.
        slot: u32,
        /// Nanoseconds on the run's clock.
        intended_ns: u64,
    },
    /// Anything that is already counted as a failure or a duplicate.
    Other,
}

/// The books of one run.
#[derive(Debug)]
pub struct Ledger {
    /// The intended instants of alerts, in a ring by number of the alert.
    ring: Vec<u64>,
    /// Number of the oldest alert remembered.
    oldest: u64,
    /// Number of the next alert.
    next: u64,
    /// Messages sent.
    sent: u64,
    /// Places that may come back twice, for a connection was lost.
    may_repeat: Range<u64>,
    /// For each sensor, one more than the place of the last alert that came back.
    last_of_sensor: Vec<u64>,
    /// Messages of a lap.
    slots: u64,
    /// The alert that came back last was not behind a later one.
    last_in_order: bool,
    /// Slots of alerts, in order.
    alert_slots: Vec<u32>,
    /// Bodies too broken to tell their place; none of them is an alert.
    placeless: HashSet<Box<[u8]>>,
    /// What is counted here; the other fields stay 0.
    counts: Counts,
    /// Number of the first alert behind all that came back.
    front: u64,
    /// Its place, if it was sent.
    front_place: Option<u64>,
    /// What alerts between two thresholds are now.
    between: Between,
    /// Whether an alert of a lap, by its rank, lies between them; empty where there is one.
    is_between: Vec<bool>,
    /// Alerts that must not come back.
    silent: u64,
}

impl Ledger {
    /// Empty books for this traffic.
    pub fn new(traffic: &Traffic) -> Self {
        let alert_slots: Vec<u32> =
            (0..traffic.slots()).filter(|slot| traffic.is_alert(*slot)).collect();
        assert_eq!(alert_slots.len(), traffic.alerts() as usize, "the traffic counts its alerts");
        Self {
            ring: vec![0; ALERTS_OPEN_MAX],
            oldest: 0,
            next: 0,
            sent: 0,
            may_repeat: 0..0,
            last_of_sensor: vec![0; traffic.sensors() as usize],
            slots: traffic.slots().into(),
            last_in_order: false,
            alert_slots,
            placeless: (0..traffic.slots())
                .filter(|slot| traffic.lap_at(*slot).is_none())
                .map(|slot| traffic.body(slot).into())
                .collect(),
            counts: Counts::default(),
            front: 0,
            front_place: None,
            between: Between::Alert,
            is_between: traffic.alerts_between(),
            silent: 0,
        }
    }

    /// From now on messages between the two thresholds are this when they are sent.
    #[inline]
    pub(super) fn set_between(&mut self, between: Between) {
        self.between = between;
    }

    /// Books the next message: one that was due at this instant.
    #[inline]
    pub fn sent(&mut self, is_alert: bool, intended_ns: u64) {
        let place = self.sent;
        self.sent += 1;
        if !is_alert {
            return;
        }
        if self.next - self.oldest == ALERTS_OPEN_MAX as u64 {
            // The oldest one is always out.
            self.counts.missing += 1;
            self.oldest += 1;
            self.skip_received();
        }
        *self.entry_mut(self.next) = intended_ns;
        if self.front == self.next {
            self.front_place = Some(place);
        }
        self.next += 1;
        if self.between != Between::Alert {
            self.mark_between(self.next - 1);
        }
    }

    /// A connection was lost: what was sent since this place may come back twice. What was in
    /// flight, from its own place on, is judged again, by another threshold perhaps.
    pub fn fault(&mut self, since: u64, in_flight: Option<u64>) {
        self.may_repeat = since..self.sent;
        let Some(in_flight) = in_flight.filter(|_| !self.is_between.is_empty()) else { return };
        for number in self.number_from(in_flight).max(self.remembered())..self.next {
            if self.lies_between(number) && self.entry(number) & (RECEIVED | EITHER) == 0 {
                self.silent -= u64::from(self.entry(number) & SILENT != 0);
                self.counts.undecided += 1;
                *self.entry_mut(number) = self.entry(number) & INSTANT | EITHER;
            }
        }
        self.skip_received();
    }

    /// The alert that is waited for does not come: waits for those behind all that are out.
    pub fn pass_over(&mut self) {
        self.front = self.next;
        self.front_place = None;
    }

    /// Books a body that came back.
    #[inline]
    pub fn returned(&mut self, traffic: &Traffic, body: &[u8]) -> Returned {
        let Some((place, slot)) = self.place_of(traffic, body) else {
            return self.unknown(traffic, body);
        };
        if !traffic.is_alert(slot) {
            self.counts.false_alerts += 1;
            return Returned::Other;
        }
        let lap = place / u64::from(traffic.slots());
        let number = lap * u64::from(traffic.alerts()) + u64::from(traffic.alert_rank(slot));
        let entry = if number < self.remembered() { RECEIVED } else { self.entry(number) };
        let is_over = number < self.oldest && entry & (EITHER | SILENT) == 0;
        if is_over || entry & RECEIVED != 0 {
            return self.again(place);
        }
        if entry & SILENT != 0 {
            self.counts.false_alerts += 1;
            return Returned::Other;
        }
        let intended_ns = entry & INSTANT;
        self.receive(number);
        let last = &mut self.last_of_sensor[(slot % traffic.sensors()) as usize];
        let in_order = place >= *last;
        self.last_in_order = in_order && entry & EITHER == 0;
        if in_order {
            *last = place + 1;
            self.counts.alerts_correct += u64::from(self.last_in_order);
        } else {
            self.counts.disordered += 1;
        }
        Returned::Alert { slot, intended_ns }
    }

    /// The alert that came back last had other properties, another topic or a lower QoS.
    pub fn wrong_properties(&mut self) {
        self.counts.wrong_properties += 1;
        self.counts.alerts_correct -= u64::from(self.last_in_order);
    }

    /// The place of the oldest alert that is out, if any is.
    pub fn oldest_out(&self) -> Option<u64> {
        (!self.is_settled()).then(|| self.place(self.oldest))
    }

    /// The place of the first alert that is out behind all that came back: what a closed loop
    /// without losses waits for. `None` when there is none.
    #[inline]
    pub fn waits_for(&self) -> Option<u64> {
        self.front_place
    }

    /// Whether no alert is out.
    pub fn is_settled(&self) -> bool {
        self.oldest == self.next
    }

    /// Failures until now, without alerts that may still come back.
    pub fn failures(&self) -> u64 {
        let counts = &self.counts;
        counts.missing
            + counts.duplicated
            + counts.false_alerts
            + counts.disordered
            + counts.corrupted
            + counts.wrong_properties
    }

    /// Closes the books: what is still out is missing.
    pub fn close(mut self) -> Counts {
        for number in self.oldest..self.next {
            self.counts.missing += u64::from(self.is_out(number));
        }
        self.counts.sent = self.sent;
        self.counts.alerts_expected = self.next - self.silent - self.counts.undecided;
        self.counts
    }

    /// Place and slot of a body that equals the one sent; `None` for any other.
    #[inline]
    fn place_of(&self, traffic: &Traffic, body: &[u8]) -> Option<(u64, u32)> {
        let (lap, slot) = identify(body)?;
        if slot >= traffic.slots() {
            return None;
        }
        let place = u64::from(lap) * u64::from(traffic.slots()) + u64::from(slot);
        (place < self.sent && !differs(traffic, slot, body)).then_some((place, slot))
    }

    /// A broken body that should not have come back, or one that was never sent. If that is the
    /// alert that should come next but for one byte, that one is not missing besides.
    #[cold]
    fn unknown(&mut self, traffic: &Traffic, body: &[u8]) -> Returned {
        if self.placeless.contains(body) {
            self.counts.false_alerts += 1;
            return Returned::Other;
        }
        self.counts.corrupted += 1;
        if let Some(number) = self.nearly(traffic, body) {
            self.receive(number);
        }
        Returned::Other
    }

    /// An alert that came back before.
    #[cold]
    fn again(&mut self, place: u64) -> Returned {
        if self.may_repeat.contains(&place) {
            self.counts.duplicated_after_fault += 1;
        } else {
            self.counts.duplicated += 1;
        }
        Returned::Other
    }

    /// The alert that is waited for, or else the oldest that is out, if this body differs from its
    /// own in one byte.
    fn nearly(&self, traffic: &Traffic, body: &[u8]) -> Option<u64> {
        let out = |number: &u64| (self.oldest..self.next).contains(number);
        [self.front, self.oldest].into_iter().filter(out).find(|number| {
            let place = self.place(*number);
            let (Ok(slot), Ok(lap)) =
                (u32::try_from(place % self.slots), u32::try_from(place / self.slots))
            else {
                return false;
            };
            let mut expected = traffic.body(slot).to_vec();
            let Some(at) = expected.len().checked_sub(STAMP_BYTES) else { return false };
            expected[at..at + LAP_TEXT_BYTES].copy_from_slice(&lap_text(lap));
            let differences = || expected.iter().zip(body).filter(|(a, b)| a != b).count();
            expected.len() == body.len() && differences() == 1
        })
    }

    #[inline]
    fn receive(&mut self, number: u64) {
        *self.entry_mut(number) |= RECEIVED;
        self.skip_received();
        if number >= self.front {
            self.front = number + 1;
            self.front_place = (self.front < self.next).then(|| self.place(self.front));
        }
    }

    /// The oldest alert remembered is one that is out.
    #[inline]
    fn skip_received(&mut self) {
        while self.oldest < self.next && !self.is_out(self.oldest) {
            self.oldest += 1;
        }
    }

    /// Whether an alert must come back and has not.
    #[inline]
    fn is_out(&self, number: u64) -> bool {
        self.entry(number) & (RECEIVED | EITHER | SILENT) == 0
    }

    /// The alert that was sent last is what the thresholds make of it.
    fn mark_between(&mut self, number: u64) {
        if !self.lies_between(number) {
            return;
        }
        match self.between {
            Between::Alert => return,
            Between::Silence => {
                self.silent += 1;
                *self.entry_mut(number) |= SILENT;
            }
            Between::Either => {
                self.counts.undecided += 1;
                *self.entry_mut(number) |= EITHER;
            }
        }
        self.skip_received();
    }

    fn lies_between(&self, number: u64) -> bool {
        let per_lap = self.alert_slots.len() as u64;
        let rank = usize::try_from(number % per_lap.max(1)).unwrap_or(0);
        self.is_between.get(rank).copied().unwrap_or(false)
    }

    /// Number of the oldest alert whose entry is not that of a newer one.
    #[inline]
    fn remembered(&self) -> u64 {
        self.next.saturating_sub(ALERTS_OPEN_MAX as u64)
    }

    /// Number of the first alert at this place or behind it.
    fn number_from(&self, place: u64) -> u64 {
        let slot = place % self.slots;
        let before = self.alert_slots.partition_point(|alert| u64::from(*alert) < slot);
        place / self.slots * self.alert_slots.len() as u64 + before as u64
    }

    /// The place of an alert in the order of all messages.
    #[inline]
    fn place(&self, number: u64) -> u64 {
        let per_lap = self.alert_slots.len() as u64;
        let slot = self.alert_slots[usize::try_from(number % per_lap).unwrap_or(0)];
        number / per_lap * self.slots + u64::from(slot)
    }

    #[inline]
    fn entry(&self, number: u64) -> u64 {
        self.ring[index(number)]
    }

    #[inline]
    fn entry_mut(&mut self, number: u64) -> &mut u64 {
        &mut self.ring[index(number)]
    }
}

/// Whether a body differs from its slot's, the lap's text aside.
#[inline]
fn differs(traffic: &Traffic, slot: u32, body: &[u8]) -> bool {
    let sent = traffic.body(slot);
    if sent.len() != body.len() || body.len() < STAMP_BYTES {
        return true;
    }
    // The lap was read strictly when the body was identified, so it is the text that was sent.
    let lap_at = body.len() - STAMP_BYTES;
    let rest_at = lap_at + LAP_TEXT_BYTES;
    sent[..lap_at] != body[..lap_at] || sent[rest_at..] != body[rest_at..]
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the mask leaves twenty bits")]
fn index(number: u64) -> usize {
    (number & (ALERTS_OPEN_MAX as u64 - 1)) as usize
}

#[cfg(test)]
mod tests;
