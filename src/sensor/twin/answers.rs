//! Which members of a property's acknowledgements the twin may hold.
//!
//! Reported properties are merged: a member that an acknowledgement does not have stays as an
//! earlier one left it, and contradicts the new one. So each acknowledgement removes, by `null`,
//! what the twin may hold beyond it. Where nothing of the kind was reported before, nothing is
//! added.

use serde_json::Value;

use crate::azure::conventions::MEMBERS;
use crate::azure::members::members;

/// The acknowledgements of one property.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By [`MEMBERS`]. Never taken back while the twin is the same: a removal may get lost.
    may_hold: [bool; MEMBERS.len()],
    /// The last one of this process.
    last: Option<Value>,
}

impl Answers {
    /// A document reports `report` for the property. Gives the acknowledgement that is to be
    /// reported again, where it left before it was known what it has to remove.
    pub(super) fn found(&mut self, report: &str) -> Option<Value> {
        let before = self.may_hold;
        let found = members(report.as_bytes(), MEMBERS).ok()?;
        for (may_hold, member) in self.may_hold.iter_mut().zip(found) {
            *may_hold |= member.is_some();
        }
        let last = self.last.clone().filter(|_| self.may_hold != before)?;
        Some(self.completed(last))
    }

    /// The acknowledgement, with `null` for what the twin may hold and it does not have.
    pub(super) fn completed(&mut self, mut answer: Value) -> Value {
        if let Some(answer) = answer.as_object_mut() {
            for (name, may_hold) in MEMBERS.into_iter().zip(&mut self.may_hold) {
                if answer.contains_key(name) {
                    *may_hold = true;
                } else if *may_hold {
                    answer.insert(name.to_owned(), Value::Null);
                }
            }
        }
        self.last = Some(answer.clone());
        answer
    }
}
