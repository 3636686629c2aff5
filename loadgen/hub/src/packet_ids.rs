//! Packet ids of one connection's outgoing QoS 1 publishes (MQTT 3.1.1 §2.3.1): increasing from
//! 1 to 65,535 and round again, never one that is still in flight.

use std::collections::VecDeque;

use super::config::CONTROL_MAX;

/// How many packet ids there are: 1 to 65,535.
const IDS: usize = 65_535;

/// Hands out ids, and keeps those of control packets (twin answers, patches, method calls) until
/// they are acknowledged. The ids of inputs are kept by the input store.
#[derive(Debug, Default)]
pub(super) struct PacketIds {
    last: u16,
    control: VecDeque<u16>,
}

impl PacketIds {
    /// The next free id, or `None` when `oldest_input`, the id of the oldest input in flight
    /// (0: there is none), has been reached: all ids are in use.
    pub(super) fn next(&mut self, oldest_input: u16) -> Option<u16> {
        let mut id = self.last;
        // Each turn skips one id held by a control packet, and there are few of those.
        for _ in 0..=CONTROL_MAX {
            id = id.checked_add(1).unwrap_or(1);
            if id == oldest_input {
                return None;
            }
            if !self.control.contains(&id) {
                self.last = id;
                return Some(id);
            }
        }
        None
    }

    /// As [`PacketIds::next`], for a control packet: kept until acknowledged.
    pub(super) fn next_control(&mut self, oldest_input: u16) -> Option<u16> {
        if self.control.len() >= CONTROL_MAX {
            return None;
        }
        let id = self.next(oldest_input)?;
        self.control.push_back(id);
        Some(id)
    }

    /// Takes the acknowledgement of a control packet; `false` when the id is none of theirs.
    pub(super) fn acknowledge_control(&mut self, id: u16) -> bool {
        let Some(index) = self.control.iter().position(|held| *held == id) else { return false };
        self.control.remove(index);
        true
    }

    /// How many ids `to` lies after `from`, going round; `None` for the invalid id 0.
    pub(super) fn distance(from: u16, to: u16) -> Option<usize> {
        if from == 0 || to == 0 {
            return None;
        }
        Some((usize::from(to) + IDS - usize::from(from)) % IDS)
    }
}

#[cfg(test)]
impl PacketIds {
    /// Ids that go on after `last`.
    pub(super) fn starting_after(last: u16) -> Self {
        Self { last, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_round_without_zero() {
        let mut ids = PacketIds::starting_after(65_534);
        assert_eq!((ids.next(0), ids.next(0), ids.next(0)), (Some(65_535), Some(1), Some(2)));
    }

    #[test]
    fn ids_in_flight_are_not_handed_out() {
        let mut ids = PacketIds::starting_after(65_534);
        assert_eq!(ids.next_control(0), Some(65_535));
        assert_eq!(ids.next_control(0), Some(1));
        ids.last = 65_534;
        assert_eq!(ids.next(0), Some(2));
        ids.last = 65_534;
        assert_eq!(ids.next(2), None, "all between are in use");
        assert!(ids.acknowledge_control(1));
        assert!(!ids.acknowledge_control(1));
        assert_eq!(ids.next(2), Some(1));
    }

    #[test]
    fn control_packets_in_flight_are_bounded() {
        let mut ids = PacketIds::default();
        assert!((0..CONTROL_MAX).all(|_| ids.next_control(0).is_some()));
        assert_eq!(ids.next_control(0), None);
        assert!(ids.next(0).is_some());
    }

    #[test]
    fn distances() {
        let cases = [(1, 1, Some(0)), (1, 2, Some(1)), (65_535, 1, Some(1)), (2, 1, Some(65_534))];
        for (from, to, expected) in cases {
            assert_eq!(PacketIds::distance(from, to), expected, "{from} {to}");
        }
        assert_eq!((PacketIds::distance(0, 1), PacketIds::distance(1, 0)), (None, None));
    }
}
