//! The sensor's view of its device twin: which desired values it has yet to act on, and which
//! reports the hub has yet to take.
//!
//! - In: twin documents, desired patches, answers, reports of the device. Out: desired values to
//!   act on, requests to publish.
//! - Every connection begins with a GET. A desired value of the document is acted on unless the
//!   twin acknowledges it under the document's version, or this process has acted on it; so what
//!   changed while the device was away is made up for, and nothing is done twice.
//! - A patch is acted on when its version is above all known ones. Unless it is the next one, the
//!   document is asked for, and decides: one with a lower version is of another twin.
//! - Bounded: see `twin::requests`; of each property of the template the last
//!   value that was acted on.
//!
//! Source: Azure IoT Hub over MQTT, "Retrieving a device twin's properties", "Update reported
//! properties", "Receiving desired properties update notifications".

mod answers;

use std::time::Instant;

use serde_json::Value;

use super::template::Writable;
use crate::azure::conventions;
use crate::azure::members::{is_same, members};
use crate::azure::topics::Received;
use crate::twin::TwinRequest;
use crate::twin::desired::{VERSION, plausible, read_version, sections, too_large};
use crate::twin::requests::{Requests, TwinAnswer};
use answers::Answers;

/// The members of a section that matter; [`Writable::ALL`] in its order.
const MEMBERS: [&str; 3] = [VERSION, Writable::ALL[0].name(), Writable::ALL[1].name()];

/// A desired value to act on.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Which property.
    pub property: Writable,
    /// Its text in the twin; `None` when a patch removed it.
    pub raw: Option<String>,
    /// The `$version` that it came with.
    pub version: u64,
}

/// The device's view of its twin.
#[derive(Debug)]
pub struct SensorTwin {
    /// Version of the desired properties that is known in full.
    version: Option<u64>,
    /// By [`Writable`]: the newest value acted on, and the version that it was known by last.
    handled: [Option<(u64, String)>; Writable::ALL.len()],
    /// By [`Writable`]: the value that the last document reports to be in force.
    reported: [Option<Value>; Writable::ALL.len()],
    /// By [`Writable`]: what the twin may hold of earlier acknowledgements.
    answers: [Answers; Writable::ALL.len()],
    requests: Requests,
}

impl SensorTwin {
    /// `rid_prefix` tells this process's requests from those of an earlier one whose answers may
    /// still be stored in the session: give it a random number.
    pub fn new(rid_prefix: u32) -> Self {
        let requests = Requests::new(rid_prefix);
        let (handled, reported, answers) = Default::default();
        Self { version: None, handled, reported, answers, requests }
    }

    /// The subscriptions of a new connection are in place: asks for the document, and sends reports
    /// again that have no answer yet.
    pub fn connected(&mut self) {
        self.requests.connected();
    }

    /// The device was assigned anew: the twin may be another, and nothing known of the old one
    /// holds.
    pub fn forget(&mut self) {
        (self.version, self.handled) = Default::default();
    }

    /// Reports a value, in place of an older one of this property that has no answer yet. An
    /// acknowledgement removes what an earlier one in another form has left in the twin.
    pub fn report(&mut self, property: &'static str, mut value: Value) {
        if let Some(writable) = Writable::named(property) {
            value = self.answers[writable as usize].completed(value);
        }
        self.requests.report(property, value);
    }

    /// The values that the last document reports to be in force, where the template allows them.
    pub fn reported(&self) -> impl Iterator<Item = (Writable, &Value)> {
        let values = Writable::ALL.into_iter().zip(&self.reported);
        values.filter_map(|(property, value)| Some((property, value.as_ref()?)))
    }

    /// Whether a request that was sent has no answer yet.
    pub fn is_waiting(&self) -> bool {
        self.requests.is_waiting()
    }

    /// The next request to publish, if the time of one has come.
    pub fn next_request(&mut self, now: Instant) -> Option<TwinRequest> {
        self.requests.next(now)
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
        let section = Section::read(body).map_err(|problem| self.unread(&problem))?;
        let version = section.version.or(plausible(topic_version));
        let version = version.ok_or_else(|| self.unread("has no $version that can be one"))?;
        if self.newest().is_some_and(|newest| version <= newest) {
            self.requests.passed();
            return Ok(Vec::new());
        }
        if self.version.is_some_and(|known| version == known + 1) {
            self.version = Some(version);
        } else {
            self.requests.ask();
        }
        self.requests.patched(Some(version));
        let values = Writable::ALL.into_iter().zip(&mut self.handled).zip(section.values);
        let wanted = values.filter_map(|((property, handled), raw)| {
            let raw = raw?.to_owned();
            *handled = Some((version, raw.clone()));
            Some(Wanted { property, raw: Some(raw).filter(|raw| raw != "null"), version })
        });
        Ok(wanted.collect())
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
        self.answered(status, rid, Ok(body), now)
    }

    /// Something arrived that was not read, as it is larger than is taken.
    ///
    /// # Errors
    /// When it is of the twin: says so.
    pub fn too_large(
        &mut self,
        received: &Received<'_>,
        bytes: usize,
        now: Instant,
    ) -> Result<Vec<Wanted>, String> {
        let problem = too_large(bytes);
        match received {
            Received::DesiredPatch { .. } => Err(self.unread(&problem)),
            Received::TwinResponse { status, rid, .. } => {
                self.answered(*status, rid, Err(format!("the document {problem}")), now)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn answered(
        &mut self,
        status: u32,
        rid: &str,
        body: Result<&[u8], String>,
        now: Instant,
    ) -> Result<Vec<Wanted>, String> {
        let number = match self.requests.response(status, rid, now) {
            TwinAnswer::Document(number) => number,
            TwinAnswer::Nothing => return Ok(Vec::new()),
            TwinAnswer::Failed(problem) => return Err(problem),
        };
        body.and_then(Document::read).map(|document| self.document(number, &document)).map_err(
            |problem| {
                self.requests.put_off(now);
                format!("twin GET: {problem}")
            },
        )
    }

    /// The values that are neither acknowledged in the twin nor acted on.
    fn document(&mut self, number: u64, document: &Document<'_>) -> Vec<Wanted> {
        let version = document.version;
        if !self.requests.counts(number, Some(version)) {
            return Vec::new();
        }
        if self.newest().is_some_and(|newest| version < newest) {
            // Versions only grow: this is another twin, made under the same name.
            self.forget();
        }
        let is_current = self.version.replace(version) == Some(version);
        for ((property, known), report) in
            Writable::ALL.into_iter().zip(&mut self.reported).zip(document.reported)
        {
            let acknowledgement =
                report.and_then(|report| members(report.as_bytes(), ["value"]).ok());
            *known = acknowledgement.and_then(|[value]| property.check(value?).ok());
        }
        self.mend_reports(&document.reported);
        let mut wanted = Vec::new();
        let values = document.desired.into_iter().zip(document.reported);
        for ((property, handled), (raw, report)) in
            Writable::ALL.into_iter().zip(&mut self.handled).zip(values)
        {
            // A `null` is a value like any other here, and a bad one: a hub deletes what a patch
            // sets to `null`.
            let Some(raw) = raw else { continue };
            let is_handled = handled.as_ref().is_some_and(|(known, last)| {
                (is_current || *known == version) && is_same(last, raw)
            });
            if !is_handled && !is_acknowledged(property, report, raw, version) {
                wanted.push(Wanted { property, raw: Some(raw.to_owned()), version });
            }
            *handled = Some((version, raw.to_owned()));
        }
        wanted
    }

    /// Reports again what was sent before the document showed what else the twin holds.
    fn mend_reports(&mut self, reported: &[Option<&str>; Writable::ALL.len()]) {
        let reported = Writable::ALL.into_iter().zip(&mut self.answers).zip(reported);
        for ((property, answers), report) in reported {
            if let Some(answer) = report.and_then(|report| answers.found(report)) {
                self.requests.report(property.name(), answer);
            }
        }
    }

    fn newest(&self) -> Option<u64> {
        let handled = self.handled.iter().flatten().map(|(version, _)| *version);
        handled.chain(self.version).max()
    }

    /// A patch that cannot be read: the document tells what it said. Gives the problem.
    fn unread(&mut self, problem: &str) -> String {
        self.requests.passed();
        format!("a desired patch {problem}: the twin is asked for")
    }
}

/// Whether a reported property says that this value of this version was settled. A version alone
/// proves nothing where the report is of another twin's value.
fn is_acknowledged(property: Writable, report: Option<&str>, raw: &str, version: u64) -> bool {
    let Some(acknowledgement) = report.and_then(conventions::acknowledged) else { return false };
    let (_, wanted) = conventions::desired(raw);
    let is_settled = match property.check(wanted) {
        Ok(_) => {
            !acknowledgement.is_rejected
                && acknowledgement.value.is_none_or(|value| is_same(value, wanted))
        }
        Err(_) => acknowledgement.is_rejected,
    };
    acknowledgement.version == version && is_settled
}

/// The desired properties, or a patch of them.
struct Section<'a> {
    version: Option<u64>,
    values: [Option<&'a str>; Writable::ALL.len()],
}

impl<'a> Section<'a> {
    fn read(text: &'a [u8]) -> Result<Self, String> {
        let [version, values @ ..] = members(text, MEMBERS)?;
        Ok(Self { version: read_version(version).ok().flatten(), values })
    }
}

/// A twin as the hub sends it: of each property its text.
struct Document<'a> {
    desired: [Option<&'a str>; Writable::ALL.len()],
    reported: [Option<&'a str>; Writable::ALL.len()],
    /// Of the desired properties.
    version: u64,
}

impl<'a> Document<'a> {
    fn read(body: &'a [u8]) -> Result<Self, String> {
        let (desired, reported) = sections(body)?;
        let Section { version, values } = Section::read(desired.as_bytes())
            .map_err(|problem| format!("\"desired\" {problem}"))?;
        let version = version.ok_or("the desired properties have no $version that can be one")?;
        let reported = reported.and_then(|text| Section::read(text.as_bytes()).ok());
        let reported = reported.map_or_else(Default::default, |reported| reported.values);
        Ok(Self { desired: values, reported, version })
    }
}

#[cfg(test)]
mod tests;
