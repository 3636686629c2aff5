//! Messages sent at QoS 1 and not yet acknowledged, on one connection.
//!
//! Packet ids are given in turn, so a ring by order of sending is enough: no search, no allocation.
//! Bounded by the window; a full window is the caller's to respect.

use super::settings::WINDOW_MAX;

/// Packet ids that MQTT 3.1.1 has (§2.3.1).
const IDS: u64 = 65_535;
const RING: usize = 1 << 16;
const ACKNOWLEDGED: u64 = 1 << 63;

const _: () = assert!(WINDOW_MAX as u64 == IDS && IDS < RING as u64);

/// What an acknowledgement was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// The oldest message in flight.
    InOrder,
    /// A later one.
    OutOfOrder,
    /// None that is in flight.
    Unknown,
}

/// The window of one connection.
#[derive(Debug)]
pub(super) struct Inflight {
    /// Places of the messages, by order of sending.
    ring: Box<[u64]>,
    oldest: u64,
    next: u64,
    window: u64,
    /// Messages from here to `resend_end` go out again.
    resend: u64,
    resend_end: u64,
}

impl Inflight {
    /// An empty window of this size, at most [`WINDOW_MAX`].
    pub(super) fn new(window: u32) -> Self {
        let window = u64::from(window.clamp(1, WINDOW_MAX));
        Self { ring: vec![0; RING].into(), oldest: 0, next: 0, window, resend: 0, resend_end: 0 }
    }

    /// Whether another message may be sent.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.next - self.oldest < self.window && self.resend == self.resend_end
    }

    /// Books the message at `place` and gives its packet id. There must be room.
    #[inline]
    pub(super) fn push(&mut self, place: u64) -> u16 {
        debug_assert!(self.next - self.oldest < IDS, "the caller keeps to the window");
        self.ring[slot(self.next)] = place;
        self.next += 1;
        id_of(self.next - 1)
    }

    /// Takes an acknowledgement.
    #[inline]
    pub(super) fn acknowledge(&mut self, packet_id: u16) -> Acknowledged {
        let first = u64::from(id_of(self.oldest));
        let distance = (u64::from(packet_id) + IDS - first) % IDS;
        let order = self.oldest + distance;
        if packet_id == 0 || order >= self.next || self.ring[slot(order)] & ACKNOWLEDGED != 0 {
            return Acknowledged::Unknown;
        }
        self.ring[slot(order)] |= ACKNOWLEDGED;
        if distance > 0 {
            return Acknowledged::OutOfOrder;
        }
        while self.oldest < self.next && self.ring[slot(self.oldest)] & ACKNOWLEDGED != 0 {
            self.oldest += 1;
        }
        Acknowledged::InOrder
    }

    /// Everything in flight goes out again, for the connection is a new one (MQTT 3.1.1 §4.4).
    pub(super) fn restart(&mut self) {
        (self.resend, self.resend_end) = (self.oldest, self.next);
    }

    /// The next message to go out again: its place and packet id.
    pub(super) fn next_resend(&mut self) -> Option<(u64, u16)> {
        self.resend = self.resend.max(self.oldest);
        while self.resend < self.resend_end {
            let order = self.resend;
            self.resend += 1;
            let place = self.ring[slot(order)];
            if place & ACKNOWLEDGED == 0 {
                return Some((place, id_of(order)));
            }
        }
        self.resend = self.resend_end;
        None
    }

    /// Whether messages are to go out again.
    #[inline]
    pub(super) fn is_resending(&self) -> bool {
        self.resend != self.resend_end
    }

    /// Place of the oldest message in flight.
    pub(super) fn oldest(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.ring[slot(self.oldest)] & !ACKNOWLEDGED)
    }

    /// Messages in flight.
    pub(super) fn len(&self) -> u64 {
        let open = (self.oldest..self.next).filter(|n| self.ring[slot(*n)] & ACKNOWLEDGED == 0);
        open.count() as u64
    }

    /// Whether everything is acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.oldest == self.next
    }
}

#[inline]
fn id_of(order: u64) -> u16 {
    (order % IDS) as u16 + 1
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the mask leaves sixteen bits")]
fn slot(order: u64) -> usize {
    (order & (RING as u64 - 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_goes_round_the_ids() {
        let mut inflight = Inflight::new(WINDOW_MAX);
        for place in 0..200_000u64 {
            if !inflight.has_room() {
                let id = id_of(place - IDS);
                assert_eq!(inflight.acknowledge(id), Acknowledged::InOrder);
            }
            assert_eq!(inflight.push(place), id_of(place));
        }
        assert_eq!(inflight.len(), IDS);
        assert!(!inflight.has_room());
    }

    #[test]
    fn acknowledgements_in_any_order_and_twice() {
        let mut inflight = Inflight::new(10);
        let ids: Vec<u16> = (0..4).map(|place| inflight.push(place)).collect();
        assert_eq!(inflight.acknowledge(ids[1]), Acknowledged::OutOfOrder);
        assert_eq!(inflight.acknowledge(ids[1]), Acknowledged::Unknown);
        assert_eq!(inflight.acknowledge(0), Acknowledged::Unknown);
        assert_eq!(inflight.acknowledge(9), Acknowledged::Unknown);
        assert_eq!(inflight.len(), 3);
        assert_eq!(inflight.acknowledge(ids[0]), Acknowledged::InOrder);
        assert_eq!(inflight.acknowledge(ids[2]), Acknowledged::InOrder);
        assert_eq!(inflight.acknowledge(ids[3]), Acknowledged::InOrder);
        assert!(inflight.is_empty());
    }

    #[test]
    fn what_is_in_flight_goes_out_again_in_order_and_first() {
        let mut inflight = Inflight::new(5);
        let ids: Vec<u16> = (100..104).map(|place| inflight.push(place)).collect();
        inflight.acknowledge(ids[0]);
        inflight.acknowledge(ids[2]);
        inflight.restart();
        assert!(inflight.is_resending() && !inflight.has_room());
        assert_eq!(inflight.next_resend(), Some((101, ids[1])));
        assert_eq!(inflight.next_resend(), Some((103, ids[3])));
        assert_eq!(inflight.next_resend(), None);
        assert!(!inflight.is_resending() && inflight.has_room());
    }
}
