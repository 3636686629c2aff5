//! The requests about one twin: which is to be sent now, and which answer counts. The same for the
//! module's twin and the sensor's.
//!
//! - In: what is to be asked for and reported, answers, the time. Out: requests to publish.
//! - A document counts whichever GET of its connection it answers, unless a patch in force is
//!   newer.
//! - Bounded: one GET and one report of each property wait for an answer at a time; a newer report
//!   replaces the older. Each is sent again, under a new id, after [`TWIN_ANSWER_WAIT`], then after
//!   twice that, up to [`TWIN_ANSWER_WAIT_MAX`], and after a reconnect. What the hub puts off (429,
//!   5xx) waits as long; a report that it calls invalid (4xx) is given up.
//!
//! Source: Azure IoT Hub over MQTT, "Retrieving a device twin's properties", "Update reported
//! properties".

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::azure::request_ids::{Outstanding, RequestIds};
use crate::azure::topics;
use crate::twin::limits::{TWIN_ANSWER_WAIT, TWIN_ANSWER_WAIT_MAX};

/// Something to publish on a twin topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwinRequest {
    /// The topic, with the request id.
    pub topic: String,
    /// The body.
    pub body: String,
}

/// What an answer was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TwinAnswer {
    /// The document that this request asked for; it is up to the reader whether it
    /// [counts](Requests::counts), or is to be [put off](Requests::put_off).
    Document(u64),
    /// The hub took a report, or nothing was asked.
    Nothing,
    /// The hub refused; the text says what.
    Failed(String),
}

/// Something that is asked for until it is answered.
#[derive(Debug)]
struct Pending {
    /// `None`: at once.
    due: Option<Instant>,
    wait: Duration,
    outstanding: Outstanding,
}

impl Pending {
    fn new() -> Self {
        Self { due: None, wait: TWIN_ANSWER_WAIT, outstanding: Outstanding::default() }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| now >= due)
    }

    fn sent(&mut self, number: u64, now: Instant) {
        if self.due.is_some() {
            self.wait = (self.wait * 2).min(TWIN_ANSWER_WAIT_MAX);
        }
        self.outstanding.sent(number);
        self.put_off(now);
    }

    fn put_off(&mut self, now: Instant) {
        self.due = Some(now + self.wait);
    }
}

/// A property's newest report; `pending` until the hub has taken it.
#[derive(Debug)]
struct Report {
    property: &'static str,
    value: Value,
    pending: Option<Pending>,
}

/// All requests about one twin.
#[derive(Debug)]
pub(crate) struct Requests {
    ids: RequestIds,
    is_wanted: bool,
    get: Pending,
    /// In the order in which their properties were first reported.
    reports: Vec<Report>,
    /// The last request before a patch took effect, and that patch's version.
    patched: (u64, u64),
    /// The last request before a patch was passed over.
    passed: u64,
}

impl Requests {
    /// `rid_prefix` tells this process's requests from those of an earlier one whose answers may
    /// still be stored in the session: give it a random number.
    pub(crate) fn new(rid_prefix: u32) -> Self {
        Self {
            ids: RequestIds::new(rid_prefix),
            is_wanted: false,
            get: Pending::new(),
            reports: Vec::new(),
            patched: (0, 0),
            passed: 0,
        }
    }

    /// A new connection: the document is asked for, reports without answer are sent again, and no
    /// answer to an earlier request counts.
    pub(crate) fn connected(&mut self) {
        self.is_wanted = true;
        self.get = Pending::new();
        for pending in self.reports.iter_mut().filter_map(|report| report.pending.as_mut()) {
            *pending = Pending::new();
        }
    }

    /// The document is wanted.
    pub(crate) fn ask(&mut self) {
        if !self.is_wanted {
            self.is_wanted = true;
            (self.get.due, self.get.wait) = (None, TWIN_ANSWER_WAIT);
        }
    }

    /// A patch took effect: a document that was asked for before may be older than it. Without a
    /// version there is no telling.
    pub(crate) fn patched(&mut self, version: Option<u64>) {
        self.patched = (self.ids.last(), version.unwrap_or(u64::MAX));
    }

    /// A patch was passed over: only a document that is asked for from now on knows of it.
    pub(crate) fn passed(&mut self) {
        self.passed = self.ids.last();
        self.ask();
    }

    /// Whether the document of this version, the answer to request `number`, is in force: what is
    /// in force is never newer, then. If not, or if it may know nothing of a patch that was passed
    /// over, it is asked for again.
    pub(crate) fn counts(&mut self, number: u64, version: Option<u64>) -> bool {
        let is_older = number <= self.patched.0 && version < Some(self.patched.1);
        self.is_wanted = false;
        if is_older || number <= self.passed {
            self.ask();
        }
        !is_older
    }

    /// The document that came is of no use: it is asked for again, later.
    pub(crate) fn put_off(&mut self, now: Instant) {
        self.get.put_off(now);
    }

    /// Reports a value, in place of an older one of this property that has no answer yet.
    pub(crate) fn report(&mut self, property: &'static str, value: Value) {
        let pending = Some(Pending::new());
        match self.reports.iter_mut().find(|report| report.property == property) {
            None => self.reports.push(Report { property, value, pending }),
            Some(report) if report.pending.is_some() && report.value == value => {}
            Some(report) => (report.value, report.pending) = (value, pending),
        }
    }

    /// Whether the hub has taken this value as the last of its property.
    pub(crate) fn is_taken(&self, property: &str, value: &Value) -> bool {
        let mut taken = self.reports.iter().filter(|report| report.pending.is_none());
        taken.any(|report| report.property == property && report.value == *value)
    }

    /// Whether a request that was sent has no answer yet.
    pub(crate) fn is_waiting(&self) -> bool {
        let get = self.is_wanted.then_some(&self.get);
        let reports = self.reports.iter().filter_map(|report| report.pending.as_ref());
        reports.chain(get).any(|pending| !pending.outstanding.is_empty())
    }

    /// An answer came.
    pub(crate) fn response(&mut self, status: u32, rid: &str, now: Instant) -> TwinAnswer {
        let Some(number) = self.ids.number(rid) else { return TwinAnswer::Nothing };
        if self.get.outstanding.answered(number) {
            if status == 200 {
                return TwinAnswer::Document(number);
            }
            self.get.put_off(now);
            return TwinAnswer::Failed(format!("twin GET: the hub answered {status}"));
        }
        let is_answered = |report: &mut Report| {
            report.pending.as_mut().is_some_and(|pending| pending.outstanding.answered(number))
        };
        let Some(index) = self.reports.iter_mut().position(is_answered) else {
            return TwinAnswer::Nothing;
        };
        let Report { property, pending, .. } = &mut self.reports[index];
        let problem = match status {
            200..=299 => {
                *pending = None;
                return TwinAnswer::Nothing;
            }
            400..=428 | 430..=499 => {
                let problem = format!("the hub refused the report of {property} ({status})");
                self.reports.remove(index);
                format!("{problem}: given up")
            }
            _ => {
                pending.iter_mut().for_each(|pending| pending.put_off(now));
                format!("the hub did not take the report of {property} ({status}): put off")
            }
        };
        TwinAnswer::Failed(problem)
    }

    /// The next request to publish, if the time of one has come.
    pub(crate) fn next(&mut self, now: Instant) -> Option<TwinRequest> {
        if self.is_wanted && self.get.is_due(now) {
            let topic = topics::twin_get(&self.ids.make());
            self.get.sent(self.ids.last(), now);
            return Some(TwinRequest { topic, body: " ".to_owned() });
        }
        for Report { property, value, pending } in &mut self.reports {
            if let Some(pending) = pending.as_mut().filter(|pending| pending.is_due(now)) {
                let topic = topics::twin_reported(&self.ids.make());
                pending.sent(self.ids.last(), now);
                return Some(TwinRequest { topic, body: report_body(property, value) });
            }
        }
        None
    }
}

/// The patch of the reported properties that sets one of them; `property` needs no escapes.
pub(crate) fn report_body(property: &str, value: &Value) -> String {
    format!("{{\"{property}\":{value}}}")
}
