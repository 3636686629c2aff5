//! The control plane: desired properties of the module twin become the threshold in force.
//!
//! - In: twin documents and desired patches as they arrive on the connection. Out: the threshold
//!   cell, twin requests and reported properties to publish.
//! - Runs on the ingest thread, in the order of arrival: a message that was read before a patch is
//!   judged by the old threshold, one read after it by the new one.
//! - What a document says is in force, whatever was before, unless a patch on this connection is
//!   newer. A patch takes effect at once when its version is above the known one, or when it has
//!   none; unless it is the next one, the document is asked for, and decides.
//! - Bounded: see `requests`.
//!
//! Source: Azure IoT Hub over MQTT, "Retrieving a device twin's properties", "Update reported
//! properties", "Receiving desired properties update notifications"; IoT Plug and Play conventions
//! for the acknowledgement (`value`, `ac`, `av`, `ad`).

mod answer;
pub(crate) mod desired;
pub mod limits;
pub(crate) mod misplaced;
mod misspelt;
pub(crate) mod requests;

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use crate::azure::members::members;
use crate::azure::topics::Received;
use crate::pipeline::threshold::{Threshold, ThresholdCell};
use desired::{Change, Desired, PROPERTY, too_large};
use requests::{Requests, TwinAnswer};

pub(crate) use answer::put_in_force;
pub use requests::TwinRequest;

/// What a document or patch did, for the log and the counters.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The threshold was set (perhaps to the value that it had).
    Applied(Threshold),
    /// The value is unusable; the threshold stays.
    Refused(String),
    /// It does not speak of the threshold.
    Unrelated,
    /// Not newer than what is known.
    Stale,
    /// An answer to nothing that was asked, or to a report.
    Ignored,
    /// The hub refused a request; the text says which and why.
    RequestFailed(String),
}

/// The module's view of its twin.
#[derive(Debug)]
pub struct Twin {
    cell: Arc<ThresholdCell>,
    default: Threshold,
    /// Of the desired properties, as far as it is known.
    version: Option<u64>,
    /// A document was applied since the process started.
    is_known: bool,
    requests: Requests,
}

impl Twin {
    /// `default` is in force until the twin says otherwise, and when the property is removed.
    /// `rid_prefix` tells this process's requests from those of an earlier one whose answers may
    /// still be stored in the session: give it a random number.
    pub fn new(cell: Arc<ThresholdCell>, default: Threshold, rid_prefix: u32) -> Self {
        let requests = Requests::new(rid_prefix);
        Self { cell, default, version: None, is_known: false, requests }
    }

    /// Whether a twin document was applied yet.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// The subscriptions of a new connection are in place: asks for the document, and sends a
    /// report again that has no answer yet.
    pub fn connected(&mut self) {
        self.requests.connected();
    }

    /// A desired patch arrived.
    pub fn patch(&mut self, topic_version: Option<u64>, body: &[u8]) -> Outcome {
        self.patched(Desired::from_patch(body, topic_version))
    }

    /// An answer to a GET or a report arrived.
    pub fn response(&mut self, status: u32, rid: &str, body: &[u8], now: Instant) -> Outcome {
        self.answered(status, rid, Ok(body), now)
    }

    /// Something arrived that was not read, as it is larger than is taken.
    pub fn too_large(&mut self, received: &Received<'_>, bytes: usize, now: Instant) -> Outcome {
        let problem = too_large(bytes);
        match received {
            Received::DesiredPatch { version } => {
                // The document may be smaller.
                self.requests.ask();
                self.patched(Desired::bad(&problem, *version))
            }
            Received::TwinResponse { status, rid, .. } => {
                self.answered(*status, rid, Err(format!("the document {problem}")), now)
            }
            _ => Outcome::Ignored,
        }
    }

    /// The next request to publish, if the time of one has come.
    pub fn next_request(&mut self, now: Instant) -> Option<TwinRequest> {
        self.requests.next(now)
    }

    fn patched(&mut self, desired: Desired) -> Outcome {
        match (self.version, desired.version) {
            (Some(known), Some(new)) if new <= known => {
                self.requests.passed();
                return Outcome::Stale;
            }
            (Some(known), Some(new)) if new == known + 1 => {}
            _ => self.requests.ask(),
        }
        self.requests.patched(desired.version);
        self.version = desired.version.or(self.version);
        match put_in_force(desired.change, &self.cell, self.default, desired.version) {
            None => Outcome::Unrelated,
            Some((outcome, report)) => {
                self.requests.report(PROPERTY, report);
                outcome
            }
        }
    }

    fn answered(
        &mut self,
        status: u32,
        rid: &str,
        body: Result<&[u8], String>,
        now: Instant,
    ) -> Outcome {
        let number = match self.requests.response(status, rid, now) {
            TwinAnswer::Document(number) => number,
            TwinAnswer::Nothing => return Outcome::Ignored,
            TwinAnswer::Failed(problem) => return Outcome::RequestFailed(problem),
        };
        match body.and_then(Desired::from_document) {
            Ok((desired, reported)) => self.document(number, desired, reported),
            Err(problem) => {
                self.requests.put_off(now);
                Outcome::RequestFailed(format!("twin GET: {problem}"))
            }
        }
    }

    fn document(&mut self, number: u64, desired: Desired, reported: Option<&str>) -> Outcome {
        if !self.requests.counts(number, desired.version) {
            return Outcome::Stale;
        }
        self.is_known = true;
        if desired.change == Change::None {
            return if self.version.is_some() { Outcome::Stale } else { Outcome::Unrelated };
        }
        self.version = desired.version;
        let before = self.cell.load();
        let answer = put_in_force(desired.change, &self.cell, self.default, self.version);
        let Some((outcome, report)) = answer else { return Outcome::Unrelated };
        if !self.is_acknowledged(reported, &report) {
            self.requests.report(PROPERTY, report);
        } else if self.cell.load() == before {
            return Outcome::Unrelated;
        }
        outcome
    }

    /// Whether the twin has this report, by its reported properties; where the hub leaves them out,
    /// by what it has taken.
    fn is_acknowledged(&self, reported: Option<&str>, report: &Value) -> bool {
        let Some(reported) = reported else { return self.requests.is_taken(PROPERTY, report) };
        let reported_text =
            members(reported.as_bytes(), [PROPERTY]).ok().and_then(|[reported_text]| reported_text);
        reported_text
            .and_then(|reported_text| serde_json::from_str(reported_text).ok())
            .is_some_and(|reported_text: Value| reported_text == *report)
    }
}

#[cfg(test)]
mod tests;
