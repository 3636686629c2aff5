//! What is still to come, and what does not come although nothing stands in its way.

use super::{Role, World};
use crate::pipeline::message::SourceId;
use crate::simulation::script::{Change, End, Topology};

impl World {
    /// Failures of one peer, at most.
    pub(in crate::simulation) fn failures(&self) -> u32 {
        self.sides.iter().map(|side| side.failures).max().unwrap_or(0)
    }

    /// What is still to come, if anything.
    pub(in crate::simulation) fn missing(&self) -> Option<String> {
        for (number, message) in self.model.messages.iter().enumerate() {
            if message.is_acknowledged && message.is_refused() && !message.has_arrived() {
                return Some(format!("the alert of message {number} stays in its file"));
            }
            if message.is_excused || message.is_acknowledged {
                continue;
            }
            if !message.is_at_most_once {
                return Some(format!("message {number} is not acknowledged"));
            }
            if message.is_surely_hot() && !message.has_arrived() {
                return Some(format!("the alert of message {number} is missing"));
            }
        }
        if self.model.under_way() > 0 {
            return Some(format!("{} publishes are under way", self.model.under_way()));
        }
        if let Some(id) = self.unreleased.first() {
            return Some(format!("no PUBCOMP for id {id}"));
        }
        for role in self.roles() {
            let wire = &self.sides[*role as usize].wire;
            if !wire.is_open() || !wire.is_subscribed {
                return Some(format!("{role:?} is not connected"));
            }
        }
        let (version, change) = self.desired;
        let is_topic = self.setup.topology == Topology::Broker;
        if self.was_troubled || (is_topic && change == Change::Removed) {
            return None;
        }
        let told = self.model.reported.unwrap_or(0);
        (told < version).then(|| format!("version {version} is not reported, but {told}"))
    }

    /// What the module could do and does not, where nothing stands in its way.
    pub(in crate::simulation) fn stuck(&self) -> Option<String> {
        if self.setup.tight || self.setup.renews || self.model.may_suspect() {
            return None;
        }
        let is_clear = |role: Role| {
            let side = &self.sides[role as usize];
            side.wire.is_flowing() && side.wire.is_subscribed && side.replies.is_empty()
        };
        let output = self.role(End::Output);
        for feed in &self.feeds {
            let role = if feed.from == SourceId::Hub { Role::Link } else { Role::Source };
            if !is_clear(role) {
                continue;
            }
            if !self.sides[role as usize].wire.is_read() {
                return Some(format!("{role:?} does not read"));
            }
            let Some(number) = feed.oldest_read() else { continue };
            let message = &self.model.messages[number];
            if message.is_done() && !self.model.is_waiting(feed.from) {
                return Some(format!("message {number} is settled, and not acknowledged"));
            }
            if self.model.in_force.is_none() {
                continue;
            }
            if message.is_surely_cold() && !self.model.is_waiting(feed.from) {
                return Some(format!("message {number} is no alert, and not acknowledged"));
            }
            if message.is_surely_hot()
                && !message.has_arrived()
                && is_clear(output)
                && self.model.under_way() == 0
            {
                return Some(format!("the alert of message {number} is not sent"));
            }
        }
        None
    }
}
