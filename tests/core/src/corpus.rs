//! Message bodies for comparing filters: the usual, the borderline and the broken.
//!
//! A corpus starts with hand-written bodies and goes on with generated ones. The same seed and
//! count give the same bytes on every platform, and a shorter corpus is the beginning of a longer
//! one; `tests` hold a fingerprint.

mod generate;
mod handwritten;

use std::fmt;

use generate::Generator;

/// Thresholds at which the bodies of [`Kind::Boundary`] and [`Kind::HugeNumber`] are hard to judge.
pub const THRESHOLDS: [f64; 7] =
    [25.0, 24.5, 0.0, -12.75, 9_007_199_254_740_992.0, 1.0e30, f64::MAX];

/// One message body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpusEntry {
    /// The bytes as they travel.
    pub body: Vec<u8>,
    /// Why it is in the corpus.
    pub kind: Kind,
}

/// What a body probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What the simulated sensor sends.
    Normal,
    /// Temperatures next to one of the [`THRESHOLDS`], in many spellings.
    Boundary,
    /// Not JSON, or not UTF-8.
    Malformed,
    /// Escapes, surrogates, characters of every length.
    Unicode,
    /// Equal keys, the last of which counts.
    DuplicateKeys,
    /// Integers beyond 64 bits, long fractions, extreme exponents.
    HugeNumber,
    /// Valid JSON of another shape: no machine, no temperature, other types.
    Shape,
    /// One of the others with up to four bytes changed.
    Mutated,
    /// `NaN`, `Infinity`, `-Infinity`: Python's `json` takes them, JSON does not know them.
    PythonConstant,
    /// Beyond a limit of Python's: over 4,300 digits in an integer, over 1,000 nested values.
    PythonLimit,
}

impl Kind {
    /// Whether a filter on Python's `json` may decide otherwise than sluicegate, as documented.
    pub fn differs_from_python(self) -> bool {
        matches!(self, Self::PythonConstant | Self::PythonLimit)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Boundary => "boundary",
            Self::Malformed => "malformed",
            Self::Unicode => "unicode",
            Self::DuplicateKeys => "duplicate keys",
            Self::HugeNumber => "huge number",
            Self::Shape => "shape",
            Self::Mutated => "mutated",
            Self::PythonConstant => "Python constant",
            Self::PythonLimit => "Python limit",
        })
    }
}

/// The first `count` bodies of the corpus of `seed`.
pub fn corpus(seed: u64, count: usize) -> Vec<CorpusEntry> {
    let mut generator = Generator::new(seed);
    handwritten::entries().chain(std::iter::repeat_with(|| generator.entry())).take(count).collect()
}
