//! The sensor's view of its device twin: which desired values it has yet to act on, and which
//! reports the hub has yet to take.
//!
//! - In: twin documents, desired patches, answers, reports of the device. Out: desired values to act
//!   on, requests to publish.
//! - Every connection begins with a GET. A desired value of the document is acted on when its
//!   version is newer than the one acknowledged, in the twin or by this process; so what changed
//!   while the device was away is made up for, and nothing is done twice.
//! - Bounded: one outstanding GET; one report per property of the template, the newest, as it holds
//!   all that an older one said. Both are sent again after [`TWIN_ANSWER_WAIT`] without answer and
//!   after a reconnect; a report that the hub calls invalid (4xx but 429) is given up and logged.
//!
//! Source: Azure IoT Hub over MQTT, "Retrieving a device twin's properties", "Update reported
//! properties", "Receiving desired properties update notifications".

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::template::Writable;
use crate::azure::{conventions, topics};
use crate::limits::TWIN_ANSWER_WAIT;

/// Something to publish on a twin topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The topic, with the request id.
    pub topic: String,
    /// The body.
    pub body: String,
}

/// A desired value to act on.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Which property.
    pub property: Writable,
    /// As it stands in the twin; `null` when a patch removed it.
    pub raw: Value,
    /// The `$version` that it came with.
    pub version: u64,
}

/// A request that waits for its answer; `sent` is `None` while it is due.
#[derive(Debug)]
struct Pending<T> {
    content: T,
    rid: String,
    sent: Option<Instant>,
}

impl<T> Pending<T> {
    fn new(content: T) -> Self {
        Self { content, rid: String::new(), sent: None }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.sent.is_none_or(|sent| now.saturating_duration_since(sent) >= TWIN_ANSWER_WAIT)
    }

    fn is_answered_by(&self, rid: &str) -> bool {
        self.is_waiting() && self.rid == rid
    }

    fn is_waiting(&self) -> bool {
        self.sent.is_some() && !self.rid.is_empty()
    }

    /// The answer was no: due again after [`TWIN_ANSWER_WAIT`], and no late answer counts.
    fn put_off(&mut self, now: Instant) {
        self.sent = Some(now);
        self.rid.clear();
    }
}

/// The device's view of its twin.
#[derive(Debug)]
pub struct Twin {
    /// Version of the desired properties that is known in full.
    version: Option<u64>,
    /// By [`Writable`]: the version of the newest value acted on.
    handled: [Option<u64>; Writable::ALL.len()],
    /// A patch came on this connection: a document that is older was overtaken by it.
    patched_since_connect: bool,
    get: Option<Pending<()>>,
    /// In the order in which their properties were first reported.
    reports: Vec<Pending<(&'static str, Value)>>,
    rid_prefix: u32,
    rid_count: u64,
}

impl Twin {
    /// `rid_prefix` tells this process's requests from those of an earlier one whose answers may
    /// still be stored in the session: give it a random number.
    pub fn new(rid_prefix: u32) -> Self {
        Self {
            version: None,
            handled: [None; Writable::ALL.len()],
            patched_since_connect: false,
            get: None,
            reports: Vec::new(),
            rid_prefix,
            rid_count: 0,
        }
    }

    /// The subscriptions of a new connection are in place: asks for the document, and sends reports
    /// again that have no answer yet.
    pub fn connected(&mut self) {
        self.patched_since_connect = false;
        self.get = Some(Pending::new(()));
        for report in &mut self.reports {
            report.sent = None;
        }
    }

    /// The device was assigned anew: the twin may be another, and nothing known of the old one holds.
    pub fn forget(&mut self) {
        self.version = None;
        self.handled = [None; Writable::ALL.len()];
    }

    /// Reports a value, in place of an older one of this property that has no answer yet.
    pub fn report(&mut self, property: &'static str, value: Value) {
        let report = Pending::new((property, value));
        match self.reports.iter_mut().find(|report| report.content.0 == property) {
            Some(older) => *older = report,
            None => self.reports.push(report),
        }
    }

    /// Whether a request that was sent has no answer yet.
    pub fn is_waiting(&self) -> bool {
        self.get.as_ref().is_some_and(Pending::is_waiting)
            || self.reports.iter().any(Pending::is_waiting)
    }

    /// Reports that wait for the hub.
    pub fn reports_waiting(&self) -> usize {
        self.reports.len()
    }

    /// A desired patch arrived; what is to be done about it.
    ///
    /// # Errors
    /// When it is no patch; nothing changes then, but the document is asked for.
    pub fn patch(
        &mut self,
        topic_version: Option<u64>,
        body: &[u8],
    ) -> Result<Vec<Wanted>, String> {
        let patch = match serde_json::from_slice(body) {
            Ok(Value::Object(patch)) => patch,
            Ok(_) => return self.ask_because("a desired patch that is no object"),
            Err(error) => {
                return self.ask_because(&format!("a desired patch that is not JSON: {error}"));
            }
        };
        let Some(version) = version_of(&patch).or(topic_version) else {
            return self.ask_because("a desired patch without $version");
        };
        if self.version.is_some_and(|known| version <= known) {
            return Ok(Vec::new());
        }
        let follows = self.version.is_some_and(|known| version == known + 1);
        if !follows && self.get.is_none() {
            self.get = Some(Pending::new(()));
        }
        self.patched_since_connect = true;
        if follows {
            self.version = Some(version);
        }
        Ok(self.take(&patch, version, &Map::new()))
    }

    /// An answer to a GET or a report arrived; what is to be done about it.
    ///
    /// # Errors
    /// When the hub refused the request, or answered it with something that is no twin.
    pub fn response(
        &mut self,
        status: u32,
        rid: &str,
        body: &[u8],
        now: Instant,
    ) -> Result<Vec<Wanted>, String> {
        if let Some(get) = self.get.as_mut().filter(|get| get.is_answered_by(rid)) {
            let document =
                if status == 200 { Document::read(body) } else { Err(format!("status {status}")) };
            return match document {
                Ok(document) => Ok(self.document(&document)),
                Err(problem) => {
                    get.put_off(now);
                    Err(format!("no twin from the hub: {problem}"))
                }
            };
        }
        let answered = self.reports.iter().position(|report| report.is_answered_by(rid));
        let Some(index) = answered else { return Ok(Vec::new()) };
        match status {
            200..=299 => {
                self.reports.remove(index);
                Ok(Vec::new())
            }
            400..=428 | 430..=499 => {
                let (property, _) = self.reports.remove(index).content;
                Err(format!("the hub refused the report of {property} ({status}): given up"))
            }
            _ => {
                let report = &mut self.reports[index];
                report.put_off(now);
                let property = report.content.0;
                Err(format!("the hub did not take the report of {property} ({status}): put off"))
            }
        }
    }

    /// The next request to publish, if one is due.
    pub fn next_request(&mut self, now: Instant) -> Option<Request> {
        let rid = format!("{:08x}-{}", self.rid_prefix, self.rid_count + 1);
        let request = if let Some(get) = self.get.as_mut().filter(|get| get.is_due(now)) {
            *get = Pending { content: (), rid: rid.clone(), sent: Some(now) };
            Request { topic: topics::twin_get(&rid), body: " ".to_owned() }
        } else {
            let report = self.reports.iter_mut().find(|report| report.is_due(now))?;
            report.rid.clone_from(&rid);
            report.sent = Some(now);
            let (property, value) = &report.content;
            let body = json!({ *property: value }).to_string();
            Request { topic: topics::twin_reported(&rid), body }
        };
        self.rid_count += 1;
        Some(request)
    }

    fn document(&mut self, document: &Document) -> Vec<Wanted> {
        let version = document.version;
        self.get = None;
        let newest = self.handled.iter().copied().flatten().chain(self.version).max();
        if newest.is_some_and(|newest| version < newest) {
            if self.patched_since_connect {
                // A patch overtook the document.
                self.get = Some(Pending::new(()));
                return Vec::new();
            }
            // Versions only grow: this is another twin, made under the same name.
            self.forget();
        }
        if self.version == Some(version) {
            return Vec::new();
        }
        self.version = Some(version);
        self.take(&document.desired, version, &document.reported)
    }

    /// The values of `section` that are newer than what was acted on or acknowledged.
    fn take(
        &mut self,
        section: &Map<String, Value>,
        version: u64,
        reported: &Map<String, Value>,
    ) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for (property, handled) in Writable::ALL.into_iter().zip(&mut self.handled) {
            let Some(raw) = section.get(property.name()) else { continue };
            let acknowledged = conventions::acknowledged_version(reported, property.name());
            if (*handled).max(acknowledged).is_some_and(|known| version <= known) {
                continue;
            }
            *handled = Some(version);
            wanted.push(Wanted { property, raw: raw.clone(), version });
        }
        wanted
    }

    fn ask_because(&mut self, problem: &str) -> Result<Vec<Wanted>, String> {
        if self.get.is_none() {
            self.get = Some(Pending::new(()));
        }
        Err(problem.to_owned())
    }
}

fn version_of(section: &Map<String, Value>) -> Option<u64> {
    section.get("$version").and_then(Value::as_u64)
}

/// A twin as the hub sends it.
struct Document {
    desired: Map<String, Value>,
    reported: Map<String, Value>,
    /// Of the desired properties.
    version: u64,
}

impl Document {
    fn read(body: &[u8]) -> Result<Self, String> {
        let mut document: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let Some(Value::Object(desired)) = document.remove("desired") else {
            return Err("the document has no object \"desired\"".to_owned());
        };
        let reported = match document.remove("reported") {
            Some(Value::Object(reported)) => reported,
            _ => Map::new(),
        };
        let version = version_of(&desired).ok_or("the desired properties have no $version")?;
        Ok(Self { desired, reported, version })
    }
}

#[cfg(test)]
mod tests;
