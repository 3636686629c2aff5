//! Publishes that wait for their PUBACK, in the order they were sent (MQTT 3.1.1 §4.6).
//!
//! Packet ids are given out in a circle of 65,535, so the entries form one contiguous run of ids
//! and a PUBACK finds its entry by subtraction. The table outlives connections: after a reconnect
//! everything in it is sent again under its own id, in the original order, with DUP (§4.4).

use std::collections::VecDeque;

/// Most publishes without PUBACK: every packet id there is (MQTT 3.1.1 §2.3.1).
pub const WINDOW_MAX: usize = 65_535;
/// An empty table that has room for more gives its memory back.
const SLOTS_KEPT_MAX: usize = 16_384;

#[derive(Debug)]
enum Slot<T> {
    Waiting(T),
    /// A SUBSCRIBE's id: occupied until its SUBACK, never sent again by this table.
    Reserved,
    Done,
}

/// The table of outgoing QoS 1 publishes. `T` is all that the caller needs to send one again, and
/// what it gets back at the PUBACK.
#[derive(Debug)]
pub struct Inflight<T> {
    slots: VecDeque<Slot<T>>,
    /// Packet id of the first slot; 1..=65,535.
    first_id: u16,
    waiting: usize,
}

impl<T> Default for Inflight<T> {
    fn default() -> Self {
        Self { slots: VecDeque::new(), first_id: 1, waiting: 0 }
    }
}

impl<T> Inflight<T> {
    /// What one publish takes of the table.
    pub const SLOT_BYTES: usize = size_of::<Slot<T>>();

    /// Packet ids that the next [`push`](Self::push) and its successors can take.
    pub fn room(&self) -> usize {
        WINDOW_MAX - self.slots.len()
    }

    /// Publishes without PUBACK.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The packet id that has waited longest: of a publish, or of the SUBSCRIBE.
    pub fn oldest(&self) -> Option<u16> {
        (!self.slots.is_empty()).then_some(self.first_id)
    }

    /// Gives the publish the next packet id and keeps it until its PUBACK; hands it back when every
    /// id is taken.
    ///
    /// # Errors
    /// `Err(publish)` when the window is full.
    pub fn push(&mut self, publish: T) -> Result<u16, T> {
        if self.room() == 0 {
            return Err(publish);
        }
        let id = self.next_id();
        self.waiting += 1;
        self.slots.push_back(Slot::Waiting(publish));
        Ok(id)
    }

    /// Takes a packet id for a SUBSCRIBE; `None` when every id is taken.
    pub fn reserve(&mut self) -> Option<u16> {
        let id = (self.room() > 0).then(|| self.next_id())?;
        self.slots.push_back(Slot::Reserved);
        Some(id)
    }

    /// Ends the entry of `packet_id`: the publish, `None` for a reserved id and for an
    /// id that is not waiting (a second PUBACK, or one for nothing: MQTT allows ignoring both).
    pub fn complete(&mut self, packet_id: u16) -> Option<T> {
        let index = self.index_of(packet_id)?;
        let slot = self.slots.get_mut(index)?;
        let publish = match std::mem::replace(slot, Slot::Done) {
            Slot::Waiting(publish) => {
                self.waiting -= 1;
                Some(publish)
            }
            Slot::Reserved | Slot::Done => None,
        };
        self.drop_done();
        publish
    }

    /// Whether `packet_id` was given out later than `earlier`, or is the same. Both are in use.
    pub fn is_from(&self, earlier: u16, packet_id: u16) -> bool {
        self.index_of(packet_id) >= self.index_of(earlier)
    }

    /// The ids of the publishes without PUBACK, in their original order.
    pub fn ids(&self) -> impl Iterator<Item = u16> {
        let following = std::iter::successors(Some(self.first_id), |id| Some(following(*id)));
        let slots = following.zip(&self.slots);
        slots.filter_map(|(id, slot)| matches!(slot, Slot::Waiting(_)).then_some(id))
    }

    /// Prepares for a new connection: reserved ids are free again. Returns the ids of the publishes
    /// to send again with DUP (MQTT 3.1.1 §3.3.1.1), in their original order.
    pub fn resend(&mut self) -> VecDeque<u16> {
        let ids = self.ids().collect();
        for slot in &mut self.slots {
            if let Slot::Reserved = slot {
                *slot = Slot::Done;
            }
        }
        self.drop_done();
        while matches!(self.slots.back(), Some(Slot::Done)) {
            self.slots.pop_back();
        }
        ids
    }

    /// The publish that waits under `packet_id`.
    pub fn get(&self, packet_id: u16) -> Option<&T> {
        match self.slots.get(self.index_of(packet_id)?)? {
            Slot::Waiting(publish) => Some(publish),
            Slot::Reserved | Slot::Done => None,
        }
    }

    /// The publishes that wait, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Waiting(publish) => Some(publish),
            Slot::Reserved | Slot::Done => None,
        })
    }

    /// The packet id that the next [`push`](Self::push) gives.
    pub fn next_id(&self) -> u16 {
        let length = u32::try_from(self.slots.len()).expect("at most WINDOW_MAX slots");
        let id = (u32::from(self.first_id) - 1 + length) % 65_535 + 1;
        u16::try_from(id).expect("1..=65,535")
    }

    fn index_of(&self, packet_id: u16) -> Option<usize> {
        if packet_id == 0 {
            return None;
        }
        let distance = u32::from(packet_id) + 65_535 - u32::from(self.first_id);
        usize::try_from(distance % 65_535).ok()
    }

    fn drop_done(&mut self) {
        while matches!(self.slots.front(), Some(Slot::Done)) {
            self.slots.pop_front();
            self.first_id = following(self.first_id);
        }
        if self.slots.is_empty() && self.slots.capacity() > SLOTS_KEPT_MAX {
            self.slots = VecDeque::new();
        }
    }
}

/// The next packet id in the circle, which has no 0.
fn following(id: u16) -> u16 {
    if id == u16::MAX { 1 } else { id + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that a burst filled gives its memory back once it is empty, and goes on with its
    /// ids.
    #[test]
    fn an_empty_table_is_small_again() {
        let mut table = Inflight::default();
        for token in 0..WINDOW_MAX {
            table.push(token).unwrap();
        }
        assert!(table.slots.capacity() > SLOTS_KEPT_MAX);
        for id in 1..=u16::MAX {
            assert!(table.complete(id).is_some());
        }
        assert!(table.slots.capacity() <= SLOTS_KEPT_MAX);
        assert_eq!(table.push(7), Ok(1));
    }
}
