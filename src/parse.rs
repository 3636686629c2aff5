//! Judges one message body: is its temperature above the threshold?
//!
//! Bytes enter, a [`Verdict`] leaves; each parser thread owns one [`Parser`]. No I/O, no clock, no
//! log. Scratch memory is reused and bounded ([`Parser`]); nothing queues here, and a bad body is a
//! value, not a failure.
//!
//! ```text
//!            ┌─ fast: one walk over the body, no memory ─┐
//!            │         │ declined                        │
//!   body ────┼─ simd: tape, buffers reused ──────────────┼── value at the path ── threshold ── Verdict
//!            │         │ unsure                          │
//!            └─ exact: every byte and digit ─────────────┘
//! ```
//!
//! # What counts
//! The whole body must be UTF-8 and JSON (RFC 8259), whatever stands after the temperature. Of equal
//! keys the last wins, at every level. A body that is no object, or an object on the path that is
//! something else or missing, is simply not an alert. Numbers compare exactly: integers of any size,
//! floats correctly rounded, `1e999` as infinity.
//!
//! # Where Python's `json` module decides otherwise
//! - `NaN`, `Infinity` and `-Infinity` are not JSON: malformed here, numbers there.
//! - `true` and `false` as temperature: malformed here, 1 and 0 there.
//! - A body, or a value on the path, that is not an object: no alert here; there it may raise an error.
//! - Integers of more than 4,300 digits: compared exactly here, an error there.
//! - Nesting: any depth here (memory in proportion to the body, no stack); there an error at
//!   about 1,000 levels.

mod exact;
mod fast;
mod number;
mod path;
mod simd;

pub use number::{LONG_DIGITS, Number};
pub use path::{JsonPath, PATH_MEMBERS_MAX, PathError};

use crate::threshold::{Threshold, exceeds};
use fast::{FastParser, Judgement};
use simd::SimdParser;

/// What a message body turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The temperature exceeds the threshold; the nearest `f64` to it, infinite beyond its range.
    Alert(f64),
    /// The temperature is at or below the threshold.
    Below,
    /// Valid JSON without a temperature where one was looked for: no alert, and no error either.
    NoTemperature,
    /// The body is an error of its sender.
    Malformed(Malformed),
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// Some bytes are not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// UTF-8 text that is not one JSON value.
    #[error("the body is not JSON")]
    NotJson,
    /// A boolean, string, null, list or object stands in place of the temperature.
    #[error("the temperature is not a number")]
    TemperatureNotANumber,
}

impl Malformed {
    /// Every reason, in the order of their discriminants.
    pub const ALL: [Malformed; 3] = [Self::NotUtf8, Self::NotJson, Self::TemperatureNotANumber];
}

/// What stands at the path in a valid body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Found<'a> {
    Absent,
    NotANumber,
    Number(Number<'a>),
}

/// Judges bodies one after the other, reusing its memory.
///
/// It keeps at most 4 MiB, reached only by bodies of nothing but brackets; sensor messages keep it
/// at a few KiB.
pub struct Parser {
    path: JsonPath,
    /// None when the path has a name that JSON can only spell with escapes.
    fast: Option<FastParser>,
    /// None when the path needs names decoded more exactly than simd-json does.
    simd: Option<SimdParser>,
}

impl Parser {
    /// A parser that looks for the temperature at `path`.
    pub fn new(path: JsonPath) -> Self {
        let fast = FastParser::new(&path);
        let simd = (!path.needs_exact_names()).then(SimdParser::new);
        Self { path, fast, simd }
    }

    /// Judges `body` by `threshold`. Any bytes are welcome; none make it panic.
    pub fn judge(&mut self, body: &[u8], threshold: Threshold) -> Verdict {
        if let Some(fast) = &self.fast
            && let Judgement::Judged(verdict) = fast.judge(body, threshold)
        {
            return verdict;
        }
        self.judge_declined(body, threshold)
    }

    /// Judges what the walk declines; right for every other body too, and its twin in tests.
    #[cold]
    fn judge_declined(&mut self, body: &[u8], threshold: Threshold) -> Verdict {
        if let Some(simd) = &mut self.simd
            && let Ok(found) = simd.find(body, &self.path)
        {
            return verdict(found, threshold);
        }
        judge_exactly(body, &self.path, threshold)
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new(JsonPath::default())
    }
}

/// Kept out of line: it is the rare way, and the tests' way to the right answer.
#[cold]
fn judge_exactly(body: &[u8], path: &JsonPath, threshold: Threshold) -> Verdict {
    match exact::find(body, path) {
        Ok(found) => verdict(found, threshold),
        Err(malformed) => Verdict::Malformed(malformed),
    }
}

fn verdict(found: Found<'_>, threshold: Threshold) -> Verdict {
    match found {
        Found::Absent => Verdict::NoTemperature,
        Found::NotANumber => Verdict::Malformed(Malformed::TemperatureNotANumber),
        Found::Number(number) if exceeds(number, threshold) => Verdict::Alert(number.to_f64()),
        Found::Number(_) => Verdict::Below,
    }
}

#[cfg(test)]
mod tests;
