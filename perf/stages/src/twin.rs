//! A patch of the desired properties, from its publish to the threshold in force and the report of
//! it, and the hub's answer to that.

use std::sync::Arc;
use std::time::Instant;

use sluicegate::azure::Identity;
use sluicegate::azure::topics::{self, Received, parse_received};
use sluicegate::mqtt::wire::Outgoing;
use sluicegate::pipeline::threshold::{Setting, Threshold, ThresholdCell};
use sluicegate::twin::{Outcome, Twin};

use crate::stage::{Runner, Work};
use crate::traffic::identity;

/// The first version has as many digits as all that follow.
const FIRST_VERSION: u64 = 1_000_000;
/// What patches ask for, one after the other.
const THRESHOLDS: [f64; 4] = [30.5, 25.25, 99.5, 19.75];

pub(crate) fn prepare() -> Runner {
    over(|threshold| threshold)
}

/// Text that ends with a version, which counts up in its place.
struct Counting {
    text: Vec<u8>,
    version_end: usize,
}

impl Counting {
    fn new(before: &str, after: &str) -> Self {
        let text = format!("{before}{FIRST_VERSION}");
        let version_end = text.len();
        Self { text: (text + after).into_bytes(), version_end }
    }

    fn add(&mut self, mut count: u8) {
        for digit in self.text[..self.version_end].iter_mut().rev() {
            *digit += count;
            if *digit <= b'9' {
                return;
            }
            *digit -= 10;
            count = 1;
        }
    }
}

/// A patch as it comes, and the report that it asks for.
struct Patch {
    threshold: f64,
    topic: Counting,
    body: Counting,
    report: Counting,
}

impl Patch {
    fn new((offset, threshold): (u8, f64)) -> Self {
        let body = format!("{{\"TemperatureThreshold\":{threshold},\"$version\":");
        let report = "{\"TemperatureThreshold\":{\"ac\":200,\"ad\":\"applied\",\"av\":";
        let mut patch = Self {
            threshold,
            topic: Counting::new("$iothub/twin/PATCH/properties/desired/?$version=", ""),
            body: Counting::new(&body, "}"),
            report: Counting::new(report, &format!(",\"value\":{threshold}}}}}")),
        };
        patch.add(offset);
        patch
    }

    fn add(&mut self, count: u8) {
        for text in [&mut self.topic, &mut self.body, &mut self.report] {
            text.add(count);
        }
    }
}

/// The module's side.
struct TwinModule {
    identity: Identity,
    cell: Arc<ThresholdCell>,
    twin: Twin,
    now: Instant,
    written: Vec<u8>,
}

impl TwinModule {
    /// Connected, and with a twin whose version is the one before the first patch.
    fn new() -> Result<Self, String> {
        let (cell, now) = (Arc::new(ThresholdCell::default()), Instant::now());
        let mut twin = Twin::new(Arc::clone(&cell), Threshold::DEFAULT, 0);
        twin.connected();
        let get = twin.next_request(now).ok_or("no twin is asked for")?;
        let (_, rid) = get.topic.split_once("$rid=").ok_or("a GET without a request id")?;
        let document = format!("{{\"desired\":{{\"$version\":{}}}}}", FIRST_VERSION - 1);
        twin.response(200, rid, document.as_bytes(), now);
        let mut module =
            Self { identity: identity(), cell, twin, now, written: Vec::with_capacity(1024) };
        module.report(None)?;
        Ok(module)
    }

    fn take(&mut self, patch: &Patch, version: u64) -> Result<(), String> {
        let topic = std::str::from_utf8(&patch.topic.text).map_err(|error| error.to_string())?;
        let Received::DesiredPatch { version: sent } = parse_received(&self.identity, topic) else {
            return Err(format!("{topic} is no patch"));
        };
        let outcome = self.twin.patch(sent, &patch.body.text);
        let wanted = Threshold::new(patch.threshold).ok_or("a threshold that is not finite")?;
        let expected = Setting { threshold: wanted, version: Some(version) };
        let in_force = self.cell.load();
        if outcome != Outcome::Applied(wanted) || in_force != expected {
            return Err(format!("{outcome:?}, {in_force:?} in place of {expected:?}"));
        }
        self.report(Some(&patch.report.text))
    }

    /// Reports, and is told that the hub has it.
    fn report(&mut self, expected: Option<&[u8]>) -> Result<(), String> {
        let Some(request) = self.twin.next_request(self.now) else {
            return if expected.is_some() { Err("no report".to_owned()) } else { Ok(()) };
        };
        let (topic, body) = (request.topic.as_str(), request.body.as_bytes());
        self.written.clear();
        let publish = Outgoing { topic, packet_id: None, dup: false, retain: false, body };
        publish.write(&mut self.written).map_err(|error| error.to_string())?;
        let (path, rid) = topic.split_once("?$rid=").ok_or("a report without a request id")?;
        let is_right = expected.is_none_or(|expected| self.written.ends_with(expected));
        if path != topics::twin_reported("").trim_end_matches("?$rid=") || !is_right {
            return Err(format!("{topic} {}", String::from_utf8_lossy(body)));
        }
        match self.twin.response(204, rid, b"", self.now) {
            Outcome::Ignored if self.twin.next_request(self.now).is_none() => Ok(()),
            other => Err(format!("{other:?} behind the answer to a report")),
        }
    }
}

fn over(asked: fn(f64) -> f64) -> Runner {
    let mut module = TwinModule::new();
    let mut patches = [(0, 0), (1, 1), (2, 2), (3, 3)]
        .map(|(offset, index): (u8, usize)| Patch::new((offset, THRESHOLDS[index])));
    for patch in &mut patches {
        patch.threshold = asked(patch.threshold);
    }
    let mut version = FIRST_VERSION;
    let mut next = 0;
    Box::new(move |messages| {
        let module = module.as_mut().map_err(|error| error.clone())?;
        for _ in 0..messages {
            let patch = &mut patches[next];
            module.take(patch, version)?;
            patch.add(4);
            version += 1;
            next = (next + 1) % THRESHOLDS.len();
        }
        Ok(Work::default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_is_in_force_and_reported() {
        let mut runner = prepare();
        for count in [1, 13, 200] {
            assert_eq!(runner(count), Ok(Work::default()));
        }
    }

    #[test]
    fn another_threshold_than_asked_for_is_noticed() {
        assert!(over(|threshold| threshold + 1.0)(1).is_err());
    }

    #[test]
    fn versions_count_up_in_their_place() {
        let mut text = Counting::new("v", "}");
        for _ in 0..30 {
            text.add(4);
        }
        assert_eq!(text.text, b"v1000120}");
    }
}
