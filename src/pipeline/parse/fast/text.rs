//! A body to walk over, byte by byte or eight at a time.

use super::word::Word;

/// Largest body, in bytes, that is walked over; larger ones are declined.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A body. Places in it are counted in 32 bits, so that on a 64-bit machine no sum of two needs a
/// check for overflow.
pub(super) struct Text<'a> {
    body: &'a [u8],
    /// The last eight bytes, NUL before them if there are fewer.
    tail: Word,
}

/// A byte, already read, and where it stands; NUL behind the end, where it is as unwelcome as
/// inside.
#[derive(Clone, Copy)]
pub(super) struct ByteAt {
    pub(super) byte: u8,
    pub(super) at: u32,
}

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

    #[inline(always)]
    pub(super) fn place(&self, at: u32) -> ByteAt {
        ByteAt { byte: self.body.get(at as usize).copied().unwrap_or(0), at }
    }

    #[inline(always)]
    pub(super) fn next(&self, place: ByteAt) -> ByteAt {
        self.place(place.at + 1)
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
        self.tail.last(self.body.len().saturating_sub(at).min(8 - 1))
    }

    /// The bytes from `start` up to `end`; none if that is not inside the body.
    #[inline(always)]
    pub(super) fn slice(&self, start: u32, end: u32) -> Option<&'a [u8]> {
        self.body.get(start as usize..end as usize)
    }

    /// Whether nothing but white space stands from `place` on.
    #[inline(always)]
    pub(super) fn ends_at(&self, place: ByteAt) -> bool {
        place.at as usize >= self.body.len() || self.token(place).at as usize >= self.body.len()
    }

    /// The next character from `place` on that is no white space.
    #[inline(always)]
    pub(super) fn token(&self, place: ByteAt) -> ByteAt {
        if place.byte > b' ' { place } else { self.place(self.behind_blanks(place.at)) }
    }

    /// The next character behind the one at `place` that is no white space.
    #[inline(always)]
    pub(super) fn next_token(&self, place: ByteAt) -> ByteAt {
        self.token(self.next(place))
    }

    /// Apart, so that the usual body without white space pays nothing for the loop.
    #[inline(never)]
    fn behind_blanks(&self, mut at: u32) -> u32 {
        while matches!(self.body.get(at as usize), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            at += 1;
        }
        at
    }
}
