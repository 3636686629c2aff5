//! The messages of a run, built ahead as whole packets, and how to tell each of them by its body.
//!
//! [`TrafficSettings`] enter, [`Traffic`] leaves: one lap of messages, sent over and over. A
//! message is known by its lap and its slot within the lap, which its body ends with:
//!
//! ```text
//!  …,"timeCreated":"2026-01-01T00:00:12.0004711Z"}
//!                   \---- lap 12 ----/  \slot-/
//! ```
//!
//! Whoever sends a packet writes the lap's text (and at QoS 1 the packet id) into a copy of it;
//! nothing else changes from lap to lap. Pure but for the file of a replay; no clock, no thread.
//! What is built is at most [`BUILT_BYTES_MAX`]; what would be more is refused.

mod error;
mod hostile;
mod pad;
mod replay;
mod simulated;
mod stamp;
mod topics;

pub use error::TrafficError;
pub use stamp::{LAP_TEXT_BYTES, LAPS_MAX, STAMP_BYTES, identify, lap_text};
pub use topics::Topics;

use super::outcome::TrafficFacts;
use super::settings::{BODY_BYTES_MAX, Profile, SENSORS_MAX, TrafficSettings};
use super::wire::{self, PACKET_BYTES_MAX};
use hostile::Hostile;
use replay::Replay;
use simulated::Simulated;

/// Fewest messages of a lap, unless bodies are so large that they would take too much memory.
pub const SLOTS_MIN: u32 = 16_384;
/// Most messages of a lap: as many as stamps can tell apart.
pub const SLOTS_MAX: u32 = stamp::SLOTS_END;
/// Most bytes of all packets of a lap.
pub const BUILT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Longest topic, with its properties.
pub const TOPIC_BYTES_MAX: usize = 4 * 1024;

/// Digits of a slot's number.
const SLOT_DIGITS: usize = 7;
/// What a PUBLISH has around topic and body: type, length, length of the topic, packet id.
const HEADER_BYTES_MAX: usize = 1 + 4 + 2 + 2;
/// Stands for "nowhere" in [`Slot::lap_at`].
const NOWHERE: u32 = u32::MAX;

const _: () = {
    assert!(HEADER_BYTES_MAX + TOPIC_BYTES_MAX + BODY_BYTES_MAX <= PACKET_BYTES_MAX);
    assert!(BUILT_BYTES_MAX < NOWHERE as usize);
    assert!(SLOTS_MIN <= SLOTS_MAX && SENSORS_MAX <= SLOTS_MAX);
    assert!(SLOTS_MAX.ilog10() < 7, "the digits suffice");
};

/// One lap of messages. The sensor of a slot is slot % [`sensors`](Self::sensors), and each
/// sensor's messages are in the order of their slots.
///
/// # Panics
/// Methods that take a slot panic when there is no such slot.
#[derive(Debug, Clone)]
pub struct Traffic {
    sensors: u32,
    packets: Vec<u8>,
    /// One for each message, and one more that tells where the last one ends.
    slots: Vec<Slot>,
    /// All slots' numbers, each of [`SLOT_DIGITS`].
    sequences: String,
    gaps: u64,
    fingerprint: u32,
    /// A threshold that some of the alerts exceed, where one was asked for.
    ceiling: Option<f64>,
}

/// Where the parts of a message are, all but `lap_at` from the start of `packets`.
#[derive(Debug, Clone, Copy)]
struct Slot {
    packet: u32,
    topic: u32,
    topic_bytes: u32,
    body: u32,
    /// From the start of the packet; [`NOWHERE`] without a stamp.
    lap_at: u32,
    alerts_before: u32,
    is_alert: bool,
}

impl Traffic {
    /// Builds one lap: the smallest multiple of the sensors that is at least [`SLOTS_MIN`], and for
    /// a replay at least the rows of its file. Bodies too large for so many within
    /// [`BUILT_BYTES_MAX`] make a shorter lap, still a multiple of the sensors.
    ///
    /// # Errors
    /// Settings out of their limits, a file that cannot be used, or more bytes than the bound.
    pub fn build(settings: &TrafficSettings, topics: Topics<'_>) -> Result<Self, TrafficError> {
        check(settings)?;
        let topic_bytes = topics.bytes()?;
        let (mut bodies, least) = Bodies::new(settings)?;
        let packet_bytes = HEADER_BYTES_MAX + topic_bytes + bodies.bytes_max();
        let slots = slots(settings.sensors, least, packet_bytes)?;
        bodies.begin(slots)?;

        let mut traffic = Self::empty(settings.sensors, slots, packet_bytes);
        let packet_id = (settings.qos > 0).then_some(0);
        let mut body = Vec::new();
        for slot in 0..slots {
            let sequence = format!("{slot:0SLOT_DIGITS$}");
            let topic = topics.topic(slot % settings.sensors, &sequence);
            body.clear();
            let is_alert = bodies.write(slot, &mut body);
            assert!(body.len() <= BODY_BYTES_MAX, "profiles keep to the limit");
            traffic.add(&topic, &sequence, packet_id, &body, is_alert);
        }
        traffic.gaps = bodies.gaps();
        traffic.finish();
        Ok(traffic)
    }

    fn empty(sensors: u32, slots: u32, packet_bytes: usize) -> Self {
        let slots = slots as usize;
        Self {
            sensors,
            packets: Vec::with_capacity((slots * packet_bytes).min(BUILT_BYTES_MAX)),
            slots: Vec::with_capacity(slots + 1),
            sequences: String::with_capacity(slots * SLOT_DIGITS),
            gaps: 0,
            fingerprint: 0,
            ceiling: None,
        }
    }

    fn add(
        &mut self,
        topic: &str,
        sequence: &str,
        packet_id: Option<u16>,
        body: &[u8],
        is_alert: bool,
    ) {
        let packet = self.packets.len();
        wire::write_publish(&mut self.packets, topic.as_bytes(), packet_id, body);
        let body_at = self.packets.len() - body.len();
        let topic_at = body_at - packet_id.map_or(0, |_| 2) - topic.len();
        let lap_at = identify(body).map(|_| body_at + body.len() - STAMP_BYTES - packet);
        let alerts_before = self.alerts_so_far();
        self.slots.push(Slot {
            packet: position(packet),
            topic: position(topic_at),
            topic_bytes: position(topic.len()),
            body: position(body_at),
            lap_at: lap_at.map_or(NOWHERE, position),
            alerts_before,
            is_alert,
        });
        self.sequences.push_str(sequence);
    }

    fn alerts_so_far(&self) -> u32 {
        self.slots.last().map_or(0, |slot| slot.alerts_before + u32::from(slot.is_alert))
    }

    fn finish(&mut self) {
        let end = position(self.packets.len());
        let alerts_before = self.alerts_so_far();
        self.slots.push(Slot {
            packet: end,
            topic: end,
            topic_bytes: 0,
            body: end,
            lap_at: NOWHERE,
            alerts_before,
            is_alert: false,
        });
        self.fingerprint = crc32fast::hash(&self.packets);
    }

    /// Messages of a lap, a multiple of [`sensors`](Self::sensors).
    #[inline]
    pub fn slots(&self) -> u32 {
        position(self.slots.len() - 1)
    }

    /// Streams.
    #[inline]
    pub fn sensors(&self) -> u32 {
        self.sensors
    }

    /// The whole PUBLISH as sent in lap 0: packet id 0 at QoS 1, not marked as sent before.
    #[inline]
    pub fn packet(&self, slot: u32) -> &[u8] {
        let index = slot as usize;
        &self.packets[self.slots[index].packet as usize..self.slots[index + 1].packet as usize]
    }

    /// Where in the packet its packet id stands. Of use at QoS 1 alone; there is none at QoS 0.
    #[inline]
    pub fn packet_id_at(&self, slot: u32) -> usize {
        let slot = &self.slots[slot as usize];
        (slot.body - 2 - slot.packet) as usize
    }

    /// Where in the packet the lap's text ([`lap_text`]) stands; `None` for a body so broken that
    /// it has no stamp at its end.
    #[inline]
    pub fn lap_at(&self, slot: u32) -> Option<usize> {
        let at = self.slots[slot as usize].lap_at;
        (at != NOWHERE).then_some(at as usize)
    }

    /// The topic, with the property bag of a hub's.
    #[inline]
    pub fn topic(&self, slot: u32) -> &[u8] {
        let slot = &self.slots[slot as usize];
        &self.packets[slot.topic as usize..(slot.topic + slot.topic_bytes) as usize]
    }

    /// The body, as in lap 0.
    #[inline]
    pub fn body(&self, slot: u32) -> &[u8] {
        let index = slot as usize;
        &self.packets[self.slots[index].body as usize..self.slots[index + 1].packet as usize]
    }

    /// The slot in seven digits: on hub topics the value of the property `sequenceNumber`.
    #[inline]
    pub fn sequence(&self, slot: u32) -> &str {
        let start = slot as usize * SLOT_DIGITS;
        &self.sequences[start..start + SLOT_DIGITS]
    }

    /// Whether the message exceeds the threshold. Such a body always carries its stamp.
    #[inline]
    pub fn is_alert(&self, slot: u32) -> bool {
        self.slots[slot as usize].is_alert
    }

    /// Alerts of the lap before this slot.
    #[inline]
    pub fn alert_rank(&self, slot: u32) -> u32 {
        self.slots[slot as usize].alerts_before
    }

    /// Alerts of a lap.
    #[inline]
    pub fn alerts(&self) -> u32 {
        self.alerts_so_far()
    }

    /// Chooses a higher threshold, one that about half of the alerts exceed, and gives it. From now
    /// on [`alerts_between`](Self::alerts_between) tells the others.
    ///
    /// # Errors
    /// Their temperatures are too few, or too close to each other, for one in between.
    pub fn split_alerts(&mut self) -> Result<f64, TrafficError> {
        let mut all: Vec<f64> = self.alert_slots().filter_map(|slot| self.reading(slot)).collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        let ceiling = match all.len() {
            0 | 1 => None,
            count => Some((all[count / 2 - 1] + all[count / 2]) / 2.0)
                .filter(|middle| all[count / 2 - 1] < *middle && *middle < all[count / 2]),
        };
        self.ceiling = ceiling;
        ceiling.ok_or(TrafficError::NoSplit)
    }

    /// Of each alert of a lap, by its rank, whether it does not exceed the higher threshold; empty
    /// where there is none.
    pub fn alerts_between(&self) -> Vec<bool> {
        let Some(ceiling) = self.ceiling else { return Vec::new() };
        let is_below = |slot| self.reading(slot).is_some_and(|reading| reading <= ceiling);
        self.alert_slots().map(is_below).collect()
    }

    fn alert_slots(&self) -> impl Iterator<Item = u32> {
        (0..self.slots()).filter(|slot| self.is_alert(*slot))
    }

    /// The temperature in a body, as programs read it.
    fn reading(&self, slot: u32) -> Option<f64> {
        let body: serde_json::Value = serde_json::from_slice(self.body(slot)).ok()?;
        body.pointer("/machine/temperature")?.as_f64()
    }

    /// What is written into the result.
    pub fn facts(&self) -> TrafficFacts {
        let body_bytes: usize = (0..self.slots()).map(|slot| self.body(slot).len()).sum();
        TrafficFacts {
            messages: self.slots().into(),
            alerts: self.alerts().into(),
            body_bytes_mean: body_bytes as f64 / f64::from(self.slots()),
            gaps: self.gaps,
            fingerprint: format!("{:08x}", self.fingerprint),
        }
    }
}

/// Where the bodies of a profile come from.
enum Bodies {
    Simulated(Simulated),
    Replay(Replay),
    Hostile(Hostile),
}

impl Bodies {
    /// With the fewest messages that a lap must have.
    fn new(settings: &TrafficSettings) -> Result<(Self, u32), TrafficError> {
        Ok(match &settings.profile {
            Profile::Simulated => {
                let readings = Simulated::new(settings, settings.alerts)?;
                (Self::Simulated(readings), settings.sensors)
            }
            Profile::Replay { file, time_column, value_column, format } => {
                let rows = Replay::read(file, [time_column, value_column], *format, settings)?;
                let least = rows.count();
                (Self::Replay(rows), least)
            }
            Profile::Hostile => (Self::Hostile(Hostile::new(settings)?), settings.sensors),
        })
    }

    /// Rows that were passed over.
    fn gaps(&self) -> u64 {
        match self {
            Self::Replay(rows) => rows.gaps(),
            Self::Simulated(_) | Self::Hostile(_) => 0,
        }
    }

    fn bytes_max(&self) -> usize {
        match self {
            Self::Simulated(readings) => readings.bytes_max(),
            Self::Replay(rows) => rows.bytes_max(),
            Self::Hostile(mix) => mix.bytes_max(),
        }
    }

    /// Says how many messages the lap will have, before the first is written.
    fn begin(&mut self, slots: u32) -> Result<(), TrafficError> {
        match self {
            Self::Simulated(readings) => readings.begin(slots),
            Self::Replay(_) => Ok(()),
            Self::Hostile(mix) => mix.begin(slots),
        }
    }

    /// Appends the body of `slot`; each slot is asked for once, in order. Tells whether it is an
    /// alert.
    fn write(&mut self, slot: u32, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Simulated(readings) => readings.write(slot, out),
            Self::Replay(rows) => rows.write(slot, out),
            Self::Hostile(mix) => mix.write(slot, out),
        }
    }
}

/// What no profile can do with.
fn check(settings: &TrafficSettings) -> Result<(), TrafficError> {
    if !(1..=SENSORS_MAX).contains(&settings.sensors) {
        return Err(TrafficError::Sensors(settings.sensors));
    }
    if !(0.0..=1.0).contains(&settings.alerts) {
        return Err(TrafficError::Alerts(settings.alerts));
    }
    if settings.qos > 1 {
        return Err(TrafficError::Qos(settings.qos));
    }
    if !settings.threshold.is_finite() {
        return Err(TrafficError::Threshold(settings.threshold));
    }
    Ok(())
}

/// Messages of a lap that has at least `least` of at most `packet_bytes` each.
fn slots(sensors: u32, least: u32, packet_bytes: usize) -> Result<u32, TrafficError> {
    let too_large = TrafficError::TooLarge { messages: least.max(sensors), packet_bytes };
    let Some(least) = least.max(1).checked_next_multiple_of(sensors) else { return Err(too_large) };
    let fit = u32::try_from(BUILT_BYTES_MAX / packet_bytes).expect("fewer than bytes, a u32");
    let fit = fit.min(SLOTS_MAX) / sensors * sensors;
    let wanted = least.max(SLOTS_MIN.next_multiple_of(sensors));
    if fit < least { Err(too_large) } else { Ok(wanted.min(fit)) }
}

/// A position within what is built.
fn position(value: usize) -> u32 {
    u32::try_from(value).expect("BUILT_BYTES_MAX fits")
}

#[cfg(test)]
mod tests;
