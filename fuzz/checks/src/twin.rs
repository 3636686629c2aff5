//! Twin documents, patches and the control topic, against what serde_json makes of them.
//!
//! A line of the input is one event; see [`check`]. Held by a model: what a patch does, by its
//! members and its version. Held at every event: the threshold in force is a finite one that
//! something asked for, a refusal changes nothing, and what is reported is what is in force.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sluicegate::azure::topics::{Sent, parse_sent};
use sluicegate::broker::Control;
use sluicegate::pipeline::threshold::{Setting, Threshold, ThresholdCell};
use sluicegate::twin::limits::VERSION_MAX;
use sluicegate::twin::{Outcome, Twin};

use crate::input::lines;

const PROPERTY: &str = "TemperatureThreshold";
/// Requests that may be due at once: one GET and one report.
const REQUESTS_MAX: usize = 2;

/// Each line of `data` is an event: `c` a new connection, `p` a patch, `d` the document that was
/// asked for, `r` an answer with a status, `n` a payload of the control topic, `N` a retained one.
/// A number and a space may stand before the body: a patch's version in the topic, or the status.
pub fn check(data: &[u8]) {
    let Some(lines) = lines(data) else { return };
    let mut world = World::new();
    for line in lines {
        let Some(kind) = line.chars().next().filter(char::is_ascii) else { continue };
        let (number, body) = numbered(&line[1..]);
        world.event(kind, number, body.as_bytes());
    }
}

/// A number before a space, and what is behind.
fn numbered(text: &str) -> (Option<u64>, &str) {
    let split = text.split_once(' ').and_then(|(n, rest)| Some((n.parse().ok()?, rest)));
    split.map_or((None, text), |(number, rest)| (Some(number), rest))
}

struct World {
    cell: Arc<ThresholdCell>,
    twin: Twin,
    control_cell: Arc<ThresholdCell>,
    control: Control,
    /// Of the desired properties, while patches alone came.
    known: Option<u64>,
    has_document: bool,
    /// Request ids of the last GET and report.
    get: Option<String>,
    report: Option<String>,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let cell = Arc::new(ThresholdCell::default());
        let control_cell = Arc::new(ThresholdCell::default());
        Self {
            twin: Twin::new(Arc::clone(&cell), Threshold::DEFAULT, 7),
            cell,
            control: Control::new(Arc::clone(&control_cell), Threshold::DEFAULT),
            control_cell,
            known: None,
            has_document: false,
            get: None,
            report: None,
            now: Instant::now(),
        }
    }

    fn event(&mut self, kind: char, number: Option<u64>, body: &[u8]) {
        let before = self.cell.load();
        self.now += Duration::from_secs(11);
        let status = number.and_then(|status| u32::try_from(status).ok()).unwrap_or(200);
        match kind {
            'c' => {
                self.twin.connected();
                self.control.connected();
            }
            'p' => {
                let outcome = self.twin.patch(number, body);
                self.check_patch(number, body, &outcome);
                check_outcome(&outcome, before, self.cell.load());
            }
            'd' | 'r' => {
                let rid = if kind == 'd' { &self.get } else { &self.report };
                let rid = rid.clone().unwrap_or_default();
                let outcome = self.twin.response(status, &rid, body, self.now);
                self.has_document |= self.twin.is_known();
                check_outcome(&outcome, before, self.cell.load());
            }
            'n' | 'N' => self.control_event(body, kind == 'N'),
            _ => {}
        }
        self.check_requests();
    }

    /// What is published of it, and that there is an end to it.
    fn check_requests(&mut self) {
        for count in 0.. {
            let Some(request) = self.twin.next_request(self.now) else { break };
            assert!(count < REQUESTS_MAX, "one GET and one report at a time");
            match parse_sent(&request.topic) {
                Sent::TwinGet { rid } => self.get = Some(rid.into_owned()),
                Sent::TwinReported { rid } => {
                    self.report = rid.map(std::borrow::Cow::into_owned);
                    check_report(request.body.as_bytes(), self.cell.load());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// What a patch does, by its members.
    fn check_patch(&mut self, number: Option<u64>, body: &[u8], outcome: &Outcome) {
        if self.has_document {
            return;
        }
        let Ok(patch) = serde_json::from_slice::<Value>(body) else {
            // What it cannot hold may still be read: only versions of bodies are lost.
            self.has_document = true;
            return;
        };
        let topic = number.filter(|version| *version <= VERSION_MAX);
        let version = version_of(&patch).flatten().or(topic);
        if let (Some(known), Some(new)) = (self.known, version)
            && new <= known
        {
            assert_eq!(*outcome, Outcome::Stale);
            return;
        }
        self.known = version.or(self.known);
        check_asked(&patch, outcome);
    }

    fn control_event(&mut self, body: &[u8], is_retained: bool) {
        let before = self.control_cell.load();
        let outcome = self.control.on_patch(body, is_retained);
        check_outcome(&outcome, before, self.control_cell.load());
        if outcome == Outcome::Stale || outcome == Outcome::Unrelated {
            return;
        }
        self.control.acknowledged();
        let report = self.control.next_report().expect("what was settled is reported");
        check_report(&report, self.control_cell.load());
        if body.is_empty() {
            assert_eq!(outcome, Outcome::Applied(Threshold::DEFAULT));
        } else if let Ok(patch) = serde_json::from_slice::<Value>(body) {
            match version_of(&patch) {
                None => assert!(matches!(outcome, Outcome::Refused(_)), "a bad version"),
                Some(_) => check_asked(&patch, &outcome),
            }
        }
    }
}

/// The `$version` of a patch: `Some(None)` without one, `None` where it cannot be one.
fn version_of(patch: &Value) -> Option<Option<u64>> {
    let Some(version) = patch.get("$version") else { return Some(None) };
    version.as_u64().filter(|version| *version <= VERSION_MAX).map(Some)
}

/// What is done is what was asked for.
fn check_asked(patch: &Value, outcome: &Outcome) {
    let is_right = match (patch.as_object().map(|patch| patch.get(PROPERTY)), outcome) {
        (None, Outcome::Refused(_)) | (Some(None), Outcome::Unrelated) => true,
        (Some(Some(Value::Null)), Outcome::Applied(threshold)) => *threshold == Threshold::DEFAULT,
        (Some(Some(Value::Number(asked))), Outcome::Applied(threshold)) => {
            // It rounds the last bit as it likes.
            let asked = asked.as_f64().unwrap_or(f64::NAN);
            (threshold.value() - asked).abs() <= asked.abs() * 1e-15
        }
        (Some(Some(Value::Number(_) | Value::Null)), _) => false,
        (Some(Some(_)), Outcome::Refused(_)) => true,
        _ => false,
    };
    assert!(is_right, "{patch}: {outcome:?}");
}

/// What is in force is what the outcome says; all else leaves it as it was.
fn check_outcome(outcome: &Outcome, before: Setting, after: Setting) {
    match outcome {
        Outcome::Applied(threshold) => assert_eq!(after.threshold, *threshold),
        _ => assert_eq!(after, before, "{outcome:?}"),
    }
    assert!(after.threshold.value().is_finite());
    assert!(after.version.is_none_or(|version| version <= VERSION_MAX));
}

/// A report is JSON, and tells what is in force.
fn check_report(body: &[u8], setting: Setting) {
    // Half of the time of a long run, which has no debug assertions.
    if !cfg!(debug_assertions) && !body.len().is_multiple_of(8) {
        return;
    }
    let report: Value = serde_json::from_slice(body).expect("a report is JSON");
    let report = report.get(PROPERTY).expect("it is of the one property");
    let told = report.get("value").and_then(Value::as_f64).expect("a number is told");
    let real = setting.threshold.value();
    assert!((told - real).abs() <= real.abs() * 1e-15, "{told} for {real}");
    assert!(matches!(report["ac"].as_u64(), Some(200 | 400)) && report["av"].is_u64());
}
