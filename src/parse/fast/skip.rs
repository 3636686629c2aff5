//! Steps over one JSON value and checks it.
//!
//! Each step takes the place where something begins and gives the place behind it, or nothing
//! where the grammar is broken.

use super::text::Text;
use super::word::WORD_BYTES;

impl Text<'_> {
    /// Steps over a value of any kind that begins with `first`.
    #[inline(always)]
    pub(super) fn skip_value(&self, first: u8, at: u32) -> Option<u32> {
        if matches!(first, b'{' | b'[') {
            self.skip_nested(at)
        } else {
            self.skip_scalar(first, at)
        }
    }

    /// Steps over a list or an object with all that it holds; declines nesting beyond [`Nesting`].
    #[inline(never)]
    fn skip_nested(&self, mut at: u32) -> Option<u32> {
        let mut nesting = Nesting::NONE;
        'value: loop {
            let (byte, start) = self.token(at);
            at = match byte {
                b'{' => match self.token(start + 1) {
                    (b'}', end) => end + 1,
                    (byte, name) => {
                        nesting = nesting.inside(OBJECT)?;
                        at = self.skip_name(byte, name)?;
                        continue;
                    }
                },
                b'[' => match self.token(start + 1) {
                    (b']', end) => end + 1,
                    (_, inside) => {
                        nesting = nesting.inside(LIST)?;
                        at = inside;
                        continue;
                    }
                },
                _ => self.skip_scalar(byte, start)?,
            };
            while nesting != Nesting::NONE {
                let (byte, end) = self.token(at);
                at = end + 1;
                if byte == b',' {
                    if nesting.is_in_object() {
                        let (byte, name) = self.token(at);
                        at = self.skip_name(byte, name)?;
                    }
                    continue 'value;
                }
                if byte != nesting.closing_bracket() {
                    return None;
                }
                nesting = nesting.outside();
            }
            return Some(at);
        }
    }

    /// Steps over a member's name, whose first character is `first`, and the colon.
    #[inline(always)]
    fn skip_name(&self, first: u8, at: u32) -> Option<u32> {
        if first != b'"' {
            return None;
        }
        self.skip_colon(self.skip_string(at + 1)?)
    }

    /// Steps over a colon, white space before it included.
    #[inline(always)]
    pub(super) fn skip_colon(&self, at: u32) -> Option<u32> {
        let (byte, at) = self.token(at);
        if byte != b':' {
            return None;
        }
        Some(at + 1)
    }

    /// Steps over a string, number or literal that begins with `first`.
    #[inline(always)]
    fn skip_scalar(&self, first: u8, at: u32) -> Option<u32> {
        if first == b'"' {
            return self.skip_string(at + 1);
        }
        if first == b'-' || first.is_ascii_digit() {
            return self.skip_number(first, at);
        }
        match first {
            b't' => self.skip_literal(b"true", at),
            b'f' => self.skip_literal(b"false", at),
            b'n' => self.skip_literal(b"null", at),
            _ => None,
        }
    }

    #[inline(always)]
    fn skip_literal<const BYTES: usize>(&self, literal: &[u8; BYTES], at: u32) -> Option<u32> {
        let end = at + u32::try_from(BYTES).ok()?;
        (self.slice(at, end)? == literal).then_some(end)
    }

    /// Steps over a string whose opening quote is behind already.
    #[inline(always)]
    fn skip_string(&self, mut at: u32) -> Option<u32> {
        loop {
            let word = self.word(at);
            if let Some(stop) = word.string_stops().first() {
                at += stop.index();
                if word.byte(stop) != b'"' {
                    return self.skip_rich_string(at);
                }
                return Some(at + 1);
            }
            at += WORD_BYTES;
        }
    }

    /// As [`Self::skip_string`], but declines a string with escapes.
    #[inline(always)]
    pub(super) fn skip_plain_name(&self, start: u32) -> Option<u32> {
        let mut at = start;
        loop {
            let word = self.word(at);
            if let Some(stop) = word.string_stops().first() {
                at += stop.index();
                if word.byte(stop) != b'"' {
                    let end = self.skip_rich_string(at)?;
                    return (!self.slice(start, end)?.contains(&b'\\')).then_some(end);
                }
                return Some(at + 1);
            }
            at += WORD_BYTES;
        }
    }

    /// Goes on in a string at its first escape or first character beyond ASCII.
    #[inline(never)]
    fn skip_rich_string(&self, start: u32) -> Option<u32> {
        let mut at = start;
        loop {
            at += match self.byte(at) {
                b'"' => break,
                b'\\' => self.escape_bytes(at)?,
                ..b' ' => return None,
                _ => 1,
            };
        }
        str::from_utf8(self.slice(start, at)?).ok()?;
        Some(at + 1)
    }

    /// Length of the escape at `at`. Half a surrogate pair is as good as any other: the grammar
    /// knows no pairs.
    fn escape_bytes(&self, at: u32) -> Option<u32> {
        match self.byte(at + 1) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
            b'u' => self.slice(at + 2, at + 6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
            _ => None,
        }
    }

    /// Steps over a number that begins with `first`, its sign or first digit.
    #[inline(always)]
    fn skip_number(&self, first: u8, at: u32) -> Option<u32> {
        self.skip_exponent(self.skip_decimal(first, at)?)
    }

    /// Steps over an exponent, if there is one.
    #[inline(always)]
    pub(super) fn skip_exponent(&self, at: u32) -> Option<u32> {
        if self.byte(at) | 0x20 == b'e' { self.skip_exponent_digits(at + 1) } else { Some(at) }
    }

    #[inline(never)]
    fn skip_exponent_digits(&self, at: u32) -> Option<u32> {
        let sign_bytes = u32::from(matches!(self.byte(at), b'+' | b'-'));
        self.skip_digits(at + sign_bytes)
    }

    /// Steps over a number that begins with `first`, up to its exponent.
    #[inline(always)]
    pub(super) fn skip_decimal(&self, mut first: u8, mut at: u32) -> Option<u32> {
        at += 1;
        if first == b'-' {
            first = self.byte(at);
            at += 1;
            if !first.is_ascii_digit() {
                return None;
            }
        }
        let word = self.word(at);
        let others = word.non_digits();
        let Some(point) = others.first() else {
            return self.skip_long_decimal(first, at);
        };
        if first == b'0' && point.index() != 0 {
            return None;
        }
        if word.byte(point) != b'.' {
            return Some(at + point.index());
        }
        let Some(end) = others.without_first().first() else {
            return self.skip_digits(at + point.index() + 1);
        };
        if end.index() == point.index() + 1 {
            return None;
        }
        Some(at + end.index())
    }

    /// Steps over the rest of a number with more digits before its point than a word holds.
    #[inline(never)]
    fn skip_long_decimal(&self, first: u8, at: u32) -> Option<u32> {
        if first == b'0' {
            return None;
        }
        let end = self.skip_digits(at)?;
        if self.byte(end) == b'.' { self.skip_digits(end + 1) } else { Some(end) }
    }

    /// Steps over one or more digits.
    #[inline(never)]
    fn skip_digits(&self, mut at: u32) -> Option<u32> {
        if !self.byte(at).is_ascii_digit() {
            return None;
        }
        loop {
            if let Some(end) = self.word(at).non_digits().first() {
                return Some(at + end.index());
            }
            at += WORD_BYTES;
        }
    }
}

/// The lists and objects around a place: one bit for each, the innermost lowest, and above them one
/// that is always set. So at most 63.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Nesting(u64);

const LIST: u64 = 0;
const OBJECT: u64 = 1;

impl Nesting {
    const NONE: Nesting = Nesting(1);

    #[inline(always)]
    fn inside(self, kind: u64) -> Option<Self> {
        (self.0.leading_zeros() != 0).then_some(Self(self.0 << 1 | kind))
    }

    #[inline(always)]
    fn outside(self) -> Self {
        Self(self.0 >> 1)
    }

    #[inline(always)]
    fn closing_bracket(self) -> u8 {
        if self.is_in_object() { b'}' } else { b']' }
    }

    #[inline(always)]
    fn is_in_object(self) -> bool {
        self.0 & 1 == OBJECT
    }
}
