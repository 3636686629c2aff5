//! A body to walk over, byte by byte or eight at a time.

use super::word::Word;

/// A body and the place of every byte in it, counted in 32 bits: on a 64-bit machine, sums of
/// places then need no check for overflow.
pub(super) struct Text<'a> {
    body: &'a [u8],
    /// The last eight bytes, NUL before them if there are fewer.
    tail: Word,
}

/// Largest body, in bytes, that is walked over; larger ones are declined.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

impl<'a> Text<'a> {
    /// None for a body beyond [`BODY_BYTES_MAX`].
    #[inline(always)]
    pub(super) fn new(body: &'a [u8]) -> Option<Self> {
        if body.len() > BODY_BYTES_MAX {
            return None;
        }
        let tail = body.last_chunk().copied().unwrap_or_else(|| {
            let mut tail = [0; 8];
            tail[8 - body.len()..].copy_from_slice(body);
            tail
        });
        Some(Self { body, tail: Word::new(tail) })
    }

    /// The byte at `at`; NUL behind the end, where it is as unwelcome as inside.
    #[inline(always)]
    pub(super) fn byte(&self, at: u32) -> u8 {
        self.body.get(at as usize).copied().unwrap_or(0)
    }

    /// Eight bytes from `at` on, NUL behind the end.
    #[inline(always)]
    pub(super) fn word(&self, at: u32) -> Word {
        let at = at as usize;
        match self.body.get(at..at + 8).and_then(<[u8]>::first_chunk) {
            Some(bytes) => Word::new(*bytes),
            None => self.last_word(at),
        }
    }

    #[cold]
    fn last_word(&self, at: usize) -> Word {
        self.tail.last(self.body.len().saturating_sub(at).min(7))
    }

    /// The bytes from `start` up to `end`; none if that is not inside the body.
    #[inline(always)]
    pub(super) fn slice(&self, start: u32, end: u32) -> Option<&'a [u8]> {
        self.body.get(start as usize..end as usize)
    }

    /// Whether nothing but white space stands from `at` on.
    #[inline(always)]
    pub(super) fn ends_at(&self, at: u32) -> bool {
        at as usize == self.body.len() || self.behind_blanks(at) as usize == self.body.len()
    }

    /// The next character that is no white space, and where it stands; NUL at the end.
    #[inline(always)]
    pub(super) fn token(&self, at: u32) -> (u8, u32) {
        let byte = self.byte(at);
        if byte > b' ' {
            return (byte, at);
        }
        let at = self.behind_blanks(at);
        (self.byte(at), at)
    }

    /// Apart, so that the usual body without white space pays nothing for the loop.
    #[inline(never)]
    fn behind_blanks(&self, mut at: u32) -> u32 {
        while matches!(self.byte(at), b' ' | b'\n' | b'\r' | b'\t') {
            at += 1;
        }
        at
    }
}
