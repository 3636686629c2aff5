//! The control plane: desired properties of the module twin become the threshold in force.
//!
//! - In: twin documents and desired patches as they arrive on the connection. Out: the threshold
//!   cell, twin requests and reported properties to publish.
//! - Runs on the ingest thread, in the order of arrival: a message that was read before a patch is
//!   judged by the old threshold, one read after it by the new one.
//! - Bounded: one outstanding GET and one outstanding report; a newer report replaces the older.
//!   Both are sent again after [`TWIN_ANSWER_WAIT`] without answer, and after a reconnect.
//!
//! Source: Azure IoT Hub over MQTT, "Retrieving a device twin's properties", "Update reported
//! properties", "Receiving desired properties update notifications"; IoT Plug and Play conventions
//! for the acknowledgement (`value`, `ac`, `av`, `ad`).

mod answer;
pub(crate) mod desired;

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use crate::azure::topics;
use crate::limits::TWIN_ANSWER_WAIT;
use crate::threshold::{Threshold, ThresholdCell};
use desired::Desired;

pub(crate) use answer::put_in_force;

/// Something to publish on a twin topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwinRequest {
    /// The topic, with the request id.
    pub topic: String,
    /// The body.
    pub body: Vec<u8>,
}

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

/// A request that waits for its answer; `sent` is `None` while it is due.
#[derive(Debug)]
struct Pending<T> {
    content: T,
    rid: String,
    sent: Option<Instant>,
}

/// The module's view of its twin.
#[derive(Debug)]
pub struct Twin {
    cell: Arc<ThresholdCell>,
    default: Threshold,
    version: Option<u64>,
    /// A document was applied since the process started.
    is_known: bool,
    /// A patch came on this connection: a document that is older was overtaken by it.
    patched_since_connect: bool,
    get: Option<Pending<()>>,
    report: Option<Pending<Value>>,
    rid_prefix: u32,
    rid_count: u64,
}

impl Twin {
    /// `default` is in force until the twin says otherwise, and when the property is removed.
    /// `rid_prefix` tells this process's requests from those of an earlier one whose answers may
    /// still be stored in the session: give it a random number.
    pub fn new(cell: Arc<ThresholdCell>, default: Threshold, rid_prefix: u32) -> Self {
        Self {
            cell,
            default,
            version: None,
            is_known: false,
            patched_since_connect: false,
            get: None,
            report: None,
            rid_prefix,
            rid_count: 0,
        }
    }

    /// Whether a twin document was applied yet.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// The subscriptions of a new connection are in place: asks for the document, and sends a
    /// report again that has no answer yet.
    pub fn connected(&mut self) {
        self.patched_since_connect = false;
        self.ask();
        if let Some(report) = &mut self.report {
            report.sent = None;
        }
    }

    /// A desired patch arrived.
    pub fn patch(&mut self, topic_version: Option<u64>, body: &[u8]) -> Outcome {
        let desired = Desired::from_patch(body, topic_version);
        if let (Some(known), Some(new)) = (self.version, desired.version)
            && new <= known
        {
            return Outcome::Stale;
        }
        let follows = match (self.version, desired.version) {
            (Some(known), Some(new)) => new == known + 1,
            _ => false,
        };
        if !follows && self.get.is_none() {
            self.ask();
        }
        self.patched_since_connect = true;
        self.apply(desired)
    }

    /// An answer to a GET or a report arrived.
    pub fn response(&mut self, status: u32, rid: &str, body: &[u8], now: Instant) -> Outcome {
        if self.get.as_ref().is_some_and(|get| get.rid == rid) {
            return self.document(status, body, now);
        }
        if self.report.as_ref().is_some_and(|report| report.rid == rid) {
            return self.reported(status, now);
        }
        Outcome::Ignored
    }

    /// The next request to publish, if one is due.
    pub fn next_request(&mut self, now: Instant) -> Option<TwinRequest> {
        let is_due = |sent: Option<Instant>| sent.is_none_or(|sent| now - sent >= TWIN_ANSWER_WAIT);
        if self.get.as_ref().is_some_and(|get| is_due(get.sent)) {
            let rid = self.next_rid();
            let topic = topics::twin_get(&rid);
            self.get = Some(Pending { content: (), rid, sent: Some(now) });
            return Some(TwinRequest { topic, body: b" ".to_vec() });
        }
        if self.report.as_ref().is_some_and(|report| is_due(report.sent)) {
            let rid = self.next_rid();
            let report = self.report.as_mut()?;
            report.sent = Some(now);
            report.rid = rid;
            let topic = topics::twin_reported(&report.rid);
            return Some(TwinRequest { topic, body: report.content.to_string().into_bytes() });
        }
        None
    }

    fn document(&mut self, status: u32, body: &[u8], now: Instant) -> Outcome {
        let desired = match (status, Desired::from_document(body)) {
            (200, Ok(desired)) => desired,
            (200, Err(problem)) => return self.get_failed(problem, now),
            _ => return self.get_failed(format!("the hub answered {status}"), now),
        };
        if self.patched_since_connect && desired.version < self.version {
            return self.overtaken(desired.version, now);
        }
        self.get = None;
        let is_news = !self.is_known || desired.version != self.version;
        self.is_known = true;
        if is_news { self.apply(desired) } else { Outcome::Unrelated }
    }

    /// A patch that came on this connection is newer than the document. The hub's next document may
    /// have caught up; one without a version (a hub that was offline all along) never will.
    fn overtaken(&mut self, version: Option<u64>, now: Instant) -> Outcome {
        match (&mut self.get, version) {
            (Some(get), Some(_)) => {
                get.sent = Some(now);
                get.rid.clear();
            }
            _ => self.get = None,
        }
        Outcome::Stale
    }

    /// The request stays pending, so it is sent again once [`TWIN_ANSWER_WAIT`] has passed.
    fn get_failed(&mut self, problem: String, now: Instant) -> Outcome {
        if let Some(get) = &mut self.get {
            get.sent = Some(now);
            get.rid.clear();
        }
        Outcome::RequestFailed(format!("twin GET: {problem}"))
    }

    fn reported(&mut self, status: u32, now: Instant) -> Outcome {
        match status {
            200..=299 => {
                self.report = None;
                Outcome::Ignored
            }
            400..=428 | 430..=499 => {
                self.report = None;
                Outcome::RequestFailed(format!("reported properties: the hub refused ({status})"))
            }
            _ => {
                if let Some(report) = &mut self.report {
                    report.sent = Some(now);
                    report.rid.clear();
                }
                Outcome::RequestFailed(format!("reported properties: the hub answered {status}"))
            }
        }
    }

    fn apply(&mut self, desired: Desired) -> Outcome {
        if desired.version.is_some() {
            self.version = desired.version;
        }
        let answer = put_in_force(desired.change, &self.cell, self.default, self.version);
        let Some((outcome, content)) = answer else { return Outcome::Unrelated };
        self.report = Some(Pending { content, rid: String::new(), sent: None });
        outcome
    }

    fn ask(&mut self) {
        self.get = Some(Pending { content: (), rid: String::new(), sent: None });
    }

    fn next_rid(&mut self) -> String {
        self.rid_count += 1;
        format!("{:08x}-{}", self.rid_prefix, self.rid_count)
    }
}

#[cfg(test)]
mod tests;
