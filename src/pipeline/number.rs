//! A JSON number, as a comparison takes it: integers exactly, others as the nearest `f64`.

/// A JSON number, as exact as Python reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number<'a> {
    /// An integer of fewer than [`LONG_DIGITS`] characters, which covers all of `i64` and `u64`.
    Integer(i128),
    /// A number with a fraction or an exponent: the nearest `f64`, infinite beyond its range.
    Float(f64),
    /// Any other integer, as the text that the body holds; of any length.
    Long(&'a str),
}

/// Characters (sign included) from which an integer is kept as text.
///
/// An integer with fewer fits `i128` many times over, so that the ends of `i128` are never reached.
pub const LONG_DIGITS: usize = 30;

impl<'a> Number<'a> {
    /// Reads `text`, which must be a number by the JSON grammar.
    pub(crate) fn from_json(text: &'a str) -> Self {
        let is_float = text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
        if is_float {
            // Rust reads every JSON float, correctly rounded; out of range it gives infinity or 0.
            return Self::Float(text.parse().expect("JSON's float grammar is a part of Rust's"));
        }
        if text.len() >= LONG_DIGITS {
            return Self::Long(text);
        }
        text.parse().map_or(Self::Long(text), Self::Integer)
    }

    /// The nearest `f64`, infinite beyond its range: for people and logs, not for comparing.
    #[expect(clippy::cast_precision_loss, reason = "the nearest one is what is asked for")]
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
            Self::Long(digits) => digits.parse().unwrap_or(f64::NAN),
        }
    }
}
