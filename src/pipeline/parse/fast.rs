//! The usual way: one walk over the body that checks all of it and finds the number on the way.
//!
//! The walk reads the body where it stands and takes no memory. It knows the whole grammar of JSON.
//!
//! ```text
//!  {"machine":{"temperature":25.1,"pressure":1.2},"ambient":{"humidity":24},"timeCreated":"..."}
//!  |          |              |                   |
//!  level 0    level 1        the spot            level 0 again
//!  '------- find -----------''decide''--------- skip: checked, and not looked into again -------'
//! ```
//!
//! **Two loops.** `find` goes round once for each member of the objects on the path: a name, a
//! colon, a value. A name of the path leads one level down, or at the last level to the spot. Every
//! other value is stepped over by `skip`, a second loop that keeps the lists and objects around a
//! place as bits of one `u64`. So nothing recurses, and nesting takes no memory.
//!
//! **Of equal names the last counts.** Whenever a name of the path comes again, `find` forgets the
//! spot that it had. It goes on to the last byte in any case: no verdict is given before the whole
//! body is checked.
//!
//! **Eight bytes at a time** (`word`). A string ends at a quote, a backslash, a control character
//! or a byte beyond ASCII. Arithmetic on a `u64` marks these in all eight bytes at once, and no
//! vector unit is needed:
//!
//! ```text
//!  bytes     t  e  m  p  "  :  2  5
//!  marks     .  .  .  .  80 .  .  .      trailing zeros / 8 = 4: the string ends there
//! ```
//!
//! Digits are looked at one by one at first: a branch on each is foreseen, while lengths that come
//! out of words wait for each other from number to number (perf/notes.md).
//!
//! **Places are 32-bit numbers**, each with the byte that stands there already read. A body has at
//! most 16 MiB, so on a 64-bit machine no sum of two needs a check for overflow. Behind the end
//! stands NUL, which is as unwelcome there as inside. UTF-8 is checked in strings alone: elsewhere
//! the grammar knows no byte beyond ASCII.
//!
//! **The verdict** (`decide`) comes from the digits before the point where these suffice: 21.9 is
//! below 25 because 22 is. Else a short number is one exact division. The standard library reads
//! only what is left.
//!
//! **Certain or silent.** The walk gives a verdict only where it is sure, and then that of `exact`.
//! Others look where it meets
//!
//! - a body that is not JSON or not UTF-8: what exactly is wrong with it, others say,
//! - a name with escapes beside one on the path, since it may spell the same,
//! - more than 63 lists and objects within another that is not on the path,
//! - bodies beyond 16 MiB.

mod decide;
mod name;
mod skip;
mod text;
mod word;

use super::{Found, JsonPath, Verdict, verdict};
use crate::pipeline::threshold::Threshold;
use decide::NumberText;
use name::Name;
use text::{ByteAt, Text};

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
    #[inline(always)]
    fn find(&self, text: &Text<'_>) -> Option<(Spot, ByteAt)> {
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
fn temperature(text: &Text<'_>, first: ByteAt) -> Option<(Spot, ByteAt)> {
    if first.byte != b'-' && !first.byte.is_ascii_digit() {
        return Some((Spot::NotANumber, text.skip_value(first)?));
    }
    let decimal = text.skip_decimal(first)?;
    let end = text.skip_exponent(decimal)?;
    Some((Spot::Number { start: first.at, decimal_end: decimal.at, end: end.at }, end))
}
