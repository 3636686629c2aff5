//! Ways to find `machine.temperature` in a body and compare it with a threshold, each as its
//! library's users write it, with all memory reused that the library lets one reuse. The last two
//! are floors: they look at every byte and find nothing.

use std::hint::black_box;

use serde::Deserialize;
use serde_json::Value;
use simd_json::prelude::ValueAsScalar;
use simd_json::{Buffers, Tape};
use sluicegate::pipeline::parse::{self, Verdict};
use sluicegate::pipeline::threshold::Threshold;
use sonic_rs::JsonValueTrait;
use stages::body::{COLD, HOT, malformed, sensor};

/// What a parser says of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The temperature exceeds the threshold.
    Alert,
    /// It does not.
    Below,
    /// The body, or what stands in place of the temperature, is no good.
    Malformed,
    /// From a floor: nothing was looked for.
    Scanned,
}

/// A parser with its memory.
pub(crate) type Judge = Box<dyn FnMut(&[u8]) -> Answer>;

/// What may be asked of a parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The right answer, to any body.
    Validating,
    /// The right answer to a valid body.
    Trusting,
    /// Nothing: it is a floor.
    Floor,
}

/// A parser by its name.
#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    /// As results call it.
    pub(crate) name: &'static str,
    /// Whether it answers, and whether it sees a fault wherever that is in the body.
    pub(crate) kind: Kind,
    /// Makes one that compares with a threshold.
    pub(crate) start: fn(Threshold) -> Judge,
}

/// All of them.
pub(crate) const CANDIDATES: [Candidate; 8] = [
    Candidate { name: "walk", kind: Kind::Validating, start: walk },
    Candidate { name: "simd_json_tape", kind: Kind::Validating, start: simd_json_tape },
    Candidate { name: "serde_json_typed", kind: Kind::Validating, start: serde_json_typed },
    Candidate { name: "serde_json_value", kind: Kind::Validating, start: serde_json_value },
    Candidate { name: "sonic_typed", kind: Kind::Validating, start: sonic_typed },
    Candidate { name: "sonic_get", kind: Kind::Trusting, start: sonic_get },
    Candidate { name: "utf8_only", kind: Kind::Floor, start: utf8_only },
    Candidate { name: "bare_scan", kind: Kind::Floor, start: bare_scan },
];

impl Candidate {
    /// Whether it answers as its kind must to bodies of `size` bytes.
    ///
    /// # Errors
    /// Says which answer was wrong: no measurement of it counts.
    pub(crate) fn verify(&self, size: usize) -> Result<(), String> {
        use Answer::{Alert, Below, Malformed, Scanned};
        let (hit, miss) = (sensor(size, HOT[0]), sensor(size, COLD[0]));
        let broken = malformed(size, HOT[0]);
        let expected = match self.kind {
            Kind::Validating => [Alert, Below, Malformed],
            Kind::Trusting => [Alert, Below, Alert],
            Kind::Floor => [Scanned; 3],
        };
        let mut judge = (self.start)(Threshold::DEFAULT);
        let answers = [judge(&hit), judge(&miss), judge(&broken)];
        if answers != expected {
            return Err(format!(
                "{}, {size} bytes: {answers:?} in place of {expected:?}",
                self.name
            ));
        }
        Ok(())
    }
}

/// The part of the message that a typed reader asks for.
#[derive(Deserialize)]
struct Reading {
    machine: Machine,
}

#[derive(Deserialize)]
struct Machine {
    temperature: f64,
}

fn compare(temperature: Option<f64>, threshold: Threshold) -> Answer {
    match temperature {
        Some(temperature) if temperature > threshold.value() => Answer::Alert,
        Some(_) => Answer::Below,
        None => Answer::Malformed,
    }
}

/// Sluicegate's own.
fn walk(threshold: Threshold) -> Judge {
    let mut parser = parse::Parser::default();
    Box::new(move |body| match parser.judge(body, threshold) {
        Verdict::Alert(_) => Answer::Alert,
        Verdict::Below => Answer::Below,
        Verdict::NoTemperature | Verdict::Malformed(_) => Answer::Malformed,
    })
}

/// The tape alone, without a tree of values, from a copy of the body.
fn simd_json_tape(threshold: Threshold) -> Judge {
    let (mut copy, mut buffers, mut spare) = (Vec::new(), Buffers::default(), Tape(Vec::new()));
    Box::new(move |body| {
        // It un-escapes in place, and the body is forwarded as it came.
        copy.clear();
        copy.extend_from_slice(body);
        let mut tape = std::mem::replace(&mut spare, Tape(Vec::new())).reset();
        let filled = simd_json::fill_tape(&mut copy, &mut buffers, &mut tape);
        let temperature = filled
            .ok()
            .and_then(|()| tape.as_value().get("machine")?.get("temperature")?.cast_f64());
        spare = tape.reset();
        compare(temperature, threshold)
    })
}

/// Into a struct of what is asked for.
fn serde_json_typed(threshold: Threshold) -> Judge {
    Box::new(move |body| {
        let reading = serde_json::from_slice::<Reading>(body);
        compare(reading.ok().map(|reading| reading.machine.temperature), threshold)
    })
}

/// Into a tree of everything.
fn serde_json_value(threshold: Threshold) -> Judge {
    Box::new(move |body| {
        let value = serde_json::from_slice::<Value>(body);
        let temperature = value.ok().and_then(|value| value["machine"]["temperature"].as_f64());
        compare(temperature, threshold)
    })
}

/// Into a struct of what is asked for.
fn sonic_typed(threshold: Threshold) -> Judge {
    Box::new(move |body| {
        let reading = sonic_rs::from_slice::<Reading>(body);
        compare(reading.ok().map(|reading| reading.machine.temperature), threshold)
    })
}

/// By path; it stops at the hit, so what stands behind that may be broken.
fn sonic_get(threshold: Threshold) -> Judge {
    Box::new(move |body| {
        let value = sonic_rs::get(body, ["machine", "temperature"]);
        compare(value.ok().and_then(|value| value.as_f64()), threshold)
    })
}

/// UTF-8 validation by the standard library.
fn utf8_only(_: Threshold) -> Judge {
    Box::new(|body| match str::from_utf8(black_box(body)) {
        Ok(_) => Answer::Scanned,
        Err(_) => Answer::Malformed,
    })
}

/// Each byte looked at, several at a time, for one beyond ASCII.
fn bare_scan(_: Threshold) -> Judge {
    Box::new(|body| match black_box(body).is_ascii() {
        true => Answer::Scanned,
        false => Answer::Malformed,
    })
}
