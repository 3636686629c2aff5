//! Messages that come again, on a new connection, while their first delivery is still open.
//!
//! A source delivers again what was not acknowledged. While the alert of the first delivery waits,
//! or is in flight, a second judgement would make a second alert of it, and each further connection
//! one more. So such a message is recognised: it is not judged, and is acknowledged in its place
//! among what came on its connection, once its first delivery is settled.
//!
//! - In: the ledger and the open alerts when a connection begins, and the messages that come on it.
//!   Out: packet ids to acknowledge, between those of the ledger.
//! - Only within a session that the source has kept; else nothing is known, and everything is
//!   judged.
//! - A packet id and DUP ([`Rule::PacketId`]) are a promise of the source. It is checked before the
//!   packet id leaves: when the first delivery is judged and when its alert is settled, the content
//!   of both is compared. If they differ, nothing more is acknowledged, and
//!   [`is_mistaken`](Redelivery::is_mistaken) has the connection ended: the message comes again,
//!   and is judged then.
//! - A message whose alert was parked as its connection ended is settled, and not acknowledged: a
//!   hub delivers it first on the next connection. It is acknowledged there, and not parked again.
//! - A broker that keeps its session delivers what is not acknowledged before anything new. Where
//!   it does not, another client has acknowledged that in our name:
//!   [`is_shared`](Redelivery::is_shared). A hub has several queues, so there it counts only what
//!   had not come again when the connection ended, although something new came.
//! - Bounded by the open receipts. Costs nothing unless some were left open by an earlier
//!   connection.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use super::Ledger;

/// By what a source's messages are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The packet id that it had, and DUP (MQTT 3.1.1 §4.4): a broker. What comes first without DUP
    /// is new, and so is all behind it.
    PacketId,
    /// Origin and body: a hub, whose packet ids mean nothing, and which does not say DUP.
    Content,
}

/// Origin and body of a message.
pub type Content<'a> = [&'a [u8]; 2];

/// A recognised message.
#[derive(Debug)]
struct Claim {
    /// Of its first delivery.
    receipt: u64,
    packet_id: u16,
    /// The receipt that it would have had; what came before it is acknowledged before it.
    place: u64,
    /// Hash of its content, where it was parked.
    parked: Option<u64>,
}

/// What a recognised message is held against.
#[derive(Debug)]
struct Check {
    /// Hash of what came again.
    content: u64,
    is_mistaken: bool,
}

/// What is known of the earlier connections of one source.
#[derive(Debug)]
pub struct Redelivery {
    rule: Rule,
    /// The open receipts that the source is to deliver again, each behind what it is recognised by:
    /// its packet id, or the hash of its content.
    former: BTreeSet<(u64, u64)>,
    /// What came again on this connection, in that order.
    claims: VecDeque<Claim>,
    /// For each of them, by its receipt.
    checks: BTreeMap<u64, Check>,
    is_mistaken: bool,
    /// Packet ids that were not acknowledged on an earlier connection, and did not come again yet.
    due: BTreeSet<u16>,
    is_shared: bool,
    /// By [`Rule::Content`]: something new came on this connection while more was to come again.
    has_new: bool,
    /// Hashes of what was parked since the last connection began, and by [`Rule::Content`] of what
    /// is to come again of it on this one.
    parked: Vec<u64>,
    parked_before: Vec<u64>,
    hasher: RandomState,
}

impl Redelivery {
    /// Nothing came yet.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            former: BTreeSet::new(),
            claims: VecDeque::new(),
            checks: BTreeMap::new(),
            is_mistaken: false,
            due: BTreeSet::new(),
            is_shared: false,
            has_new: false,
            parked: Vec::new(),
            parked_before: Vec::new(),
            hasher: RandomState::new(),
        }
    }

    /// A new connection begins: the packet ids of the last one mean nothing on it, but that the
    /// source will deliver these messages again, if it has kept the session. `open` are messages
    /// that are not settled, by receipt: those that [`Rule::Content`] can recognise.
    pub fn connected<'a>(
        &mut self,
        ledger: &mut Ledger,
        session_present: bool,
        open: impl Iterator<Item = (u64, Content<'a>)>,
    ) {
        (self.is_mistaken, self.is_shared, self.has_new) = (false, false, false);
        self.checks.clear();
        let claims = std::mem::take(&mut self.claims);
        let mut parked = std::mem::take(&mut self.parked);
        parked.extend(claims.iter().filter_map(|claim| claim.parked));
        self.parked_before = if session_present { parked } else { Vec::new() };
        if session_present && self.rule == Rule::PacketId {
            self.due.extend(claims.iter().map(|claim| claim.packet_id));
            self.due.extend(ledger.unacknowledged_ids());
        } else {
            self.due.clear();
        }
        if session_present {
            let contents: HashMap<u64, u64> = match self.rule {
                Rule::PacketId => HashMap::new(),
                Rule::Content => open
                    .map(|(receipt, content)| (receipt, self.hasher.hash_one(content)))
                    .collect(),
            };
            let claims = claims.iter().map(|claim| (claim.receipt, claim.packet_id));
            // What did not come again on the last connection, as it was too short, is still due.
            for (receipt, packet_id) in claims.chain(ledger.open_ids()) {
                match self.rule {
                    Rule::PacketId => {
                        self.take_former(packet_id.into());
                        self.former.insert((packet_id.into(), receipt));
                    }
                    Rule::Content => {
                        let content = contents.get(&receipt);
                        self.former.extend(content.map(|content| (*content, receipt)));
                    }
                }
            }
            self.former.retain(|(_, receipt)| ledger.is_open(*receipt));
        } else {
            self.former.clear();
        }
        ledger.forget_packet_ids();
    }

    /// The oldest receipt that is recognised by `key`; it is no more.
    fn take_former(&mut self, key: u64) -> Option<u64> {
        let found = self.former.range((key, 0)..=(key, u64::MAX)).next().copied()?;
        self.former.remove(&found);
        Some(found.1)
    }

    /// Whether a message may come again.
    #[inline]
    pub fn is_expecting(&self) -> bool {
        !self.former.is_empty() || !self.parked_before.is_empty() || !self.due.is_empty()
    }

    /// What was parked until now is acknowledged on the connection that it came on, or will be.
    #[inline]
    pub fn released(&mut self) {
        self.parked.clear();
    }

    /// The alert of a message is in a file. It comes again, unless it is
    /// [acknowledged](Self::released) before the connection ends.
    pub fn parked(&mut self, content: Content<'_>) {
        if self.rule == Rule::Content {
            self.parked.push(self.hasher.hash_one(content));
        }
    }

    /// Whether a message that needs an acknowledgement came before and is still open: then it is
    /// taken care of.
    pub fn recognise(
        &mut self,
        ledger: &Ledger,
        packet_id: u16,
        dup: bool,
        content: Content<'_>,
    ) -> bool {
        let content = self.hasher.hash_one(content);
        let receipt = match self.rule {
            Rule::PacketId if dup => {
                self.due.remove(&packet_id);
                self.take_former(packet_id.into())
            }
            Rule::PacketId => {
                self.is_shared |= !self.due.is_empty();
                self.due.clear();
                self.former.clear();
                None
            }
            Rule::Content => self.take_former(content),
        };
        let place = ledger.next_receipt();
        if let Some(receipt) = receipt.filter(|receipt| ledger.is_open(*receipt)) {
            self.checks.insert(receipt, Check { content, is_mistaken: false });
            self.claims.push_back(Claim { receipt, packet_id, place, parked: None });
            return true;
        }
        let Some(index) = self.parked_before.iter().position(|parked| *parked == content) else {
            // What comes again comes first: from the first other message on all are new.
            self.parked_before.clear();
            self.has_new |= self.rule == Rule::Content && receipt.is_none();
            return false;
        };
        self.parked_before.swap_remove(index);
        self.claims.push_back(Claim { receipt: place, packet_id, place, parked: Some(content) });
        true
    }

    /// Whether something came again on this connection and is not acknowledged yet.
    #[inline]
    pub fn has_claims(&self) -> bool {
        !self.claims.is_empty()
    }

    /// The first deliveries of `receipts` are being settled: compares what came again with them.
    #[cold]
    pub fn compare<'a>(&mut self, receipts: Range<u64>, first: impl Fn(u64) -> Content<'a>) {
        for (receipt, check) in self.checks.range_mut(receipts) {
            if self.hasher.hash_one(first(*receipt)) != check.content {
                check.is_mistaken = true;
                self.is_mistaken = true;
            }
        }
    }

    /// Whether something that is not acknowledged did not come again on this connection, although
    /// the session was kept and new messages came: another client of our name has acknowledged it.
    pub fn is_shared(&self) -> bool {
        self.is_shared || self.has_new && !self.former.is_empty()
    }

    /// Whether a message was taken for another: it is not acknowledged, nor is anything behind it,
    /// so the source must be made to deliver it again.
    #[inline]
    pub fn is_mistaken(&self) -> bool {
        self.is_mistaken
    }

    /// As [`Ledger::release`], with the packet ids of what came again in their places.
    #[cold]
    pub fn release(&mut self, ledger: &mut Ledger, mut acknowledge: impl FnMut(u16)) -> u64 {
        let mut released = 0;
        while let Some(claim) = self.claims.front() {
            released += ledger.release_before(claim.place, &mut acknowledge);
            let is_mistaken =
                self.checks.get(&claim.receipt).is_some_and(|check| check.is_mistaken);
            if is_mistaken || ledger.first_receipt() < claim.place {
                return released;
            }
            acknowledge(claim.packet_id);
            self.checks.remove(&claim.receipt);
            self.claims.pop_front();
        }
        released + ledger.release(acknowledge)
    }
}

#[cfg(test)]
mod tests;
