//! Judges one message body: is its temperature above the threshold?
//!
//! Bytes enter, a [`Verdict`] leaves; each parser thread owns one [`Parser`]. No I/O, no clock, no
//! log. Scratch memory is reused and bounded ([`Parser`]); nothing queues here, and a bad body is a
//! value, not a failure.
//!
//! ```text
//!         ┌─ fast: one walk over the body, no memory ────┐
//!         │         │ declined                           │
//!  body ──┼─ simd: tape, buffers reused; not on 32 bits ─┼─ value at the path ─ threshold: Verdict
//!         │         │ unsure                             │
//!         └─ exact: every byte and digit ────────────────┘
//! ```
//!
//! Which of them are asked is a matter of cost alone ([`Ways`]): every way gives the same verdict.
//!
//! # What counts
//! The whole body must be UTF-8 and JSON (RFC 8259), whatever stands after the temperature. Of
//! equal keys the last wins, at every level. A body that is no object, or an object on the path
//! that is something else or missing, is simply not an alert. Integers of any size compare exactly.
//! Numbers with a fraction or an exponent compare as the nearest `f64`, as in Python:
//! `25.0000000000000017` is 25, and `1e999` is infinity.
//!
//! # Where Python's `json` module decides otherwise
//! - `NaN`, `Infinity` and `-Infinity` are not JSON: malformed here, numbers there.
//! - `true` and `false` as temperature: malformed here, 1 and 0 there.
//! - A body, or a value on the path, that is not an object: no alert here; there it may raise an
//!   error.
//! - Integers of more than 4,300 digits: compared exactly here, an error there.
//! - Nesting: any depth here (memory in proportion to the body, no stack); there an error at
//!   about 1,000 levels.

mod exact;
mod fast;
mod path;
mod simd;

pub use crate::pipeline::number::{LONG_DIGITS, Number};
pub use path::{JsonPath, PATH_MEMBERS_MAX, PathError};
pub use simd::SIMD_BODY_BYTES_MAX;

use crate::pipeline::threshold::{Threshold, exceeds};
use fast::FastParser;
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

/// Who is asked before the exact parser, which always has the last word.
///
/// The verdict never depends on it, what it costs does. All ways are there on every machine, so
/// that tests can hold one against the other wherever they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// First the walk over the body.
    pub walk: bool,
    /// Then simd-json.
    pub simd: bool,
}

impl Ways {
    /// What is fastest on this machine. simd-json has no 32-bit SIMD code: there it costs more than
    /// the exact parser, whatever the body (perf/notes.md).
    pub const USUAL: Ways =
        Ways { walk: true, simd: cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) };

    /// Every way there is.
    pub const ALL: [Ways; 4] = [
        Ways { walk: true, simd: true },
        Ways { walk: true, simd: false },
        Ways { walk: false, simd: true },
        Ways { walk: false, simd: false },
    ];
}

/// Judges bodies one after the other, reusing its memory.
///
/// It keeps at most 64 KiB, reached only by bodies of nothing but brackets; sensor messages keep it
/// at a few KiB.
pub struct Parser {
    path: JsonPath,
    /// None when it is not asked, or the path has a name that JSON can only spell with escapes.
    fast: Option<FastParser>,
    /// None when it is not asked, or the path needs names decoded more exactly than it does.
    simd: Option<SimdParser>,
}

impl Parser {
    /// A parser that looks for the temperature at `path`, in the way that is usual here.
    pub fn new(path: JsonPath) -> Self {
        Self::by(Ways::USUAL, path)
    }

    /// A parser that looks for the temperature at `path` in these ways.
    pub fn by(ways: Ways, path: JsonPath) -> Self {
        let fast = if ways.walk { FastParser::new(&path) } else { None };
        let simd = (ways.simd && !path.needs_exact_names()).then(SimdParser::new);
        Self { path, fast, simd }
    }

    /// Judges `body` by `threshold`. Any bytes are welcome; none make it panic.
    pub fn judge(&mut self, body: &[u8], threshold: Threshold) -> Verdict {
        match self.walk(body, threshold) {
            Some(verdict) => verdict,
            None => self.judge_declined(body, threshold),
        }
    }

    /// What the walk over `body` says alone; none when it declines, or is none of this parser's
    /// ways.
    #[inline]
    pub fn walk(&self, body: &[u8], threshold: Threshold) -> Option<Verdict> {
        self.fast.as_ref()?.judge(body, threshold)
    }

    /// Judges what the walk declines; right for every other body too.
    #[cold]
    fn judge_declined(&mut self, body: &[u8], threshold: Threshold) -> Verdict {
        if let Some(simd) = &mut self.simd
            && let Ok(found) = simd.find(body, &self.path)
        {
            return verdict(found, threshold);
        }
        match exact::find(body, &self.path) {
            Ok(found) => verdict(found, threshold),
            Err(malformed) => Verdict::Malformed(malformed),
        }
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new(JsonPath::default())
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
