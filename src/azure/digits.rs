//! Numbers as they stand in topics and tokens: decimal digits and nothing else.

use std::str::FromStr;

/// The number without a sign that `text` spells. `from_str` alone would take a leading `+`, which
/// nobody wrote; it takes a `-` for the integers alone that have one.
pub(super) fn number<N: FromStr>(text: &str) -> Option<N> {
    if text.starts_with(['+', '-']) { None } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_alone_are_a_number() {
        assert_eq!(number("0"), Some(0_u32));
        assert_eq!(number("4294967295"), Some(u32::MAX));
        for text in ["", "+1", "-0", " 1", "1 ", "0x1", "1_0", "4294967296", "١"] {
            assert_eq!(number::<u32>(text), None, "{text:?}");
        }
    }
}
