//! Finds the publish that a peer answers by hanging up: one that is too large for it, or that it
//! does not allow. MQTT 3.1.1 has no other answer (§3.3.5), and sent again and again it would keep
//! back all the others.
//!
//! - In: what is sent and acknowledged, and that the peer hung up. Out: whether more may be sent, and
//!   which publish to give up.
//! - After [`ENDS`] connections in a row that the peer ended without one PUBACK, publishes leave one
//!   at a time, each once the one before has its PUBACK, and on a connection on which the peer has
//!   answered a PINGREQ; until none waits. The one on which it then hangs up [`ENDS`] times in a row
//!   is given up: neither a lost network nor a broker that restarts picks its moments so.

/// Connections in a row that are taken for an answer.
pub(super) const ENDS: u32 = 3;

#[derive(Debug, Default)]
pub(super) struct Suspicion {
    /// Connections in a row that ended behind a publish and without PUBACK.
    fruitless: u32,
    is_alone: bool,
    /// The publish that was sent alone most lately, and how often the peer hung up on it.
    suspect: Option<(u16, u32)>,
    /// What is said of this connection.
    here: Here,
}

#[derive(Debug, Default)]
struct Here {
    /// The peer has answered a PINGREQ.
    is_answering: bool,
    has_sent: bool,
    has_puback: bool,
    /// Sent alone, without PUBACK yet.
    under_way: Option<u16>,
}

impl Suspicion {
    /// A new connection, with so many publishes to send again.
    pub(super) fn reconnected(&mut self, waiting: usize) {
        self.here = Here::default();
        self.is_alone &= waiting > 0;
    }

    /// The peer has answered a PINGREQ on this connection.
    pub(super) fn answered(&mut self) {
        self.here.is_answering = true;
    }

    /// Whether the next publish may be sent now.
    pub(super) fn may_send(&self) -> bool {
        !self.is_alone || (self.here.is_answering && self.here.under_way.is_none())
    }

    /// A publish was sent.
    pub(super) fn sent(&mut self, id: u16) {
        self.here.has_sent = true;
        self.here.under_way = self.is_alone.then_some(id);
    }

    /// A PUBACK came, and so many publishes still have none.
    pub(super) fn acknowledged(&mut self, waiting: usize) {
        self.here.has_puback = true;
        self.here.under_way = None;
        (self.fruitless, self.suspect) = (0, None);
        self.is_alone &= waiting > 0;
    }

    /// The peer hung up. Returns the publish to give up.
    pub(super) fn hung_up(&mut self) -> Option<u16> {
        let here = std::mem::take(&mut self.here);
        if let Some(id) = here.under_way {
            let before = self.suspect.take_if(|(suspect, _)| *suspect == id);
            let ends = before.map_or(0, |(_, ends)| ends) + 1;
            if ends >= ENDS {
                return Some(id);
            }
            self.suspect = Some((id, ends));
        }
        if here.has_sent && !here.has_puback && !self.is_alone {
            self.fruitless += 1;
            if self.fruitless >= ENDS {
                (self.fruitless, self.is_alone) = (0, true);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
