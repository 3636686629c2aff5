//! Steps over one JSON value and checks it.
//!
//! Each step takes the place where something begins and gives the place behind it, or nothing
//! where the grammar is broken.

use super::text::{ByteAt, Text};
use super::word::WORD_BYTES;

/// Digits that are looked at one by one before eight at a time. Most numbers have few, and their
/// lengths repeat from message to message: a processor foresees where such a loop ends, while the
/// length that comes out of a word is known only when it is calculated.
const DIGITS_ONE_BY_ONE: u32 = 3;

impl Text<'_> {
    /// Steps over a value of any kind.
    #[inline(always)]
    pub(super) fn skip_value(&self, first: ByteAt) -> Option<ByteAt> {
        if matches!(first.byte, b'{' | b'[') {
            Some(self.place(self.skip_nested(first)?))
        } else {
            self.skip_scalar(first)
        }
    }

    /// Steps over a list or an object with all that it holds; declines nesting beyond [`Nesting`].
    #[inline(never)]
    fn skip_nested(&self, mut place: ByteAt) -> Option<u32> {
        let mut nesting = Nesting::NONE;
        'value: loop {
            place = match place.byte {
                b'{' => {
                    let inside = self.next_token(place);
                    if inside.byte != b'}' {
                        nesting = nesting.inside(OBJECT)?;
                        place = self.skip_name(inside)?;
                        continue;
                    }
                    self.next(inside)
                }
                b'[' => {
                    let inside = self.next_token(place);
                    if inside.byte != b']' {
                        nesting = nesting.inside(LIST)?;
                        place = inside;
                        continue;
                    }
                    self.next(inside)
                }
                _ => self.skip_scalar(place)?,
            };
            while nesting != Nesting::NONE {
                place = self.token(place);
                if place.byte == b',' {
                    place = self.next_token(place);
                    if nesting.is_in_object() {
                        place = self.skip_name(place)?;
                    }
                    continue 'value;
                }
                if place.byte != nesting.closing_bracket() {
                    return None;
                }
                nesting = nesting.outside();
                place = self.next(place);
            }
            return Some(place.at);
        }
    }

    /// Steps over a member's name, the colon, and white space before the value.
    #[inline(always)]
    fn skip_name(&self, first: ByteAt) -> Option<ByteAt> {
        if first.byte != b'"' {
            return None;
        }
        self.skip_colon(self.skip_string(first)?)
    }

    /// Steps over a colon, and white space around it.
    #[inline(always)]
    pub(super) fn skip_colon(&self, place: ByteAt) -> Option<ByteAt> {
        let colon = self.token(place);
        if colon.byte != b':' {
            return None;
        }
        Some(self.next_token(colon))
    }

    /// Steps over a string, number or literal.
    #[inline(always)]
    fn skip_scalar(&self, first: ByteAt) -> Option<ByteAt> {
        match first.byte {
            b'"' => self.skip_string(first),
            b'-' | b'0'..=b'9' => self.skip_exponent(self.skip_decimal(first)?),
            b't' => self.skip_literal(b"true", first),
            b'f' => self.skip_literal(b"false", first),
            b'n' => self.skip_literal(b"null", first),
            _ => None,
        }
    }

    #[inline(always)]
    fn skip_literal(&self, literal: &[u8], first: ByteAt) -> Option<ByteAt> {
        let end = first.at + u32::try_from(literal.len()).ok()?;
        if self.slice(first.at, end)? != literal {
            return None;
        }
        Some(self.place(end))
    }

    /// Steps over a string.
    #[inline(always)]
    fn skip_string(&self, quote: ByteAt) -> Option<ByteAt> {
        let mut at = quote.at + 1;
        loop {
            let word = self.word(at);
            if let Some(stop) = word.string_stops().first() {
                at += stop.index();
                if word.byte(stop) != b'"' {
                    return Some(self.place(self.skip_rich_string(at)?));
                }
                return Some(self.place(at + 1));
            }
            at += WORD_BYTES;
        }
    }

    /// As [`Self::skip_string`], but declines a string with escapes.
    #[inline(always)]
    pub(super) fn skip_plain_string(&self, quote: ByteAt) -> Option<ByteAt> {
        let mut at = quote.at + 1;
        loop {
            let word = self.word(at);
            if let Some(stop) = word.string_stops().first() {
                at += stop.index();
                if word.byte(stop) != b'"' {
                    let end = self.skip_rich_string(at)?;
                    let has_escapes = self.slice(at, end)?.contains(&b'\\');
                    return (!has_escapes).then(|| self.place(end));
                }
                return Some(self.place(at + 1));
            }
            at += WORD_BYTES;
        }
    }

    /// Goes on in a string at its first escape or first character beyond ASCII.
    #[inline(never)]
    fn skip_rich_string(&self, start: u32) -> Option<u32> {
        let mut place = self.place(start);
        while place.byte != b'"' {
            place = match place.byte {
                b'\\' => self.skip_escape(place)?,
                ..b' ' => return None,
                _ => self.next(place),
            };
        }
        str::from_utf8(self.slice(start, place.at)?).ok()?;
        Some(place.at + 1)
    }

    /// Steps over an escape. Half a surrogate pair is as good as any other: the grammar knows no
    /// pairs.
    fn skip_escape(&self, backslash: ByteAt) -> Option<ByteAt> {
        let letter = self.next(backslash);
        match letter.byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(self.next(letter)),
            b'u' => {
                let (digits, end) = (letter.at + 1, letter.at + 5);
                let is_hex = self.slice(digits, end)?.iter().all(u8::is_ascii_hexdigit);
                is_hex.then(|| self.place(end))
            }
            _ => None,
        }
    }

    /// Steps over an exponent, if there is one.
    #[inline(always)]
    pub(super) fn skip_exponent(&self, place: ByteAt) -> Option<ByteAt> {
        if place.byte | 0x20 != b'e' {
            return Some(place);
        }
        Some(self.place(self.skip_exponent_digits(place.at)?))
    }

    #[inline(never)]
    fn skip_exponent_digits(&self, letter: u32) -> Option<u32> {
        let first = self.place(letter + 1);
        let is_sign = matches!(first.byte, b'+' | b'-');
        let end = self.skip_some_digits(if is_sign { self.next(first) } else { first })?;
        Some(end.at)
    }

    /// Steps over a number up to its exponent; `first` is a sign or a digit.
    #[inline(always)]
    pub(super) fn skip_decimal(&self, mut first: ByteAt) -> Option<ByteAt> {
        if first.byte == b'-' {
            first = self.next(first);
            if !first.byte.is_ascii_digit() {
                return None;
            }
        }
        let mut place = self.next(first);
        if first.byte != b'0' {
            place = self.skip_digits(place);
        }
        // A digit behind a leading zero is left where it is; nothing that may follow begins so.
        if place.byte == b'.' { self.skip_some_digits(self.next(place)) } else { Some(place) }
    }

    /// Steps over one digit or more.
    #[inline(always)]
    fn skip_some_digits(&self, first: ByteAt) -> Option<ByteAt> {
        if !first.byte.is_ascii_digit() {
            return None;
        }
        Some(self.skip_digits(self.next(first)))
    }

    /// Steps over digits, if there are any.
    #[inline(always)]
    fn skip_digits(&self, mut place: ByteAt) -> ByteAt {
        for _ in 0..DIGITS_ONE_BY_ONE {
            if !place.byte.is_ascii_digit() {
                return place;
            }
            place = self.next(place);
        }
        self.place(self.skip_many_digits(place.at))
    }

    #[inline(never)]
    fn skip_many_digits(&self, mut at: u32) -> u32 {
        loop {
            if let Some(end) = self.word(at).non_digits().first() {
                return at + end.index();
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
