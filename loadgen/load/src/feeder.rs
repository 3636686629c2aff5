//! The next message and when it is due: traffic in turn, lap after lap, on the schedule.
//!
//! Writing a message copies it from where it was built and puts its packet id and the text of its
//! lap in place; nothing is formatted or allocated.

use super::schedule::Schedule;
use super::traffic::{LAP_TEXT_BYTES, LAPS_MAX, Traffic, lap_text};
use super::wire;

/// Where the sending stands.
#[derive(Debug)]
pub(super) struct Feeder {
    traffic: Traffic,
    /// `None` in a closed loop.
    schedule: Option<Schedule>,
    /// Nothing is due from here on.
    end_ns: u64,
    closed: bool,
    /// Number of the next message.
    place: u64,
    slot: u32,
    lap: u32,
    lap_text: [u8; LAP_TEXT_BYTES],
}

impl Feeder {
    /// Nothing sent yet; nothing is due from `end_ns` on.
    pub(super) fn new(traffic: Traffic, schedule: Option<Schedule>, end_ns: u64) -> Self {
        let lap_text = lap_text(0);
        Self { traffic, schedule, end_ns, closed: false, place: 0, slot: 0, lap: 0, lap_text }
    }

    /// What is sent.
    #[inline]
    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Messages sent.
    #[inline]
    pub(super) fn sent(&self) -> u64 {
        self.place
    }

    /// Sensor of the next message.
    #[inline]
    pub(super) fn sensor(&self) -> u32 {
        self.slot % self.traffic.sensors()
    }

    /// When the next message is due, nanoseconds on the run's clock; in a closed loop now. `None`
    /// when nothing is due any more.
    #[inline]
    pub(super) fn due(&self, now_ns: u64) -> Option<u64> {
        let due = self.schedule.as_ref().map_or(now_ns, Schedule::peek);
        (due < self.end_ns && self.lap < LAPS_MAX && !self.closed).then_some(due)
    }

    /// Nothing is due from now on.
    pub(super) fn stop(&mut self, now_ns: u64) {
        self.end_ns = self.end_ns.min(now_ns);
    }

    /// Nothing is sent from now on, though it was due.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Appends the next message and gives whether it is an alert.
    #[inline]
    pub(super) fn write(&mut self, out: &mut Vec<u8>, packet_id: Option<u16>) -> bool {
        let slot = self.slot;
        copy(&self.traffic, out, slot, &self.lap_text, packet_id);
        if let Some(schedule) = &mut self.schedule {
            schedule.advance();
        }
        self.place += 1;
        self.slot += 1;
        if self.slot == self.traffic.slots() {
            self.slot = 0;
            self.lap += 1;
            self.lap_text = lap_text(self.lap);
        }
        self.traffic.is_alert(slot)
    }

    /// Appends a message that was sent before, marked as such (MQTT 3.1.1 §3.3.1.1).
    pub(super) fn write_again(&self, out: &mut Vec<u8>, place: u64, packet_id: u16) {
        let slots = u64::from(self.traffic.slots());
        let slot = u32::try_from(place % slots).expect("it is below a number of 32 bits");
        let lap = u32::try_from(place / slots).expect("laps are bounded");
        let at = out.len();
        copy(&self.traffic, out, slot, &lap_text(lap), Some(packet_id));
        out[at] |= wire::DUP;
    }

    /// Messages that were due and are not sent.
    pub(super) fn unsent(&mut self) -> u64 {
        let mut count = 0;
        if let Some(schedule) = &mut self.schedule {
            while schedule.peek() < self.end_ns {
                schedule.advance();
                count += 1;
            }
        }
        count
    }
}

#[inline]
fn copy(
    traffic: &Traffic,
    out: &mut Vec<u8>,
    slot: u32,
    lap: &[u8; LAP_TEXT_BYTES],
    packet_id: Option<u16>,
) {
    let start = out.len();
    out.extend_from_slice(traffic.packet(slot));
    if let Some(id) = packet_id {
        let at = start + traffic.packet_id_at(slot);
        out[at..at + 2].copy_from_slice(&id.to_be_bytes());
    }
    if let Some(at) = traffic.lap_at(slot) {
        let at = start + at;
        out[at..at + LAP_TEXT_BYTES].copy_from_slice(lap);
    }
}
