//! The name of a member on the path, ready to be compared eight bytes at a time.

use super::text::Text;
use super::word::{WORD_BYTES, Word};

/// A name as it stands in a body, with its closing quote.
pub(super) struct Name {
    words: Vec<Part>,
    bytes: u32,
}

struct Part {
    word: Word,
    /// Which bytes of it count.
    mask: Word,
}

impl Name {
    /// None for a name that JSON can only spell with escapes, or of more than 4 GiB.
    pub(super) fn new(name: &str) -> Option<Self> {
        if name.bytes().any(|byte| matches!(byte, b'"' | b'\\' | ..b' ')) {
            return None;
        }
        let text = format!("{name}\"");
        let words = text.as_bytes().chunks(WORD_BYTES as usize).map(Part::new).collect();
        Some(Self { words, bytes: u32::try_from(text.len()).ok()? })
    }

    /// Where the name that begins at `at`, behind its quote, ends, if it is this one.
    #[inline(always)]
    pub(super) fn end(&self, text: &Text<'_>, at: u32) -> Option<u32> {
        let mut word_at = at;
        for part in &self.words {
            if text.word(word_at).masked(part.mask) != part.word {
                return None;
            }
            word_at += WORD_BYTES;
        }
        Some(at + self.bytes)
    }
}

impl Part {
    fn new(bytes: &[u8]) -> Self {
        let (mut word, mut mask) = ([0; 8], [0; 8]);
        word[..bytes.len()].copy_from_slice(bytes);
        mask[..bytes.len()].fill(0xff);
        Self { word: Word::new(word), mask: Word::new(mask) }
    }
}
