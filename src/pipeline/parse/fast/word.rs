//! Eight bytes looked at in one step, in a `u64`: no vector unit is needed.

/// Bytes of one step.
pub(super) const WORD_BYTES: u32 = 8;

/// Eight bytes of a body, the first one lowest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    #[inline(always)]
    pub(super) fn new(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    /// The last `count` bytes, at most seven, followed by NUL.
    pub(super) fn last(self, count: usize) -> Self {
        // In two steps, since `count` may be 0 and a shift by 64 would be none.
        Self(self.0 >> (8 * (7 - count)) >> 8)
    }

    /// The bytes where `mask` has its bits set, NUL elsewhere.
    #[inline(always)]
    pub(super) fn masked(self, mask: Word) -> Self {
        Self(self.0 & mask.0)
    }

    /// The byte at a mark.
    #[inline(always)]
    pub(super) fn byte(self, mark: Mark) -> u8 {
        self.0.wrapping_shr(mark.0 & !7).to_le_bytes()[0]
    }

    /// Which bytes do not simply belong to a string: quote, backslash, control characters, and all
    /// beyond ASCII.
    ///
    /// With its second bit turned, the quote stands right behind the control characters. What is
    /// subtracted borrows only from a byte above one that is marked itself.
    #[inline(always)]
    pub(super) fn string_stops(self) -> Marks {
        let quotes_and_controls = (self.0 ^ all(0x02)).wrapping_sub(all(0x21));
        let backslashes = (self.0 ^ all(b'\\')).wrapping_sub(all(0x01));
        Marks((quotes_and_controls | backslashes | self.0) & all(0x80))
    }

    /// Which bytes are no decimal digits.
    ///
    /// What is added carries only out of a byte beyond ASCII, which is marked itself.
    #[inline(always)]
    pub(super) fn non_digits(self) -> Marks {
        let values = self.0 ^ all(b'0');
        Marks((values.wrapping_add(all(0x80 - 10)) | values) & all(0x80))
    }
}

const fn all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Some bytes of a word: the highest bit of each is set.
///
/// Only the first mark can be relied upon.
#[derive(Clone, Copy)]
pub(super) struct Marks(u64);

impl Marks {
    /// The first.
    #[inline(always)]
    pub(super) fn first(self) -> Option<Mark> {
        (self.0 != 0).then(|| Mark(self.0.trailing_zeros()))
    }
}

/// One byte of a word, as the number of its highest bit.
#[derive(Clone, Copy)]
pub(super) struct Mark(u32);

impl Mark {
    /// How many bytes stand before it.
    #[inline(always)]
    pub(super) fn index(self) -> u32 {
        self.0 / 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For all bytes, at all places among usual ones: the first mark is the first byte of its kind.
    #[test]
    fn the_first_mark_is_right() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                for behind in [b'a', b'"', b'\\', b'0', 0x00, 0x80, 0xff] {
                    let mut bytes = [behind; 8];
                    bytes[..at].fill(b'~');
                    bytes[at] = byte;
                    let is_stop =
                        |byte: &u8| !matches!(byte, b' '..=0x7f) || b"\"\\".contains(byte);
                    let word = Word::new(bytes);
                    check(word, word.string_stops(), bytes.iter().position(is_stop));

                    bytes[..at].fill(b'9');
                    let word = Word::new(bytes);
                    let other = bytes.iter().position(|byte| !byte.is_ascii_digit());
                    check(word, word.non_digits(), other);
                }
            }
        }
    }

    fn check(word: Word, marks: Marks, expected: Option<usize>) {
        let first = marks.first();
        assert_eq!(first.map(|mark| mark.index() as usize), expected, "{:x}", word.0);
        if let (Some(mark), Some(expected)) = (first, expected) {
            assert_eq!(word.byte(mark), word.0.to_le_bytes()[expected]);
        }
    }

    #[test]
    fn the_end_is_filled_with_nul() {
        let word = Word::new(*b"abcdefgh");
        assert!(word.last(0) == Word::new([0; 8]));
        assert!(word.last(1) == Word::new(*b"h\0\0\0\0\0\0\0"));
        assert!(word.last(7) == Word::new(*b"bcdefgh\0"));
    }
}
