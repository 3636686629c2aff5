//! The usual way: one walk over the body that checks all of it and finds the number on the way.
//!
//! It reads the body where it stands, eight bytes at a time where it can, and takes no memory. It
//! knows the whole grammar, and gives a verdict only where it is certain; it declines
//!
//! - a body that is not JSON or not UTF-8: what exactly is wrong with it, others say,
//! - a name with escapes beside one on the path, since it may spell the same,
//! - more than 63 lists and objects within another that is not on the path,
//! - bodies beyond 16 MiB.
//!
//! UTF-8 is checked in strings alone: elsewhere the grammar knows no byte beyond ASCII.

mod decide;
mod name;
mod skip;
mod text;
mod word;

use super::{Found, JsonPath, Verdict, verdict};
use crate::pipeline::threshold::Threshold;
use decide::NumberText;
use name::Name;
use text::{Place, Text};

/// Walks along one path.
pub(super) struct FastParser {
    /// From the outermost on; at least one.
    names: Vec<Name>,
}

/// What stands at the path.
#[derive(Clone, Copy)]
enum Spot {
    Absent,
    NotANumber,
    /// `decimal_end` is where an exponent would begin.
    Number {
        start: u32,
        decimal_end: u32,
        end: u32,
    },
}

impl FastParser {
    /// None for a path with a name that JSON can only spell with escapes.
    pub(super) fn new(path: &JsonPath) -> Option<Self> {
        let names = path.members().iter().map(|name| Name::new(name)).collect::<Option<_>>()?;
        Some(Self { names })
    }

    /// None when somebody else must look.
    #[inline]
    pub(super) fn judge(&self, body: &[u8], threshold: Threshold) -> Option<Verdict> {
        let text = Text::new(body)?;
        let (spot, end) = self.find(&text)?;
        if !text.ends_at(end) {
            return None;
        }
        match spot {
            Spot::Absent => Some(verdict(Found::Absent, threshold)),
            Spot::NotANumber => Some(verdict(Found::NotANumber, threshold)),
            Spot::Number { start, decimal_end, end } => {
                let text = text.slice(start, end)?;
                NumberText { text, has_exponent: end != decimal_end }.judge(threshold)
            }
        }
    }

    /// What stands at the path, and where the body's one value ends.
    ///
    /// The loop goes round once for each member of the objects on the path. Whenever a name of the
    /// path is met again, what was found before is forgotten: of equal names the last counts.
    #[inline(always)]
    fn find(&self, text: &Text<'_>) -> Option<(Spot, Place)> {
        let first = text.token(text.place(0));
        if first.byte != b'{' {
            return Some((Spot::Absent, text.skip_value(first)?));
        }
        let mut spot = Spot::Absent;
        let mut level = 0;
        let mut place = text.next_token(first);
        loop {
            if place.byte == b'"' {
                if let Some(name_end) = self.names.get(level)?.end(text, place.at + 1) {
                    let value = text.skip_colon(text.place(name_end))?;
                    spot = Spot::Absent;
                    if level + 1 == self.names.len() {
                        (spot, place) = temperature(text, value)?;
                    } else if value.byte == b'{' {
                        level += 1;
                        place = text.next_token(value);
                        continue;
                    } else {
                        place = text.skip_value(value)?;
                    }
                } else {
                    let value = text.skip_colon(text.skip_plain_string(place)?)?;
                    place = text.skip_value(value)?;
                }
                place = text.token(place);
            } else if place.byte != b'}' {
                return None;
            }
            while place.byte == b'}' {
                if level == 0 {
                    return Some((spot, text.next(place)));
                }
                level -= 1;
                place = text.next_token(place);
            }
            if place.byte != b',' {
                return None;
            }
            place = text.next_token(place);
            if place.byte != b'"' {
                return None;
            }
        }
    }
}

/// What the value at the path's end is, and the place behind it.
#[inline(always)]
fn temperature(text: &Text<'_>, first: Place) -> Option<(Spot, Place)> {
    if first.byte != b'-' && !first.byte.is_ascii_digit() {
        return Some((Spot::NotANumber, text.skip_value(first)?));
    }
    let decimal = text.skip_decimal(first)?;
    let end = text.skip_exponent(decimal)?;
    Some((Spot::Number { start: first.at, decimal_end: decimal.at, end: end.at }, end))
}
